//! Convolutions as the networks of the papers use them, with and without a batch norm behind them.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use crate::norm::BatchNorm;

/// A square convolution as data: "same" padding for odd sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvShape {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) side: usize,
    pub(crate) stride: usize,
    pub(crate) groups: usize,
}

impl ConvShape {
    /// Stride 1, one group.
    pub(crate) fn new(inputs: usize, outputs: usize, side: usize) -> Self {
        Self { inputs, outputs, side, stride: 1, groups: 1 }
    }

    pub(crate) fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub(crate) fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// The convolution without bias.
    pub(crate) fn init(self, device: &Device) -> Conv2d {
        self.config().with_bias(false).init(device)
    }

    /// The convolution with a bias that starts at 0.
    pub(crate) fn init_biased(self, device: &Device) -> Conv2d {
        let mut conv = self.config().with_bias(true).init(device);
        conv.bias = Some(Initializer::Zeros.init([self.outputs], device));
        conv
    }

    fn config(self) -> Conv2dConfig {
        let half = self.side / 2;
        Conv2dConfig::new([self.inputs, self.outputs], [self.side, self.side])
            .with_stride([self.stride, self.stride])
            .with_groups(self.groups)
            .with_padding(PaddingConfig2d::Explicit(half, half, half, half))
            .with_initializer(he_fan_out(self.outputs, self.side))
    }
}

/// He initialisation by fan-out as the reference and PyTorch write it: N(0, sqrt(2 / (side² x outputs))).
///
/// Burn's `KaimingNormal` divides the outputs by the groups, they do not, hence the explicit deviation.
fn he_fan_out(outputs: usize, side: usize) -> Initializer {
    Initializer::Normal { mean: 0.0, std: (2.0 / (side * side * outputs) as f64).sqrt() }
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
    /// A fresh pair; the convolution has no bias.
    pub(crate) fn new(shape: ConvShape, device: &Device) -> Self {
        Self { conv: shape.init(device), norm: BatchNorm::new(shape.outputs, device) }
    }

    /// A fresh pair whose convolution has a bias, as VGG's.
    pub(crate) fn biased(shape: ConvShape, device: &Device) -> Self {
        Self { conv: shape.init_biased(device), norm: BatchNorm::new(shape.outputs, device) }
    }

    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, outputs, ceil(H / stride), ceil(W / stride)]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(input))
    }
}
