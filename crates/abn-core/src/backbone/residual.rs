//! Residual blocks (He et al. 2016): basic (two 3x3 convolutions) and bottleneck (1x1, 3x3, 1x1 x 4).

use burn::module::Module;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::conv::ConvNorm;

/// The kinds of residual block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum Block {
    /// 3x3 (stride), 3x3.
    Basic,
    /// 1x1, 3x3 (stride), 1x1 to four times the width.
    Bottleneck,
}

/// One convolution of a block: inputs, outputs, side, stride.
pub(crate) type ConvShape = (usize, usize, usize, usize);

impl Block {
    /// Output channels per unit of width.
    pub fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }

    /// The convolutions of the residual path, in order.
    pub(crate) fn convs(self, inputs: usize, width: usize, stride: usize) -> Vec<ConvShape> {
        match self {
            Self::Basic => vec![(inputs, width, 3, stride), (width, width, 3, 1)],
            Self::Bottleneck => {
                vec![(inputs, width, 1, 1), (width, width, 3, stride), (width, 4 * width, 1, 1)]
            }
        }
    }

    /// The projection of the shortcut, where the shapes of input and output differ.
    pub(crate) fn shortcut(self, inputs: usize, width: usize, stride: usize) -> Option<ConvShape> {
        let outputs = width * self.expansion();
        (stride != 1 || inputs != outputs).then_some((inputs, outputs, 1, stride))
    }
}

/// relu(residual(x) + shortcut(x)).
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// The residual path; a ReLU between its members, none after the last.
    pub convs: Vec<ConvNorm>,
    /// The projection of the input; the identity where absent.
    pub shortcut: Option<ConvNorm>,
}

impl ResidualBlock {
    /// A fresh block from `inputs` channels to `width` x expansion.
    pub fn new(block: Block, inputs: usize, width: usize, stride: usize, device: &Device) -> Self {
        let layer =
            |(inputs, outputs, side, stride): ConvShape| ConvNorm::new(inputs, outputs, side, stride, device);
        Self {
            convs: block.convs(inputs, width, stride).into_iter().map(layer).collect(),
            shortcut: block.shortcut(inputs, width, stride).map(layer),
        }
    }

    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, width x expansion, ceil(H / stride), ceil(W / stride)]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let mut path = input.clone();
        for (index, conv) in self.convs.iter().enumerate() {
            path = conv.forward(if index == 0 { path } else { relu(path) });
        }
        let shortcut = match &self.shortcut {
            Some(projection) => projection.forward(input),
            None => input,
        };
        relu(path + shortcut)
    }
}
