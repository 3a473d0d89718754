//! Labels of two classes, absent and present: what is told of them beside who always says the same,
//! and what their scores say at every threshold.

use abn_data::Labels;
use serde::{Deserialize, Serialize};

/// Whether these are several labels of two classes each, absent and present.
pub fn are_attributes(labels: &Labels) -> bool {
    let groups = labels.groups();
    groups.len() > 1 && groups.iter().all(|group| group.classes.len() == 2)
}

/// Figures of several labels of two classes each, as fractions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attributes {
    /// Mean of the labels' accuracies: what CelebA is compared by.
    pub mean_accuracy: f64,
    /// The same of a predictor that always says of each label what is right more often.
    pub constant_accuracy: f64,
    /// Mean of the labels' balanced accuracies: 1/2 for whoever always says the same.
    pub balanced_accuracy: Option<f64>,
    /// Mean of the labels' average precisions (mAP); absent of training images, whose scores are not
    /// kept.
    #[serde(default)]
    pub mean_average_precision: Option<f64>,
    /// How much of what is said to be present is, and the other way round.
    #[serde(flatten)]
    pub together: PrecisionRecall,
    /// Label by label.
    pub labels: Vec<Attribute>,
}

/// Precision, recall and F1 of several labels, as fractions: of all counted together (micro), and
/// the mean of the labels' (macro). What is not defined is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PrecisionRecall {
    /// Of what is said to be present, how much is.
    #[serde(default)]
    pub precision_micro: Option<f64>,
    /// Of what is present, how much is said to be.
    #[serde(default)]
    pub recall_micro: Option<f64>,
    /// Harmonic mean of the two.
    pub f1_micro: Option<f64>,
    /// Mean of the labels' precisions.
    #[serde(default)]
    pub precision_macro: Option<f64>,
    /// Mean of their recalls.
    #[serde(default)]
    pub recall_macro: Option<f64>,
    /// Mean of their F1.
    pub f1_macro: Option<f64>,
}

impl PrecisionRecall {
    /// Those of the labels of which so much was counted.
    pub fn of(labels: impl Iterator<Item = Counts> + Clone) -> Self {
        let all = labels.clone().fold(Counts::default(), Counts::and);
        Self {
            precision_micro: all.precision(),
            recall_micro: all.recall(),
            f1_micro: all.f1(),
            precision_macro: mean(labels.clone().map(|label| label.precision())),
            recall_macro: mean(labels.clone().map(|label| label.recall())),
            f1_macro: mean(labels.map(|label| label.f1())),
        }
    }

    /// Their names and values, in the order of the fields.
    pub fn named(&self) -> [(&'static str, Option<f64>); 6] {
        [
            ("precision micro", self.precision_micro),
            ("recall micro", self.recall_micro),
            ("F1 micro", self.f1_micro),
            ("precision macro", self.precision_macro),
            ("recall macro", self.recall_macro),
            ("F1 macro", self.f1_macro),
        ]
    }
}

/// Figures of one label of two classes, as fractions. What is not defined is absent: there is no
/// precision of a label that is never there and never found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    /// What the label is about.
    pub name: String,
    /// Fraction of the images that are told rightly.
    pub accuracy: f64,
    /// The same of a predictor that always says what is right more often.
    pub constant: f64,
    /// Mean of the fractions that are told rightly where the label is present and where it is not.
    pub balanced_accuracy: Option<f64>,
    /// Area below the curve of precision over recall ([`Scores::average_precision`]).
    #[serde(default)]
    pub average_precision: Option<f64>,
    /// Of what is said to be present, how much is.
    pub precision: Option<f64>,
    /// Of what is present, how much is said to be.
    pub recall: Option<f64>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
    /// Fraction of the known images in which it is present.
    pub positive: f64,
    /// Fraction of the images of which it is known.
    pub known: f64,
}

/// Images of which one label of two classes is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub images: usize,
    /// Those told rightly.
    pub right: usize,
    /// Those in which it is present.
    pub positive: usize,
    /// Those of them that are told rightly.
    pub found: usize,
}

impl Counts {
    /// Said to be present without being so.
    fn false_alarms(&self) -> usize {
        let negative = self.images - self.positive;
        negative - (self.right - self.found)
    }

    /// Both counted together.
    fn and(self, other: Self) -> Self {
        Self {
            images: self.images + other.images,
            right: self.right + other.right,
            positive: self.positive + other.positive,
            found: self.found + other.found,
        }
    }

    /// Fraction told rightly.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.right, self.images)
    }

    /// Mean of the fractions told rightly where the label is present and where it is not.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let refused = ratio(self.right - self.found, self.images - self.positive);
        self.recall().zip(refused).map(|(a, b)| (a + b) / 2.0)
    }

    /// Of what is said to be present, how much is.
    pub fn precision(&self) -> Option<f64> {
        let said = self.found + self.false_alarms();
        // Nothing was found of what is there: that is no precision, not an unknown one.
        match (said, self.positive) {
            (0, 1..) => Some(0.0),
            _ => ratio(self.found, said),
        }
    }

    /// Of what is present, how much is said to be.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.found, self.positive)
    }

    /// Harmonic mean of precision and recall, if anything is present or said to be.
    pub fn f1(&self) -> Option<f64> {
        ratio(
            2 * self.found,
            self.positive + self.found + self.false_alarms(),
        )
    }

    /// The figures of a label in so many images, of some of which it may not be known.
    fn attribute(&self, name: &str, images: usize) -> Attribute {
        let positive = ratio(self.positive, self.images).unwrap_or(0.0);
        Attribute {
            name: name.to_owned(),
            accuracy: self.accuracy().unwrap_or(0.0),
            constant: positive.max(1.0 - positive),
            balanced_accuracy: self.balanced_accuracy(),
            average_precision: None,
            precision: self.precision(),
            recall: self.recall(),
            f1: self.f1(),
            positive,
            known: ratio(self.images, images).unwrap_or(0.0),
        }
    }
}

impl Attribute {
    /// A figure that says nothing where the label is known of no image.
    fn if_known(&self, figure: f64) -> Option<f64> {
        (self.known > 0.0).then_some(figure)
    }
}

fn ratio(of: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| of as f64 / all as f64)
}

/// Mean of what is defined.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let known: Vec<f64> = values.flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

impl Attributes {
    /// The figures of labels by name, in so many images.
    pub fn of<'a>(labels: impl Iterator<Item = (&'a str, Counts)> + Clone, images: usize) -> Self {
        let together = PrecisionRecall::of(labels.clone().map(|(_, counts)| counts));
        let labels: Vec<Attribute> = labels
            .map(|(name, counts)| counts.attribute(name, images))
            .collect();
        let of = |figure: fn(&Attribute) -> Option<f64>| mean(labels.iter().map(figure));
        Self {
            mean_accuracy: of(|label| label.if_known(label.accuracy)).unwrap_or(0.0),
            constant_accuracy: of(|label| label.if_known(label.constant)).unwrap_or(0.0),
            balanced_accuracy: of(|label| label.balanced_accuracy),
            mean_average_precision: None,
            together,
            labels,
        }
    }

    /// What the mean average precision is of a predictor that gives every image the same score: the
    /// mean share of the images in which a label is present.
    pub fn constant_average_precision(&self) -> f64 {
        let present = |label: &Attribute| (label.positive > 0.0).then_some(label.positive);
        mean(self.labels.iter().map(present)).unwrap_or(0.0)
    }

    /// Precision, recall and F1 of a predictor that says of every label that it is present.
    pub fn always_present(&self) -> PrecisionRecall {
        let f1 = |share: f64| 2.0 * share / (1.0 + share);
        let known = self.labels.iter().filter(|label| label.known > 0.0);
        let all: f64 = known.clone().map(|label| label.known).sum();
        let present: f64 = known
            .clone()
            .map(|label| label.known * label.positive)
            .sum();
        let share = (all > 0.0).then(|| present / all);
        let found = (present > 0.0).then_some(1.0);
        PrecisionRecall {
            precision_micro: share,
            recall_micro: found,
            f1_micro: share.map(f1),
            precision_macro: mean(known.clone().map(|label| Some(label.positive))),
            recall_macro: found,
            f1_macro: mean(known.map(|label| Some(f1(label.positive)))),
        }
    }

    /// The same with what the scores of each label say.
    #[must_use]
    pub fn with(mut self, scores: &[Scores]) -> Self {
        for (label, scores) in self.labels.iter_mut().zip(scores) {
            label.average_precision = scores.average_precision();
        }
        let precisions = self.labels.iter().map(|label| label.average_precision);
        self.mean_average_precision = mean(precisions);
        self
    }
}

/// The least score above 0, whose probability is a half: from it on a label is said to be present
/// where no other threshold is chosen.
pub const HALF: f32 = f32::from_bits(1);

/// The probability that a score stands for.
pub fn probability(score: f32) -> f64 {
    1.0 / (1.0 + f64::from(-score).exp())
}

/// How present one label is said to be in each image of a set, above 0 or not, and whether it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores(Vec<(f32, Option<bool>)>);

impl Scores {
    /// Adds an image, in which it is present, absent, or nobody knows; a score that is not a number
    /// is below all others.
    pub fn add(&mut self, score: f32, present: Option<bool>) {
        let score = if score.is_nan() {
            f32::NEG_INFINITY
        } else {
            score
        };
        self.0.push((score, present));
    }

    /// Number of images, also of those of which it is not known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Average precision: the sum of `(R_n - R_(n-1)) P_n` over the thresholds from the highest
    /// score down, with precision P and recall R of the images at or above each. Equal scores are
    /// one threshold, as in scikit-learn's `average_precision_score`. `None` of a label that is
    /// never present.
    pub fn average_precision(&self) -> Option<f64> {
        let once = vec![1; self.len()];
        self.ranked().figures(&once, HALF).average_precision
    }

    /// What is told where the label is said to be present from that score on.
    pub fn counts(&self, threshold: f32) -> Counts {
        let once = vec![1; self.len()];
        self.ranked().figures(&once, threshold).counts
    }

    /// The score from which on the label is to be said to be present for the highest F1. To choose
    /// from are the scores themselves, as in scikit-learn's `precision_recall_curve`; of equals it
    /// is the one nearest to [`HALF`], which is also that of a label that is never present.
    pub fn best_threshold(&self) -> f32 {
        let ranked = self.ranked();
        let is_present = |image: &&(f32, bool, usize)| image.1;
        let positive = ranked.0.iter().filter(is_present).count();
        let (mut seen, mut found) = (0, 0);
        let mut best = (0.0, HALF);
        for tied in ranked.0.chunk_by(|a, b| a.0 == b.0) {
            seen += tied.len();
            found += tied.iter().filter(is_present).count();
            let (f1, score) = (ratio(2 * found, seen + positive).unwrap_or(0.0), tied[0].0);
            let nearer = f1 == best.0 && score.abs() < best.1.abs();
            if found > 0 && (f1 > best.0 || nearer) {
                best = (f1, score);
            }
        }
        best.1
    }

    /// The images in the order of their scores.
    pub fn ranked(&self) -> Ranked {
        let images = self.0.iter().enumerate();
        let ranked =
            images.filter_map(|(image, (score, present))| Some((*score, (*present)?, image)));
        let mut ranked: Vec<(f32, bool, usize)> = ranked.collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        Ranked(ranked)
    }
}

/// The images of a label from the highest score down: score, whether it is present, which image.
#[derive(Debug, Clone)]
pub struct Ranked(Vec<(f32, bool, usize)>);

/// What the scores of one label say of a sample of the images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled {
    /// What is told of the sample at the threshold.
    pub counts: Counts,
    /// See [`Scores::average_precision`].
    pub average_precision: Option<f64>,
}

impl Ranked {
    /// The figures of a sample that holds each image so many times, where the label is said to be
    /// present from that score on.
    pub fn figures(&self, times: &[u32], threshold: f32) -> Sampled {
        let times = |image: usize| times.get(image).map_or(0, |times| *times as usize);
        let (mut seen, mut found, mut area) = (0, 0, 0.0);
        let (mut said, mut said_rightly) = (0, 0);
        for tied in self.0.chunk_by(|a, b| a.0 == b.0) {
            let (mut all, mut present) = (0, 0);
            for (_, is_present, image) in tied {
                let times = times(*image);
                all += times;
                present += times * usize::from(*is_present);
            }
            seen += all;
            found += present;
            if seen > 0 {
                area += present as f64 * found as f64 / seen as f64;
            }
            if tied[0].0 >= threshold {
                (said, said_rightly) = (seen, found);
            }
        }
        let (positive, negative) = (found, seen - found);
        let refused = negative - (said - said_rightly);
        let counts = Counts {
            images: seen,
            right: said_rightly + refused,
            positive,
            found: said_rightly,
        };
        Sampled {
            counts,
            average_precision: (positive > 0).then(|| area / positive as f64),
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

    #[test]
    fn average_precision_by_hand() {
        // Present at ranks 1 and 3 of 4: (1/1 + 2/3) / 2.
        let ranked = scores(&[(0.9, true), (0.8, false), (0.7, true), (0.1, false)]);
        assert!((ranked.average_precision().unwrap() - 5.0 / 6.0).abs() < 1e-12);
        // All equal: the share of what is present. 0 and -0 are equal, NaN is last.
        let tied = scores(&[(0.0, true), (-0.0, false), (0.0, false), (f32::NAN, true)]);
        assert!((tied.average_precision().unwrap() - (1.0 / 3.0 + 2.0 / 4.0) / 2.0).abs() < 1e-12);
        assert_eq!(scores(&[(1.0, false)]).average_precision(), None);
    }

    #[test]
    fn a_sample_counts_an_image_as_often_as_it_holds_it() {
        let all = scores(&[(2.0, true), (-1.0, true), (0.5, false), (-2.0, false)]);
        let found = all.ranked().figures(&[1; 4], HALF).counts;
        assert_eq!(
            (found.accuracy(), found.balanced_accuracy()),
            (Some(0.5), Some(0.5))
        );
        // Without the two that are told wrongly, and the first three times.
        let found = all.ranked().figures(&[3, 0, 0, 1], HALF);
        assert_eq!(
            (found.counts.accuracy(), found.average_precision),
            (Some(1.0), Some(1.0))
        );
        let doubled = scores(&[(2.0, true), (-1.0, true), (-1.0, true), (0.5, false)]);
        let found = all.ranked().figures(&[1, 2, 1, 0], HALF);
        assert_eq!(found.average_precision, doubled.average_precision());
        assert_eq!(all.ranked().figures(&[0; 4], HALF).counts.accuracy(), None);
    }

    #[test]
    fn the_best_threshold_by_hand() {
        // From 2 on: F1 2/3. From 1: 1/2. From -1: 4/5. From -2: 4/6.
        let all = scores(&[(2.0, true), (1.0, false), (-1.0, true), (-2.0, false)]);
        let found = all.best_threshold();
        assert_eq!(found, -1.0);
        let at = all.counts(found);
        assert_eq!((at.precision(), at.recall()), (Some(2.0 / 3.0), Some(1.0)));
        assert_eq!(at.f1(), Some(0.8));
        assert_eq!(all.counts(HALF).f1(), Some(0.5));
        // From 3 on, 2/3; from -0.5, 4/6: the same, and nearer to a half.
        let equal = scores(&[(3.0, true), (1.0, false), (0.5, false), (-0.5, true)]);
        assert_eq!(equal.best_threshold(), -0.5);
        // Nothing to choose by: more than a half, as ever.
        let never = scores(&[(0.0, false), (2.0, false)]);
        assert_eq!(never.best_threshold(), HALF);
        assert_eq!(never.counts(HALF).right, 1);
        assert_eq!(probability(HALF), 0.5);
    }

    #[test]
    fn whoever_always_says_present_finds_everything() {
        let counts = |positive| Counts {
            images: 10,
            right: 10,
            positive,
            found: positive,
        };
        let labels = [("one", counts(2)), ("two", counts(6))];
        let found = Attributes::of(labels.into_iter(), 10).always_present();
        let said = |positive| Counts {
            right: positive,
            ..counts(positive)
        };
        let expected = PrecisionRecall::of([said(2), said(6)].into_iter());
        for ((name, found), (_, expected)) in found.named().into_iter().zip(expected.named()) {
            let off = found.unwrap() - expected.unwrap();
            assert!(off.abs() < 1e-12, "{name}: {found:?} {expected:?}");
        }
    }

    #[test]
    fn labels_beside_who_always_says_the_same() {
        // Ten images, 4 positive: 3 found, 1 missed, 2 false alarms.
        let first = Counts {
            images: 10,
            right: 7,
            positive: 4,
            found: 3,
        };
        // Never said, present twice.
        let second = Counts {
            images: 10,
            right: 8,
            positive: 2,
            found: 0,
        };
        let found = Attributes::of([("first", first), ("second", second)].into_iter(), 20);
        assert_eq!((found.mean_accuracy, found.constant_accuracy), (0.75, 0.7));
        let [first, second] = &found.labels[..] else {
            panic!("two labels")
        };
        assert_eq!((first.precision, first.recall), (Some(0.6), Some(0.75)));
        assert_eq!(first.f1, Some(6.0 / 9.0));
        assert_eq!(first.balanced_accuracy, Some((0.75 + 4.0 / 6.0) / 2.0));
        assert_eq!((second.precision, second.recall), (Some(0.0), Some(0.0)));
        assert_eq!(
            (second.f1, second.balanced_accuracy),
            (Some(0.0), Some(0.5))
        );
        // Of half of the images nobody knows them.
        assert_eq!(found.labels[0].known, 0.5);
        // 3 found of 6, 2 false alarms.
        assert_eq!(found.together.f1_micro, Some(6.0 / 11.0));
        assert_eq!(found.together.f1_macro, Some(3.0 / 9.0));
        assert_eq!(found.together.precision_micro, Some(3.0 / 5.0));
        assert_eq!(found.together.recall_macro, Some(0.375));
    }

    #[test]
    fn what_is_not_defined_is_absent() {
        let never = Counts {
            images: 5,
            right: 5,
            positive: 0,
            found: 0,
        };
        let label = never.attribute("never", 5);
        let undefined = [
            label.precision,
            label.recall,
            label.f1,
            label.balanced_accuracy,
        ];
        assert_eq!(undefined, [None; 4]);
        assert_eq!((label.accuracy, label.constant), (1.0, 1.0));
    }
}
