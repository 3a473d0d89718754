//! Convolutional networks, cut before their last stage.
//!
//! A network is data ([`NetworkConfig`]): a stem, stages of blocks, and a head.
//! [`Architecture`](crate::Architecture) names the networks of the papers.

pub mod dense;
pub(crate) mod family;
pub mod head;
mod pool;
pub mod preactivation;
pub mod residual;
pub mod stage;
pub mod stem;

use std::fmt;

use abn_kernels::ops::After;
use burn::module::Module;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Device, Tensor};

use crate::mixed::MixedAttentionConfig;
use crate::norm::BatchNorm;
pub use head::{Head, HeadConfig};
pub use stage::{BlockConfig, Stage, StageConfig};
pub use stem::{Stem, StemConfig};

/// Colour channels of the input.
pub const INPUT_CHANNELS: usize = 3;

/// The families of networks. The layers are in the rest of the configuration; the family decides
/// what PyTorch code calls them, and what else its attention branch does in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum Family {
    /// ResNet of CIFAR and ImageNet, ResNeXt of ImageNet, SENet, CBAM.
    ResNet,
    /// Wide residual networks of CIFAR.
    WideResNet,
    /// DenseNet-BC of CIFAR.
    DenseNet,
    /// ResNeXt of CIFAR.
    ResNext,
    /// VGG with batch norm.
    Vgg,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ResNet => "ResNet",
            Self::WideResNet => "WRN",
            Self::DenseNet => "DenseNet",
            Self::ResNext => "ResNeXt",
            Self::Vgg => "VGG",
        })
    }
}

/// A network as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct NetworkConfig {
    /// The family.
    pub family: Family,
    /// The first layers.
    pub stem: StemConfig,
    /// The stages; the last one belongs to the perception branch.
    pub stages: Vec<StageConfig>,
    /// Whether batch norm and ReLU follow the last stage, whose blocks begin with theirs (WRN,
    /// DenseNet).
    pub final_norm: bool,
    /// How the last features become logits.
    pub head: HeadConfig,
}

impl NetworkConfig {
    /// The stage that the perception branch keeps.
    pub fn last_stage(&self) -> &StageConfig {
        self.stages
            .last()
            .expect("a network has at least one stage")
    }

    /// The stages of the feature extractor.
    pub fn extractor(&self) -> &[StageConfig] {
        self.stages
            .split_last()
            .expect("a network has at least one stage")
            .1
    }

    /// The attention branch's own stage: a copy of the last one at stride 1 (ABN section 3.1), or
    /// two 3x3 convolutions for VGG, whose branch no public text defines.
    pub fn branch_stage(&self) -> StageConfig {
        let last = self.last_stage();
        match last.block {
            BlockConfig::Plain { .. } => StageConfig {
                blocks: 2,
                ..last.at_stride_one()
            },
            _ => last.at_stride_one(),
        }
    }

    /// The shortest side that an image may have: below it nothing would be left of the features.
    pub fn smallest_side(&self) -> usize {
        let last = if self.head.begins_with_pool() { 2 } else { 1 };
        let stages = self
            .stages
            .iter()
            .rev()
            .fold(last, |side, stage| stage.smallest_input(side));
        // Each halving of the large stem rounds up: one pixel suffices for one.
        let halvings = [
            self.stem.conv().is_some_and(|conv| conv.stride == 2),
            self.stem.pools(),
        ];
        halvings
            .into_iter()
            .filter(|halves| *halves)
            .fold(stages, |side, _| 2 * side - 1)
    }

    /// By how much each stage's output is smaller than the image.
    pub fn strides(&self) -> Vec<usize> {
        let halves = |halves: bool| if halves { 2 } else { 1 };
        let conv = self.stem.conv().map_or(1, |conv| conv.stride);
        let stem = conv * halves(self.stem.pools());
        let stages = self.stages.iter();
        stages
            .scan(stem, |stride, stage| {
                *stride *= stage.stride;
                Some(*stride)
            })
            .collect()
    }

    /// The same network with that attention module in every residual block, or in none.
    ///
    /// # Errors
    /// The blocks of this family have no place for one.
    pub fn with_block_attention(
        mut self,
        attention: Option<&MixedAttentionConfig>,
    ) -> Result<Self, NoPlaceForAttention> {
        for stage in &mut self.stages {
            match &mut stage.block {
                BlockConfig::Residual(block) => block.gate = attention.cloned(),
                BlockConfig::PreActivation(block) => block.gate = attention.cloned(),
                BlockConfig::Dense(_) | BlockConfig::Plain { .. } if attention.is_some() => {
                    return Err(NoPlaceForAttention);
                }
                BlockConfig::Dense(_) | BlockConfig::Plain { .. } => {}
            }
        }
        Ok(self)
    }

    /// The same network with that probability of dropping values in training, where its family
    /// drops any.
    #[must_use]
    pub fn with_dropout(mut self, probability: f64) -> Self {
        for stage in &mut self.stages {
            match &mut stage.block {
                BlockConfig::PreActivation(block) => block.dropout = probability,
                BlockConfig::Dense(block) => block.dropout = probability,
                BlockConfig::Residual(_) | BlockConfig::Plain { .. } => {}
            }
        }
        if let HeadConfig::FullyConnected { dropout, .. } = &mut self.head {
            *dropout = probability;
        }
        self
    }

    /// A fresh network with that many classes.
    pub fn init(&self, classes: usize, device: &Device) -> Network {
        let outputs = self.last_stage().outputs();
        let head = self.head.init(outputs, classes, device);
        Network {
            stem: self.stem.init(device),
            stages: self.stages.iter().map(|stage| stage.init(device)).collect(),
            norm: self.final_norm.then(|| BatchNorm::new(outputs, device)),
            // The reference's WRN and ResNeXt start without a bias, its other families with
            // PyTorch's random one.
            head: match self.family {
                Family::WideResNet | Family::ResNext => head.without_bias(device),
                _ => head,
            },
        }
    }
}

/// Dense and plain blocks add nothing up, so no module can weigh what is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPlaceForAttention;

impl std::fmt::Display for NoPlaceForAttention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "only residual blocks (ResNet, ResNeXt, WRN) have a place for an attention module",
        )
    }
}

impl std::error::Error for NoPlaceForAttention {}

/// Stem, stages and head, with the cut of the attention branch network:
/// [`extract`](Self::extract), [`refine`](Self::refine), [`classify`](Self::classify).
#[derive(Module, Debug)]
pub struct Network {
    /// First layers; none where the stages see the image itself.
    pub stem: Option<Stem>,
    /// All stages.
    pub stages: Vec<Stage>,
    /// Batch norm after the last stage, before a ReLU, where the blocks begin with theirs.
    pub norm: Option<BatchNorm>,
    /// Classifier.
    pub head: Head,
}

impl Network {
    /// The feature extractor: everything before the last stage.
    ///
    /// # Shapes
    /// Image `[B, 3, H, W]` to features F `[B, C, h, w]`.
    ///
    /// # Panics
    /// A side is below [`NetworkConfig::smallest_side`]; VGG may notice it only in
    /// [`classify`](Self::classify).
    pub fn extract(&self, image: Tensor<4>) -> Tensor<4> {
        let (_, before) = self
            .stages
            .split_last()
            .expect("a network has at least one stage");
        let first = match &self.stem {
            Some(stem) => stem.forward(image),
            None => image,
        };
        before
            .iter()
            .fold(first, |features, stage| stage.forward(features))
    }

    /// The first half of the perception branch: the last stage.
    ///
    /// # Shapes
    /// Attended features `[B, C, h, w]` to G `[B, D, h', w']`.
    pub fn refine(&self, features: Tensor<4>) -> Tensor<4> {
        let (last, _) = self
            .stages
            .split_last()
            .expect("a network has at least one stage");
        let refined = last.forward(features);
        match &self.norm {
            Some(norm) => norm.forward_then(refined, After::relu()),
            None => refined,
        }
    }

    /// The second half: pooling and the linear classifier.
    ///
    /// # Shapes
    /// G `[B, D, h', w']` to logits `[B, classes]`.
    pub fn classify(&self, refined: Tensor<4>) -> Tensor<2> {
        self.head.forward(refined)
    }
}
