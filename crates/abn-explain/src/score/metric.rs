//! The measures by name: what each asks, which way is better, and where it comes from.

use serde::{Deserialize, Serialize};

/// A measure of one map of one image. All are fractions in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Deletion to the mean colour, as Petsiuk et al. have it.
    Deletion,
    /// Insertion into the blurred image, as Petsiuk et al. have it.
    Insertion,
    /// Deletion to the blurred image.
    DeletionBlur,
    /// Insertion into the mean colour.
    InsertionZero,
    /// Average drop.
    Drop,
    /// Increase in confidence.
    Increase,
    /// Pointing game.
    Pointing,
    /// Energy-based pointing game.
    Energy,
    /// Intersection over union with the object.
    Iou,
    /// Area under the ROC curve.
    Auc,
    /// Gini index.
    Sparseness,
    /// Absolute rank correlation with the map of the same network with all weights drawn anew.
    Randomised,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Less.
    Less,
    /// More.
    More,
    /// Neither: it describes.
    Neither,
}

impl Metric {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 12] = [
        Self::Deletion,
        Self::Insertion,
        Self::DeletionBlur,
        Self::InsertionZero,
        Self::Drop,
        Self::Increase,
        Self::Pointing,
        Self::Energy,
        Self::Iou,
        Self::Auc,
        Self::Sparseness,
        Self::Randomised,
    ];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deletion => "deletion",
            Self::Insertion => "insertion",
            Self::DeletionBlur => "deletion (blur)",
            Self::InsertionZero => "insertion (zero)",
            Self::Drop => "average drop",
            Self::Increase => "increase",
            Self::Pointing => "pointing game",
            Self::Energy => "energy",
            Self::Iou => "IoU",
            Self::Auc => "AUC",
            Self::Sparseness => "sparseness",
            Self::Randomised => "randomised",
        }
    }

    /// The name in files.
    pub fn column(self) -> String {
        self.name()
            .replace(['(', ')'], "")
            .replace(' ', "_")
            .to_lowercase()
    }

    /// Which way is better.
    pub fn better(self) -> Better {
        match self {
            Self::Deletion | Self::DeletionBlur | Self::Drop | Self::Randomised => Better::Less,
            Self::Sparseness => Better::Neither,
            Self::Insertion
            | Self::InsertionZero
            | Self::Increase
            | Self::Pointing
            | Self::Energy
            | Self::Iou
            | Self::Auc => Better::More,
        }
    }

    /// What it asks and who asked first.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Deletion => {
                "mean probability of the class while the pixels are taken away, the map's highest \
                 first, to the mean colour (Petsiuk et al. 2018)"
            }
            Self::Insertion => {
                "mean probability while the pixels return to the blurred image, the map's highest \
                 first (Petsiuk et al. 2018)"
            }
            Self::DeletionBlur => {
                "deletion to the blurred image, which has no sharp edges of its own"
            }
            Self::InsertionZero => "insertion into the mean colour",
            Self::Drop => {
                "share of the probability that is lost if the image is multiplied by the map \
                 (Chattopadhay et al. 2018)"
            }
            Self::Increase => {
                "share of the images of which the network is surer if multiplied by the map \
                 (Chattopadhay et al. 2018)"
            }
            Self::Pointing => {
                "whether the map's maximum lies on the object (Zhang et al. 2016), without \
                 tolerance"
            }
            Self::Energy => "share of the map's sum that lies on the object (Wang et al. 2020)",
            Self::Iou => {
                "overlap of the object with the pixels at or above half of the map's range (127 of \
                 255)"
            }
            Self::Auc => {
                "probability that a pixel on the object has a higher value than one beside it"
            }
            Self::Sparseness => {
                "Gini index: 0 for a uniform map, near 1 for a single position (Chalasani et al. \
                 2020)"
            }
            Self::Randomised => {
                "absolute rank correlation with the map that the same network gives once all its \
                 weights are drawn anew: a map that stays as it was does not explain the network \
                 (Adebayo et al. 2018)"
            }
        }
    }
}
