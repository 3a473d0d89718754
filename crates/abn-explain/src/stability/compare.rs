//! The comparison itself: maps and predictions of several runs to figures. Pure, and the same for
//! the same runs.

use crate::bootstrap::{Interval, bootstrap};
use abn_core::explain::{Overlap, rank_correlation};

use super::{
    AtThreshold, ClassFigures, ImageFigures, PairFigures, RunFigures, RunMaps, StabilityReport,
};

/// Seed of all bootstraps: the same runs have the same intervals.
const SEED: u64 = 0;
/// Distance between the thresholds of the curve, in grey levels: 52 of them from 0 to 255.
const STEP: usize = 5;

/// Compares runs that saw the same images, two by two, at a grey level of 255. `progress` is called
/// after every pair.
pub fn compare(
    runs: &[RunMaps],
    classes: &[String],
    threshold: u8,
    mut progress: impl FnMut(),
) -> StabilityReport {
    let (best, mut curve) = (most_accurate(runs), Curve::new());
    let mut pairs = Vec::new();
    for first in 0..runs.len() {
        for second in first + 1..runs.len() {
            pairs.push(Pair::of([first, second], runs, threshold, &mut curve));
            progress();
        }
    }
    let per_image = images(runs, &pairs, best);
    let runs = run_figures(runs, &pairs, best);
    let figures: Vec<PairFigures> = pairs.iter().map(Pair::figures).collect();
    StabilityReport {
        images: per_image.len(),
        threshold,
        best,
        iou_over_images: interval(per_image.iter().map(|image| image.iou)),
        iou_over_pairs: interval(pairs.iter().map(Pair::iou)),
        iou_with_best: interval(runs.iter().map(|run| run.iou_with_best)),
        iou_of_other_images: mean(figures.iter().map(|pair| pair.iou_of_other_images)),
        empty: figures.iter().map(|pair| pair.empty).sum(),
        broken: figures.iter().map(|pair| pair.broken).sum(),
        rank_correlation: interval(per_image.iter().map(|image| image.rank_correlation)),
        agreement: mean(figures.iter().map(|pair| Some(pair.agreement))).unwrap_or(0.0),
        curve: curve.points(),
        classes: by_class(&per_image, classes),
        runs,
        pairs: figures,
        per_image,
    }
}

fn run_figures(runs: &[RunMaps], pairs: &[Pair], best: usize) -> Vec<RunFigures> {
    let figures = |(number, seen): (usize, &RunMaps)| {
        let with_best = pairs
            .iter()
            .find(|pair| number != best && pair.has(number) && pair.has(best));
        RunFigures {
            path: seen.path.clone(),
            title: seen.title.clone(),
            learning_rate: seen.learning_rate,
            seed: seen.seed,
            top1: seen.top1(),
            iou: mean(pairs.iter().filter(|pair| pair.has(number)).map(Pair::iou)),
            iou_with_best: with_best.and_then(Pair::iou),
        }
    };
    runs.iter().enumerate().map(figures).collect()
}

impl RunMaps {
    /// Share of the images that are classified rightly.
    fn top1(&self) -> f64 {
        let right = self
            .predicted
            .iter()
            .zip(&self.labels)
            .filter(|(class, label)| class == label)
            .count();
        right as f64 / self.labels.len().max(1) as f64
    }
}

/// Index of the run that classifies the most images rightly; the first of equals.
fn most_accurate(runs: &[RunMaps]) -> usize {
    let ahead = |best: usize, run: usize| {
        if runs[run].top1() > runs[best].top1() {
            run
        } else {
            best
        }
    };
    (0..runs.len()).fold(0, ahead)
}

/// Two runs on every image.
struct Pair {
    runs: [usize; 2],
    ious: Vec<Option<f64>>,
    ranks: Vec<Option<f64>>,
    agreeing: Vec<bool>,
    other_images: Mean,
    empty: usize,
    broken: usize,
}

impl Pair {
    fn of(runs: [usize; 2], all: &[RunMaps], threshold: u8, curve: &mut Curve) -> Self {
        let [one, other] = runs.map(|run| &all[run]);
        let images = one.maps.len().min(other.maps.len());
        let agreeing = one
            .predicted
            .iter()
            .zip(&other.predicted)
            .map(|(a, b)| a == b)
            .collect();
        let (ious, ranks, other_images) = (Vec::new(), Vec::new(), Mean::default());
        let mut pair = Self {
            runs,
            ious,
            ranks,
            agreeing,
            other_images,
            empty: 0,
            broken: 0,
        };
        for image in 0..images {
            let overlap = Overlap::of(&one.maps[image], &other.maps[image]);
            let iou = overlap.as_ref().and_then(|overlap| overlap.iou(threshold));
            pair.broken += usize::from(overlap.is_none());
            pair.empty += usize::from(overlap.is_some() && iou.is_none());
            pair.ious.push(iou);
            pair.ranks
                .push(rank_correlation(&one.maps[image], &other.maps[image]));
            curve.add(overlap.as_ref());
            // Half the images away, so that each image is compared with exactly one other.
            let elsewhere = (image + images / 2) % images;
            if elsewhere != image {
                let overlap = Overlap::of(&one.maps[image], &other.maps[elsewhere]);
                pair.other_images
                    .add(overlap.as_ref().and_then(|overlap| overlap.iou(threshold)));
                curve.add_other(overlap.as_ref());
            }
        }
        pair
    }

    fn has(&self, run: usize) -> bool {
        self.runs.contains(&run)
    }

    fn iou(&self) -> Option<f64> {
        mean(self.ious.iter().copied())
    }

    fn figures(&self) -> PairFigures {
        PairFigures {
            runs: self.runs,
            iou: interval(self.ious.iter().copied()),
            iou_of_other_images: self.other_images.value(),
            rank_correlation: mean(self.ranks.iter().copied()),
            agreement: share(self.agreeing.iter().copied()),
            empty: self.empty,
            broken: self.broken,
        }
    }
}

fn images(runs: &[RunMaps], pairs: &[Pair], best: usize) -> Vec<ImageFigures> {
    let labels = runs.first().map_or(&[][..], |run| &run.labels);
    let with_best: Vec<&Pair> = pairs.iter().filter(|pair| pair.has(best)).collect();
    let figures = |(image, label): (usize, &usize)| ImageFigures {
        image,
        label: *label,
        iou: mean(pairs.iter().map(|pair| pair.ious[image])),
        iou_with_best: mean(with_best.iter().map(|pair| pair.ious[image])),
        rank_correlation: mean(pairs.iter().map(|pair| pair.ranks[image])),
        agreement: share(pairs.iter().map(|pair| pair.agreeing[image])),
        correct: runs
            .iter()
            .filter(|run| run.predicted[image] == *label)
            .count(),
        pairs: pairs.iter().map(|pair| pair.ious[image]).collect(),
    };
    labels.iter().enumerate().map(figures).collect()
}

fn by_class(images: &[ImageFigures], classes: &[String]) -> Vec<ClassFigures> {
    let figures = |(number, class): (usize, &String)| {
        let own: Vec<&ImageFigures> = images
            .iter()
            .filter(|image| image.label == number)
            .collect();
        (!own.is_empty()).then(|| ClassFigures {
            class: class.clone(),
            images: own.len(),
            iou: interval(own.iter().map(|image| image.iou)),
            rank_correlation: mean(own.iter().map(|image| image.rank_correlation)),
            agreement: mean(own.iter().map(|image| Some(image.agreement))).unwrap_or(0.0),
        })
    };
    classes.iter().enumerate().filter_map(figures).collect()
}

/// Means at every threshold of the curve.
struct Curve {
    thresholds: Vec<u8>,
    same: Vec<Mean>,
    other: Vec<Mean>,
    pairs: usize,
}

impl Curve {
    fn new() -> Self {
        let thresholds: Vec<u8> = (0..=u8::MAX).step_by(STEP).collect();
        let means = vec![Mean::default(); thresholds.len()];
        Self {
            thresholds,
            same: means.clone(),
            other: means,
            pairs: 0,
        }
    }

    /// Two maps of one image; broken ones are left out.
    fn add(&mut self, overlap: Option<&Overlap>) {
        let Some(overlap) = overlap else { return };
        self.pairs += 1;
        for (mean, threshold) in self.same.iter_mut().zip(&self.thresholds) {
            mean.add(overlap.iou(*threshold));
        }
    }

    /// Two maps of different images.
    fn add_other(&mut self, overlap: Option<&Overlap>) {
        let Some(overlap) = overlap else { return };
        for (mean, threshold) in self.other.iter_mut().zip(&self.thresholds) {
            mean.add(overlap.iou(*threshold));
        }
    }

    fn points(&self) -> Vec<AtThreshold> {
        let means = self.same.iter().zip(&self.other).zip(&self.thresholds);
        let point = |((same, other), threshold): ((&Mean, &Mean), &u8)| AtThreshold {
            threshold: *threshold,
            iou: same.value(),
            iou_of_other_images: other.value(),
            empty: (self.pairs - same.count) as f64 / self.pairs.max(1) as f64,
        };
        means.map(point).collect()
    }
}

/// The mean of what is known.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        self.sum += value.unwrap_or(0.0);
        self.count += usize::from(value.is_some());
    }

    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut mean = Mean::default();
    values.for_each(|value| mean.add(value));
    mean.value()
}

/// The mean of what is known, with its interval.
fn interval(values: impl Iterator<Item = Option<f64>>) -> Option<Interval> {
    bootstrap(&values.flatten().collect::<Vec<f64>>(), SEED)
}

fn share(tests: impl Iterator<Item = bool>) -> f64 {
    mean(tests.map(|test| Some(f64::from(u8::from(test))))).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use abn_core::explain::{AttentionMap, THRESHOLD};

    use super::*;

    /// A run on images of four positions, of which the given ones are looked at.
    fn seen(path: &str, looks: &[&[usize]], predicted: &[usize]) -> RunMaps {
        let map = |places: &&[usize]| {
            let values = (0..4)
                .map(|place| if places.contains(&place) { 0.9 } else { 0.1 })
                .collect();
            AttentionMap::new(2, 2, values).unwrap()
        };
        RunMaps {
            path: path.to_owned(),
            title: "resnet8".to_owned(),
            learning_rate: 0.1,
            seed: 0,
            maps: looks.iter().map(map).collect(),
            predicted: predicted.to_vec(),
            labels: vec![0, 1],
        }
    }

    fn classes() -> Vec<String> {
        ["cat", "dog", "egret"].map(str::to_owned).to_vec()
    }

    /// Three runs on two images; image by image the IoU of a-b is 1/2 and 1, of a-c 0 and none, of
    /// b-c 0 and none.
    fn three() -> StabilityReport {
        let runs = [
            seen("a", &[&[0, 1], &[]], &[0, 0]),
            seen("b", &[&[0], &[]], &[0, 1]),
            seen("c", &[&[3], &[2, 3]], &[1, 1]),
        ];
        let mut pairs = 0;
        let report = compare(&runs, &classes(), THRESHOLD, || pairs += 1);
        assert_eq!(pairs, 3);
        report
    }

    #[test]
    fn pairs_images_and_the_most_accurate_run_by_hand() {
        let found = three();
        assert_eq!(
            (found.images, found.best),
            (2, 1),
            "b is right twice, the others once"
        );
        assert_eq!(
            found.pairs.iter().map(|pair| pair.runs).collect::<Vec<_>>(),
            [[0, 1], [0, 2], [1, 2]]
        );
        let ious: Vec<Vec<Option<f64>>> = found
            .per_image
            .iter()
            .map(|image| image.pairs.clone())
            .collect();
        // On the second image a and b see nothing together, and c sees what neither does.
        assert_eq!(
            ious,
            [
                vec![Some(0.5), Some(0.0), Some(0.0)],
                vec![None, Some(0.0), Some(0.0)]
            ]
        );
        assert_eq!((found.empty, found.broken), (1, 0));
        assert_eq!(
            found.pairs[0].iou.unwrap().mean,
            0.5,
            "the empty pair is left out"
        );
        assert_eq!(found.per_image[0].iou, Some(0.5 / 3.0));
        assert_eq!(found.per_image[1].iou, Some(0.0));
        assert!((found.iou_over_images.unwrap().mean - 0.25 / 3.0).abs() < 1e-12);
        assert!((found.iou_over_pairs.unwrap().mean - 0.5 / 3.0).abs() < 1e-12);
        // With b: a at 0.5, c at 0.
        assert_eq!(found.iou_with_best.unwrap().mean, 0.25);
        let with_best: Vec<Option<f64>> = found.runs.iter().map(|run| run.iou_with_best).collect();
        assert_eq!(with_best, [Some(0.5), None, Some(0.0)]);
        assert_eq!(
            found.runs.iter().map(|run| run.top1).collect::<Vec<_>>(),
            [0.5, 1.0, 0.5]
        );
    }

    #[test]
    fn predictions_and_classes_by_hand() {
        let found = three();
        // Image 1: 0 0 1, image 2: 0 1 1. One of three pairs agrees on each.
        assert!((found.agreement - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(
            found
                .pairs
                .iter()
                .map(|pair| pair.agreement)
                .collect::<Vec<_>>(),
            [0.5, 0.0, 0.5]
        );
        assert_eq!(
            found
                .per_image
                .iter()
                .map(|image| image.correct)
                .collect::<Vec<_>>(),
            [2, 2]
        );
        let classes: Vec<(&str, usize)> = found
            .classes
            .iter()
            .map(|class| (class.class.as_str(), class.images))
            .collect();
        assert_eq!(classes, [("cat", 1), ("dog", 1)], "no image is an egret");
        assert_eq!(found.classes[1].iou.unwrap().mean, 0.0);
    }

    #[test]
    fn the_curve_counts_what_has_no_iou() {
        let curve = three().curve;
        assert_eq!(curve.len(), 52);
        assert_eq!((curve[0].threshold, curve[51].threshold), (0, 255));
        assert_eq!(
            (curve[0].iou, curve[0].empty),
            (Some(1.0), 0.0),
            "everything is at least 0"
        );
        // Level 125: the six pairs of maps without the empty one, 0.5 and four times 0.
        assert_eq!((curve[25].iou, curve[25].empty), (Some(0.1), 1.0 / 6.0));
        assert_eq!(
            (curve[51].iou, curve[51].empty),
            (None, 1.0),
            "nothing reaches 255"
        );
    }

    #[test]
    fn maps_that_do_not_depend_on_the_image_are_as_alike_on_other_images() {
        let same: &[&[usize]] = &[&[0], &[0]];
        let found = compare(
            &[seen("a", same, &[0, 1]), seen("b", same, &[0, 1])],
            &classes(),
            127,
            || (),
        );
        assert_eq!(
            (
                found.iou_over_images.unwrap().mean,
                found.iou_of_other_images
            ),
            (1.0, Some(1.0))
        );
        let turned: &[&[usize]] = &[&[0], &[3]];
        let found = compare(
            &[seen("a", turned, &[0, 1]), seen("b", turned, &[0, 1])],
            &classes(),
            127,
            || (),
        );
        assert_eq!(
            (
                found.iou_over_images.unwrap().mean,
                found.iou_of_other_images
            ),
            (1.0, Some(0.0))
        );
        assert_eq!(found.rank_correlation.unwrap().mean, 1.0);
    }

    #[test]
    fn broken_maps_are_counted_and_left_out() {
        let mut broken = seen("b", &[&[0], &[0]], &[0, 1]);
        broken.maps[1].values[2] = f32::NAN;
        let found = compare(
            &[seen("a", &[&[0], &[0]], &[0, 1]), broken],
            &classes(),
            127,
            || (),
        );
        assert_eq!((found.empty, found.broken), (0, 1));
        assert_eq!(
            (found.per_image[0].iou, found.per_image[1].iou),
            (Some(1.0), None)
        );
        assert_eq!(found.rank_correlation.unwrap().mean, 1.0);
    }
}
