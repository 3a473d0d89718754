//! Convolutional networks, cut before their last stage.
//!
//! A network is data ([`NetworkConfig`]): a stem, stages, and a pooled linear head. [`Architecture`] names the
//! networks of the papers.

mod architecture;
pub(crate) mod conv;
pub mod residual;
mod stage;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::serde::{Deserialize, Serialize};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

pub use architecture::{Architecture, ArchitectureError};
pub use conv::ConvNorm;
pub use stage::{Stage, StageConfig};

/// Colour channels of the input.
pub const INPUT_CHANNELS: usize = 3;

/// A network as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct NetworkConfig {
    /// Channels of the 3x3 stem.
    pub stem: usize,
    /// The stages; the last one belongs to the perception branch.
    pub stages: Vec<StageConfig>,
}

impl NetworkConfig {
    /// The stage that the perception branch keeps and the attention branch copies.
    pub fn last_stage(&self) -> &StageConfig {
        self.stages.last().expect("a network has at least one stage")
    }

    /// A fresh network with that many classes.
    pub fn init(&self, classes: usize, device: &Device) -> Network {
        Network {
            stem: ConvNorm::new(INPUT_CHANNELS, self.stem, 3, 1, device),
            stages: self.stages.iter().map(|stage| stage.init(device)).collect(),
            head: LinearConfig::new(self.last_stage().outputs(), classes).init(device),
        }
    }
}

/// Stem, stages and head, with the cut of the attention branch network:
/// [`extract`](Self::extract), [`refine`](Self::refine), [`classify`](Self::classify).
#[derive(Module, Debug)]
pub struct Network {
    /// 3x3 convolution of the image.
    pub stem: ConvNorm,
    /// All stages.
    pub stages: Vec<Stage>,
    /// Linear classifier over the pooled features.
    pub head: Linear,
}

impl Network {
    /// The feature extractor: everything before the last stage.
    ///
    /// # Shapes
    /// Image `[B, 3, H, W]` to features F `[B, C, h, w]`.
    pub fn extract(&self, image: Tensor<4>) -> Tensor<4> {
        let (_, before) = self.stages.split_last().expect("a network has at least one stage");
        before.iter().fold(relu(self.stem.forward(image)), |features, stage| stage.forward(features))
    }

    /// The first half of the perception branch: the last stage.
    ///
    /// # Shapes
    /// Attended features `[B, C, h, w]` to G `[B, D, h', w']`.
    pub fn refine(&self, features: Tensor<4>) -> Tensor<4> {
        let (last, _) = self.stages.split_last().expect("a network has at least one stage");
        last.forward(features)
    }

    /// The second half: global average pooling and the linear classifier.
    ///
    /// # Shapes
    /// G `[B, D, h', w']` to logits `[B, classes]`.
    pub fn classify(&self, refined: Tensor<4>) -> Tensor<2> {
        self.head.forward(pool(refined))
    }
}

/// Global average pooling: `[B, C, h, w]` to `[B, C]`, any spatial size.
pub(crate) fn pool(features: Tensor<4>) -> Tensor<2> {
    features.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2)
}
