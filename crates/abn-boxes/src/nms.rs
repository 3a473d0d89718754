//! Non-maximum suppression: of boxes that overlap, the one of the highest score stays.
//!
//! Greedy, as in torchvision on a CPU: by descending score, the first of equal ones first; a box goes
//! if its intersection over union with one that stays is above the threshold, not if it is equal.

use std::cmp::Ordering;

use rayon::prelude::*;

use crate::BoundingBox;
use crate::bounding_box::{greater, lesser};

/// The boxes that stay, by descending score.
///
/// # Panics
/// There are other than one score a box.
#[must_use]
pub fn nms(boxes: &[BoundingBox], scores: &[f64], threshold: f64) -> Vec<usize> {
    assert_eq!(boxes.len(), scores.len(), "a score for each box");
    let order = by_descending_score(scores);
    let sorted: Vec<&BoundingBox> = order.iter().map(|index| &boxes[*index]).collect();
    let kept = greedy(&sorted, threshold);
    kept.into_iter().map(|place| order[place]).collect()
}

/// The boxes that stay where only those of the same group, a class or a level, suppress each other,
/// by descending score over all groups.
///
/// torchvision shifts groups of less than a thousand boxes apart in one plane instead, which rounds
/// their corners: there a box at the very threshold may go another way.
///
/// # Panics
/// There are other than one score and one group a box.
#[must_use]
pub fn nms_by_group(
    boxes: &[BoundingBox],
    scores: &[f64],
    groups: &[usize],
    threshold: f64,
) -> Vec<usize> {
    assert_eq!(boxes.len(), scores.len(), "a score for each box");
    assert_eq!(boxes.len(), groups.len(), "a group for each box");
    let order = by_descending_score(scores);
    let mut places: Vec<usize> = (0..order.len()).collect();
    places.sort_by_key(|place| groups[order[*place]]);
    let same = |one: &usize, other: &usize| groups[order[*one]] == groups[order[*other]];
    let parts: Vec<&[usize]> = places.chunk_by(same).collect();
    let kept: Vec<Vec<usize>> = parts
        .into_par_iter()
        .map(|part| {
            let sorted: Vec<&BoundingBox> = part.iter().map(|at| &boxes[order[*at]]).collect();
            let kept = greedy(&sorted, threshold).into_iter();
            kept.map(|place| part[place]).collect()
        })
        .collect();
    let mut kept = kept.concat();
    kept.sort_unstable();
    kept.into_iter().map(|place| order[place]).collect()
}

/// Indices by descending value, the first of equal ones first; what is not a number comes first, as
/// PyTorch sorts.
pub(crate) fn by_descending_score(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|one, other| descending(scores[*one], scores[*other]));
    order
}

pub(crate) fn descending(one: f64, other: f64) -> Ordering {
    let order = other.partial_cmp(&one);
    order.unwrap_or_else(|| other.is_nan().cmp(&one.is_nan()))
}

/// The places of the boxes that stay, of boxes in the order of their scores.
fn greedy(sorted: &[&BoundingBox], threshold: f64) -> Vec<usize> {
    let columns = Columns::of(sorted);
    // Words as wide as coordinates: a step over all boxes takes vectors.
    let mut gone = vec![0_u64; sorted.len()];
    let mut kept = Vec::new();
    for place in 0..sorted.len() {
        if gone[place] == 0 {
            kept.push(place);
            columns.suppress(sorted[place], threshold, place + 1, &mut gone);
        }
    }
    kept
}

/// Boxes, a column a coordinate.
struct Columns {
    x1: Vec<f64>,
    y1: Vec<f64>,
    x2: Vec<f64>,
    y2: Vec<f64>,
    area: Vec<f64>,
}

impl Columns {
    fn of(boxes: &[&BoundingBox]) -> Self {
        let column = |of: fn(&BoundingBox) -> f64| boxes.iter().map(|bounds| of(bounds)).collect();
        Self {
            x1: column(|bounds| bounds.x1),
            y1: column(|bounds| bounds.y1),
            x2: column(|bounds| bounds.x2),
            y2: column(|bounds| bounds.y2),
            area: column(BoundingBox::area),
        }
    }

    /// Marks the boxes from a place on that overlap `first` by more than the threshold.
    fn suppress(&self, first: &BoundingBox, threshold: f64, from: usize, gone: &mut [u64]) {
        let gone = &mut gone[from..];
        let most = gone.len();
        let [x1, y1, x2, y2, areas] = [&self.x1, &self.y1, &self.x2, &self.y2, &self.area]
            .map(|column| &column[from..][..most]);
        let area = first.area();
        for at in 0..most {
            let width = lesser(first.x2, x2[at]) - greater(first.x1, x1[at]);
            let height = lesser(first.y2, y2[at]) - greater(first.y1, y1[at]);
            let shared = greater(width, 0.0) * greater(height, 0.0);
            // 0 / 0, of two boxes without an inside, is not above.
            gone[at] |= u64::from(shared / (area + areas[at] - shared) > threshold);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Boxes of height 1.
    fn row(spans: &[(f64, f64)]) -> Vec<BoundingBox> {
        let of = |(from, to): &(f64, f64)| BoundingBox::new(*from, 0.0, *to, 1.0);
        spans.iter().map(of).collect()
    }

    #[track_caller]
    fn check(spans: &[(f64, f64)], scores: &[f64], threshold: f64, expected: &[usize]) {
        assert_eq!(nms(&row(spans), scores, threshold), expected);
    }

    #[test]
    fn the_best_of_those_that_overlap() {
        // 8 of 12, and nothing.
        let spans = [(0.0, 10.0), (2.0, 12.0), (20.0, 30.0)];
        check(&spans, &[0.5, 0.9, 0.7], 0.5, &[1, 2]);
        check(&spans, &[0.5, 0.9, 0.7], 0.7, &[1, 2, 0]);
    }

    #[test]
    fn who_went_suppresses_nobody() {
        // The second overlaps both others by 6 of 14; these do so by 2 of 18.
        let spans = [(0.0, 10.0), (4.0, 14.0), (8.0, 18.0)];
        check(&spans, &[0.9, 0.8, 0.7], 0.4, &[0, 2]);
    }

    #[test]
    fn an_overlap_of_the_threshold_stays() {
        check(&[(0.0, 2.0), (0.0, 1.0)], &[1.0, 0.5], 0.5, &[0, 1]);
        check(&[(0.0, 2.0), (0.0, 1.0)], &[1.0, 0.5], 0.4999, &[0]);
        check(&[(0.0, 10.0), (0.0, 7.0)], &[1.0, 0.5], 0.7, &[0, 1]);
        check(&[(0.0, 10.0), (0.0, 7.5)], &[1.0, 0.5], 0.7, &[0]);
    }

    #[test]
    fn the_first_of_equal_scores() {
        let spans = [(0.0, 10.0), (0.0, 10.0), (40.0, 50.0), (0.0, 10.0)];
        check(&spans, &[0.5, 0.5, 0.5, 0.5], 0.5, &[0, 2]);
        check(&spans, &[0.0, -0.0, 0.5, 0.0], 0.5, &[2, 0]);
    }

    #[test]
    fn degenerate_boxes_and_wild_scores() {
        let spans = [(1.0, 1.0), (1.0, 1.0), (3.0, 2.0)];
        check(&spans, &[f64::NAN, 2.0, f64::INFINITY], 0.5, &[0, 2, 1]);
        check(&[], &[], 0.5, &[]);
        let nowhere = [(f64::NAN, 1.0), (0.0, f64::INFINITY), (0.0, 1.0)];
        assert_eq!(nms(&row(&nowhere), &[0.3, 0.2, 0.1], 0.5).len(), 3);
    }

    #[test]
    fn groups_leave_each_other_alone() {
        let boxes = row(&[(0.0, 10.0); 5]);
        let scores = [0.1, 0.5, 0.3, 0.5, 0.2];
        let kept = nms_by_group(&boxes, &scores, &[7, 2, 7, 90, 2], 0.5);
        assert_eq!(kept, [1, 3, 2]);
    }

    #[test]
    fn one_group_is_no_group() {
        let boxes = row(&[(0.0, 3.0), (1.0, 4.0), (2.0, 5.0), (0.5, 3.5), (9.0, 9.5)]);
        let scores = [0.4, 0.4, 0.9, 0.1, 0.2];
        for threshold in [0.1, 0.2, 0.5, 0.6] {
            let grouped = nms_by_group(&boxes, &scores, &[3; 5], threshold);
            assert_eq!(grouped, nms(&boxes, &scores, threshold));
        }
    }
}
