//! The attention branch (ABN section 3.1): its own copy of the last stage, class maps, attention
//! logits and the attention map.
//!
//! ```text
//! F --[mixed]--> stage, stride 1 --norm--> 1x1 conv to K, norm, relu --+--> 1x1 conv K to K --GAP--> logits [B, K]
//!                                                                      \--> map head--> M [B, 1, h, w]
//! ```
//!
//! The [map head](MapHead) is a k x k convolution to 1 channel, a batch norm and a sigmoid, or what
//! a [`SigmoidMap`] says instead. SENet's branch sums log(1 + a) over the K maps. With a map
//! [a group](Maps::PerGroup) the head has as many channels as there are groups. The branch for
//! facial attributes has neither class maps nor a head, for the map of an attribute is that of [its
//! logit](MapConfig::Logit):
//!
//! ```text
//! F --[mixed]--> stage, stride 1 --> 1x1 conv to G --+--> mean or maximum --> logits [B, G]
//!                                                    \--> M [B, G, h, w]
//! ```
//!
//! The layers are those of the official code, whose networks the published figures come from: it
//! has a batch norm after the stage, after the class convolution and before the sigmoid that the
//! paper does not draw.

mod map;
mod maps;
mod pool;
mod terms;

use std::ops::Range;

use abn_kernels::ops::{After, fork};
use burn::module::Module;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Device, Tensor};

use crate::backbone::{NetworkConfig, Stage, StageConfig};
use crate::conv::{Conv2d, ConvNorm, ConvShape};
use crate::mechanism::Mechanism;
use crate::mixed::{InvalidAttention, MixedAttention, MixedAttentionConfig};
use crate::norm::BatchNorm;
use crate::outputs::{Binary, Outputs};

pub use terms::{MapTerms, ObjectShares};

pub use maps::Maps;

pub use pool::Pool;

pub use map::{LogitMap, MapConfig, MapHead, MapNorm, MapSource, Scale, SigmoidMap};

/// The attention branch as data, with the use that is made of its outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct AttentionConfig {
    /// MANet's module at the input of the branch.
    pub mixed: Option<MixedAttentionConfig>,
    /// Whether the branch has its own copy of the last stage. Without it, it is the lightweight
    /// reading of MANet's section 3.1.3.
    pub stage: bool,
    /// Batch norm after the stage; the reference's ResNeXt declares one and does not use it.
    pub norm: bool,
    /// How class maps become the attention map.
    pub map: MapConfig,
    /// Whether there is one map or one for each group of classes.
    #[serde(default, skip_serializing_if = "Maps::is_usual")]
    pub maps: Maps,
    /// How the branch's maps of evidence become its logits.
    #[serde(default, skip_serializing_if = "Pool::is_usual")]
    pub pool: Pool,
    /// How the map acts on the features.
    pub mechanism: Mechanism,
    /// Weight of the branch's own loss: 1 in ABN; MANet's section 3.3 names only the perception
    /// loss.
    pub loss_weight: f64,
    /// What the objective asks of the maps; nothing in the papers.
    #[serde(default, skip_serializing_if = "MapTerms::is_none")]
    pub terms: MapTerms,
}

impl AttentionConfig {
    /// The same without dropout.
    #[must_use]
    pub fn without_dropout(self) -> Self {
        Self {
            map: self.map.without_dropout(),
            ..self
        }
    }

    /// ABN as its authors' code has it for most families;
    /// [`Architecture::abn`](crate::Architecture::abn) knows the others.
    pub fn abn() -> Self {
        Self {
            mixed: None,
            stage: true,
            norm: true,
            map: MapConfig::convolution(3),
            maps: Maps::One,
            pool: Pool::Mean,
            mechanism: Mechanism::Residual,
            loss_weight: 1.0,
            terms: MapTerms::default(),
        }
    }

    /// ABN for several labels of two classes, as its authors' code for facial attributes has it
    /// (section 4.4): the map of each is that of its logit and multiplies the features.
    pub fn multitask() -> Self {
        Self {
            norm: false,
            map: MapConfig::Logit(LogitMap::Raw),
            maps: Maps::PerGroup,
            mechanism: Mechanism::Multiply,
            ..Self::abn()
        }
    }

    /// MANet: the mixed attention module refines the branch's input; the map convolution is 1x1 as
    /// in its text. That the residual stage stays and the branch keeps its loss is our reading of
    /// what the paper leaves open.
    pub fn manet() -> Self {
        Self {
            mixed: Some(MixedAttentionConfig::default()),
            map: MapConfig::convolution(1),
            ..Self::abn()
        }
    }

    /// Refuses what no network can be built of; a configuration may come from a file.
    ///
    /// # Errors
    /// A kernel is even or too large, the reduction is 0, or the weight of the loss is negative or
    /// not finite.
    pub fn check(&self) -> Result<(), InvalidAttention> {
        self.map.check()?;
        self.terms.check()?;
        if self.terms.entropy + self.terms.objects > 0.0 && !self.map.is_bounded() {
            return Err(InvalidAttention(
                "the terms entropy and objects need a map between 0 and 1",
            ));
        }
        if matches!(self.map, MapConfig::Logit(_)) && self.maps == Maps::One {
            return Err(InvalidAttention(
                "a map that is the label's own logit needs attention.maps=per_group",
            ));
        }
        if let Some(mixed) = &self.mixed {
            mixed.check()?;
        }
        if !(0.0..=1e6).contains(&self.loss_weight) {
            return Err(InvalidAttention(
                "the weight of the attention loss must be between 0 and 1e6",
            ));
        }
        Ok(())
    }

    /// What the branch has a map of evidence for.
    pub fn learned(&self, outputs: &Outputs) -> Outputs {
        match self.map {
            MapConfig::Logit(_) => outputs.clone().with(Binary::Sigmoid),
            _ => outputs.clone(),
        }
    }

    /// Whether the map learns anything. Nothing flows back to one that weighs nothing, so its
    /// convolution stays as it was drawn; evidence of the classes has no convolution of its own, and
    /// learns from the branch's loss.
    pub fn trains_map(&self) -> bool {
        self.mechanism != Mechanism::Identity || self.map.is_evidence()
    }

    /// A fresh branch for that network.
    pub fn init(
        &self,
        network: &NetworkConfig,
        outputs: &Outputs,
        device: &Device,
    ) -> AttentionBranch {
        let stage = network.branch_stage();
        let (inputs, channels) = (stage.inputs, self.channels(&stage));
        let stage = self.stage.then(|| stage.init(device));
        self.branch(inputs, stage, channels, outputs, device)
    }

    /// A fresh branch on features of so many channels, for a network of one's own: the branch's
    /// copy of the last stage, if there is to be one, is applied by the caller.
    pub fn on_features(&self, channels: usize, classes: usize, device: &Device) -> AttentionBranch {
        self.branch(channels, None, channels, &Outputs::one(classes), device)
    }

    fn branch(
        &self,
        inputs: usize,
        stage: Option<Stage>,
        channels: usize,
        outputs: &Outputs,
        device: &Device,
    ) -> AttentionBranch {
        let outputs = self.learned(outputs);
        let learned = outputs.learned();
        let classes = learned.total();
        let map = self.map.init(self.maps, &outputs, device);
        let mixed = self.mixed.as_ref();
        let of_logits = match self.map {
            MapConfig::Logit(map) => Some(map),
            MapConfig::Sigmoid(_) | MapConfig::LogSum => None,
        };
        let class_maps = of_logits
            .is_none()
            .then(|| ConvNorm::new(ConvShape::new(channels, classes, 1), device));
        let evidence = class_maps.as_ref().map_or(channels, |_| classes);
        AttentionBranch {
            mixed: mixed.map(|mixed| mixed.init(inputs, device)),
            stage,
            norm: self.norm.then(|| BatchNorm::new(channels, device)),
            class_maps,
            logits: ConvShape::new(evidence, classes, 1).init(device),
            map,
            of_logits,
            maps: self.maps,
            pool: self.pool,
            spans: learned.spans().collect(),
            outputs,
        }
    }

    /// Channels that enter the first 1x1 convolution.
    pub fn channels(&self, stage: &StageConfig) -> usize {
        if self.stage {
            stage.outputs()
        } else {
            stage.inputs
        }
    }
}

/// What the branch gives.
#[derive(Debug, Clone)]
pub struct AttentionOutput {
    /// Class logits of the branch, `[B, K]`.
    pub logits: Tensor<2>,
    /// Attention maps, `[B, M, h, w]`, one or one a [group](Maps): in [0, 1] if the map
    /// [is bounded](MapConfig::is_bounded), else at least 0 or, where they are
    /// [raw](LogitMap::Raw), of either sign.
    pub map: Tensor<4>,
}

impl AttentionOutput {
    /// The outputs of all images, part by part.
    ///
    /// # Panics
    /// There are no parts.
    pub(crate) fn cat(parts: Vec<Self>) -> Self {
        let (logits, maps) = parts
            .into_iter()
            .map(|part| (part.logits, part.map))
            .unzip();
        Self {
            logits: Tensor::cat(logits, 0),
            map: Tensor::cat(maps, 0),
        }
    }
}

/// Looks at the features before the last stage; see the module's picture.
#[derive(Module, Debug)]
pub struct AttentionBranch {
    /// MANet's refinement of the branch's input.
    pub mixed: Option<MixedAttention>,
    /// Own copy of the last stage at stride 1.
    pub stage: Option<Stage>,
    /// Batch norm of the stage's output.
    pub norm: Option<BatchNorm>,
    /// 1x1 convolution to one map a class; absent where the map is that of the logit.
    pub class_maps: Option<ConvNorm>,
    /// 1x1 convolution between class maps, or from the features, pooled to the logits.
    pub logits: Conv2d,
    /// What makes the attention map; where absent it is that of the logit, or the sum of the class
    /// maps' logarithms.
    pub map: Option<MapHead>,
    #[module(skip)]
    of_logits: Option<LogitMap>,
    #[module(skip)]
    maps: Maps,
    #[module(skip)]
    pool: Pool,
    /// What of the learned logits belongs to each group.
    #[module(skip)]
    spans: Vec<Range<usize>>,
    /// What the learned logits tell.
    #[module(skip)]
    outputs: Outputs,
}

impl AttentionBranch {
    /// How many maps an image has.
    pub fn maps(&self) -> Maps {
        self.maps
    }

    /// # Shapes
    /// Features F `[B, C, h, w]` to logits `[B, K]` and maps `[B, M, h, w]`.
    pub fn forward(&self, features: Tensor<4>) -> AttentionOutput {
        let refined = match &self.mixed {
            Some(mixed) => mixed.forward(features),
            None => features,
        };
        let staged = match &self.stage {
            Some(stage) => stage.forward(refined),
            None => refined,
        };
        let normed = match &self.norm {
            Some(norm) => norm.forward(staged),
            None => staged,
        };
        let (learned, map) = match &self.class_maps {
            Some(class_maps) => {
                let classes = class_maps.forward_then(normed, After::relu()); // [B, K, h, w]
                self.of_classes(classes)
            }
            None => {
                let [voting, evidence] = fork(self.logits.forward(normed)); // [B, G, h, w]
                let map = self.of_logits.unwrap_or(LogitMap::Raw).of(evidence);
                (self.pool.forward(voting), map)
            }
        };
        let logits = self.outputs.tell(learned);
        AttentionOutput { logits, map }
    }

    /// The learned logits and the attention maps, from the class maps.
    fn of_classes(&self, classes: Tensor<4>) -> (Tensor<2>, Tensor<4>) {
        let [classes, voting] = fork(classes);
        let evidence = self.logits.forward(voting);
        match &self.map {
            Some(head) if head.reads_evidence() => {
                let [voting, evidence] = fork(evidence);
                (self.pool.forward(voting), head.forward(classes, evidence))
            }
            Some(head) => {
                let map = head.forward(classes, evidence.clone());
                (self.pool.forward(evidence), map)
            }
            None => {
                let map = self.maps.log_sum(classes, &self.spans);
                (self.pool.forward(evidence), map)
            }
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
        for kernel in [0, 2, 33, usize::MAX] {
            let map = MapConfig::convolution(kernel);
            assert!(
                AttentionConfig { map, ..manet() }.check().is_err(),
                "{kernel}"
            );
        }
        for loss_weight in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(
                AttentionConfig {
                    loss_weight,
                    ..manet()
                }
                .check()
                .is_err(),
                "{loss_weight}"
            );
        }
        let mixed = MixedAttentionConfig {
            reduction: 0,
            ..MixedAttentionConfig::default()
        };
        assert!(
            AttentionConfig {
                mixed: Some(mixed),
                ..manet()
            }
            .check()
            .is_err()
        );
        let spatial = MixedAttentionConfig::default()
            .spatial
            .map(|spatial| SpatialConfig {
                kernel: 8,
                ..spatial
            });
        let mixed = MixedAttentionConfig {
            spatial,
            ..MixedAttentionConfig::default()
        };
        assert!(
            AttentionConfig {
                mixed: Some(mixed),
                ..manet()
            }
            .check()
            .is_err()
        );
    }
}
