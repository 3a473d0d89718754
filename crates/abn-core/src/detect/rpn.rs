//! The region proposal network's head (Ren et al. 2015, section 3.1): at each position of each
//! level, of each anchor there, whether it is an object, and how it lies beside it.

use abn_boxes::Size;
use abn_kernels::ops::relu;
use burn::module::Module;
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use crate::conv::{Conv2d, ConvShape};

/// Offsets of a box.
pub(super) const OFFSETS: usize = 4;

/// A 3x3 convolution and a ReLU, then 1x1 convolutions, shared by all levels.
#[derive(Module, Debug)]
pub struct RpnHead {
    /// 3x3.
    pub conv: Conv2d,
    /// 1x1 to a logit an anchor.
    pub logits: Conv2d,
    /// 1x1 to four offsets an anchor.
    pub offsets: Conv2d,
}

/// What the head says of a batch, anchors in the order of level, row, column, shape.
#[derive(Debug, Clone)]
pub struct Objectness {
    /// Rows and columns of each level.
    pub grids: Vec<Size>,
    /// `[B, N]`.
    pub logits: Tensor<2>,
    /// `[B, N, 4]`.
    pub offsets: Tensor<3>,
}

impl RpnHead {
    /// A fresh head on so many channels with so many anchors a position.
    pub fn new(channels: usize, anchors: usize, device: &Device) -> Self {
        let conv = |outputs: usize, side: usize| normal(channels, outputs, side, device);
        Self {
            conv: conv(channels, 3),
            logits: conv(anchors, 1),
            offsets: conv(OFFSETS * anchors, 1),
        }
    }

    /// # Shapes
    /// Levels `[B, channels, h, w]`, the finest first.
    pub fn forward(&self, levels: &[Tensor<4>]) -> Objectness {
        let size = |level: &Tensor<4>| {
            let [_, _, height, width] = level.dims();
            Size { height, width }
        };
        let (logits, offsets) = levels
            .iter()
            .map(|level| {
                let hidden = relu(self.conv.forward(level.clone()));
                let logits = by_anchor::<1>(self.logits.forward(hidden.clone()));
                (logits, by_anchor::<OFFSETS>(self.offsets.forward(hidden)))
            })
            .unzip();
        Objectness {
            grids: levels.iter().map(size).collect(),
            logits: Tensor::cat(logits, 1).squeeze_dim(2),
            offsets: Tensor::cat(offsets, 1),
        }
    }
}

/// Of each position the anchors, of each anchor its values.
///
/// # Shapes
/// `[B, anchors x VALUES, h, w]` to `[B, h x w x anchors, VALUES]`.
fn by_anchor<const VALUES: usize>(output: Tensor<4>) -> Tensor<3> {
    let [batch, channels, height, width] = output.dims();
    let anchors = height * width * channels / VALUES;
    output
        .permute([0, 2, 3, 1])
        .reshape([batch, anchors, VALUES])
}

/// N(0, 0.01) without a bias at first (torchvision).
fn normal(inputs: usize, outputs: usize, side: usize, device: &Device) -> Conv2d {
    let normal = Initializer::Normal {
        mean: 0.0,
        std: 0.01,
    };
    ConvShape::new(inputs, outputs, side).init_drawn(normal, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two positions of two anchors: the channels of a position come first.
    #[test]
    fn anchors_follow_each_other_at_a_position() {
        let device = Device::flex();
        let output = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0], &device);
        let found = by_anchor::<1>(output.reshape([1, 2, 1, 2]));
        assert_eq!(found.dims(), [1, 4, 1]);
        let found: Vec<f32> = found.into_data().iter().collect();
        assert_eq!(found, [1.0, 3.0, 2.0, 4.0]);
    }

    #[test]
    fn all_levels_in_one_row() {
        let device = Device::flex();
        let head = RpnHead::new(4, 3, &device);
        let levels = [[2, 4, 5, 6], [2, 4, 3, 3]].map(|dims| Tensor::ones(dims, &device));
        let found = head.forward(&levels);
        assert_eq!(found.logits.dims(), [2, 3 * (30 + 9)]);
        assert_eq!(found.offsets.dims(), [2, 3 * (30 + 9), 4]);
        assert_eq!(found.grids, [Size::new(5, 6), Size::new(3, 3)]);
    }
}
