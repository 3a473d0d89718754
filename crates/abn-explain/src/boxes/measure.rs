//! Measures of one map of one box, on the pixels of the image.

use abn_boxes::BoundingBox;
use abn_core::explain::AttentionMap;
use image::GrayImage;

/// Which pixels of an image belong to something, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    width: usize,
    inside: Vec<bool>,
}

impl Region {
    /// The pixels whose middle lies in a box.
    pub fn of_box(bounds: &BoundingBox, width: usize, height: usize) -> Self {
        let within = |x: usize, y: usize| {
            let (x, y) = (x as f64 + 0.5, y as f64 + 0.5);
            (bounds.x1..bounds.x2).contains(&x) && (bounds.y1..bounds.y2).contains(&y)
        };
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self {
            width,
            inside: pixels.map(|(x, y)| within(x, y)).collect(),
        }
    }

    /// The pixels of a mask above 127.
    pub fn of_mask(mask: &GrayImage) -> Self {
        Self {
            width: mask.width() as usize,
            inside: mask.pixels().map(|pixel| pixel[0] > 127).collect(),
        }
    }

    /// What any of these holds and the region itself does not.
    pub fn others(&self, others: &[&Self]) -> Self {
        let any = |place: usize| others.iter().any(|other| other.inside[place]);
        let inside = self.inside.iter().enumerate();
        Self {
            width: self.width,
            inside: inside.map(|(place, own)| !own && any(place)).collect(),
        }
    }

    /// Whether there is no pixel of it.
    pub fn is_empty(&self) -> bool {
        !self.inside.contains(&true)
    }

    /// Share of the image.
    pub fn share(&self) -> f64 {
        let count = self.inside.iter().filter(|inside| **inside).count();
        count as f64 / self.inside.len().max(1) as f64
    }

    /// Number of pixels.
    pub fn pixels(&self) -> usize {
        self.inside.iter().filter(|inside| **inside).count()
    }
}

/// Share of the pixels with the highest value that lie in the region: 1 or 0 where one is the
/// highest (pointing game, Zhang et al. 2016). `None` of a map that is the same everywhere, which
/// points nowhere, or not finite.
pub fn points_at(map: &AttentionMap, region: &Region) -> Option<f64> {
    let (low, high) = map.extent()?;
    if low >= high || !map.values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let highest = map.values.iter().zip(&region.inside);
    let highest = highest.filter(|(value, _)| **value == high);
    let (mut all, mut within) = (0, 0);
    for (_, inside) in highest {
        all += 1;
        within += usize::from(*inside);
    }
    Some(f64::from(within as u32) / f64::from(all as u32))
}

/// Share of what is positive of the map that lies in the region (energy-based pointing game, Wang et
/// al. 2020). `None` where nothing is positive, or a value not finite.
pub fn energy(map: &AttentionMap, region: &Region) -> Option<f64> {
    if !map.values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let positive = map.values.iter().map(|value| f64::from(value.max(0.0)));
    let (mut all, mut within) = (0.0, 0.0);
    for (value, inside) in positive.zip(&region.inside) {
        all += value;
        within += if *inside { value } else { 0.0 };
    }
    (all > 0.0).then(|| within / all)
}

/// The pixels of a map from the highest value to the lowest; equal ones in the order of the image.
pub fn ranking(map: &AttentionMap) -> Vec<usize> {
    let mut places: Vec<usize> = (0..map.values.len()).collect();
    places.sort_by(|a, b| map.values[*b].total_cmp(&map.values[*a]));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: [f32; 6]) -> AttentionMap {
        AttentionMap {
            height: 2,
            width: 3,
            values: values.to_vec(),
        }
    }

    /// The two left columns of three.
    fn left() -> Region {
        Region::of_box(&BoundingBox::new(0.0, 0.0, 2.0, 9.0), 3, 2)
    }

    #[test]
    fn energy_and_pointing_by_hand() {
        let found = map([1.0, 2.0, 3.0, -5.0, 0.0, 2.0]);
        assert_eq!(left().inside, [true, true, false, true, true, false]);
        assert_eq!(energy(&found, &left()), Some(3.0 / 8.0));
        assert_eq!(points_at(&found, &left()), Some(0.0));
        let two = map([3.0, 0.0, 3.0, 0.0, 0.0, 0.0]);
        assert_eq!(points_at(&two, &left()), Some(0.5));
        assert_eq!(ranking(&found), [2, 1, 5, 0, 4, 3]);
    }

    #[test]
    fn a_map_that_says_nothing_has_no_figure() {
        assert_eq!(points_at(&map([1.0; 6]), &left()), None);
        assert_eq!(energy(&map([0.0; 6]), &left()), None);
        assert_eq!(energy(&map([f32::NAN; 6]), &left()), None);
        assert_eq!(
            points_at(&map([f32::INFINITY, 0.0, 0.0, 0.0, 0.0, 0.0]), &left()),
            None
        );
    }

    #[test]
    fn others_are_what_is_not_ones_own() {
        let own = left();
        let all = Region::of_box(&BoundingBox::new(1.0, 0.0, 3.0, 1.0), 3, 2);
        let others = own.others(&[&all]);
        assert_eq!(others.inside, [false, false, true, false, false, false]);
        assert!(own.others(&[]).is_empty());
        assert!((own.share() - 2.0 / 3.0).abs() < 1e-12);
    }
}
