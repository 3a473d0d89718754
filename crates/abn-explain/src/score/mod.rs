//! How good a run's explanations are: every method by every measure, image by image.
//!
//! [`Plan`] says what is measured, [`Examiner`] measures a batch, [`Store`](crate::store::Store) keeps what is done so
//! that an interrupted scoring continues, [`Scores`] draws the conclusions, [`table`] writes them
//! down.

mod by_class;
mod causal;
mod curves;
mod examiner;
#[cfg(feature = "files")]
mod given;
#[cfg(feature = "files")]
mod header;
pub mod label_table;
mod metric;
mod reliability;
mod scene;
mod scores;
pub mod table;
mod tuning;

use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

use abn_core::explain::{AttentionMap, Layer, Method};

use crate::AnalysisError;

pub use by_class::ClassMaps;
pub use causal::{Answer, Effect, Substitute, Use, UsesMap};
pub use curves::{CurvePlan, ImageCurves, MethodCurves};
pub use examiner::Examiner;
#[cfg(feature = "files")]
pub use given::GivenMaps;
pub use label_table::LabelScores;
pub use metric::{Better, Metric};
pub use reliability::Reliability;
pub use scene::Changed;
pub use scores::{Cell, ChangeRow, ScoreRow, Scores, Verdict};
pub use tuning::{FineTuned, tuned};

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
    /// Digest of the maps from files that are measured, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
    /// The fine-tuning for F-Fidelity, if that is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fine_tuned: Option<FineTuned>,
    /// Whether the measures themselves are checked, on the maps of the first method.
    #[serde(default, skip_serializing_if = "is_false")]
    pub check: bool,
}

impl Plan {
    /// The methods with the maps from files, in the order of the rows.
    pub fn scored(&self) -> Vec<Method> {
        let files = self.files.is_some().then_some(Method::Files);
        self.methods.iter().copied().chain(files).collect()
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The maps from files of a batch, for the images of these numbers.
pub type MapsOf<'a> = Box<dyn Fn(usize) -> Result<AttentionMap, AnalysisError> + 'a>;

/// Everything that is measured of one image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examined {
    /// A row a method.
    pub rows: Vec<Row>,
    /// Probability of the prediction, where that is what is explained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What the network says under other maps than its own; nothing without a branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub under: Vec<Answer>,
    /// What changes of the scene do; nothing where it cannot be made again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Changed>,
    /// The measures of changed maps, where the measures are checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Checked>,
}

/// The measures of the first method's map after it was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// Under noise of a fiftieth of its range: nothing that a measure should see.
    pub nudged: BTreeMap<Metric, f64>,
    /// Its values in random places: nothing is left of it.
    pub wrecked: BTreeMap<Metric, f64>,
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
