//! A stage: blocks of one width, the first of which may lower the resolution.

use burn::module::Module;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Device, Tensor};

use super::residual::{Block, ResidualBlock};

/// A stage as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct StageConfig {
    /// Kind of its blocks.
    pub block: Block,
    /// Number of blocks, at least 1.
    pub blocks: usize,
    /// Channels that come in.
    pub inputs: usize,
    /// Width of the blocks; the stage gives `width` x expansion channels.
    pub width: usize,
    /// Stride of the first block.
    pub stride: usize,
}

impl StageConfig {
    /// Channels that go out.
    pub fn outputs(&self) -> usize {
        self.width * self.block.expansion()
    }

    /// The same stage at full resolution: the first stage of the attention branch (ABN section 3.1).
    pub fn at_stride_one(&self) -> Self {
        Self { stride: 1, ..self.clone() }
    }

    /// Input channels and stride of each block.
    pub(crate) fn block_inputs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.blocks).map(|index| match index {
            0 => (self.inputs, self.stride),
            _ => (self.outputs(), 1),
        })
    }

    /// A fresh stage.
    pub fn init(&self, device: &Device) -> Stage {
        let block = |(inputs, stride)| ResidualBlock::new(self.block, inputs, self.width, stride, device);
        Stage { blocks: self.block_inputs().map(block).collect() }
    }
}

/// Blocks in sequence.
#[derive(Module, Debug)]
pub struct Stage {
    /// The blocks.
    pub blocks: Vec<ResidualBlock>,
}

impl Stage {
    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, outputs, ceil(H / stride), ceil(W / stride)]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.blocks.iter().fold(input, |features, block| block.forward(features))
    }
}
