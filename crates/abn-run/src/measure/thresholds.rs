//! Labels of two classes told at a threshold of each label's own, chosen on other images than those
//! that are measured.

use serde::Serialize;

use super::attributes::{Attributes, Counts, PrecisionRecall, Scores, probability};

/// What is told of several labels, each at its threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtThresholds {
    /// Of all labels.
    #[serde(flatten)]
    pub together: PrecisionRecall,
    /// Label by label.
    pub labels: Vec<AtThreshold>,
}

/// What is told of one label at its threshold, as fractions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtThreshold {
    /// What the label is about.
    pub name: String,
    /// The probability from which on it is said to be present.
    pub threshold: f64,
    /// Of what is said to be present, how much is.
    pub precision: Option<f64>,
    /// Of what is present, how much is said to be.
    pub recall: Option<f64>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
}

impl AtThresholds {
    /// The labels of those figures by their scores, each said to be present from its threshold on,
    /// which is a score as well.
    pub fn of(found: &Attributes, scores: &[Scores], thresholds: &[f32]) -> Self {
        let labels = scores.iter().zip(thresholds);
        let counts: Vec<Counts> = labels
            .map(|(scores, threshold)| scores.counts(*threshold))
            .collect();
        let names = found.labels.iter().map(|label| &label.name);
        let labels = names.zip(thresholds).zip(&counts);
        Self {
            together: PrecisionRecall::of(counts.iter().copied()),
            labels: labels
                .map(|((name, threshold), counts)| AtThreshold {
                    name: name.clone(),
                    threshold: probability(*threshold),
                    precision: counts.precision(),
                    recall: counts.recall(),
                    f1: counts.f1(),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(rows: &[(f32, bool)]) -> Scores {
        let mut scores = Scores::default();
        rows.iter()
            .for_each(|(score, present)| scores.add(*score, Some(*present)));
        scores
    }

    /// Thresholds of training images, told on others: the first label is best from 1 on, the second
    /// from -1.
    #[test]
    fn thresholds_are_those_of_other_images() {
        let learned = [
            scores(&[(1.0, true), (0.5, false), (-1.0, false)]),
            scores(&[(2.0, true), (-1.0, true), (-2.0, false)]),
        ];
        let thresholds: Vec<f32> = learned.iter().map(Scores::best_threshold).collect();
        assert_eq!(thresholds, [1.0, -1.0]);
        let measured = [
            scores(&[(1.5, true), (0.7, true), (-0.5, false)]),
            scores(&[(1.0, true), (-0.5, false), (-3.0, true)]),
        ];
        let labels = [("first", Counts::default()), ("second", Counts::default())];
        let found = AtThresholds::of(
            &Attributes::of(labels.into_iter(), 3),
            &measured,
            &thresholds,
        );
        let [first, second] = &found.labels[..] else {
            panic!("two labels")
        };
        assert_eq!((first.precision, first.recall), (Some(1.0), Some(0.5)));
        assert_eq!((second.precision, second.recall), (Some(0.5), Some(0.5)));
        assert!((second.threshold - 1.0 / (1.0 + 1_f64.exp())).abs() < 1e-12);
        // 2 found of 4, 3 said.
        assert_eq!(found.together.precision_micro, Some(2.0 / 3.0));
        assert_eq!(found.together.f1_micro, Some(4.0 / 7.0));
        assert_eq!(found.together.precision_macro, Some(0.75));
    }
}
