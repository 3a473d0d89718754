//! Which level of a feature pyramid a region is pooled from (Lin et al. 2017, equation 1; the
//! `LevelMapper` of torchvision's `MultiScaleRoIAlign`).

use crate::{BoundingBox, Size};

/// A region of this side is of the level [`CANONICAL_LEVEL`]: ImageNet's images.
pub const CANONICAL_SIDE: f64 = 224.0;
/// The level of stride 16, at which ResNets have been cut.
pub const CANONICAL_LEVEL: f64 = 4.0;
/// Keeps sides that are exactly between two levels on the upper one.
const EPSILON: f64 = 1e-6;

/// Maps regions to levels. The level `k` has a stride of `2^k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoiLevels {
    lowest: i32,
    highest: i32,
}

impl RoiLevels {
    /// The levels from the power of two of the finest stride to that of the coarsest.
    ///
    /// # Panics
    /// There are none.
    #[must_use]
    pub fn new(lowest: i32, highest: i32) -> Self {
        assert!(lowest <= highest, "no levels from {lowest} to {highest}");
        Self { lowest, highest }
    }

    /// The levels of features of these scales, finest first; see [`roi_scale`].
    ///
    /// # Panics
    /// There are none, or they go up.
    #[must_use]
    pub fn of_scales(scales: &[f64]) -> Self {
        assert!(!scales.is_empty(), "no levels");
        let level = |scale: f64| -libm::log2(scale) as i32;
        Self::new(level(scales[0]), level(scales[scales.len() - 1]))
    }

    /// The level of a region, 0 for the finest: `floor(4 + log2(sqrt(area) / 224))`.
    #[must_use]
    pub fn level(&self, region: &BoundingBox) -> usize {
        let side = region.area().sqrt();
        let level = CANONICAL_LEVEL + libm::log2(side / CANONICAL_SIDE) + EPSILON;
        // No number is 0, and lies below.
        let level = (level.floor() as i32).clamp(self.lowest, self.highest);
        (level - self.lowest) as usize
    }
}

/// By what corners are multiplied to lie in features of a size: the power of two nearest to the ratio
/// of heights, of the features and of the largest image of a batch before padding.
///
/// # Panics
/// One of them has no height.
#[must_use]
pub fn roi_scale(features: Size, largest: Size) -> f64 {
    assert!(features.height > 0 && largest.height > 0, "no rows");
    let ratio = features.height as f64 / largest.height as f64;
    libm::exp2(libm::log2(ratio).round_ties_even())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(side: f64, expected: usize) {
        let region = BoundingBox::new(0.0, 0.0, side, side);
        assert_eq!(RoiLevels::new(2, 5).level(&region), expected, "{side}");
    }

    #[test]
    fn sides_of_torchvision() {
        check(0.0, 0);
        check(56.0, 0);
        check(111.9, 0);
        check(112.0, 1);
        check(223.0, 1);
        check(224.0, 2);
        check(447.0, 2);
        check(448.0, 3);
        check(5000.0, 3);
        check(f64::NAN, 0);
        let wide = BoundingBox::new(0.0, 0.0, 448.0, 112.0);
        assert_eq!(RoiLevels::new(2, 5).level(&wide), 2);
    }

    #[test]
    fn scales_are_powers_of_two() {
        let of = |rows, image| roi_scale(Size::new(rows, 1), Size::new(image, 1));
        assert_eq!(of(200, 800), 0.25);
        // 25 rows of 800 padded; the largest image had 770: 1 / 30.8.
        assert_eq!(of(25, 770), 1.0 / 32.0);
        assert_eq!(of(13, 800), 1.0 / 64.0);
        let scales = [0.25, 0.125, 0.0625, 0.03125];
        assert_eq!(RoiLevels::of_scales(&scales), RoiLevels::new(2, 5));
    }
}
