//! How sure the figures of labels of two classes are.

use abn_run::measure::attributes::{Attributes, Ranked, Sampled, Scores};
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
    /// Label by label.
    pub labels: Vec<LabelIntervals>,
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
}

/// What is resampled of a label, in this order.
fn figures(sampled: &Sampled) -> [Option<f64>; 3] {
    let Sampled {
        accuracy,
        balanced_accuracy,
        average_precision,
    } = *sampled;
    [accuracy, balanced_accuracy, average_precision]
}

/// The intervals around what was found of the scores of all labels in the same images.
pub fn intervals(found: &Attributes, scores: &[Scores]) -> AttributeIntervals {
    let ranked: Vec<Ranked> = scores.iter().map(Scores::ranked).collect();
    let images = scores.iter().map(Scores::len).max().unwrap_or(0);
    let mut random = Pcg64::seed_from_u64(SEED);
    let mut of_labels = vec![[const { Vec::new() }; 3]; ranked.len()];
    let mut of_all = [const { Vec::new() }; 3];
    for _ in 0..RESAMPLES {
        let mut times = vec![0; images];
        (0..images).for_each(|_| times[random.random_range(0..images)] += 1);
        let mut sums = [(0.0, 0_usize); 3];
        for (label, ranked) in of_labels.iter_mut().zip(&ranked) {
            let drawn = figures(&ranked.figures(&times)).into_iter();
            for (drawn, (values, (sum, count))) in drawn.zip(label.iter_mut().zip(&mut sums)) {
                if let Some(value) = drawn {
                    values.push(value);
                    *sum += value;
                    *count += 1;
                }
            }
        }
        for (values, (sum, count)) in of_all.iter_mut().zip(sums) {
            values.extend((count > 0).then(|| sum / count as f64));
        }
    }
    let labels = found.labels.iter().zip(of_labels);
    let [accuracy, balanced, precision] = of_all;
    AttributeIntervals {
        mean_accuracy: around(Some(found.mean_accuracy), accuracy),
        balanced_accuracy: around(found.balanced_accuracy, balanced),
        mean_average_precision: around(found.mean_average_precision, precision),
        labels: labels
            .map(|(label, [accuracy, balanced, precision])| LabelIntervals {
                name: label.name.clone(),
                accuracy: around(Some(label.accuracy), accuracy),
                balanced_accuracy: around(label.balanced_accuracy, balanced),
                average_precision: around(label.average_precision, precision),
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
    }

    #[test]
    fn nothing_has_no_intervals() {
        let found = Attributes::of(std::iter::empty(), 0);
        let found = intervals(&found, &[]);
        assert!(found.mean_accuracy.is_none() && found.labels.is_empty());
    }
}
