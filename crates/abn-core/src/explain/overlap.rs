//! How alike two trainings look at the same image: intersection over union of what lies above a
//! threshold (MANet, Bai & Kawahara 2024, section 5.3.1: maps as images of 8 bits, threshold >=
//! 127).
//!
//! What a threshold means depends on the map. A sigmoid map M lies in [0, 1] and is thresholded as
//! it is: 127 of 255 is M >= 0.498 in every image, the paper's measure. Maps of CAM, Grad-CAM and
//! the controls have no unit: normalised per image
//! ([`Explanation::normalized`](super::Explanation)), 127 is half of the image's own maximum.

use super::AttentionMap;

/// Grey levels of a map as an image of 8 bits.
pub const LEVELS: usize = 256;
/// MANet's threshold.
pub const THRESHOLD: u8 = 127;

/// How many positions reach each grey level in both of two maps, and in at least one.
///
/// A position is at or above a level in both maps where its lesser value is, and in either where
/// its greater value is: two histograms hold the whole curve of thresholds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    both: Vec<usize>,
    either: Vec<usize>,
}

impl Overlap {
    /// Compares two maps of one image; values beyond [0, 1] count as its ends. If their sizes
    /// differ, both are brought to the larger height and width.
    ///
    /// `None` where a map holds a value that is not finite.
    pub fn of(one: &AttentionMap, other: &AttentionMap) -> Option<Self> {
        let (width, height) = (one.width.max(other.width), one.height.max(other.height));
        let (one, other) = (one.resize_to(width, height), other.resize_to(width, height));
        let (mut both, mut either) = (vec![0; LEVELS], vec![0; LEVELS]);
        for (a, b) in one.values.iter().zip(&other.values) {
            let (a, b) = (level(*a)?, level(*b)?);
            both[usize::from(a.min(b))] += 1;
            either[usize::from(a.max(b))] += 1;
        }
        Some(Self {
            both: at_least(both),
            either: at_least(either),
        })
    }

    /// Intersection over union of the positions at or above a grey level.
    ///
    /// `None` where neither map reaches it: 0 / 0. Such a pair agrees on nothing at all, and as 1
    /// it would make the dead branches of two failed trainings the most stable ones, so it is to be
    /// counted and left out of means.
    pub fn iou(&self, threshold: u8) -> Option<f64> {
        let level = usize::from(threshold);
        let union = self.either[level];
        (union > 0).then(|| self.both[level] as f64 / union as f64)
    }
}

/// The grey level of a value as PyTorch code writes maps: times 255 in single precision, cut off.
/// `None` if it is not finite.
fn level(value: f32) -> Option<u8> {
    // The cast keeps to 0 and 255.
    value.is_finite().then_some((value * 255.0) as u8)
}

/// How many reach each level, from how many are at it.
fn at_least(mut counts: Vec<usize>) -> Vec<usize> {
    for level in (1..counts.len()).rev() {
        counts[level - 1] += counts[level];
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(height: usize, width: usize, values: &[f32]) -> AttentionMap {
        AttentionMap::new(height, width, values.to_vec()).unwrap()
    }

    fn iou(one: &AttentionMap, other: &AttentionMap, threshold: u8) -> Option<f64> {
        Overlap::of(one, other).unwrap().iou(threshold)
    }

    #[test]
    fn half_of_the_union_by_hand() {
        // At or above 0.498: positions 0, 1, 2 and 1, 2, 3. Two of four.
        let one = map(2, 2, &[0.9, 0.5, 0.6, 0.1]);
        let other = map(2, 2, &[0.49, 0.7, 0.8, 1.0]);
        assert_eq!(iou(&one, &other, THRESHOLD), Some(0.5));
        // 0.49 is level 124: there the first position is in both, three of four.
        assert_eq!(iou(&one, &other, 124), Some(0.75));
        assert_eq!(iou(&one, &other, 125), Some(0.5));
        // Everything is at or above 0; only the last position of the second reaches 255.
        assert_eq!(iou(&one, &other, 0), Some(1.0));
        assert_eq!(iou(&one, &other, 255), Some(0.0));
    }

    #[test]
    fn a_map_is_itself_and_disjoint_maps_share_nothing() {
        let one = map(1, 4, &[1.0, 0.8, 0.0, 0.2]);
        let rest = map(1, 4, &[0.0, 0.2, 1.0, 0.8]);
        for threshold in [52, 127, 204] {
            assert_eq!(iou(&one, &one, threshold), Some(1.0));
            assert_eq!(iou(&one, &rest, threshold), Some(0.0), "{threshold}");
        }
    }

    #[test]
    fn neither_order_nor_level_breaks_symmetry() {
        let one = map(1, 5, &[0.1, 0.4, 0.45, 0.8, 0.97]);
        let other = map(1, 5, &[0.9, 0.2, 0.5, 0.6, 0.3]);
        for threshold in 0..=255 {
            let found = iou(&one, &other, threshold);
            assert_eq!(found, iou(&other, &one, threshold));
            // Against the definition.
            let high = |map: &AttentionMap, place: usize| {
                map.values[place] * 255.0 >= f32::from(threshold)
            };
            let count = |test: &dyn Fn(usize) -> bool| (0..5).filter(|place| test(*place)).count();
            let both = count(&|place| high(&one, place) && high(&other, place));
            let either = count(&|place| high(&one, place) || high(&other, place));
            assert_eq!(
                found,
                (either > 0).then(|| both as f64 / either as f64),
                "{threshold}"
            );
        }
    }

    #[test]
    fn two_maps_below_the_threshold_have_no_overlap_to_speak_of() {
        let dark = map(1, 2, &[0.1, 0.2]);
        assert_eq!(iou(&dark, &dark, THRESHOLD), None);
        assert_eq!(
            iou(&dark, &map(1, 2, &[0.9, 0.0]), THRESHOLD),
            Some(0.0),
            "one alone is a disagreement"
        );
    }

    #[test]
    fn broken_maps_are_not_compared() {
        let whole = map(1, 2, &[0.1, 0.9]);
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(Overlap::of(&whole, &map(1, 2, &[broken, 0.9])), None);
        }
    }

    #[test]
    fn the_smaller_map_is_enlarged() {
        // The left half at four columns is 1, 0.75, 0.25, 0: two of the four reach the threshold.
        let small = map(1, 2, &[1.0, 0.0]);
        assert_eq!(
            iou(&small, &map(1, 4, &[1.0, 1.0, 0.0, 0.0]), THRESHOLD),
            Some(1.0)
        );
        assert_eq!(iou(&map(2, 4, &[1.0; 8]), &small, THRESHOLD), Some(0.5));
        // A wide and a high map meet at the larger of each side.
        assert_eq!(
            iou(&map(1, 4, &[1.0; 4]), &map(3, 1, &[1.0; 3]), THRESHOLD),
            Some(1.0)
        );
    }

    #[test]
    fn a_map_of_eight_bits_keeps_its_levels() {
        for grey in 0..=255_u8 {
            assert_eq!(level(f32::from(grey) / 255.0), Some(grey));
        }
        // SE-ABN's map has no upper end, CAM no lower one.
        assert_eq!([7.5, -3.0].map(level), [Some(255), Some(0)]);
    }
}
