//! The unit that every network is built of: a convolution without bias and its batch norm.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use crate::norm::BatchNorm;

/// He initialisation by fan-out as the reference writes it: N(0, sqrt(2 / (side² x outputs))).
///
/// Burn's `KaimingNormal` divides the outputs by the groups, the reference does not, hence the explicit
/// deviation.
pub(crate) fn he_fan_out(outputs: usize, side: usize) -> Initializer {
    Initializer::Normal { mean: 0.0, std: (2.0 / (side * side * outputs) as f64).sqrt() }
}

/// A square convolution, "same" padding for odd sides, without bias.
pub(crate) fn conv(inputs: usize, outputs: usize, side: usize, stride: usize, device: &Device) -> Conv2d {
    let half = side / 2;
    Conv2dConfig::new([inputs, outputs], [side, side])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(half, half, half, half))
        .with_bias(false)
        .with_initializer(he_fan_out(outputs, side))
        .init(device)
}

/// Convolution, then batch norm.
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// The convolution.
    pub conv: Conv2d,
    /// Its batch norm.
    pub norm: BatchNorm,
}

impl ConvNorm {
    /// A fresh pair.
    pub fn new(inputs: usize, outputs: usize, side: usize, stride: usize, device: &Device) -> Self {
        Self { conv: conv(inputs, outputs, side, stride, device), norm: BatchNorm::new(outputs, device) }
    }

    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, outputs, ceil(H / stride), ceil(W / stride)]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(input))
    }
}
