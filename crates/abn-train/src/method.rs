//! The methods of explaining, as they are called on the command line and on pages.

use abn_core::explain::{Layer, Method};
use clap::ValueEnum;

/// Methods by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
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
