//! What a run records: one [`EpochRecord`] a line in `metrics.jsonl`, one [`Results`] in
//! `results.json`.
//!
//! Both are pure functions of the run's configuration, so that a resumed run writes the same bytes
//! as an uninterrupted one. Wall-clock figures live in `timing.jsonl` ([`EpochTiming`]).

use abn_boxes::coco::Stats;
use serde::{Deserialize, Serialize};

use super::attributes::{Attributes, Scores};
use super::objects::{DetectionLosses, ObjectFigures};

/// One epoch, as written to `metrics.jsonl`. Fractions are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// 1-based number of the epoch.
    pub epoch: usize,
    /// Learning rate of the epoch.
    pub learning_rate: f64,
    /// Means over the training images as they were seen (augmented, weights changing).
    pub train: Summary,
    /// Means over the test images after the epoch.
    pub test: Summary,
    /// State of the attention maps on the test images; absent without an attention branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maps: Option<MapHealth>,
    /// Whether this epoch has the [best](Figures::best_by) test figure so far (the earliest of
    /// equals).
    pub best: bool,
}

/// Means over a set of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of images.
    pub images: usize,
    /// Training objective: perception loss + weight x attention loss, and what was asked of the
    /// maps.
    pub loss: f64,
    /// Cross-entropy of the perception branch; of a detector the sum of its four losses.
    pub perception_loss: f64,
    /// Cross-entropy of the attention branch, unweighted; absent without one. Of a detector, of which
    /// classes of objects occur.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_loss: Option<f64>,
    /// What the objective asked of the maps, weighted; absent where it asked nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_loss: Option<f64>,
    /// How many images are told rightly.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What a network is chosen by, as fractions of the images. Each kind of target has its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figures {
    /// The figures of one label an image.
    Label(Hits),
    /// The figures of several labels an image.
    Labels {
        /// Mean of the labels' top-1.
        mean_top1: f64,
        /// Fraction of the images whose labels are all told rightly.
        all_right: f64,
        /// Label by label.
        groups: Vec<GroupFigures>,
        /// What labels of two classes are compared by; absent where one has more.
        #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
        attributes: Option<Attributes>,
    },
    /// The figures of objects that are to be found.
    Objects {
        /// What the perception loss is the sum of.
        #[serde(flatten)]
        losses: DetectionLosses,
        /// How well they are found; absent of training images, in which nothing is looked for.
        #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
        found: Option<Box<ObjectFigures>>,
    },
}

/// How often the right class is among the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Hits {
    /// Fraction of images whose right class has the largest perception logit.
    pub top1: f64,
    /// Fraction of images whose right class is among the five largest perception logits.
    pub top5: f64,
}

/// The figures of one label of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupFigures {
    /// What the label is about.
    pub name: String,
    /// How often it is told rightly.
    #[serde(flatten)]
    pub hits: Hits,
}

impl Figures {
    /// The figure that decides which epoch is the best, where the run says no other: more is better.
    /// `None` where it is not defined: of objects that nobody looked for, or where there is none.
    pub fn best(&self) -> Option<f64> {
        match self {
            Self::Label(hits) => Some(hits.top1),
            Self::Labels { mean_top1, .. } => Some(*mean_top1),
            Self::Objects { found, .. } => {
                let ap = found.as_ref()?.stats.ap;
                (ap >= 0.0).then_some(ap)
            }
        }
    }

    /// What that figure is called.
    pub fn best_name(&self) -> &'static str {
        match self {
            Self::Label(_) => "top-1",
            Self::Labels {
                attributes: Some(_),
                ..
            } => "mean accuracy",
            Self::Labels { .. } => "mean top-1",
            Self::Objects { .. } => "AP",
        }
    }

    /// The figures of all labels together by name, that of the best epoch first; those alone that
    /// are defined.
    pub fn main(&self) -> Vec<(&'static str, f64)> {
        let Some(best) = self.best() else {
            return Vec::new();
        };
        let best = (self.best_name(), best);
        match self {
            Self::Label(hits) => vec![best, ("top-5", hits.top5)],
            Self::Objects { found, .. } => {
                let others = found.iter().flat_map(|found| {
                    let Stats { ap50, ap75, .. } = found.stats;
                    [
                        ("AP50", ap50),
                        ("AP75", ap75),
                        ("VOC mAP", found.voc.mean_ap),
                    ]
                });
                [best].into_iter().chain(others).collect()
            }
            Self::Labels {
                attributes: Some(found),
                ..
            } => {
                let others = [
                    ("balanced", found.balanced_accuracy),
                    ("mAP", found.mean_average_precision),
                ];
                let known = others
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)));
                [best].into_iter().chain(known).collect()
            }
            Self::Labels { all_right, .. } => vec![best, ("all right", *all_right)],
        }
    }

    /// The figures of each of several labels; none of one.
    pub fn groups(&self) -> &[GroupFigures] {
        match self {
            Self::Label(_) | Self::Objects { .. } => &[],
            Self::Labels { groups, .. } => groups,
        }
    }

    /// The same with what the scores of labels of two classes say.
    #[must_use]
    pub(super) fn with(self, scores: &[Scores]) -> Self {
        match self {
            Self::Labels {
                mean_top1,
                all_right,
                groups,
                attributes: Some(attributes),
            } => Self::Labels {
                mean_top1,
                all_right,
                groups,
                attributes: Some(attributes.with(scores)),
            },
            others => others,
        }
    }

    /// The figures of labels of two classes, if these are several of them.
    pub fn attributes(&self) -> Option<&Attributes> {
        match self {
            Self::Label(_) | Self::Objects { .. } => None,
            Self::Labels { attributes, .. } => attributes.as_ref(),
        }
    }

    /// The figures of objects that were looked for.
    pub fn objects(&self) -> Option<&ObjectFigures> {
        match self {
            Self::Objects { found, .. } => found.as_deref(),
            Self::Label(_) | Self::Labels { .. } => None,
        }
    }

    /// The losses of a detector.
    pub fn losses(&self) -> Option<&DetectionLosses> {
        match self {
            Self::Objects { losses, .. } => Some(losses),
            Self::Label(_) | Self::Labels { .. } => None,
        }
    }

    /// All figures by name, that of the best epoch first.
    pub fn named(&self) -> Vec<(String, f64)> {
        let main = self.main().into_iter();
        let mut figures: Vec<_> = main.map(|(name, value)| (name.to_owned(), value)).collect();
        if let Some(found) = self.attributes() {
            let together = &found.together;
            let f1 = [
                ("F1 micro", together.f1_micro),
                ("F1 macro", together.f1_macro),
            ];
            let known = f1
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)));
            figures.extend(known);
            return figures;
        }
        for GroupFigures { name, hits } in self.groups() {
            figures.push((format!("{name} top-1"), hits.top1));
            figures.push((format!("{name} top-5"), hits.top5));
        }
        figures
    }
}

/// How the attention maps of a set of images look as a whole: a branch that died shows here first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MapHealth {
    /// Mean of all map values.
    pub mean: f64,
    /// Mean over images of the standard deviation within the map.
    pub spread: f64,
    /// Fraction of maps whose values differ by less than 1e-3 (they explain nothing).
    pub constant: f64,
    /// Fraction of maps that are below 1e-3 everywhere.
    pub zero: f64,
    /// Fraction of maps that are above 1 - 1e-3 everywhere.
    pub one: f64,
    /// Fraction of maps that hold a value that is not finite.
    pub not_finite: f64,
    /// Mean over images of the entropy of the map as a distribution over its positions (negative
    /// values as 0, divided by the sum), relative to the logarithm of their number: 1 for a map
    /// without a preference, 0 for a single point. Absent in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// Mean over images of the fraction of values within 0.02 of 0 or 1, where a sigmoid hardly
    /// learns; values beyond them count. Absent in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturated: Option<f64>,
    /// Mean absolute difference between the maps of the first test images
    /// ([`PROBES`](crate::measure::drift::PROBES)) and those of the epoch before; absent at the first epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<f64>,
    /// Standard deviation of the maps' values at a position between images, as a mean over the
    /// positions: 0 for maps that are the same whatever the image shows. Absent of a single map,
    /// where maps differ in size, and in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<f64>,
    /// Scale before the sigmoid: near 0 the maps are flat. Below 0, maps of class evidence are
    /// inverted; the weights of a convolution have signs of their own. Absent where a map has none,
    /// and in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<f64>,
    /// Causal effect of the maps on the first test images
    /// ([`effect`](crate::measure::effect)): how far the class probabilities move when a uniform map
    /// of the same mean stands in the place of each; 0 for decoration, 1 at most. Absent in runs of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<f64>,
}

/// How well the maximum of the attention map finds the object, where the data set knows the
/// object's mask (pointing game, Zhang et al. 2016).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pointing {
    /// Images with a mask; of a map a label, the labels of all images that have one.
    pub images: usize,
    /// Fraction of images whose map has its maximum on the object.
    pub trained: f64,
    /// The same for the network as it was initialised, before any training.
    pub untrained: f64,
    /// Mean fraction of the image that the object covers: the score of a random point.
    pub chance: f64,
}

/// The pointing game on the objects that one label is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelPointing {
    /// What the label is about.
    pub name: String,
    /// The game in the images that show such an object.
    #[serde(flatten)]
    pub pointing: Pointing,
}

/// A class in whose images the attention map is darker on the object than beside it, or against the
/// order of Grad-CAM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvertedClass {
    /// Its name.
    pub class: String,
    /// Images of it whose object is known and seen, or of which both maps could be compared.
    pub images: usize,
    /// Why it counts as inverted.
    #[serde(flatten)]
    pub reason: Inverted,
}

/// What shows that a map is inverted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inverted {
    /// Mean area under the ROC curve of the map against the object, below 1/2.
    Auc(f64),
    /// Mean rank correlation with Grad-CAM, below 0: of images whose objects are not known.
    LikeGradCam(f64),
}

impl InvertedClass {
    /// The class and why, for people.
    pub fn words(&self) -> String {
        match self.reason {
            Inverted::Auc(auc) => format!("{} (AUC {:.1} %)", self.class, 100.0 * auc),
            Inverted::LikeGradCam(like) => {
                format!("{} (correlation with Grad-CAM {like:.2})", self.class)
            }
        }
    }
}

/// Classes named at most where there are many.
const NAMED: usize = 8;

/// The classes and why, for people: the first few of many.
pub fn words_of(classes: &[InvertedClass]) -> String {
    let words: Vec<String> = classes
        .iter()
        .take(NAMED)
        .map(InvertedClass::words)
        .collect();
    match classes.len().saturating_sub(NAMED) {
        0 => words.join(", "),
        more => format!("{} and {more} more", words.join(", ")),
    }
}

/// The end of a run, as written to `results.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Epochs trained.
    pub epochs: usize,
    /// Epoch whose checkpoint is kept as the best.
    pub best_epoch: usize,
    /// Test figures of the best epoch.
    pub best: Summary,
    /// Test figures of the last epoch.
    pub last: Summary,
    /// Pointing game of the best checkpoint, where masks and an attention branch exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointing: Option<Pointing>,
    /// The same on the objects of each label, where labels have objects or maps of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pointing_by_label: Vec<LabelPointing>,
    /// Classes whose map is inverted in the best checkpoint
    /// ([`inverted`](crate::measure::inverted)); absent without any, and in runs of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inverted: Vec<InvertedClass>,
    /// Images that could not be read and are in none of these figures; absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
}

/// Number of images that a run does without, because they cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Images to learn from.
    pub train: usize,
    /// Images to measure on.
    pub test: usize,
}

/// How long an epoch took, as written to `timing.jsonl`. A resumed epoch counts only its last part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochTiming {
    /// 1-based number of the epoch.
    pub epoch: usize,
    /// Seconds spent training.
    pub train_seconds: f64,
    /// Training images processed in that time, divided by it.
    pub images_per_second: f64,
    /// Seconds spent evaluating.
    pub test_seconds: f64,
    /// Where it was computed, as `--device` takes it; empty in lines of before it was recorded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that the version before entropy, saturation and drift wrote.
    #[test]
    fn records_of_earlier_versions_are_read_and_written_as_they_are() {
        let line = concat!(
            r#"{"epoch":1,"learning_rate":0.05,"train":{"images":8,"loss":2.5,"perception_loss":1.25,"#,
            r#""attention_loss":1.25,"top1":0.5,"top5":1.0},"test":{"images":4,"loss":2.5,"perception_loss":1.25,"#,
            r#""attention_loss":1.25,"top1":0.5,"top5":1.0},"maps":{"mean":0.5,"spread":0.25,"constant":0.0,"#,
            r#""zero":0.0,"one":0.0,"not_finite":0.0},"best":true}"#
        );
        let record: EpochRecord = serde_json::from_str(line).unwrap();
        assert_eq!(record.maps.unwrap().drift, None);
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
    }

    #[test]
    fn several_labels_have_figures_of_their_own() {
        let hits = |top1, top5| Hits { top1, top5 };
        let group = |name: &str, hits| GroupFigures {
            name: name.to_owned(),
            hits,
        };
        let figures = Figures::Labels {
            mean_top1: 0.625,
            all_right: 0.25,
            groups: vec![
                group("fine", hits(0.5, 0.75)),
                group("coarse", hits(0.75, 1.0)),
            ],
            attributes: None,
        };
        let summary = Summary {
            images: 4,
            loss: 1.0,
            perception_loss: 1.0,
            attention_loss: None,
            map_loss: None,
            figures,
        };
        let line = serde_json::to_string(&summary).unwrap();
        assert_eq!(
            line,
            concat!(
                r#"{"images":4,"loss":1.0,"perception_loss":1.0,"mean_top1":0.625,"all_right":0.25,"#,
                r#""groups":[{"name":"fine","top1":0.5,"top5":0.75},"#,
                r#"{"name":"coarse","top1":0.75,"top5":1.0}]}"#
            )
        );
        assert_eq!(serde_json::from_str::<Summary>(&line).unwrap(), summary);
        assert_eq!(
            (summary.figures.best(), summary.figures.named().len()),
            (Some(0.625), 6)
        );
    }
}
