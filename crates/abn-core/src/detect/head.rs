//! What is said of a region: its class, and for each class how the object lies beside it (Girshick
//! 2015, section 2.2).

use crate::attention::AttentionOutput;
use abn_kernels::ops::global_average;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::rpn::OFFSETS;
use crate::linear::apply;
use crate::state::draw;

/// Two hidden layers over the pooled features (Lin et al. 2017), or none over the mean of what the
/// last stage makes of them (He et al. 2016, appendix A).
#[derive(Module, Debug)]
pub struct RegionHead {
    /// Hidden layers, a ReLU behind each.
    pub hidden: Vec<Linear>,
    /// To a logit a class, the background first.
    pub logits: Linear,
    /// To four offsets a class.
    pub offsets: Linear,
}

/// What the head says of regions.
#[derive(Debug, Clone)]
pub struct Regions {
    /// `[R, classes]`, the background first.
    pub logits: Tensor<2>,
    /// `[R, classes, 4]`.
    pub offsets: Tensor<3>,
    /// What the branch of regions says, if there is one: logits `[R, classes]` and a map of each
    /// region `[R, 1, side, side]`.
    pub attention: Option<AttentionOutput>,
}

impl RegionHead {
    /// A fresh head for regions of so many values, with hidden layers of these widths; `classes`
    /// counts the background.
    pub fn new(inputs: usize, hidden: &[usize], classes: usize, device: &Device) -> Self {
        let mut width = inputs;
        let layer = |outputs: &usize| {
            let layer = LinearConfig::new(width, *outputs).init(device);
            width = *outputs;
            layer
        };
        let hidden: Vec<Linear> = hidden.iter().map(layer).collect();
        // N(0, 0.01) for classes and N(0, 0.001) for offsets in the paper; PyTorch's own in
        // torchvision, which the checkpoints and the recipe are of.
        Self {
            hidden,
            logits: LinearConfig::new(width, classes).init(device),
            offsets: LinearConfig::new(width, OFFSETS * classes).init(device),
        }
    }

    /// Draws what is not drawn yet.
    pub(super) fn draw(&self) {
        self.hidden.iter().for_each(draw);
        draw(&self.logits);
        draw(&self.offsets);
    }

    /// # Shapes
    /// Features of regions `[R, C, h, w]`, as many values as the head was made for, or their mean.
    pub fn forward(&self, features: Tensor<4>) -> Regions {
        let first = if self.hidden.is_empty() {
            global_average(features)
        } else {
            features.flatten(1, 3)
        };
        let values = self
            .hidden
            .iter()
            .fold(first, |values, layer| relu(apply(layer, values)));
        let logits = apply(&self.logits, values.clone());
        let [regions, classes] = logits.dims();
        let offsets = apply(&self.offsets, values);
        Regions {
            logits,
            offsets: offsets.reshape([regions, classes, OFFSETS]),
            attention: None,
        }
    }
}
