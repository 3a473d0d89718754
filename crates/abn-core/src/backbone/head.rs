//! From the last features to the class logits.

use abn_kernels::ops::global_average;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::serde::{Deserialize, Serialize};
use burn::tensor::activation::relu;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};

use super::pool::halve;
use crate::linear::apply;

/// A head as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeadConfig {
    /// Global average pooling and one linear layer: CAM reads its weights.
    Pooled,
    /// VGG's: 2x2 max pooling, then three linear layers over a fixed grid, with ReLU and dropout
    /// between them.
    FullyConnected {
        /// Rows and columns of the grid to which the features are averaged.
        grid: usize,
        /// Width of the two hidden layers.
        hidden: usize,
        /// Probability of dropping a hidden value, in training.
        dropout: f64,
    },
}

impl HeadConfig {
    /// Inputs and outputs of each linear layer.
    pub fn layers(&self, channels: usize, classes: usize) -> Vec<(usize, usize)> {
        match *self {
            Self::Pooled => vec![(channels, classes)],
            Self::FullyConnected { grid, hidden, .. } => {
                vec![
                    (channels * grid * grid, hidden),
                    (hidden, hidden),
                    (hidden, classes),
                ]
            }
        }
    }

    /// Whether the head begins with a 2x2 max pooling.
    pub(crate) fn begins_with_pool(&self) -> bool {
        matches!(self, Self::FullyConnected { .. })
    }

    /// A fresh head.
    pub fn init(&self, channels: usize, classes: usize, device: &Device) -> Head {
        let layers = self.layers(channels, classes).into_iter();
        match *self {
            Self::Pooled => Head::Pooled(LinearConfig::new(channels, classes).init(device)),
            Self::FullyConnected { grid, dropout, .. } => Head::FullyConnected(FullyConnected {
                layers: layers
                    .map(|(inputs, outputs)| vgg_linear(inputs, outputs, device))
                    .collect(),
                dropout: DropoutConfig::new(dropout).init(),
                grid,
            }),
        }
    }
}

/// N(0, 0.01) and no bias at first, as torchvision's VGG.
fn vgg_linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    let normal = Initializer::Normal {
        mean: 0.0,
        std: 0.01,
    };
    let mut linear = LinearConfig::new(inputs, outputs)
        .with_initializer(normal)
        .init(device);
    linear.bias = Some(Initializer::Zeros.init([outputs], device));
    linear
}

/// How G becomes logits.
#[derive(Module, Debug)]
pub enum Head {
    /// Global average pooling and one linear layer.
    Pooled(Linear),
    /// Three linear layers.
    FullyConnected(FullyConnected),
}

impl Head {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        match self {
            Self::Pooled(linear) => linear.weight.lazy_shape()[1],
            Self::FullyConnected(head) => head
                .layers
                .last()
                .map_or(0, |last| last.weight.lazy_shape()[1]),
        }
    }

    /// The same head with a pooled layer's bias at 0.
    pub(crate) fn without_bias(self, device: &Device) -> Self {
        match self {
            Self::Pooled(mut linear) => {
                let outputs = linear.weight.lazy_shape()[1];
                linear.bias = Some(Initializer::Zeros.init([outputs], device));
                Self::Pooled(linear)
            }
            other => other,
        }
    }

    /// # Shapes
    /// G `[B, channels, h, w]` to logits `[B, classes]`; any h and w, for three layers at least 2.
    pub fn forward(&self, refined: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Pooled(linear) => apply(linear, global_average(refined)),
            Self::FullyConnected(layers) => layers.forward(refined),
        }
    }
}

/// VGG's classifier.
#[derive(Module, Debug)]
pub struct FullyConnected {
    /// The linear layers; ReLU and dropout after each but the last.
    pub layers: Vec<Linear>,
    dropout: Dropout,
    #[module(skip)]
    grid: usize,
}

impl FullyConnected {
    fn forward(&self, refined: Tensor<4>) -> Tensor<2> {
        let pooled = halve(refined);
        let [_, _, height, width] = pooled.dims();
        let fits = [height, width] == [self.grid; 2];
        let gridded = if fits {
            pooled
        } else {
            adaptive_avg_pool2d(pooled, [self.grid; 2])
        };
        let mut values: Tensor<2> = gridded.flatten(1, 3);
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                values = self.dropout.forward(relu(values));
            }
            values = apply(layer, values);
        }
        values
    }
}
