//! What a network does with the image before its first stage.

use abn_kernels::ops::After;
use burn::module::Module;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Device, Tensor};

use super::INPUT_CHANNELS;
use super::pool::halve_overlapping;
use crate::conv::{Conv2d, ConvShape, conv_then_norm};
use crate::norm::BatchNorm;

/// A stem as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case", deny_unknown_fields)]
pub enum StemConfig {
    /// The image itself (VGG).
    Image,
    /// 3x3 convolution alone: the first block begins with batch norm and ReLU (WRN, DenseNet).
    Bare {
        /// Channels that go out.
        width: usize,
    },
    /// 3x3 convolution, batch norm, ReLU (CIFAR ResNet and ResNeXt).
    Small {
        /// Channels that go out.
        width: usize,
    },
    /// 7x7 convolution of stride 2, batch norm, ReLU, 3x3 max pooling of stride 2 (ImageNet).
    Large {
        /// Channels that go out.
        width: usize,
    },
}

impl StemConfig {
    /// Channels that go out.
    pub fn outputs(self) -> usize {
        match self {
            Self::Image => INPUT_CHANNELS,
            Self::Bare { width } | Self::Small { width } | Self::Large { width } => width,
        }
    }

    /// The convolution, if any.
    pub fn conv(self) -> Option<ConvShape> {
        match self {
            Self::Image => None,
            Self::Bare { width } | Self::Small { width } => {
                Some(ConvShape::new(INPUT_CHANNELS, width, 3))
            }
            Self::Large { width } => Some(ConvShape::new(INPUT_CHANNELS, width, 7).stride(2)),
        }
    }

    /// Whether a max pooling of stride 2 follows.
    pub fn pools(self) -> bool {
        matches!(self, Self::Large { .. })
    }

    /// A fresh stem; none if the stages see the image itself.
    pub fn init(self, device: &Device) -> Option<Stem> {
        let shape = self.conv()?;
        let normed = !matches!(self, Self::Bare { .. });
        Some(Stem {
            conv: shape.init(device),
            norm: normed.then(|| BatchNorm::new(shape.outputs, device)),
            pools: self.pools(),
        })
    }
}

/// The first layers.
#[derive(Module, Debug)]
pub struct Stem {
    /// Convolution of the image.
    pub conv: Conv2d,
    /// Batch norm and ReLU, where the blocks do not begin with them.
    pub norm: Option<BatchNorm>,
    #[module(skip)]
    pools: bool,
}

impl Stem {
    /// # Shapes
    /// Image `[B, 3, H, W]` to `[B, width, h, w]`: the image's size, or a quarter of it for the
    /// large stem.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let features = match &self.norm {
            Some(norm) => conv_then_norm(&self.conv, norm, image, After::relu()),
            None => self.conv.forward(image),
        };
        if self.pools {
            halve_overlapping(features)
        } else {
            features
        }
    }
}
