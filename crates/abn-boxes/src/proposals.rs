//! From what a region proposal network says of its anchors to regions worth a look (Ren et al. 2015,
//! section 3.3; torchvision's `filter_proposals`).

use rayon::prelude::*;

use crate::anchors::Anchors;
use crate::constants::{Mode, RpnConstants};
use crate::nms::{descending, nms_by_group};
use crate::{BoundingBox, Size};

/// A region that may hold an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proposal {
    /// Where, inside of the image.
    pub bounds: BoundingBox,
    /// Probability of an object.
    pub score: f64,
    /// The anchor that it comes from, by its number over all levels.
    pub anchor: usize,
}

/// The proposals of one image, by descending score.
///
/// Of each level those of the highest logits are decoded, clipped to the image, and suppressed if
/// they overlap a better one of the same level; the best over all levels stay. Equal logits are taken
/// in the order of the anchors. What is not a number is dropped.
///
/// # Shapes
/// - `logits`: one an anchor, in the order of [`Anchors`]
/// - `offsets`: `dx, dy, dw, dh` an anchor
/// - `image`: the resized image without its padding
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn proposals(
    constants: &RpnConstants,
    mode: Mode,
    anchors: &Anchors,
    logits: &[f64],
    offsets: &[[f64; 4]],
    image: Size,
) -> Vec<Proposal> {
    let all = anchors.boxes.len();
    assert_eq!(logits.len(), all, "a logit for each anchor");
    assert_eq!(offsets.len(), all, "four offsets for each anchor");
    let coder = constants.coder();
    let decoded = |anchor: usize| {
        let bounds = coder.decode(offsets[anchor], &anchors.boxes[anchor]);
        let (bounds, score) = (bounds.clip(image), sigmoid(logits[anchor]));
        let stays = bounds.has_sides_of(constants.smallest) && score >= constants.score_threshold;
        stays.then_some(Proposal {
            bounds,
            score,
            anchor,
        })
    };
    let mut start = 0;
    let levels = anchors.levels.iter().map(|length| {
        start += length;
        start - length..start
    });
    let levels: Vec<_> = levels.collect();
    let most = constants.before_nms.of(mode);
    let levels: Vec<Vec<Proposal>> = levels
        .into_par_iter()
        .map(|level| {
            let best = highest(&logits[level.clone()], most).into_iter();
            best.filter_map(|index| decoded(level.start + index))
                .collect()
        })
        .collect();
    let groups = levels.iter().enumerate();
    let groups: Vec<usize> = groups
        .flat_map(|(level, found)| vec![level; found.len()])
        .collect();
    let found = levels.concat();
    let boxes: Vec<BoundingBox> = found.iter().map(|proposal| proposal.bounds).collect();
    let scores: Vec<f64> = found.iter().map(|proposal| proposal.score).collect();
    let mut kept = nms_by_group(&boxes, &scores, &groups, constants.nms);
    kept.truncate(constants.after_nms.of(mode));
    kept.into_iter().map(|index| found[index]).collect()
}

/// Indices of the highest values, by descending value, the first of equal ones first.
fn highest(values: &[f64], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let by_value =
        |one: &usize, other: &usize| descending(values[*one], values[*other]).then(one.cmp(other));
    if most < order.len() {
        order.select_nth_unstable_by(most, by_value);
        order.truncate(most);
    }
    order.sort_unstable_by(by_value);
    order
}

/// The probability of a logit.
fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-logit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DetectorConstants;

    const IMAGE: Size = Size::new(20, 100);

    /// Square anchors of 10 at multiples of 10, so many a level.
    fn anchors(levels: &[usize]) -> Anchors {
        let of = |length: &usize| {
            (0..*length).map(|number| {
                let x = 10.0 * number as f64;
                BoundingBox::new(x, 0.0, x + 10.0, 10.0)
            })
        };
        Anchors {
            boxes: levels.iter().flat_map(of).collect(),
            levels: levels.to_vec(),
        }
    }

    fn check(constants: &RpnConstants, levels: &[usize], logits: &[f64], expected: &[usize]) {
        let offsets = vec![[0.0; 4]; logits.len()];
        let anchors = anchors(levels);
        let found = proposals(constants, Mode::Testing, &anchors, logits, &offsets, IMAGE);
        let numbers: Vec<usize> = found.iter().map(|proposal| proposal.anchor).collect();
        assert_eq!(numbers, expected);
    }

    fn rpn() -> RpnConstants {
        DetectorConstants::fpn().rpn
    }

    #[test]
    fn by_score_over_all_levels() {
        check(
            &rpn(),
            &[3, 2],
            &[0.0, 3.0, 1.0, 4.0, 2.0],
            &[3, 1, 4, 2, 0],
        );
    }

    #[test]
    fn best_of_each_level_then_of_all() {
        let mut constants = rpn();
        constants.before_nms.testing = 2;
        check(
            &constants,
            &[3, 2],
            &[7.0, 8.0, 9.0, 1.0, 2.0],
            &[2, 1, 4, 3],
        );
        constants.after_nms.testing = 3;
        check(&constants, &[3, 2], &[7.0, 8.0, 9.0, 1.0, 2.0], &[2, 1, 4]);
        // The first of equal ones.
        check(&constants, &[3, 2], &[7.0; 5], &[0, 1, 3]);
    }

    #[test]
    fn only_the_same_level_suppresses() {
        let (mut found, anchors) = (Vec::new(), anchors(&[2, 1]));
        // All three at the same place.
        let offsets = [[0.0; 4], [-1.0, 0.0, 0.0, 0.0], [0.0; 4]];
        for proposal in proposals(
            &rpn(),
            Mode::Training,
            &anchors,
            &[1.0, 2.0, 0.0],
            &offsets,
            IMAGE,
        ) {
            assert_eq!(proposal.bounds, BoundingBox::new(0.0, 0.0, 10.0, 10.0));
            found.push(proposal.anchor);
        }
        assert_eq!(found, [1, 2]);
    }

    #[test]
    fn clipped_and_small_ones_left_out() {
        let anchors = anchors(&[4]);
        let offsets = [
            [-0.5, 0.0, 0.0, 0.0],
            [-5.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, -10.0, 0.0],
            [f64::NAN, 0.0, 0.0, 0.0],
        ];
        let logits = [0.0, 1.0, 2.0, 3.0];
        let found = proposals(&rpn(), Mode::Testing, &anchors, &logits, &offsets, IMAGE);
        let expected = Proposal {
            bounds: BoundingBox::new(0.0, 0.0, 5.0, 10.0),
            score: 0.5,
            anchor: 0,
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn logits_that_are_no_numbers_are_dropped() {
        let logits = [f64::NAN, f64::NEG_INFINITY, f64::INFINITY];
        check(&rpn(), &[3], &logits, &[2, 1]);
        check(&rpn(), &[0, 0], &[], &[]);
    }
}
