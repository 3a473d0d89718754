//! The methods of explaining, as they are called on the command line and on pages.

use abn_core::explain::{Layer, Method};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Methods by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// The trained map of an attention branch
    #[default]
    Attention,
    /// Class activation mapping
    Cam,
    /// Grad-CAM
    GradCam,
    /// Grad-CAM++
    #[value(name = "grad-cam++")]
    #[serde(rename = "grad-cam++")]
    GradCamPlusPlus,
    /// Control: the same everywhere
    Uniform,
    /// Control: a Gaussian around the centre
    Centre,
    /// Control: the gradient at the image
    Gradient,
}

impl MethodName {
    /// The method that is called so.
    pub fn method(self) -> Method {
        match self {
            Self::Attention => Method::Attention,
            Self::Cam => Method::Cam,
            Self::GradCam => Method::GradCam,
            Self::GradCamPlusPlus => Method::GradCamPlusPlus,
            Self::Uniform => Method::Uniform,
            Self::Centre => Method::Centre,
            Self::Gradient => Method::InputGradient,
        }
    }

    /// The name as typed.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The method in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Attention => "The trained map",
            Self::Cam => "CAM",
            Self::GradCam => "Grad-CAM",
            Self::GradCamPlusPlus => "Grad-CAM++",
            Self::Uniform => "The uniform map",
            Self::Centre => "The Gaussian around the centre",
            Self::Gradient => "The gradient at the image",
        }
    }

    /// Its maps in words, at the start of a sentence.
    pub fn maps(self) -> &'static str {
        match self {
            Self::Attention => "Trained attention maps",
            Self::Cam => "CAM",
            Self::GradCam => "Grad-CAM",
            Self::GradCamPlusPlus => "Grad-CAM++",
            Self::Uniform => "Uniform maps",
            Self::Centre => "Gaussians around the centre",
            Self::Gradient => "Gradients at the image",
        }
    }
}

/// Layers by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LayerName {
    /// F, before the last stage: larger, less certain
    Features,
    /// G, behind the last stage
    #[default]
    Refined,
}

impl LayerName {
    /// The layer that is called so.
    pub fn layer(self) -> Layer {
        match self {
            Self::Features => Layer::Features,
            Self::Refined => Layer::Refined,
        }
    }
}
