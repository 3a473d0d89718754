//! Why a method has no map for a network.

use std::fmt;

/// Why nothing can be explained this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainError {
    /// A baseline has no trained map.
    NoBranch,
    /// The head is more than one linear layer behind global pooling.
    NoLinearHead,
    /// A map that no network computes.
    FromFiles,
    /// CAM at F, whose channels no weight belongs to.
    CamAtFeatures,
    /// Not one class for every image.
    Count {
        /// Images given.
        images: usize,
        /// Classes given.
        classes: usize,
    },
    /// The network does not know that class.
    Class {
        /// The class that was asked for.
        class: usize,
        /// How many the network has.
        classes: usize,
    },
}

impl fmt::Display for ExplainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBranch => f.write_str(
                "this network has no attention branch, hence no trained map: use CAM or Grad-CAM, \
                 or train with attention",
            ),
            Self::NoLinearHead => f.write_str(
                "CAM needs a head of global pooling and one linear layer, and this network has \
                 another: use Grad-CAM",
            ),
            Self::FromFiles => f.write_str("maps from files are not computed"),
            Self::CamAtFeatures => f.write_str(
                "CAM exists at the refined features alone: choose that layer, or use Grad-CAM",
            ),
            Self::Count { images, classes } => {
                write!(
                    f,
                    "{classes} classes for {images} images: give one for every image"
                )
            }
            Self::Class { class, classes } => {
                write!(
                    f,
                    "there is no class {class}: the network has {classes}, the first is 0"
                )
            }
        }
    }
}

impl std::error::Error for ExplainError {}
