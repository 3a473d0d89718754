//! The measures by name: what each asks, which way is better, and where it comes from.

use serde::{Deserialize, Serialize};

/// A measure of one map of one image. All are fractions in [0, 1], correlations in [-1, 1].
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
    /// Remove and debias, combined.
    Road,
    /// Remove and debias, most relevant first.
    RoadMost,
    /// Remove and debias, least relevant first.
    RoadLeast,
    /// F-Fidelity of what the map explains by.
    Fidelity,
    /// F-Fidelity of the rest.
    FidelityRest,
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
    /// Rank agreement with the exact effects of the things in the scene.
    Intervention,
    /// Whether a decisive mark is found.
    Mark,
    /// Rank correlation with the map of the noisy image.
    Continuity,
    /// Rank correlation with the map of the shifted image.
    Shift,
    /// How far the map of the next likely class differs.
    Contrast,
    /// How much of the gain of the logit the map adds up to.
    Completeness,
    /// Rank correlation with Grad-CAM's map.
    LikeGradCam,
    /// Entropy.
    Complexity,
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
    pub const ALL: [Self; 25] = [
        Self::Deletion,
        Self::Insertion,
        Self::DeletionBlur,
        Self::InsertionZero,
        Self::Road,
        Self::RoadMost,
        Self::RoadLeast,
        Self::Fidelity,
        Self::FidelityRest,
        Self::Drop,
        Self::Increase,
        Self::Pointing,
        Self::Energy,
        Self::Iou,
        Self::Auc,
        Self::Intervention,
        Self::Mark,
        Self::Continuity,
        Self::Shift,
        Self::Contrast,
        Self::Completeness,
        Self::LikeGradCam,
        Self::Complexity,
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
            Self::Road => "ROAD",
            Self::RoadMost => "ROAD (most first)",
            Self::RoadLeast => "ROAD (least first)",
            Self::Fidelity => "F-Fidelity",
            Self::FidelityRest => "F-Fidelity (rest)",
            Self::Drop => "average drop",
            Self::Increase => "increase",
            Self::Pointing => "pointing game",
            Self::Energy => "energy",
            Self::Iou => "IoU",
            Self::Auc => "AUC",
            Self::Intervention => "intervention",
            Self::Mark => "mark",
            Self::Continuity => "continuity",
            Self::Shift => "shift",
            Self::Contrast => "contrast",
            Self::Completeness => "completeness",
            Self::LikeGradCam => "like Grad-CAM",
            Self::Complexity => "complexity",
            Self::Sparseness => "sparseness",
            Self::Randomised => "randomised",
        }
    }

    /// The name in files.
    pub fn column(self) -> String {
        self.name()
            .replace(['(', ')'], "")
            .replace([' ', '-'], "_")
            .to_lowercase()
    }

    /// Which way is better.
    pub fn better(self) -> Better {
        match self {
            Self::Deletion
            | Self::DeletionBlur
            | Self::RoadMost
            | Self::FidelityRest
            | Self::Drop
            | Self::Randomised => Better::Less,
            Self::LikeGradCam | Self::Complexity | Self::Sparseness => Better::Neither,
            Self::Insertion
            | Self::InsertionZero
            | Self::Road
            | Self::RoadLeast
            | Self::Fidelity
            | Self::Intervention
            | Self::Mark
            | Self::Continuity
            | Self::Shift
            | Self::Contrast
            | Self::Completeness
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
            Self::Road => {
                "remove and debias: half of what the least relevant pixels leave of the \
                 probability, first removed, more than the most relevant ones; what is removed is \
                 made up from its neighbours, so that no hole tells the class (Rong et al. 2022)"
            }
            Self::RoadMost => "mean probability without the most relevant pixels, made up",
            Self::RoadLeast => "mean probability without the least relevant pixels, made up",
            Self::Fidelity => {
                "what the network, fine-tuned on images with missing pixels, loses of the \
                 probability without a random part of the map's highest pixels, a tenth of all at \
                 most; mean over five sizes of the explanation (FFid+, Zheng et al. 2025)"
            }
            Self::FidelityRest => "the same without a part of the other pixels (FFid-)",
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
            Self::Intervention => {
                "rank correlation, over the things in the scene, of the map's mean on a thing with \
                 the thing's exact effect a pixel: the scene is made again without it (single \
                 deletion of FunnyBirds, Hesse et al. 2023); -100 to 100"
            }
            Self::Mark => {
                "where the prediction goes by a planted mark: probability that a pixel of the mark \
                 has a higher value than one beside it"
            }
            Self::Continuity => {
                "rank correlation with the map of the same image under weak noise (Co-12, Nauta et \
                 al. 2023)"
            }
            Self::Shift => {
                "rank correlation with the map of the image shifted by a sixteenth, shifted back"
            }
            Self::Contrast => {
                "half of 1 minus the rank correlation with the map of the next likely class: 0 for \
                 a map that is the same for both (Co-12, Nauta et al. 2023)"
            }
            Self::Completeness => {
                "how much of what the logit gains from the mean colour to the image the map adds \
                 up to, of methods that promise it (Sundararajan et al. 2017)"
            }
            Self::LikeGradCam => "rank correlation with the map of Grad-CAM; -100 to 100",
            Self::Complexity => {
                "entropy of the map by that of a uniform one: 0 for a single position (Bhatt et al. \
                 2020)"
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
