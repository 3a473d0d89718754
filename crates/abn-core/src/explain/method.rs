//! The methods, and what one gives for an image.

use burn::serde::{Deserialize, Serialize};

use super::{AttentionMap, ExplainError};
use crate::backbone::HeadConfig;
use crate::classifier::ClassifierConfig;

/// A way to ask where a network looks. Its name, as typed and as stored, is [`Method::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Method {
    /// The trained map of the attention branch
    #[default]
    Attention,
    /// Class activation mapping (Zhou et al. 2016), for networks that end in pooling and one linear
    /// layer
    Cam,
    /// Grad-CAM (Selvaraju et al. 2017)
    GradCam,
    /// Grad-CAM++ (Chattopadhay et al. 2018)
    #[cfg_attr(feature = "clap", value(name = "grad-cam++"))]
    #[serde(rename = "grad-cam++")]
    GradCamPlusPlus,
    /// Control: the same everywhere
    Uniform,
    /// Control: a Gaussian around the centre of the image
    Centre,
    /// Control: the gradient at each pixel of the image
    #[cfg_attr(feature = "clap", value(name = "gradient"))]
    #[serde(rename = "gradient")]
    InputGradient,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 7] = [
        Self::Attention,
        Self::Cam,
        Self::GradCam,
        Self::GradCamPlusPlus,
        Self::Uniform,
        Self::Centre,
        Self::InputGradient,
    ];

    /// What is drawn unless methods are named; the controls know less than these.
    pub const DRAWN: [Self; 4] = [
        Self::Attention,
        Self::Cam,
        Self::GradCam,
        Self::GradCamPlusPlus,
    ];

    /// The name as typed and stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Cam => "cam",
            Self::GradCam => "grad-cam",
            Self::GradCamPlusPlus => "grad-cam++",
            Self::Uniform => "uniform",
            Self::Centre => "centre",
            Self::InputGradient => "gradient",
        }
    }

    /// The name as its authors write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Attention => "Attention",
            Self::Cam => "CAM",
            Self::GradCam => "Grad-CAM",
            Self::GradCamPlusPlus => "Grad-CAM++",
            Self::Uniform => "Uniform",
            Self::Centre => "Centre",
            Self::InputGradient => "Gradient",
        }
    }

    /// What its map shows, for a reader who sees it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Attention => {
                "The map of the attention branch, as it weights the features: trained, and the \
                 same whatever class is asked about."
            }
            Self::Cam => {
                "The last features, weighted by what the classifier makes of each for the class. \
                 Dark is what speaks most against it."
            }
            Self::GradCam => {
                "The features, weighted by how much each raises the score of the class. Only what \
                 speaks for it."
            }
            Self::GradCamPlusPlus => {
                "As Grad-CAM, by the positive gradients alone, so that several or small objects \
                 count."
            }
            Self::Uniform => "A control: the same everywhere.",
            Self::Centre => "A control: the centre of the image, whatever lies there.",
            Self::InputGradient => {
                "A control: how much each pixel changes the score of the class. Edges light up in \
                 every network."
            }
        }
    }

    /// Whether the method has a map of that network at that layer.
    ///
    /// # Errors
    /// Why it has none.
    pub fn check(self, config: &ClassifierConfig, layer: Layer) -> Result<(), ExplainError> {
        let pooled = config.network.head == HeadConfig::Pooled;
        self.check_parts(config.attention.is_some(), pooled, layer)
    }

    /// The same of a network with or without a branch, and with or without a head of pooling and
    /// one linear layer.
    pub(super) fn check_parts(
        self,
        branch: bool,
        pooled: bool,
        layer: Layer,
    ) -> Result<(), ExplainError> {
        match self {
            Self::Attention if !branch => Err(ExplainError::NoBranch),
            Self::Cam if layer == Layer::Features => Err(ExplainError::CamAtFeatures),
            Self::Cam if !pooled => Err(ExplainError::NoLinearHead),
            _ => Ok(()),
        }
    }

    /// Whether negative values, which speak against the class, are left out before normalising: as
    /// their papers have it, by Grad-CAM and Grad-CAM++, but not by CAM.
    pub fn rectifies(self) -> bool {
        matches!(self, Self::GradCam | Self::GradCamPlusPlus)
    }

    /// Whether the method has a choice of the layer that it looks at.
    pub fn has_layers(self) -> bool {
        matches!(self, Self::GradCam | Self::GradCamPlusPlus)
    }
}

/// Which features Grad-CAM and Grad-CAM++ look at. The other methods have one place of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Layer {
    /// Those before the last stage, which an attention branch sees: finer, less certain
    Features,
    /// The last features, as in the papers
    #[default]
    Refined,
}

impl Layer {
    /// The name as typed and stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Refined => "refined",
        }
    }
}

/// Where the network looks in one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The map as computed. It has the size of the features, or that of the image for the controls.
    pub raw: AttentionMap,
    /// The map in [0, 1], rectified where the method does so. A map that is constant, such as one
    /// without any positive value that is rectified, is zero everywhere.
    pub normalized: AttentionMap,
}

impl Explanation {
    pub(super) fn new(raw: AttentionMap, method: Method) -> Self {
        let kept = if method.rectifies() {
            raw.clone().rectified()
        } else {
            raw.clone()
        };
        Self {
            raw,
            normalized: kept.normalized(),
        }
    }
}
