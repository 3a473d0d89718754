//! The attention branch (ABN section 3.1): its own copy of the last stage, class maps, attention logits and the
//! attention map.
//!
//! ```text
//! F --[mixed]--> stage, stride 1 --norm--> 1x1 conv to K, norm, relu --+--> 1x1 conv K to K --GAP--> logits [B, K]
//!                                                                      \--> k x k conv to 1, norm, sigmoid--> M [B, 1, h, w]
//! ```
//!
//! The layers are those of the official code, whose networks the published figures come from: it has a batch
//! norm after the stage, after the class convolution and before the sigmoid that the paper does not draw.

use std::fmt;

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};

use crate::backbone::conv::conv;
use crate::backbone::{ConvNorm, NetworkConfig, Stage, pool};
use crate::mechanism::Mechanism;
use crate::mixed::{MixedAttention, MixedAttentionConfig};
use crate::norm::BatchNorm;

/// The largest side of a convolution that makes a map; the papers use 1, 3 and 7.
const LARGEST_KERNEL: usize = 31;

/// The attention branch as data, with the use that is made of its outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct AttentionConfig {
    /// MANet's module at the input of the branch.
    pub mixed: Option<MixedAttentionConfig>,
    /// Whether the branch has its own copy of the last stage. Without it, it is the lightweight reading of
    /// MANet's section 3.1.3.
    pub stage: bool,
    /// Side of the convolution that makes the map: 3 in ABN's code, 1 in both papers' text.
    pub map_kernel: usize,
    /// How the map acts on the features.
    pub mechanism: Mechanism,
    /// Weight of the branch's own loss: 1 in ABN; MANet's section 3.3 names only the perception loss.
    pub loss_weight: f64,
}

impl AttentionConfig {
    /// ABN as its authors' code has it.
    pub fn abn() -> Self {
        Self { mixed: None, stage: true, map_kernel: 3, mechanism: Mechanism::Residual, loss_weight: 1.0 }
    }

    /// MANet: the mixed attention module refines the branch's input; the map convolution is 1x1 as in its text.
    /// That the residual stage stays and the branch keeps its loss is our reading of what the paper leaves open.
    pub fn manet() -> Self {
        Self { mixed: Some(MixedAttentionConfig::default()), map_kernel: 1, ..Self::abn() }
    }

    /// Refuses what no network can be built of; a configuration may come from a file.
    ///
    /// # Errors
    /// A kernel is even or too large, the reduction is 0, or the weight of the loss is negative or not finite.
    pub fn check(&self) -> Result<(), InvalidAttention> {
        let mixed = self.mixed.as_ref();
        let spatial = mixed.and_then(|mixed| mixed.spatial.as_ref()).map(|spatial| spatial.kernel);
        let is_kernel = |side: usize| side % 2 == 1 && side <= LARGEST_KERNEL;
        if ![Some(self.map_kernel), spatial].into_iter().flatten().all(is_kernel) {
            return Err(InvalidAttention("kernels must be odd and at most 31"));
        }
        if mixed.is_some_and(|mixed| mixed.reduction == 0) {
            return Err(InvalidAttention("the reduction must be at least 1"));
        }
        if !(0.0..=1e6).contains(&self.loss_weight) {
            return Err(InvalidAttention("the weight of the attention loss must be between 0 and 1e6"));
        }
        Ok(())
    }

    /// A fresh branch for that network.
    pub fn init(&self, network: &NetworkConfig, classes: usize, device: &Device) -> AttentionBranch {
        let last = network.last_stage();
        let channels = if self.stage { last.outputs() } else { last.inputs };
        AttentionBranch {
            mixed: self.mixed.as_ref().map(|mixed| mixed.init(last.inputs, device)),
            stage: self.stage.then(|| last.at_stride_one().init(device)),
            norm: BatchNorm::new(channels, device),
            class_maps: ConvNorm::new(channels, classes, 1, 1, device),
            logits: conv(classes, classes, 1, 1, device),
            map: ConvNorm::new(classes, 1, self.map_kernel, 1, device),
        }
    }
}

/// What is wrong with an [`AttentionConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidAttention(&'static str);

impl fmt::Display for InvalidAttention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this attention branch cannot be built: {}", self.0)
    }
}

impl std::error::Error for InvalidAttention {}

/// What the branch gives.
#[derive(Debug, Clone)]
pub struct AttentionOutput {
    /// Class logits of the branch, `[B, K]`.
    pub logits: Tensor<2>,
    /// Attention map M, `[B, 1, h, w]`, in [0, 1].
    pub map: Tensor<4>,
}

/// Looks at the features before the last stage; see the module's picture.
#[derive(Module, Debug)]
pub struct AttentionBranch {
    /// MANet's refinement of the branch's input.
    pub mixed: Option<MixedAttention>,
    /// Own copy of the last stage at stride 1.
    pub stage: Option<Stage>,
    /// Batch norm of the stage's output.
    pub norm: BatchNorm,
    /// 1x1 convolution to one map a class.
    pub class_maps: ConvNorm,
    /// 1x1 convolution between class maps, pooled to the logits.
    pub logits: Conv2d,
    /// Convolution of the class maps to the attention map.
    pub map: ConvNorm,
}

impl AttentionBranch {
    /// # Shapes
    /// Features F `[B, C, h, w]` to logits `[B, K]` and map `[B, 1, h, w]`.
    pub fn forward(&self, features: Tensor<4>) -> AttentionOutput {
        let refined = match &self.mixed {
            Some(mixed) => mixed.forward(features),
            None => features,
        };
        let staged = match &self.stage {
            Some(stage) => stage.forward(refined),
            None => refined,
        };
        let classes = relu(self.class_maps.forward(self.norm.forward(staged))); // [B, K, h, w]
        AttentionOutput {
            logits: pool(self.logits.forward(classes.clone())),
            map: sigmoid(self.map.forward(classes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixed::SpatialConfig;

    #[test]
    fn what_cannot_be_built_is_refused() {
        let manet = AttentionConfig::manet;
        assert!(AttentionConfig::abn().check().is_ok() && manet().check().is_ok());
        for map_kernel in [0, 2, 33, usize::MAX] {
            assert!(AttentionConfig { map_kernel, ..manet() }.check().is_err(), "{map_kernel}");
        }
        for loss_weight in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(AttentionConfig { loss_weight, ..manet() }.check().is_err(), "{loss_weight}");
        }
        let mixed = MixedAttentionConfig { reduction: 0, ..MixedAttentionConfig::default() };
        assert!(AttentionConfig { mixed: Some(mixed), ..manet() }.check().is_err());
        let spatial =
            MixedAttentionConfig::default().spatial.map(|spatial| SpatialConfig { kernel: 8, ..spatial });
        let mixed = MixedAttentionConfig { spatial, ..MixedAttentionConfig::default() };
        assert!(AttentionConfig { mixed: Some(mixed), ..manet() }.check().is_err());
    }
}
