//! What COCO asks: how much a detection has to overlap an object, at which recalls precision is read,
//! how many detections count, and of which objects.

use serde::{Deserialize, Serialize};

/// How many overlaps are asked for: .50, .55 ... .95.
pub const IOUS: usize = 10;
/// How many recalls precision is read at: 0, .01 ... 1.
pub const RECALLS: usize = 101;
/// Detections of a category in an image that count, at most.
pub const MAX_DETECTIONS: [usize; 3] = [1, 10, 100];
pub(super) const AREAS: usize = 4;

/// The overlaps, computed as NumPy's `linspace(.5, .95, 10)`.
#[must_use]
pub fn iou_thresholds() -> [f64; IOUS] {
    let step = (0.95 - 0.5) / 9.0;
    let mut thresholds = std::array::from_fn(|number| number as f64 * step + 0.5);
    thresholds[IOUS - 1] = 0.95;
    thresholds
}

/// The recalls, computed as NumPy's `linspace(0, 1, 101)`.
#[must_use]
pub fn recall_thresholds() -> [f64; RECALLS] {
    let mut thresholds = std::array::from_fn(|number| number as f64 * 0.01);
    thresholds[RECALLS - 1] = 1.0;
    thresholds
}

/// Which objects count, by the area of their outlines; both ends belong to a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// All.
    All,
    /// Up to 32 by 32 pixels.
    Small,
    /// Up to 96 by 96 pixels.
    Medium,
    /// Larger ones.
    Large,
}

impl Area {
    /// All ranges, in pycocotools' order.
    pub const ALL: [Self; AREAS] = [Self::All, Self::Small, Self::Medium, Self::Large];

    pub(super) fn holds(self, area: f64) -> bool {
        let [least, most] = match self {
            Self::All => [0.0, 1e10],
            Self::Small => [0.0, 1024.0],
            Self::Medium => [1024.0, 9216.0],
            Self::Large => [9216.0, 1e10],
        };
        // As pycocotools asks: of what is no number, neither is true.
        !(area < least || area > most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_numpys() {
        let ious = iou_thresholds();
        assert_eq!((ious[0], ious[5], ious[9]), (0.5, 0.75, 0.95));
        // What linspace gives is not .55 exactly.
        assert_eq!(ious[1], 0.55);
        assert_eq!(recall_thresholds()[29], 0.29);
    }

    #[test]
    fn ranges_include_both_ends() {
        let holds = |area: f64| Area::ALL.map(|range| range.holds(area));
        assert_eq!(holds(0.0), [true, true, false, false]);
        assert_eq!(holds(1024.0), [true, true, true, false]);
        assert_eq!(holds(9216.0), [true, false, true, true]);
        assert_eq!(holds(2e10), [false; 4]);
    }
}
