//! The eight silhouettes, each a test of whether a point of the unit disc belongs to it.

/// A class of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Disc,
    Ring,
    Crescent,
    Triangle,
    Square,
    Star,
    Cross,
    Bars,
}

impl Form {
    /// All classes in the order of their labels.
    pub(crate) const ALL: [Self; 8] = [
        Self::Disc,
        Self::Ring,
        Self::Crescent,
        Self::Triangle,
        Self::Square,
        Self::Star,
        Self::Cross,
        Self::Bars,
    ];

    /// The four that are least alike, in the order of their labels.
    pub(crate) const LEAST_ALIKE: [Self; 4] = [Self::Disc, Self::Triangle, Self::Cross, Self::Bars];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Disc => "disc",
            Self::Ring => "ring",
            Self::Crescent => "crescent",
            Self::Triangle => "triangle",
            Self::Square => "square",
            Self::Star => "star",
            Self::Cross => "cross",
            Self::Bars => "bars",
        }
    }

    /// Whether (x, y) belongs to the form, which lies within the unit disc.
    pub(crate) fn contains(self, x: f32, y: f32) -> bool {
        let radius = |x: f32, y: f32| (x * x + y * y).sqrt();
        match self {
            Self::Disc => radius(x, y) <= 0.9,
            Self::Ring => (0.55..=1.0).contains(&radius(x, y)),
            Self::Crescent => radius(x, y) <= 1.0 && radius(x - 0.55, y) > 0.8,
            Self::Triangle => TRIANGLE.iter().all(|[nx, ny]| nx * x + ny * y <= 0.5),
            Self::Square => x.abs().max(y.abs()) <= 0.7,
            // The points of a pentagram lie outside at most one of its five lines.
            Self::Star => {
                PENTAGRAM
                    .iter()
                    .filter(|[nx, ny]| nx * x + ny * y > PENTAGRAM_LINE)
                    .count()
                    <= 1
            }
            Self::Cross => x.abs().min(y.abs()) <= 0.27 && x.abs().max(y.abs()) <= 0.95,
            Self::Bars => (0.22..=0.66).contains(&x.abs()) && y.abs() <= 0.75,
        }
    }
}

/// Outward normals of an equilateral triangle's sides; with distance 1/2 its corners have
/// distance 1.
const TRIANGLE: [[f32; 2]; 3] = [[0.0, 1.0], [0.866_025_4, -0.5], [-0.866_025_4, -0.5]];

/// Normals of a pentagram's lines, 72 degrees apart, and their distance for which its tips have
/// distance 1: the cosine of 72 degrees.
const PENTAGRAM: [[f32; 2]; 5] = [
    [0.0, 1.0],
    [0.951_056_5, 0.309_017],
    [0.587_785_25, -0.809_017],
    [-0.587_785_25, -0.809_017],
    [-0.951_056_5, 0.309_017],
];
const PENTAGRAM_LINE: f32 = 0.309_017;

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: i32 = 200;

    /// Points of a fine grid over [-1.1, 1.1] that belong to the form.
    fn points(form: Form) -> Vec<(f32, f32)> {
        let at = |k: i32| 1.1 * (k as f32 + 0.5) / GRID as f32;
        let grid =
            (-GRID..GRID).flat_map(|row| (-GRID..GRID).map(move |column| (at(column), at(row))));
        grid.filter(|(x, y)| form.contains(*x, *y)).collect()
    }

    #[test]
    fn areas_are_those_of_geometry() {
        let pi = std::f32::consts::PI;
        // Areas of circle, annulus, square, plus and two rectangles; 3 sqrt(3) / 4 for the
        // triangle; for the pentagram of circumradius R: R^2 * 10 tan(18) / (3 - tan(18)^2) =
        // 1.1226 R^2.
        let expected = [
            (Form::Disc, pi * 0.81),
            (Form::Ring, pi * (1.0 - 0.3025)),
            (Form::Triangle, 1.299),
            (Form::Square, 1.96),
            (Form::Star, 1.1226),
            (Form::Cross, 4.0 * 0.54 * 0.95 - 0.54 * 0.54),
            (Form::Bars, 2.0 * 0.44 * 1.5),
        ];
        for (form, area) in expected {
            let cell = (1.1 / GRID as f32).powi(2);
            let found = points(form).len() as f32 * cell;
            assert!(
                (found - area).abs() < 0.02,
                "{form:?}: {found} against {area}"
            );
        }
    }

    #[test]
    fn forms_fill_the_unit_disc_and_stay_within() {
        for form in Form::ALL {
            let reach = points(form)
                .iter()
                .map(|(x, y)| (x * x + y * y).sqrt())
                .fold(0.0, f32::max);
            assert!(
                (0.88..=1.0 + 1e-4).contains(&reach),
                "{form:?} reaches {reach}"
            );
        }
    }

    #[test]
    fn crescent_is_open_to_one_side() {
        assert!(Form::Crescent.contains(-0.9, 0.0));
        assert!(Form::Crescent.contains(0.2, 0.9));
        assert!(!Form::Crescent.contains(0.0, 0.0));
        assert!(!Form::Crescent.contains(0.9, 0.0));
    }
}
