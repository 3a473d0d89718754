//! Which boxes are whose: each is assigned an object, the background, or nothing (Ren et al. 2015,
//! section 3.1.2).

use crate::BoundingBox;

/// What a box is to learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The object of that number.
    Object(u32),
    /// That nothing is there.
    Background,
    /// Nothing: it overlaps an object too much for the one and too little for the other.
    Ignored,
}

/// Assigns boxes to objects by intersection over union.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matcher {
    /// From here on a box is its best object's.
    pub foreground: f64,
    /// Below, it is background.
    pub background: f64,
    /// Every object gets at least the boxes that overlap it most, all of them if several do equally.
    pub low_quality: bool,
}

impl Matcher {
    /// A match for each of `boxes`; all are background if there is no object.
    ///
    /// A box has one candidate, the object that it overlaps most, the first of several. Matches of
    /// low quality give a box its candidate back, which may be another object than the one that it
    /// is the best box of. An object that no box overlaps has all boxes as its best: each gets its
    /// candidate, as in torchvision.
    #[must_use]
    pub fn matches(&self, objects: &[BoundingBox], boxes: &[BoundingBox]) -> Vec<Match> {
        if objects.is_empty() {
            return vec![Match::Background; boxes.len()];
        }
        let mut best = vec![(0.0_f64, 0_u32); boxes.len()];
        let mut is_best_box = vec![false; if self.low_quality { boxes.len() } else { 0 }];
        let mut tied = Vec::new();
        for (object, number) in objects.iter().zip(0_u32..) {
            let mut most = 0.0;
            tied.clear();
            for (index, (bounds, best)) in boxes.iter().zip(&mut best).enumerate() {
                let iou = object.iou(bounds);
                if iou == 0.0 {
                    continue;
                }
                if iou > best.0 {
                    *best = (iou, number);
                }
                if iou > most {
                    most = iou;
                    tied.clear();
                }
                if iou == most {
                    tied.push(index);
                }
            }
            if !self.low_quality {
                continue;
            }
            if tied.is_empty() {
                is_best_box.fill(true);
            }
            tied.iter().for_each(|index| is_best_box[*index] = true);
        }
        let of = |(index, (iou, object)): (usize, (f64, u32))| {
            if iou >= self.foreground || (self.low_quality && is_best_box[index]) {
                Match::Object(object)
            } else if iou < self.background {
                Match::Background
            } else {
                Match::Ignored
            }
        };
        best.into_iter().enumerate().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Match::{Background, Ignored, Object};
    use super::*;

    const RPN: Matcher = Matcher {
        foreground: 0.7,
        background: 0.3,
        low_quality: true,
    };

    /// Boxes of height 1.
    fn row(spans: &[(f64, f64)]) -> Vec<BoundingBox> {
        let of = |(from, to): &(f64, f64)| BoundingBox::new(*from, 0.0, *to, 1.0);
        spans.iter().map(of).collect()
    }

    fn check(matcher: Matcher, objects: &[(f64, f64)], boxes: &[(f64, f64)], expected: &[Match]) {
        assert_eq!(matcher.matches(&row(objects), &row(boxes)), expected);
    }

    #[test]
    fn thresholds() {
        let strict = Matcher {
            low_quality: false,
            ..RPN
        };
        // Of an object of 10: 8, 5, 3 and 2 tenths.
        let boxes = [(0.0, 8.0), (0.0, 5.0), (0.0, 2.0), (20.0, 30.0)];
        let expected = [Object(0), Ignored, Background, Background];
        check(strict, &[(0.0, 10.0)], &boxes, &expected);
        // Both ends are reached: 1/2 is foreground where both thresholds are .5.
        let regions = Matcher {
            foreground: 0.5,
            background: 0.5,
            low_quality: false,
        };
        let boxes = [(0.0, 5.0), (0.0, 4.9)];
        check(regions, &[(0.0, 10.0)], &boxes, &[Object(0), Background]);
    }

    #[test]
    fn best_boxes_of_an_object_are_its_own_all_that_tie() {
        let boxes = [(0.0, 2.0), (8.0, 10.0), (0.0, 1.0), (12.0, 13.0)];
        let expected = [Object(0), Object(0), Background, Background];
        check(RPN, &[(0.0, 10.0)], &boxes, &expected);
    }

    #[test]
    fn a_best_box_gets_its_own_candidate_back() {
        // The box overlaps the first object by 6/16 and the second by 4/10: it is the best of both.
        let objects = [(0.0, 12.0), (8.0, 14.0)];
        check(RPN, &objects, &[(6.0, 16.0)], &[Object(1)]);
    }

    #[test]
    fn the_first_of_equal_objects() {
        check(RPN, &[(0.0, 2.0), (0.0, 2.0)], &[(0.0, 2.0)], &[Object(0)]);
    }

    #[test]
    fn an_object_outside_all_boxes_takes_them_all() {
        let boxes = [(0.0, 1.0), (10.0, 11.0)];
        let objects = [(0.0, 10.0), (50.0, 60.0)];
        check(RPN, &objects, &boxes, &[Object(0), Object(0)]);
    }

    #[test]
    fn nothing_there() {
        check(RPN, &[], &[(0.0, 1.0)], &[Background]);
        check(RPN, &[(0.0, 1.0)], &[], &[]);
    }
}
