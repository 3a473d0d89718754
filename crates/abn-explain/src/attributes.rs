//! How sure the figures of labels of two classes are.

use abn_run::measure::attributes::{Attributes, HALF, PrecisionRecall, Ranked, Sampled, Scores};
use abn_run::measure::thresholds::AtThresholds;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde::Serialize;

use crate::bootstrap::{Interval, around};

/// Resamples. Forty labels of twenty thousand images take seconds with them.
const RESAMPLES: usize = 1000;
/// Seed of the resamples.
const SEED: u64 = 1;

/// The figures of [`Attributes`] with their 95 % intervals, by a bootstrap over images: whoever is
/// drawn is drawn with all its labels.
#[derive(Debug, Clone, Serialize)]
pub struct AttributeIntervals {
    /// Mean of the labels' accuracies.
    pub mean_accuracy: Option<Interval>,
    /// Mean of their balanced accuracies.
    pub balanced_accuracy: Option<Interval>,
    /// Mean of their average precisions.
    pub mean_average_precision: Option<Interval>,
    /// Precision, recall and F1 of all labels.
    #[serde(flatten)]
    pub together: PrecisionRecallIntervals,
    /// Label by label.
    pub labels: Vec<LabelIntervals>,
}

/// The figures of [`PrecisionRecall`].
#[derive(Debug, Clone, Serialize)]
pub struct PrecisionRecallIntervals {
    /// Precision of all labels counted together.
    pub precision_micro: Option<Interval>,
    /// Their recall.
    pub recall_micro: Option<Interval>,
    /// Their F1.
    pub f1_micro: Option<Interval>,
    /// Mean of the labels' precisions.
    pub precision_macro: Option<Interval>,
    /// Mean of their recalls.
    pub recall_macro: Option<Interval>,
    /// Mean of their F1.
    pub f1_macro: Option<Interval>,
}

/// The figures of one label.
#[derive(Debug, Clone, Serialize)]
pub struct LabelIntervals {
    /// What the label is about.
    pub name: String,
    /// Fraction of the images told rightly.
    pub accuracy: Option<Interval>,
    /// Mean of both classes' accuracies.
    pub balanced_accuracy: Option<Interval>,
    /// Area below the curve of precision over recall.
    pub average_precision: Option<Interval>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<Interval>,
}

/// The figures of [`AtThresholds`], in the same resamples; the thresholds are what they are.
#[derive(Debug, Clone, Serialize)]
pub struct ThresholdIntervals {
    /// Of all labels.
    #[serde(flatten)]
    pub together: PrecisionRecallIntervals,
    /// F1 label by label.
    pub labels: Vec<F1Interval>,
}

/// F1 of one label.
#[derive(Debug, Clone, Serialize)]
pub struct F1Interval {
    /// What the label is about.
    pub name: String,
    /// Harmonic mean of precision and recall.
    pub f1: Option<Interval>,
}

/// One figure in all resamples in which it is defined.
type Resampled = Vec<f64>;

/// [`PrecisionRecall`] in all resamples.
#[derive(Default)]
struct Together([Resampled; 6]);

impl Together {
    fn add(&mut self, labels: &[Sampled]) {
        let counts = labels.iter().map(|label| label.counts);
        let found = PrecisionRecall::of(counts).named();
        for (values, (_, value)) in self.0.iter_mut().zip(found) {
            values.extend(value);
        }
    }

    fn around(self, found: &PrecisionRecall) -> PrecisionRecallIntervals {
        let mut resampled = self.0.into_iter();
        let mut next = |figure| around(figure, resampled.next().unwrap_or_default());
        PrecisionRecallIntervals {
            precision_micro: next(found.precision_micro),
            recall_micro: next(found.recall_micro),
            f1_micro: next(found.f1_micro),
            precision_macro: next(found.precision_macro),
            recall_macro: next(found.recall_macro),
            f1_macro: next(found.f1_macro),
        }
    }
}

/// The labels in one resample after another, each at its threshold.
fn resample(scores: &[Scores], thresholds: &[f32], mut visit: impl FnMut(&[Sampled])) {
    let ranked: Vec<Ranked> = scores.iter().map(Scores::ranked).collect();
    let images = scores.iter().map(Scores::len).max().unwrap_or(0);
    let mut random = Pcg64::seed_from_u64(SEED);
    for _ in 0..RESAMPLES {
        let mut times = vec![0; images];
        (0..images).for_each(|_| times[random.random_range(0..images)] += 1);
        let labels = ranked.iter().zip(thresholds);
        let sampled = labels.map(|(ranked, threshold)| ranked.figures(&times, *threshold));
        visit(&sampled.collect::<Vec<_>>());
    }
}

/// Mean over the labels of which it is defined.
fn mean(labels: &[Sampled], figure: fn(&Sampled) -> Option<f64>) -> Option<f64> {
    let known: Vec<f64> = labels.iter().filter_map(figure).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// What is resampled of each label, in this order; the mean of all but the last is a figure, too.
const FIGURES: [fn(&Sampled) -> Option<f64>; 4] = [
    |label| label.counts.accuracy(),
    |label| label.counts.balanced_accuracy(),
    |label| label.average_precision,
    |label| label.counts.f1(),
];

/// The intervals around what was found of the scores of all labels in the same images.
pub fn intervals(found: &Attributes, scores: &[Scores]) -> AttributeIntervals {
    let mut of_labels = vec![[const { Resampled::new() }; 4]; scores.len()];
    let mut of_all = [const { Resampled::new() }; 4];
    let mut together = Together::default();
    resample(scores, &vec![HALF; scores.len()], |labels| {
        for (resampled, label) in of_labels.iter_mut().zip(labels) {
            for (values, figure) in resampled.iter_mut().zip(FIGURES) {
                values.extend(figure(label));
            }
        }
        for (values, figure) in of_all.iter_mut().zip(FIGURES) {
            values.extend(mean(labels, figure));
        }
        together.add(labels);
    });
    let labels = found.labels.iter().zip(of_labels);
    let [accuracy, balanced, precision, _] = of_all;
    AttributeIntervals {
        mean_accuracy: around(Some(found.mean_accuracy), accuracy),
        balanced_accuracy: around(found.balanced_accuracy, balanced),
        mean_average_precision: around(found.mean_average_precision, precision),
        together: together.around(&found.together),
        labels: labels
            .map(
                |(label, [accuracy, balanced, precision, f1])| LabelIntervals {
                    name: label.name.clone(),
                    accuracy: around(Some(label.accuracy), accuracy),
                    balanced_accuracy: around(label.balanced_accuracy, balanced),
                    average_precision: around(label.average_precision, precision),
                    f1: around(label.f1, f1),
                },
            )
            .collect(),
    }
}

/// The intervals around what was found at a threshold for each label.
pub fn threshold_intervals(
    found: &AtThresholds,
    scores: &[Scores],
    thresholds: &[f32],
) -> ThresholdIntervals {
    let mut of_labels = vec![Resampled::new(); scores.len()];
    let mut together = Together::default();
    resample(scores, thresholds, |labels| {
        for (resampled, label) in of_labels.iter_mut().zip(labels) {
            resampled.extend(label.counts.f1());
        }
        together.add(labels);
    });
    let labels = found.labels.iter().zip(of_labels);
    ThresholdIntervals {
        together: together.around(&found.together),
        labels: labels
            .map(|(label, f1)| F1Interval {
                name: label.name.clone(),
                f1: around(label.f1, f1),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use abn_run::measure::attributes::Counts;

    use super::*;

    /// 400 images of two labels: the first told rightly in half of them, the second always.
    #[test]
    fn intervals_are_those_of_the_normal_distribution() {
        let mut scores = vec![Scores::default(); 2];
        for image in 0..400 {
            let present = image % 4 < 2;
            scores[0].add(if image % 2 == 0 { 1.0 } else { -1.0 }, Some(present));
            scores[1].add(if present { 1.0 } else { -1.0 }, Some(present));
        }
        let counts = |right, found| Counts {
            images: 400,
            right,
            positive: 200,
            found,
        };
        let labels = [("half", counts(200, 100)), ("all", counts(400, 200))];
        let found = Attributes::of(labels.into_iter(), 400).with(&scores);
        let intervals = intervals(&found, &scores);
        let half = intervals.labels[0].accuracy.unwrap();
        assert_eq!(half.mean, 0.5);
        // The standard error is 0.025.
        assert!((half.low - 0.451).abs() < 0.008 && (half.high - 0.549).abs() < 0.008);
        let all = intervals.labels[1].average_precision.unwrap();
        assert_eq!((all.low, all.mean, all.high), (1.0, 1.0, 1.0));
        // The mean of the two moves half as far.
        let mean = intervals.mean_accuracy.unwrap();
        assert!((mean.mean - 0.75).abs() < 1e-12);
        assert!((mean.low - 0.7255).abs() < 0.004 && (mean.high - 0.7745).abs() < 0.004);
        assert!(intervals.balanced_accuracy.is_some());
        // 100 found of 200 with 100 false alarms, and 200 of 200 without one.
        let micro = intervals.together.f1_micro.unwrap();
        assert!((micro.mean - 0.75).abs() < 1e-12);
        assert!(micro.low > 0.7 && micro.low < 0.75 && micro.high > 0.75 && micro.high < 0.8);
        // At the same threshold, the same resamples say the same.
        let same = AtThresholds::of(&found, &scores, &[HALF; 2]);
        let same = threshold_intervals(&same, &scores, &[HALF; 2]);
        assert_eq!(same.together.f1_micro, Some(micro));
        assert_eq!(same.labels[0].f1, intervals.labels[0].f1);
    }

    #[test]
    fn nothing_has_no_intervals() {
        let found = Attributes::of(std::iter::empty(), 0);
        let found = intervals(&found, &[]);
        assert!(found.mean_accuracy.is_none() && found.labels.is_empty());
    }
}
