//! The backbone of a detector: a classifier's without its head, all of whose stages are seen.

use burn::module::{Module, ParamGroup};
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Device, Tensor};

use crate::backbone::{NetworkConfig, Stage, Stem};
use crate::state::draw;

/// What of the backbone does not learn. Batches of a detector are of one or two images, whose
/// statistics say too little.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct Frozen {
    /// The first parts, the stem being the first, whose weights stay; as all torchvision's
    /// detectors, 2 with weights of ImageNet, 0 without any.
    pub parts: usize,
    /// Whether every batch norm of the backbone keeps its weights and normalises by its running
    /// statistics.
    pub norms: bool,
}

impl Frozen {
    /// Everything learns: from random weights nothing else makes sense.
    pub const NOTHING: Self = Self {
        parts: 0,
        norms: false,
    };

    /// As torchvision from weights of ImageNet: the stem, the first stage and all batch norms stay.
    pub const PRETRAINED: Self = Self {
        parts: 2,
        norms: true,
    };
}

/// Stem and stages.
#[derive(Module, Debug)]
pub struct Trunk {
    /// First layers; none where the stages see the image itself.
    pub stem: Option<Stem>,
    /// All stages.
    pub stages: Vec<Stage>,
    #[module(skip)]
    frozen: usize,
}

impl Trunk {
    /// A fresh trunk, part of which may be frozen.
    pub fn new(network: &NetworkConfig, frozen: Frozen, device: &Device) -> Self {
        let trunk = Self {
            stem: network.stem.init(device),
            stages: network
                .stages
                .iter()
                .map(|stage| stage.init(device))
                .collect(),
            frozen: frozen.parts,
        };
        let trunk = match frozen.norms {
            true => trunk.freeze_group(ParamGroup::from_predicate("norm.")),
            false => trunk,
        };
        let held = |part: usize| part < frozen.parts;
        let stages = trunk.stages.into_iter().enumerate();
        Self {
            stem: trunk
                .stem
                .map(|stem| if held(0) { stem.freeze() } else { stem }),
            stages: stages
                .map(|(number, stage)| {
                    if held(number + 1) {
                        stage.freeze()
                    } else {
                        stage
                    }
                })
                .collect(),
            frozen: frozen.parts,
        }
    }

    /// Draws what is not drawn yet.
    pub(super) fn draw(&self) {
        draw(&self.stem);
        self.stages.iter().for_each(draw);
    }

    /// The outputs of so many stages from the first one on.
    ///
    /// # Shapes
    /// Images `[B, 3, H, W]` to `[B, C, h, w]`, the finest first.
    pub fn levels(&self, images: Tensor<4>, stages: usize) -> Vec<Tensor<4>> {
        let held = self.frozen.saturating_sub(1).min(stages);
        let mut levels = Vec::new();
        let mut features = images;
        if features.is_autodiff() && self.frozen > 0 {
            // Nothing of it learns, so nothing of it is kept.
            let mut still = features.inner();
            if let Some(stem) = &self.stem {
                still = stem.valid().forward(still);
            }
            for stage in &self.stages[..held] {
                still = stage.valid().forward(still);
                levels.push(Tensor::from_inner(still.clone()));
            }
            features = Tensor::from_inner(still);
        } else if let Some(stem) = &self.stem {
            features = stem.forward(features);
        }
        for stage in &self.stages[levels.len()..stages] {
            features = stage.forward(features);
            levels.push(features.clone());
        }
        levels
    }
}
