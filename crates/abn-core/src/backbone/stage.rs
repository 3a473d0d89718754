//! A stage: blocks of one kind between two resolutions.

use abn_kernels::ops::After;
use burn::module::Module;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Device, Tensor};

use super::dense::{self, DenseConfig, DenseLayer, Transition, transition_conv};
use super::pool::halve;
use super::preactivation::{PreActivationBlock, PreActivationConfig};
use super::residual::{ResidualBlock, ResidualConfig};
use crate::conv::{ConvNorm, ConvShape};
use crate::mixed::MixedAttentionConfig;

/// A stage as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct StageConfig {
    /// Its blocks.
    pub block: BlockConfig,
    /// Number of blocks; a plain stage may have none.
    pub blocks: usize,
    /// Channels that come in.
    pub inputs: usize,
    /// Factor by which the resolution falls, 1 or 2: in the first block of a residual stage, by a
    /// max pooling before a plain one, by the transition after a dense one.
    pub stride: usize,
}

/// The kinds of block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum BlockConfig {
    /// ResNet, ResNeXt, SENet.
    Residual(ResidualConfig),
    /// WRN.
    PreActivation(PreActivationConfig),
    /// DenseNet.
    Dense(DenseConfig),
    /// VGG: 3x3 convolution with bias, batch norm, ReLU.
    Plain {
        /// Channels that go out.
        width: usize,
    },
}

impl StageConfig {
    /// Channels that go out.
    pub fn outputs(&self) -> usize {
        let last = self.outputs_of_blocks();
        if self.has_transition() {
            transition_conv(last).outputs
        } else {
            last
        }
    }

    /// The same stage at full resolution: the first stage of the attention branch (ABN section
    /// 3.1).
    pub fn at_stride_one(&self) -> Self {
        Self {
            stride: 1,
            ..self.clone()
        }
    }

    /// Channels after that many blocks.
    fn outputs_after(&self, blocks: usize) -> usize {
        if blocks == 0 {
            return self.inputs;
        }
        match &self.block {
            BlockConfig::Residual(config) => config.outputs(),
            BlockConfig::PreActivation(config) => config.width,
            BlockConfig::Dense(config) => self.inputs + blocks * config.growth,
            BlockConfig::Plain { width } => *width,
        }
    }

    fn outputs_of_blocks(&self) -> usize {
        self.outputs_after(self.blocks)
    }

    fn is_plain(&self) -> bool {
        matches!(self.block, BlockConfig::Plain { .. })
    }

    /// Whether the stage begins with a 2x2 max pooling.
    pub fn begins_with_pool(&self) -> bool {
        self.is_plain() && self.stride != 1
    }

    /// Whether the stage ends with a transition.
    pub(crate) fn has_transition(&self) -> bool {
        matches!(self.block, BlockConfig::Dense(_)) && self.stride != 1
    }

    /// The transition's convolution, if there is one.
    pub fn transition(&self) -> Option<ConvShape> {
        self.has_transition()
            .then(|| transition_conv(self.outputs_of_blocks()))
    }

    /// Input channels and stride of each block.
    pub fn block_inputs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let strided = matches!(
            self.block,
            BlockConfig::Residual(_) | BlockConfig::PreActivation(_)
        );
        (0..self.blocks).map(move |index| {
            (
                self.outputs_after(index),
                if index == 0 && strided {
                    self.stride
                } else {
                    1
                },
            )
        })
    }

    /// The shortest side of an input that leaves features of that side.
    pub(crate) fn smallest_input(&self, side: usize) -> usize {
        let rounds_down = self.begins_with_pool() || self.has_transition();
        match self.stride {
            1 => side,
            _ if rounds_down => 2 * side,
            _ => 2 * side - 1,
        }
    }

    /// Layers with weights on the path through the stage, without shortcuts and attention modules.
    pub(crate) fn depth(&self) -> usize {
        let (layers, _) = self.block.convs(1, 1);
        self.blocks * layers.len() + usize::from(self.has_transition())
    }

    /// A fresh stage.
    pub fn init(&self, device: &Device) -> Stage {
        let block = |(inputs, stride)| self.block.init(inputs, stride, device);
        Stage {
            blocks: self.block_inputs().map(block).collect(),
            transition: self
                .has_transition()
                .then(|| Transition::new(self.outputs_of_blocks(), device)),
            pools: self.begins_with_pool(),
        }
    }
}

impl BlockConfig {
    /// The convolutions of the path, in order, and that of the shortcut.
    pub fn convs(&self, inputs: usize, stride: usize) -> (Vec<ConvShape>, Option<ConvShape>) {
        match self {
            Self::Residual(config) => (
                config.convs(inputs, stride),
                config.projection(inputs, stride),
            ),
            Self::PreActivation(config) => (
                config.convs(inputs, stride).to_vec(),
                config.projection(inputs, stride),
            ),
            Self::Dense(config) => (config.convs(inputs).to_vec(), None),
            Self::Plain { width } => (vec![ConvShape::new(inputs, *width, 3)], None),
        }
    }

    /// The attention module in the block, if any.
    pub(crate) fn attention(&self) -> Option<&MixedAttentionConfig> {
        match self {
            Self::Residual(config) => config.gate.as_ref(),
            Self::PreActivation(config) => config.gate.as_ref(),
            Self::Dense(_) | Self::Plain { .. } => None,
        }
    }

    fn init(&self, inputs: usize, stride: usize, device: &Device) -> Block {
        match self {
            Self::Residual(config) => Block::Residual(config.init(inputs, stride, device)),
            Self::PreActivation(config) => {
                Block::PreActivation(config.init(inputs, stride, device))
            }
            Self::Dense(config) => Block::Dense(config.init(inputs, device)),
            Self::Plain { width } => {
                Block::Plain(ConvNorm::biased(ConvShape::new(inputs, *width, 3), device))
            }
        }
    }
}

/// Blocks in sequence.
#[derive(Module, Debug)]
pub struct Stage {
    /// The blocks.
    pub blocks: Vec<Block>,
    /// What follows a dense stage that lowers the resolution.
    pub transition: Option<Transition>,
    #[module(skip)]
    pools: bool,
}

/// One block.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // As many blocks as layers; none is moved while the network runs.
pub enum Block {
    /// ResNet, ResNeXt, SENet.
    Residual(ResidualBlock),
    /// WRN.
    PreActivation(PreActivationBlock),
    /// DenseNet.
    Dense(DenseLayer),
    /// VGG.
    Plain(ConvNorm),
}

impl Block {
    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, outputs, ceil(H / stride), ceil(W / stride)]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Residual(block) => block.forward(input),
            Self::PreActivation(block) => block.forward(input),
            Self::Dense(layer) => layer.forward(input),
            Self::Plain(layer) => layer.forward_then(input, After::relu()),
        }
    }
}

impl Stage {
    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, outputs, H / stride, W / stride]`; residual stages round up, the
    /// others down.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let input = if self.pools { halve(input) } else { input };
        let dense = self.blocks.iter().map(|block| match block {
            Block::Dense(layer) => Some(layer),
            _ => None,
        });
        let features = match dense.collect::<Option<Vec<_>>>() {
            Some(layers) if !layers.is_empty() => dense::layers(&layers, input),
            _ => self
                .blocks
                .iter()
                .fold(input, |features, block| block.forward(features)),
        };
        match &self.transition {
            Some(transition) => transition.forward(features),
            None => features,
        }
    }
}
