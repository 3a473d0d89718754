//! From what the heads say of regions to detections (torchvision's `postprocess_detections`).

use crate::constants::RegionConstants;
use crate::nms::nms_by_group;
use crate::{BoundingBox, Size};

/// A found object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Where, inside of the image as the network saw it: [`BoundingBox::resize`] brings it to the
    /// image as it was.
    pub bounds: BoundingBox,
    /// What: a class from 1 on, 0 is the background.
    pub label: usize,
    /// Probability of the class.
    pub score: f64,
    /// The region that it comes from, by its number.
    pub region: usize,
}

/// The detections of one image, by descending score.
///
/// Each class but the background has a box of its own in each region. Those of a score above the
/// threshold are decoded, clipped and suppressed if they overlap a better one of the same class; the
/// best over all classes stay.
///
/// # Shapes
/// - `regions`: `N` proposals
/// - `probabilities`: `N` by classes, the background first, as softmax gives them
/// - `offsets`: `N` by classes of `dx, dy, dw, dh`, those of the background unused
/// - `image`: the resized image without its padding
///
/// # Panics
/// The lengths do not fit each other.
#[must_use]
pub fn detections(
    constants: &RegionConstants,
    regions: &[BoundingBox],
    probabilities: &[f64],
    offsets: &[[f64; 4]],
    image: Size,
) -> Vec<Detection> {
    assert_eq!(probabilities.len(), offsets.len(), "four offsets each");
    if regions.is_empty() {
        return vec![];
    }
    let classes = probabilities.len() / regions.len();
    assert_eq!(classes * regions.len(), probabilities.len(), "classes each");
    let coder = constants.coder();
    let mut found = Vec::new();
    for (at, (score, offsets)) in probabilities.iter().zip(offsets).enumerate() {
        let (region, label) = (at / classes, at % classes);
        if label > 0 && *score > constants.score_threshold {
            let bounds = coder.decode(*offsets, &regions[region]).clip(image);
            found.extend(
                bounds
                    .has_sides_of(constants.smallest)
                    .then_some(Detection {
                        bounds,
                        label,
                        score: *score,
                        region,
                    }),
            );
        }
    }
    let boxes: Vec<BoundingBox> = found.iter().map(|detection| detection.bounds).collect();
    let scores: Vec<f64> = found.iter().map(|detection| detection.score).collect();
    let labels: Vec<usize> = found.iter().map(|detection| detection.label).collect();
    let mut kept = nms_by_group(&boxes, &scores, &labels, constants.nms);
    kept.truncate(constants.most);
    kept.into_iter().map(|index| found[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DetectorConstants;

    const IMAGE: Size = Size::new(20, 30);

    fn heads() -> RegionConstants {
        DetectorConstants::fpn().regions
    }

    fn found(constants: &RegionConstants, probabilities: &[f64]) -> Vec<(usize, usize)> {
        let regions = [
            BoundingBox::new(0.0, 0.0, 10.0, 10.0),
            BoundingBox::new(1.0, 0.0, 11.0, 10.0),
        ];
        let offsets = vec![[0.0; 4]; probabilities.len()];
        let found = detections(constants, &regions, probabilities, &offsets, IMAGE);
        let of = |detection: &Detection| (detection.region, detection.label);
        found.iter().map(of).collect()
    }

    #[test]
    fn each_class_by_itself_and_no_background() {
        let probabilities = [0.5, 0.2, 0.3, 0.1, 0.6, 0.3];
        // 9 of 11: of each class the better one.
        assert_eq!(found(&heads(), &probabilities), [(1, 1), (0, 2)]);
    }

    #[test]
    fn scores_lie_above_the_threshold() {
        assert_eq!(found(&heads(), &[0.95, 0.05, 0.9, 0.051]), [(1, 1)]);
        assert_eq!(found(&heads(), &[0.95, f64::NAN, 0.9, 0.01]), []);
    }

    #[test]
    fn the_best_of_all_classes_stay() {
        let constants = RegionConstants { most: 1, ..heads() };
        assert_eq!(found(&constants, &[0.5, 0.2, 0.3, 0.1, 0.6, 0.3]), [(1, 1)]);
    }

    #[test]
    fn offsets_are_those_of_the_class() {
        let regions = [BoundingBox::new(10.0, 0.0, 20.0, 10.0)];
        // A weight of 10: 5 pixels to the right, 15 to the left.
        let offsets = [[0.0; 4], [5.0, 0.0, 0.0, 0.0], [-15.0, 0.0, 0.0, 0.0]];
        let found = detections(&heads(), &regions, &[0.0, 0.6, 0.4], &offsets, IMAGE);
        let boxes: Vec<[f64; 4]> = found.iter().map(|found| found.bounds.into()).collect();
        assert_eq!(boxes, [[15.0, 0.0, 25.0, 10.0], [0.0, 0.0, 5.0, 10.0]]);
    }

    #[test]
    fn nothing_in_nothing() {
        assert_eq!(detections(&heads(), &[], &[], &[], IMAGE), []);
    }
}
