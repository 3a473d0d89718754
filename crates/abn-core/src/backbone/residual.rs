//! Residual blocks (He et al. 2016): basic (two 3x3 convolutions) and bottleneck (1x1, 3x3, 1x1),
//! the latter with groups in ResNeXt (Xie et al. 2017), both with an attention module at the end of
//! the path in SENet and CBAM.

use abn_kernels::ops::{After, fork};
use burn::module::Module;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Device, Tensor, s};

use crate::conv::{ConvNorm, ConvShape, path};
use crate::mixed::{MixedAttention, MixedAttentionConfig};

/// A residual block as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct ResidualConfig {
    /// The convolutions.
    pub path: Path,
    /// What joins the input to the output where their shapes differ.
    pub shortcut: Shortcut,
    /// Attention at the end of the path, before the sum: squeeze-and-excitation, or the mixed
    /// module (CBAM's placement, "module in every block").
    pub gate: Option<MixedAttentionConfig>,
}

/// The convolutions of a residual block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case", deny_unknown_fields)]
pub enum Path {
    /// 3x3 (stride), 3x3.
    Basic {
        /// Channels of both convolutions.
        width: usize,
    },
    /// 1x1, 3x3 (stride, groups), 1x1.
    Bottleneck {
        /// Channels of the 3x3 convolution.
        width: usize,
        /// Groups of the 3x3 convolution: ResNeXt's cardinality.
        groups: usize,
        /// Channels that go out.
        outputs: usize,
    },
}

/// The connection from a block's input to its output, where it cannot be the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum Shortcut {
    /// 1x1 convolution and batch norm (option B of He et al.).
    Projection,
    /// Without parameters: every other pixel, and zero channels on both sides (option A of He et
    /// al.).
    Pad,
}

impl ResidualConfig {
    /// A block without attention, its shortcut a projection.
    pub fn plain(path: Path) -> Self {
        Self {
            path,
            shortcut: Shortcut::Projection,
            gate: None,
        }
    }

    /// Channels that go out.
    pub fn outputs(&self) -> usize {
        match self.path {
            Path::Basic { width } => width,
            Path::Bottleneck { outputs, .. } => outputs,
        }
    }

    /// The convolutions of the path, in order.
    pub(crate) fn convs(&self, inputs: usize, stride: usize) -> Vec<ConvShape> {
        match self.path {
            Path::Basic { width } => {
                vec![
                    ConvShape::new(inputs, width, 3).stride(stride),
                    ConvShape::new(width, width, 3),
                ]
            }
            Path::Bottleneck {
                width,
                groups,
                outputs,
            } => vec![
                ConvShape::new(inputs, width, 1),
                ConvShape::new(width, width, 3)
                    .stride(stride)
                    .groups(groups),
                ConvShape::new(width, outputs, 1),
            ],
        }
    }

    /// The projection of the shortcut, if it has one.
    pub(crate) fn projection(&self, inputs: usize, stride: usize) -> Option<ConvShape> {
        let needed = self.is_reshaped(inputs, stride) && self.shortcut == Shortcut::Projection;
        needed.then(|| ConvShape::new(inputs, self.outputs(), 1).stride(stride))
    }

    fn is_reshaped(&self, inputs: usize, stride: usize) -> bool {
        stride != 1 || inputs != self.outputs()
    }

    /// A fresh block.
    pub(crate) fn init(&self, inputs: usize, stride: usize, device: &Device) -> ResidualBlock {
        let layer = |shape| ConvNorm::new(shape, device);
        let padded = self.is_reshaped(inputs, stride) && self.shortcut == Shortcut::Pad;
        ResidualBlock {
            convs: self.convs(inputs, stride).into_iter().map(layer).collect(),
            shortcut: self.projection(inputs, stride).map(layer),
            gate: self
                .gate
                .as_ref()
                .map(|gate| gate.init(self.outputs(), device)),
            padding: padded.then_some(Padding {
                stride,
                outputs: self.outputs(),
            }),
        }
    }
}

/// relu(gate(path(x)) + shortcut(x)).
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// The residual path; a ReLU between its members, none after the last.
    pub convs: Vec<ConvNorm>,
    /// The projection of the input; the identity or the padding where absent.
    pub shortcut: Option<ConvNorm>,
    /// Attention to the path's output.
    pub gate: Option<MixedAttention>,
    #[module(skip)]
    padding: Option<Padding>,
}

impl ResidualBlock {
    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, outputs, ceil(H / stride), ceil(W / stride)]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [input, shortcut] = fork(input);
        let shortcut = match (&self.shortcut, self.padding) {
            (Some(projection), _) => projection.forward(shortcut),
            (None, Some(padding)) => padding.apply(shortcut),
            (None, None) => shortcut,
        };
        let after = After {
            residual: Some(shortcut),
            relu: true,
        };
        match &self.gate {
            Some(gate) => gate.forward_then(path(&self.convs, input, After::default()), after),
            None => path(&self.convs, input, after),
        }
    }
}

/// [`Shortcut::Pad`] for known shapes.
#[derive(Debug, Clone, Copy)]
struct Padding {
    stride: usize,
    outputs: usize,
}

impl Padding {
    fn apply(self, input: Tensor<4>) -> Tensor<4> {
        let [images, inputs, height, width] = input.dims();
        let step = self.stride as isize;
        let seen = input.slice(s![.., .., 0..height; step, 0..width; step]);
        let missing = self.outputs.saturating_sub(inputs);
        let [_, _, height, width] = seen.dims();
        // `Tensor::pad` writes value by value.
        let zeros = |count| Tensor::zeros([images, count, height, width], &seen.device());
        let parts = [
            zeros(missing / 2),
            seen.clone(),
            zeros(missing - missing / 2),
        ];
        let parts = parts.into_iter().filter(|part| part.dims()[1] > 0);
        Tensor::cat(parts.collect(), 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_keeps_every_other_pixel_between_zero_channels() {
        let device = Device::flex();
        let input =
            Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &device).reshape([1, 1, 2, 3]);
        let padded = Padding {
            stride: 2,
            outputs: 3,
        }
        .apply(input);
        assert_eq!(padded.dims(), [1, 3, 1, 2]);
        let values: Vec<f32> = padded.into_data().iter().collect();
        assert_eq!(values, [0.0, 0.0, 1.0, 3.0, 0.0, 0.0]);
    }
}
