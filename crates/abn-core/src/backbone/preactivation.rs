//! Pre-activation residual blocks of wide residual networks (Zagoruyko & Komodakis 2016): batch
//! norm and ReLU before each of two 3x3 convolutions, dropout between them, no ReLU after the sum.

use abn_kernels::ops::{After, add, fork};
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Device, Tensor};

use crate::conv::{Conv2d, ConvShape, conv_norm};
use crate::mixed::{MixedAttention, MixedAttentionConfig};
use crate::norm::BatchNorm;

/// A pre-activation block as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct PreActivationConfig {
    /// Channels that go out.
    pub width: usize,
    /// Probability of dropping a value between the convolutions, in training.
    pub dropout: f64,
    /// Attention at the end of the path, before the sum.
    pub gate: Option<MixedAttentionConfig>,
}

impl PreActivationConfig {
    pub(crate) fn convs(&self, inputs: usize, stride: usize) -> [ConvShape; 2] {
        [
            ConvShape::new(inputs, self.width, 3).stride(stride),
            ConvShape::new(self.width, self.width, 3),
        ]
    }

    /// The projection of the shortcut, where the numbers of channels differ.
    pub(crate) fn projection(&self, inputs: usize, stride: usize) -> Option<ConvShape> {
        (inputs != self.width).then(|| ConvShape::new(inputs, self.width, 1).stride(stride))
    }

    /// A fresh block.
    pub(crate) fn init(&self, inputs: usize, stride: usize, device: &Device) -> PreActivationBlock {
        let [first, second] = self.convs(inputs, stride);
        PreActivationBlock {
            norm1: BatchNorm::new(inputs, device),
            conv1: first.init(device),
            norm2: BatchNorm::new(self.width, device),
            conv2: second.init(device),
            shortcut: self
                .projection(inputs, stride)
                .map(|shape| shape.init(device)),
            gate: self.gate.as_ref().map(|gate| gate.init(self.width, device)),
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }
}

/// gate(path(x)) + shortcut(x).
#[derive(Module, Debug)]
pub struct PreActivationBlock {
    /// Before the first convolution.
    pub norm1: BatchNorm,
    /// 3x3, stride.
    pub conv1: Conv2d,
    /// Before the second convolution.
    pub norm2: BatchNorm,
    /// 3x3.
    pub conv2: Conv2d,
    /// 1x1 projection of the activated input; the input itself where absent.
    pub shortcut: Option<Conv2d>,
    /// Attention to the path's output.
    pub gate: Option<MixedAttention>,
    dropout: Dropout,
}

impl PreActivationBlock {
    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, width, ceil(H / stride), ceil(W / stride)]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        // The reference projects the activated input, but adds the raw one where no projection is
        // needed.
        let (activated, shortcut) = match &self.shortcut {
            Some(projection) => {
                let activated = self.norm1.forward_then(input, After::relu());
                let [activated, shortcut] = fork(activated);
                (activated, projection.forward(shortcut))
            }
            None => {
                let [input, shortcut] = fork(input);
                (self.norm1.forward_then(input, After::relu()), shortcut)
            }
        };
        let hidden = conv_norm(&self.conv1, &self.norm2, activated, After::relu());
        let path = self.conv2.forward(self.dropout.forward(hidden));
        let path = match &self.gate {
            Some(gate) => gate.forward(path),
            None => path,
        };
        add(path, shortcut, false)
    }
}
