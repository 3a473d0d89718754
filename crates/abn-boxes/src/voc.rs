//! VOC's average precision of one class (Everingham et al. 2010, section 4.2; the development kit's
//! `VOCevaldet`).
//!
//! VOC's corners are pixels that belong to the box: as points between pixels, a box is
//! `(xmin - 1, ymin - 1, xmax, ymax)`, whose area has the 1 that the kit adds.

use crate::BoundingBox;
use crate::nms::descending;

/// The overlap from which on VOC takes an object as found.
pub const IOU: f64 = 0.5;

/// An object of the class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VocObject {
    /// The number of its image.
    pub image: usize,
    /// Where.
    pub bounds: BoundingBox,
    /// Whoever finds it is neither right nor wrong.
    pub difficult: bool,
}

/// A detection of the class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VocDetection {
    /// The number of its image.
    pub image: usize,
    /// Where.
    pub bounds: BoundingBox,
    /// The higher, the surer.
    pub score: f64,
}

/// Precision and recall after each detection, by descending score.
#[derive(Debug, Clone, PartialEq)]
pub struct VocCurve {
    /// Recall and precision; detections of difficult objects are left out.
    pub points: Vec<(f64, f64)>,
    /// Objects that are not difficult.
    pub objects: usize,
}

impl VocCurve {
    /// Goes through the detections of a class by descending score, the first of equal ones first.
    ///
    /// A detection is compared with the object of its image that it overlaps most, difficult or not.
    /// It is right if it overlaps that one by `iou` at least and nobody has found it before.
    #[must_use]
    pub fn new(objects: &[VocObject], detections: &[VocDetection], iou: f64) -> Self {
        let mut by_image: Vec<usize> = (0..objects.len()).collect();
        by_image.sort_by_key(|number| objects[*number].image);
        let mut order: Vec<&VocDetection> = detections.iter().collect();
        order.sort_by(|one, other| descending(one.score, other.score));
        let count = objects.iter().filter(|object| !object.difficult).count();
        let mut taken = vec![false; objects.len()];
        let (mut right, mut wrong) = (0, 0);
        let mut points = Vec::new();
        for detection in order {
            let image = |number: &usize| objects[*number].image;
            let start = by_image.partition_point(|number| image(number) < detection.image);
            let mut best: Option<(usize, f64)> = None;
            for number in by_image[start..].iter().copied() {
                if objects[number].image != detection.image {
                    break;
                }
                let overlap = objects[number].bounds.iou(&detection.bounds);
                if overlap >= iou && best.is_none_or(|(_, most)| overlap > most) {
                    best = Some((number, overlap));
                }
            }
            match best {
                Some((number, _)) if objects[number].difficult => continue,
                Some((number, _)) if !taken[number] => {
                    taken[number] = true;
                    right += 1;
                }
                _ => wrong += 1,
            }
            let recall = f64::from(right) / count.max(1) as f64;
            points.push((recall, f64::from(right) / f64::from(right + wrong)));
        }
        Self {
            points,
            objects: count,
        }
    }

    /// VOC 2007's: the mean of the best precisions at or beyond the recalls 0, .1 ... 1; nothing
    /// without an object.
    #[must_use]
    pub fn eleven_points(&self) -> Option<f64> {
        let best_beyond = |recall: f64| {
            let beyond = self.points.iter().filter(|(at, _)| *at >= recall);
            beyond.map(|(_, precision)| *precision).fold(0.0, f64::max)
        };
        let recalls = (0..=10).map(|tenth| f64::from(tenth) / 10.0);
        let sum: f64 = recalls.map(best_beyond).sum();
        (self.objects > 0).then_some(sum / 11.0)
    }

    /// VOC's from 2010 on: the area under the curve after each precision became the best at its
    /// recall or beyond; nothing without an object.
    #[must_use]
    pub fn area(&self) -> Option<f64> {
        let (mut best, mut area) = (0.0_f64, 0.0);
        for (place, (recall, precision)) in self.points.iter().enumerate().rev() {
            let before = place
                .checked_sub(1)
                .map_or(0.0, |place| self.points[place].0);
            best = best.max(*precision);
            area += (recall - before) * best;
        }
        (self.objects > 0).then_some(area)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(image: usize, x: f64, difficult: bool) -> VocObject {
        VocObject {
            image,
            bounds: BoundingBox::new(x, 0.0, x + 10.0, 10.0),
            difficult,
        }
    }

    fn found(image: usize, x: f64, score: f64) -> VocDetection {
        VocDetection {
            image,
            bounds: BoundingBox::new(x, 0.0, x + 10.0, 10.0),
            score,
        }
    }

    #[track_caller]
    fn check(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!(
            (value - expected).abs() < 1e-12,
            "{value} is not {expected}"
        );
    }

    #[test]
    fn a_curve_by_hand() {
        let objects = [at(3, 0.0, false), at(1, 0.0, false), at(1, 50.0, false)];
        let detections = [
            found(1, 50.0, 0.6),
            found(3, 0.0, 0.9),
            // A second time.
            found(3, 1.0, 0.8),
            // An overlap of 4/16.
            found(1, 6.0, 0.5),
        ];
        let curve = VocCurve::new(&objects, &detections, IOU);
        let third = 1.0 / 3.0;
        let expected = [
            (third, 1.0),
            (third, 0.5),
            (2.0 * third, 2.0 * third),
            (2.0 * third, 0.5),
        ];
        assert_eq!(curve.points, expected);
        // 1 at 0 to .3, 2/3 at .4 to .6, 0 beyond.
        check(curve.eleven_points(), (4.0 + 3.0 * 2.0 / 3.0) / 11.0);
        check(curve.area(), third + third * 2.0 / 3.0);
    }

    #[test]
    fn difficult_objects_count_for_nobody() {
        let objects = [at(0, 0.0, true), at(0, 30.0, false)];
        let detections = [found(0, 0.0, 0.9), found(0, 1.0, 0.8), found(0, 30.0, 0.7)];
        let curve = VocCurve::new(&objects, &detections, IOU);
        assert_eq!((curve.objects, &curve.points[..]), (1, &[(1.0, 1.0)][..]));
        check(curve.eleven_points(), 1.0);
        check(curve.area(), 1.0);
        // Nearer to the difficult one: not a hit of the other, which it overlaps by half and more.
        let objects = [at(0, 0.0, true), at(0, 2.0, false)];
        let curve = VocCurve::new(&objects, &[found(0, 0.5, 0.9)], IOU);
        assert_eq!(curve.points, []);
    }

    #[test]
    fn an_overlap_of_one_half_is_enough() {
        let object = VocObject {
            bounds: BoundingBox::new(0.0, 0.0, 10.0, 5.0),
            ..at(0, 0.0, false)
        };
        let curve = VocCurve::new(&[object], &[found(0, 0.0, 0.9)], IOU);
        assert_eq!(curve.points, [(1.0, 1.0)]);
    }

    #[test]
    fn without_objects_there_is_no_precision() {
        let curve = VocCurve::new(&[], &[found(0, 0.0, 0.9)], IOU);
        assert_eq!((curve.eleven_points(), curve.area()), (None, None));
        let curve = VocCurve::new(&[at(0, 0.0, false)], &[], IOU);
        check(curve.eleven_points(), 0.0);
        check(curve.area(), 0.0);
    }
}
