//! The pointing game (Zhang et al. 2016, section 4.1): does the map's maximum lie on the object? Without the
//! tolerance of 15 pixels, which is half of a small image.

use super::AttentionMap;

/// Counts hits over images.
#[derive(Debug, Clone, Copy, Default)]
pub struct PointingGame {
    images: usize,
    hits: usize,
    coverage: f64,
}

impl PointingGame {
    /// Adds an image: the map is brought to the mask's size and its first maximum is the point. `mask` is
    /// row-major, one value a pixel, not 0 on the object.
    pub fn add(&mut self, map: &AttentionMap, mask: &[u8], width: usize) {
        let map = map.resize_to(width, mask.len() / width.max(1));
        let highest = map.values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let point = map.values.iter().position(|value| *value == highest);
        let on_object = |index: usize| mask.get(index).is_some_and(|value| *value > 0);
        let object = mask.iter().filter(|value| **value > 0).count();
        self.images += 1;
        self.hits += usize::from(point.is_some_and(on_object));
        self.coverage += object as f64 / mask.len().max(1) as f64;
    }

    /// Images seen.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Fraction of hits.
    pub fn accuracy(&self) -> f64 {
        self.hits as f64 / self.images.max(1) as f64
    }

    /// Mean fraction of the image that the object covers: the score of a random point.
    pub fn chance(&self) -> f64 {
        self.coverage / self.images.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_maximum_must_lie_on_the_object() {
        let mut mask = [0; 16];
        mask[3] = 255; // the top right corner of 4 x 4
        let map = |values| AttentionMap::new(2, 2, values).unwrap();
        let mut game = PointingGame::default();
        game.add(&map(vec![0.1, 0.9, 0.2, 0.3]), &mask, 4);
        game.add(&map(vec![0.9, 0.1, 0.2, 0.3]), &mask, 4);
        game.add(&map(vec![f32::NAN; 4]), &mask, 4);
        assert_eq!((game.images(), game.accuracy(), game.chance()), (3, 1.0 / 3.0, 1.0 / 16.0));
    }
}
