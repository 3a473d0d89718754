//! Two-coloured patterns over the plane, smooth enough to be taken at pixel centres.

use rand::{Rng, RngExt};

use super::{Color, direction};

/// What a surface looks like.
#[derive(Debug, Clone)]
pub(crate) struct Texture {
    colors: [Color; 2],
    pattern: Pattern,
    /// Direction in which the pattern runs.
    along: [f32; 2],
    /// Pixels a repetition.
    period: f32,
    /// Shifts the pattern along both of its axes, in periods.
    phase: [f32; 2],
}

#[derive(Debug, Clone)]
enum Pattern {
    Stripes,
    Checks,
    Dots,
    Gradient,
    /// Random values on a grid with the texture's period, interpolated.
    Noise(Box<[[f32; NOISE]; NOISE]>),
}

/// Grid points of noise a side: the grid repeats beyond the picture's size at the shortest period.
const NOISE: usize = 16;

/// How bright the dark stripes of a striped thing are, of its colour.
const DARK: f32 = 0.4;

impl Pattern {
    fn noise(rng: &mut impl Rng) -> Self {
        Self::Noise(Box::new(std::array::from_fn(|_| {
            std::array::from_fn(|_| rng.random_range(0.0..1.0))
        })))
    }
}

impl Texture {
    /// A texture in shades around `base`.
    pub(crate) fn draw(base: Color, rng: &mut impl Rng) -> Self {
        let shift: Color = std::array::from_fn(|_| rng.random_range(-1.0..1.0_f32));
        let contrast = rng.random_range(10.0..35.0_f32);
        let pattern = match rng.random_range(0..5_u32) {
            0 => Pattern::Stripes,
            1 => Pattern::Checks,
            2 => Pattern::Dots,
            3 => Pattern::Gradient,
            _ => Pattern::noise(rng),
        };
        let colors =
            [1.0, -1.0].map(|sign| std::array::from_fn(|c| base[c] + sign * contrast * shift[c]));
        Self::of(colors, pattern, rng)
    }

    /// Stripes of a colour and of a much darker shade of it.
    pub(crate) fn striped(base: Color, rng: &mut impl Rng) -> Self {
        let colors = [base, base.map(|value| DARK * value)];
        Self {
            period: rng.random_range(3.0..4.5),
            ..Self::of(colors, Pattern::Stripes, rng)
        }
    }

    /// A colour that changes little and slowly, or is mottled.
    pub(crate) fn plain(base: Color, rng: &mut impl Rng) -> Self {
        let contrast = rng.random_range(2.0..14.0_f32);
        let pattern = match rng.random_bool(0.5) {
            true => Pattern::Gradient,
            false => Pattern::noise(rng),
        };
        let colors = [contrast, -contrast].map(|more| base.map(|value| value + more));
        Self::of(colors, pattern, rng)
    }

    fn of(colors: [Color; 2], pattern: Pattern, rng: &mut impl Rng) -> Self {
        Self {
            colors,
            pattern,
            along: direction(rng),
            period: rng.random_range(3.0..7.0),
            phase: std::array::from_fn(|_| rng.random_range(0.0..1.0)),
        }
    }

    /// The same pattern with the channels of its colours exchanged: as bright, of another hue.
    pub(crate) fn recoloured(&self) -> Self {
        Self {
            colors: self.colors.map(|[red, green, blue]| [green, blue, red]),
            ..self.clone()
        }
    }

    /// The colour at a point, in pixels.
    pub(crate) fn at(&self, x: f32, y: f32) -> Color {
        let share = self.share(x, y);
        std::array::from_fn(|c| self.colors[0][c] + share * (self.colors[1][c] - self.colors[0][c]))
    }

    /// How much of the second colour is at a point, 0 to 1.
    fn share(&self, x: f32, y: f32) -> f32 {
        let [dx, dy] = self.along;
        let u = (x * dx + y * dy) / self.period + self.phase[0];
        let v = (y * dx - x * dy) / self.period + self.phase[1];
        match &self.pattern {
            Pattern::Stripes => 0.5 + self.wave(u),
            Pattern::Checks => 0.5 + 2.0 * self.wave(u) * self.wave(v),
            Pattern::Dots => {
                let (du, dv) = (fraction(u) - 0.5, fraction(v) - 0.5);
                let distance = self.period * (du * du + dv * dv).sqrt();
                (0.3 * self.period - distance + 0.5).clamp(0.0, 1.0)
            }
            // Once back and forth in eight periods: a slow change across a picture.
            Pattern::Gradient => (2.0 * fraction(u / 8.0) - 1.0).abs(),
            Pattern::Noise(grid) => interpolate(grid, u, v),
        }
    }

    /// A square wave of period 1 and height -1/2 to 1/2 whose edges are a pixel wide.
    fn wave(&self, u: f32) -> f32 {
        let triangle = (2.0 * fraction(u) - 1.0).abs() - 0.5;
        (triangle * self.period / 2.0).clamp(-0.5, 0.5)
    }
}

/// u without its integer part, 0 to 1 for negative numbers too.
fn fraction(u: f32) -> f32 {
    u - u.floor()
}

fn interpolate(grid: &[[f32; NOISE]; NOISE], u: f32, v: f32) -> f32 {
    let cell = |k: f32| (k as i64).rem_euclid(NOISE as i64) as usize;
    let (left, top) = (u.floor(), v.floor());
    let (right, down) = (u - left, v - top);
    let row = |v: f32| {
        let row = &grid[cell(v)];
        row[cell(left)] * (1.0 - right) + row[cell(left + 1.0)] * right
    };
    row(top) * (1.0 - down) + row(top + 1.0) * down
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Split, random};

    #[test]
    fn stripes_alternate_between_both_colours() {
        let texture = Texture {
            colors: [[0.0; 3], [200.0; 3]],
            pattern: Pattern::Stripes,
            along: [1.0, 0.0],
            period: 8.0,
            phase: [0.0; 2],
        };
        // The triangle wave is 1 at 0 and 0 at half a period; edges lie at quarter periods.
        let row: Vec<f32> = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0]
            .map(|x| texture.at(x, 5.0)[0])
            .into();
        assert_eq!(row, [200.0, 200.0, 100.0, 0.0, 0.0, 100.0, 200.0]);
    }

    #[test]
    fn noise_takes_the_grid_values_and_their_means() {
        let mut grid = [[0.0; NOISE]; NOISE];
        (grid[2][3], grid[2][4], grid[0][15]) = (1.0, 0.5, 0.25);
        assert_eq!(interpolate(&grid, 3.0, 2.0), 1.0);
        assert_eq!(interpolate(&grid, 3.5, 2.0), 0.75);
        assert_eq!(interpolate(&grid, 3.5, 2.5), 0.375);
        assert_eq!(interpolate(&grid, -1.0, 16.0), 0.25); // repeats
    }

    #[test]
    fn every_texture_uses_its_range() {
        for index in 0..100 {
            let texture = Texture::draw([100.0; 3], &mut random::shape(0, Split::Train, index));
            let shares = (0..1024).map(|k| texture.share((k % 32) as f32, (k / 32) as f32));
            let (low, high) = shares.fold((1.0_f32, 0.0_f32), |(low, high), s| {
                (low.min(s), high.max(s))
            });
            assert!(
                (0.0..0.35).contains(&low) && (0.65..=1.0).contains(&high),
                "{low} {high} {:?}",
                texture.pattern
            );
        }
    }
}
