//! Who found what: the detections of one category in one image, matched with its objects at all
//! thresholds and for all areas.

use super::detected::Detected;
use super::instances::Annotation;
use super::protocol::{AREAS, Area, IOUS};

/// A detection that was matched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) score: f64,
    /// Its place by score among those of its category in its image.
    pub(super) rank: usize,
    /// It found an object: a bit a threshold, a word an area.
    pub(super) matched: [u16; AREAS],
    /// It counts neither for nor against: likewise.
    pub(super) ignored: [u16; AREAS],
}

/// Intersection over union in double precision without a 1 added; of a crowd, over the detection
/// alone.
pub(super) fn overlap(detected: &[f64; 4], object: &[f64; 4], crowd: bool) -> f64 {
    let shared = |axis: usize| {
        let end = (detected[axis + 2] + detected[axis]).min(object[axis + 2] + object[axis]);
        end - detected[axis].max(object[axis])
    };
    let (width, height) = (shared(0), shared(1));
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let (both, area) = (width * height, detected[2] * detected[3]);
    let union = if crowd {
        area
    } else {
        area + object[2] * object[3] - both
    };
    both / union
}

/// Matches detections by descending score, at most a hundred, with objects in the order of the file.
/// Also how many objects count, for each area.
pub(super) fn matched(
    objects: &[&Annotation],
    detections: &[&Detected],
    thresholds: &[f64; IOUS],
) -> (Vec<Outcome>, [usize; AREAS]) {
    let mut outcomes: Vec<Outcome> = detections
        .iter()
        .enumerate()
        .map(|(rank, detected)| Outcome {
            score: detected.score,
            rank,
            matched: [0; AREAS],
            ignored: [0; AREAS],
        })
        .collect();
    let overlaps: Vec<f64> = detections
        .iter()
        .flat_map(|detected| {
            let of = |object: &&Annotation| overlap(&detected.xywh, &object.xywh, object.crowd);
            objects.iter().map(of)
        })
        .collect();
    let mut counts = [0; AREAS];
    for (area, count) in Area::ALL.into_iter().zip(&mut counts) {
        let ignores = |object: &Annotation| object.crowd || !area.holds(object.area);
        // Those that count come first.
        let mut order: Vec<(usize, bool)> = objects
            .iter()
            .enumerate()
            .map(|(number, object)| (number, ignores(object)))
            .collect();
        order.sort_by_key(|(_, ignored)| *ignored);
        *count = order.iter().filter(|(_, ignored)| !ignored).count();
        for (bit, threshold) in thresholds.iter().enumerate() {
            let mut taken = vec![false; objects.len()];
            for (outcome, detected) in outcomes.iter_mut().zip(detections) {
                let overlaps = &overlaps[outcome.rank * objects.len()..][..objects.len()];
                let best = best_of(&order, overlaps, objects, &taken, *threshold);
                let size = detected.xywh[2] * detected.xywh[3];
                let ignored = best.map_or(!area.holds(size), |(_, ignored)| ignored);
                if let Some((number, _)) = best {
                    taken[number] = true;
                    outcome.matched[area as usize] |= 1 << bit;
                }
                outcome.ignored[area as usize] |= u16::from(ignored) << bit;
            }
        }
    }
    (outcomes, counts)
}

/// The object that a detection finds: that of the largest overlap, the last of equal ones; one that
/// does not count only if no other is left, but a crowd any number of times.
fn best_of(
    order: &[(usize, bool)],
    overlaps: &[f64],
    objects: &[&Annotation],
    taken: &[bool],
    threshold: f64,
) -> Option<(usize, bool)> {
    let mut least = threshold.min(1.0 - 1e-10);
    let mut best: Option<(usize, bool)> = None;
    for &(number, ignored) in order {
        if taken[number] && !objects[number].crowd {
            continue;
        }
        if ignored && best.is_some_and(|(_, ignored)| !ignored) {
            break;
        }
        if overlaps[number] >= least {
            least = overlaps[number];
            best = Some((number, ignored));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::protocol::iou_thresholds;
    use super::*;

    fn object(xywh: [f64; 4], crowd: bool) -> Annotation {
        Annotation {
            id: 0,
            image_id: 0,
            category_id: 0,
            xywh,
            area: xywh[2] * xywh[3],
            crowd,
        }
    }

    fn found(xywh: [f64; 4]) -> Detected {
        Detected {
            image_id: 0,
            category_id: 0,
            xywh,
            score: 0.5,
        }
    }

    /// Matched and ignored at a threshold of one half, and how many objects count.
    fn check(objects: &[Annotation], detections: &[[f64; 4]], expected: &[(bool, bool)]) {
        let objects: Vec<&Annotation> = objects.iter().collect();
        let detections: Vec<Detected> = detections.iter().map(|xywh| found(*xywh)).collect();
        let detections: Vec<&Detected> = detections.iter().collect();
        let (outcomes, _) = matched(&objects, &detections, &iou_thresholds());
        let bits = |outcome: &Outcome| (outcome.matched[0] & 1 == 1, outcome.ignored[0] & 1 == 1);
        assert_eq!(outcomes.iter().map(bits).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn overlaps_by_hand() {
        let (one, other) = ([0.0, 0.0, 4.0, 4.0], [2.0, 2.0, 4.0, 4.0]);
        assert_eq!(overlap(&one, &other, false), 4.0 / 28.0);
        assert_eq!(overlap(&one, &other, true), 4.0 / 16.0);
        assert_eq!(overlap(&one, &[4.0, 0.0, 1.0, 1.0], false), 0.0);
        assert_eq!(overlap(&one, &[9.0, 9.0, 1.0, 1.0], false), 0.0);
    }

    #[test]
    fn an_object_is_found_once_and_a_crowd_any_number_of_times() {
        let place = [0.0, 0.0, 10.0, 10.0];
        let once = [(true, false), (false, false)];
        check(&[object(place, false)], &[place, place], &once);
        let crowd = [(true, true), (true, true)];
        check(&[object(place, true)], &[place, place], &crowd);
        // The object first, although the crowd overlaps as much and stands before it.
        let both = [object(place, true), object(place, false)];
        check(&both, &[place, place], &[(true, false), (true, true)]);
    }

    #[test]
    fn the_larger_overlap_and_the_last_of_equal_ones() {
        let near = object([0.0, 0.0, 10.0, 9.0], false);
        let exact = object([0.0, 0.0, 10.0, 10.0], false);
        let (outcomes, _) = matched(
            &[&near, &exact],
            &[
                &found([0.0, 0.0, 10.0, 10.0]),
                &found([0.0, 0.0, 10.0, 9.0]),
            ],
            &iou_thresholds(),
        );
        // Each finds its own at every threshold.
        assert_eq!(outcomes[0].matched[0], 0x3ff);
        assert_eq!(outcomes[1].matched[0], 0x3ff);
    }

    #[test]
    fn areas_include_both_ends() {
        let objects = [
            object([0.0, 0.0, 32.0, 32.0], false),
            object([0.0, 0.0, 96.0, 96.0], false),
            object([0.0, 0.0, 1.0, 1.0], true),
        ];
        let objects: Vec<&Annotation> = objects.iter().collect();
        let (_, counts) = matched(&objects, &[], &iou_thresholds());
        assert_eq!(counts, [2, 1, 2, 1]);
    }

    #[test]
    fn a_miss_outside_the_area_is_ignored() {
        let miss = found([50.0, 50.0, 10.0, 10.0]);
        let (outcomes, _) = matched(&[], &[&miss], &iou_thresholds());
        assert_eq!(outcomes[0].ignored, [0, 0, 0x3ff, 0x3ff]);
    }
}
