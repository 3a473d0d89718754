//! DenseNet-BC (Huang et al. 2017): every layer adds `growth` channels to what came in; transitions
//! halve both the channels and the resolution.

use abn_kernels::ops::{After, Growing, fork, join_channels};
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Device, Tensor};

use super::pool::halve_average;
use crate::conv::{Conv2d, ConvShape, conv_norm};
use crate::norm::BatchNorm;

/// Channels of a layer's 1x1 convolution per channel that it adds.
const BOTTLENECK: usize = 4;

/// A dense layer as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct DenseConfig {
    /// Channels that a layer adds (k).
    pub growth: usize,
    /// Probability of dropping an added value, in training.
    pub dropout: f64,
}

impl DenseConfig {
    pub(crate) fn convs(&self, inputs: usize) -> [ConvShape; 2] {
        let hidden = BOTTLENECK * self.growth;
        [
            ConvShape::new(inputs, hidden, 1),
            ConvShape::new(hidden, self.growth, 3),
        ]
    }

    /// A fresh layer.
    pub(crate) fn init(&self, inputs: usize, device: &Device) -> DenseLayer {
        let [first, second] = self.convs(inputs);
        DenseLayer {
            norm1: BatchNorm::new(inputs, device),
            conv1: first.init(device),
            norm2: BatchNorm::new(first.outputs, device),
            conv2: second.init(device),
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }
}

/// The input and, behind it, `growth` new channels.
#[derive(Module, Debug)]
pub struct DenseLayer {
    /// Before the 1x1 convolution.
    pub norm1: BatchNorm,
    /// 1x1 to four times the growth.
    pub conv1: Conv2d,
    /// Before the 3x3 convolution.
    pub norm2: BatchNorm,
    /// 3x3 to the growth.
    pub conv2: Conv2d,
    dropout: Dropout,
}

impl DenseLayer {
    /// Channels that it adds.
    fn growth(&self) -> usize {
        self.conv2.weight.lazy_shape()[0]
    }

    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, inputs + growth, H, W]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [input, kept] = fork(input);
        let activated = self.norm1.forward_then(input, After::relu());
        let hidden = conv_norm(&self.conv1, &self.norm2, activated, After::relu());
        let added = self.conv2.forward(hidden);
        join_channels(kept, self.dropout.forward(added))
    }

    /// The new channels alone, of what came in so far.
    fn added(&self, input: &Growing) -> Tensor<4> {
        self.conv2
            .forward(self.conv1.bottleneck(input, &self.norm1, &self.norm2))
    }
}

/// Layers one after the other.
///
/// # Shapes
/// `[B, inputs, H, W]` to `[B, inputs + layers x growth, H, W]`.
pub(crate) fn layers(layers: &[&DenseLayer], input: Tensor<4>) -> Tensor<4> {
    let added: usize = layers.iter().map(|layer| layer.growth()).sum();
    let channels = input.dims()[1] + added;
    let Some(mut features) = Growing::begin(&input, channels) else {
        let layers = layers.iter();
        return layers.fold(input, |features, layer| layer.forward(features));
    };
    drop(input);
    for layer in layers {
        features.add(layer.added(&features));
    }
    features.finish()
}

/// The convolution of the transition after that many channels: half of them, rounded down.
pub(crate) fn transition_conv(inputs: usize) -> ConvShape {
    ConvShape::new(inputs, inputs / 2, 1)
}

/// Between dense stages: batch norm, ReLU, 1x1 convolution, 2x2 average pooling.
#[derive(Module, Debug)]
pub struct Transition {
    /// Before the convolution.
    pub norm: BatchNorm,
    /// 1x1 to half the channels.
    pub conv: Conv2d,
}

impl Transition {
    pub(crate) fn new(inputs: usize, device: &Device) -> Self {
        Self {
            norm: BatchNorm::new(inputs, device),
            conv: transition_conv(inputs).init(device),
        }
    }

    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, inputs / 2, H / 2, W / 2]`, each rounded down.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        halve_average(
            self.conv
                .forward(self.norm.forward_then(input, After::relu())),
        )
    }
}
