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
    /// HiRes-CAM (Draelos & Carin 2020): each value by its own gradient
    HiresCam,
    /// Layer-CAM (Jiang et al. 2021): each value by its own positive gradient
    LayerCam,
    /// Eigen-CAM (Muhammad & Yeasin 2020): first principal component, whatever the class
    EigenCam,
    /// Score-CAM (Wang et al. 2020): a forward pass a channel
    ScoreCam,
    /// RISE (Petsiuk et al. 2018): 1000 random masks
    Rise,
    /// SmoothGrad (Smilkov et al. 2017): mean gradient of 25 noisy images
    SmoothGrad,
    /// Integrated gradients (Sundararajan et al. 2017): 32 points from the mean colour
    IntegratedGradients,
    /// Control: the same everywhere
    Uniform,
    /// Control: a Gaussian around the centre of the image
    Centre,
    /// Control: the gradient at each pixel of the image
    #[cfg_attr(feature = "clap", value(name = "gradient"))]
    #[serde(rename = "gradient")]
    InputGradient,
    /// Somebody else's map, from a file
    #[cfg_attr(feature = "clap", value(skip))]
    Files,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 14] = [
        Self::Attention,
        Self::Cam,
        Self::GradCam,
        Self::GradCamPlusPlus,
        Self::HiresCam,
        Self::LayerCam,
        Self::EigenCam,
        Self::ScoreCam,
        Self::Rise,
        Self::SmoothGrad,
        Self::IntegratedGradients,
        Self::Uniform,
        Self::Centre,
        Self::InputGradient,
    ];

    /// What is scored unless methods are named: those that cost a pass or two.
    pub const SCORED: [Self; 10] = [
        Self::Attention,
        Self::Cam,
        Self::GradCam,
        Self::GradCamPlusPlus,
        Self::HiresCam,
        Self::LayerCam,
        Self::EigenCam,
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
            Self::HiresCam => "hires-cam",
            Self::LayerCam => "layer-cam",
            Self::EigenCam => "eigen-cam",
            Self::ScoreCam => "score-cam",
            Self::Rise => "rise",
            Self::SmoothGrad => "smooth-grad",
            Self::IntegratedGradients => "integrated-gradients",
            Self::Uniform => "uniform",
            Self::Centre => "centre",
            Self::InputGradient => "gradient",
            Self::Files => "files",
        }
    }

    /// The name as its authors write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Attention => "Attention",
            Self::Cam => "CAM",
            Self::GradCam => "Grad-CAM",
            Self::GradCamPlusPlus => "Grad-CAM++",
            Self::HiresCam => "HiRes-CAM",
            Self::LayerCam => "Layer-CAM",
            Self::EigenCam => "Eigen-CAM",
            Self::ScoreCam => "Score-CAM",
            Self::Rise => "RISE",
            Self::SmoothGrad => "SmoothGrad",
            Self::IntegratedGradients => "Integrated gradients",
            Self::Uniform => "Uniform",
            Self::Centre => "Centre",
            Self::InputGradient => "Gradient",
            Self::Files => "Files",
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
            Self::HiresCam => {
                "Each value of the features by its own gradient: what really adds to the score, \
                 position by position."
            }
            Self::LayerCam => "As HiRes-CAM, by the positive gradients alone.",
            Self::EigenCam => {
                "Where the features differ most from their mean: the same whatever class is asked \
                 about."
            }
            Self::ScoreCam => {
                "The features, each weighted by the score of the image seen through it alone."
            }
            Self::Rise => "Random masks, each weighted by the probability that they leave.",
            Self::SmoothGrad => "The mean gradient of noisy copies of the image.",
            Self::IntegratedGradients => {
                "The gradient along the way from the mean colour to the image, pixel by pixel; its \
                 sum is what the score gains on the way."
            }
            Self::Uniform => "A control: the same everywhere.",
            Self::Centre => "A control: the centre of the image, whatever lies there.",
            Self::Files => "A map that was made elsewhere.",
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
            Self::Files => Err(ExplainError::FromFiles),
            _ => Ok(()),
        }
    }

    /// Whether negative values, which speak against the class, are left out before normalising: as
    /// their papers have it, by Grad-CAM and what came after it, but not by CAM.
    pub fn rectifies(self) -> bool {
        self.has_layers()
    }

    /// Whether the method has a choice of the layer that it looks at.
    pub fn has_layers(self) -> bool {
        matches!(
            self,
            Self::GradCam
                | Self::GradCamPlusPlus
                | Self::HiresCam
                | Self::LayerCam
                | Self::EigenCam
                | Self::ScoreCam
        )
    }

    /// Whether the map's sum is what the logit gains from the mean colour to the image.
    pub fn is_complete(self) -> bool {
        self == Self::IntegratedGradients
    }
}

/// Which features Grad-CAM and what came after it look at. The other methods have one place of their own.
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
    /// A map as that method computes it.
    pub fn of(raw: AttentionMap, method: Method) -> Self {
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
