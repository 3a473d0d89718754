//! How alike the explanations of several trainings are (MANet, section 5.3.1): the same images
//! through every run, their maps compared two by two.
//!
//! ```text
//! run 1 --look--> maps [N, h, w] --\
//! run 2 --look--> maps [N, h, w] ---+--compare--> StabilityReport: pairs, images, classes, thresholds
//! run 3 --look--> maps [N, h, w] --/
//! ```
//!
//! One network is in memory at a time; what stays of it is one map and one prediction an image.

#[cfg(feature = "files")]
mod comparable;
mod compare;
mod look;
mod table;

use crate::bootstrap::Interval;
use abn_core::explain::{Layer, Method};
use serde::Serialize;

#[cfg(feature = "files")]
pub use self::comparable::{doubts, open_configs, refuse_twice};
pub use self::compare::compare;
pub use self::look::{RunMaps, look};
pub use self::table::{csv, text};

/// What a threshold of 127 of 255 is a share of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum MapScale {
    /// Of 1: maps as they are, which is the paper's measure for sigmoid maps
    Raw,
    /// Of the image's own maximum: every map brought to [0, 1] first
    PerImage,
}

/// Which maps are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapQuery {
    /// The method that makes them.
    pub method: Method,
    /// The layer it looks at, where it has a choice.
    pub layer: Layer,
    /// Whether they are taken as they are or normalised.
    pub scale: MapScale,
    /// Whose classes are explained and predicted, of runs of several labels; the first if absent.
    pub group: Option<String>,
}

/// What came out of comparing R runs on N images. Pairs of runs are numbered 0-1, 0-2, ..., 1-2,
/// ...; a mean is absent where nothing could be compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StabilityReport {
    /// Number of images.
    pub images: usize,
    /// Grey level of 255 from which a position counts as looked at.
    pub threshold: u8,
    /// Index of the most accurate run on these images, the first of equals: the paper's baseline.
    pub best: usize,
    /// The runs, in the order asked for.
    pub runs: Vec<RunFigures>,
    /// Every pair of runs.
    pub pairs: Vec<PairFigures>,
    /// Mean IoU of all pairs, its interval over images (each the mean of its pairs).
    pub iou_over_images: Option<Interval>,
    /// The same, its interval over pairs (each the mean of its images). Pairs share runs, so it is
    /// a little too narrow.
    pub iou_over_pairs: Option<Interval>,
    /// Mean IoU of the other runs with the most accurate one, its interval over these runs: the
    /// paper's figure.
    pub iou_with_best: Option<Interval>,
    /// Mean IoU of the maps of different images: what the runs share whatever they look at.
    /// Stability beyond it is about the image.
    pub iou_of_other_images: Option<f64>,
    /// Pairs of maps of which neither reaches the threshold; they have no IoU and are left out.
    pub empty: usize,
    /// Pairs of maps of which one holds a value that is not finite; they are left out.
    pub broken: usize,
    /// Mean rank correlation of the maps of all pairs, its interval over images: stability without
    /// a threshold.
    pub rank_correlation: Option<Interval>,
    /// Share of images and pairs for which both runs predict the same class.
    pub agreement: f64,
    /// Means at other thresholds, ascending.
    pub curve: Vec<AtThreshold>,
    /// Means by class, in the order of the classes; classes without images are left out.
    pub classes: Vec<ClassFigures>,
    /// Means by image, in the order of the images.
    pub per_image: Vec<ImageFigures>,
}

impl StabilityReport {
    /// So many images on which the maps are the most alike, and then as many on which they are the
    /// least, each half the most extreme first; with their mean IoU.
    pub fn extremes(&self, count: usize) -> Vec<(usize, f64)> {
        let known = self.per_image.iter();
        let known = known.filter_map(|image| Some((image.image, image.iou?)));
        let mut most: Vec<(usize, f64)> = known.collect();
        most.sort_by(|a, b| b.1.total_cmp(&a.1));
        let count = count.min(most.len() / 2);
        let least = most.split_off(most.len() - count);
        most.truncate(count);
        most.extend(least.into_iter().rev());
        most
    }
}

/// A run among the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunFigures {
    /// Where it lies, as typed.
    pub path: String,
    /// Architecture and attention.
    pub title: String,
    /// Learning rate of its first epoch.
    pub learning_rate: f64,
    /// Seed.
    pub seed: u64,
    /// Share of these images that it classifies rightly.
    pub top1: f64,
    /// Mean IoU with the other runs.
    pub iou: Option<f64>,
    /// Mean IoU with the most accurate run; absent for that run.
    pub iou_with_best: Option<f64>,
}

/// Two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairFigures {
    /// Their indices.
    pub runs: [usize; 2],
    /// Mean IoU over images, with its interval.
    pub iou: Option<Interval>,
    /// Mean IoU of maps of different images.
    pub iou_of_other_images: Option<f64>,
    /// Mean rank correlation over images.
    pub rank_correlation: Option<f64>,
    /// Share of images for which both predict the same class.
    pub agreement: f64,
    /// Images on which neither map reaches the threshold.
    pub empty: usize,
    /// Images on which a map holds a value that is not finite.
    pub broken: usize,
}

/// Means over images and pairs at a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtThreshold {
    /// Grey level of 255.
    pub threshold: u8,
    /// Mean IoU; absent if no map reaches the threshold.
    pub iou: Option<f64>,
    /// Mean IoU of maps of different images.
    pub iou_of_other_images: Option<f64>,
    /// Share of the pairs of maps of which neither reaches the threshold.
    pub empty: f64,
}

/// The images of a class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassFigures {
    /// Name of the class.
    pub class: String,
    /// Its images.
    pub images: usize,
    /// Mean IoU over images (each the mean of its pairs), with its interval.
    pub iou: Option<Interval>,
    /// Mean rank correlation.
    pub rank_correlation: Option<f64>,
    /// Share of images and pairs for which both runs predict the same class.
    pub agreement: f64,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageFigures {
    /// Index in the split.
    pub image: usize,
    /// Index of its class.
    pub label: usize,
    /// Mean IoU over the pairs that have one.
    pub iou: Option<f64>,
    /// Mean IoU of the other runs with the most accurate one.
    pub iou_with_best: Option<f64>,
    /// Mean rank correlation over the pairs that have one.
    pub rank_correlation: Option<f64>,
    /// Share of pairs that predict the same class.
    pub agreement: f64,
    /// Runs that classify it rightly.
    pub correct: usize,
    /// IoU of each pair.
    pub pairs: Vec<Option<f64>>,
}
