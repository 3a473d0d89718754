//! How good a run's explanations are: every method by every measure, image by image.
//!
//! [`Plan`] says what is measured, [`Examiner`] measures a batch, [`Store`] keeps what is done so
//! that an interrupted scoring continues, [`Scores`] draws the conclusions, [`table`] writes them
//! down.

mod examiner;
mod metric;
mod scores;
#[cfg(feature = "files")]
mod store;
pub mod table;

use serde::{Deserialize, Serialize};

use abn_core::explain::{Layer, Method};
use std::collections::BTreeMap;

pub use examiner::Examiner;
pub use metric::{Better, Metric};
pub use scores::{Cell, ScoreRow, Scores, Verdict};
#[cfg(feature = "files")]
pub use store::Store;

/// Everything that decides the figures: two scorings of the same plan are the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Digest of the weights.
    pub weights: String,
    /// Digest of the images.
    pub images: String,
    /// Digest of the objects in them, if they are known.
    pub objects: Option<String>,
    /// What is compared.
    pub methods: Vec<Method>,
    /// Where Grad-CAM and Grad-CAM++ look.
    pub layer: Layer,
    /// Which class is explained.
    pub class: ClassChoice,
    /// Whose class it is, of a run of several labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Steps of deletion and insertion.
    pub steps: usize,
    /// The first images, on which the maps of networks with weights drawn anew are compared.
    pub randomised: usize,
}

/// Which class of an image is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum ClassChoice {
    /// The one that the network predicts: why did it decide so?
    #[default]
    Predicted,
    /// The true one: where does it see what is there?
    Label,
}

/// One map of one image, measured. Classes are counted in the label that is explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Index of the image in the split.
    pub image: usize,
    /// True class.
    pub label: usize,
    /// Predicted class.
    pub predicted: usize,
    /// Class that is explained.
    pub class: usize,
    /// Its probability.
    pub probability: f64,
    /// How it is explained.
    pub method: Method,
    /// What is defined for this image.
    pub values: BTreeMap<Metric, f64>,
    /// Absolute rank correlation with the map after re-initialising one more part of the network
    /// each time; empty for images outside the sanity check.
    pub cascade: Vec<Option<f64>>,
}

impl ClassChoice {
    /// The choice in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Predicted => "predicted",
            Self::Label => "true",
        }
    }
}
