//! A detector as data.

use abn_boxes::{ConstantsError, DetectorConstants};
use burn::serde::{Deserialize, Serialize};
use burn::tensor::Device;

use super::detector::Detector;
use super::trunk::Frozen;
use crate::attention::{AttentionConfig, Maps};
use crate::backbone::NetworkConfig;
use crate::mixed::InvalidAttention;
use crate::outputs::{Binary, Outputs};
use crate::state::{drawn, is_buffer, shapes_of};

/// What regions are pooled from, and what looks at them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case", deny_unknown_fields)]
pub enum Neck {
    /// A feature pyramid over all stages, and two hidden layers (Lin et al. 2017).
    Pyramid {
        /// Channels of every level.
        channels: usize,
        /// Width of each hidden layer.
        hidden: usize,
    },
    /// The features before the last stage, and that stage on every region (He et al. 2016; the
    /// fourth level of convolutions, "C4").
    LastStage,
}

impl Neck {
    /// That of torchvision's detectors.
    pub const PYRAMID: Self = Self::Pyramid {
        channels: 256,
        hidden: 1024,
    };
}

/// A Faster R-CNN as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct DetectorConfig {
    /// The backbone; its head is not used.
    pub network: NetworkConfig,
    /// What regions are pooled from.
    pub neck: Neck,
    /// An attention branch before the backbone's last stage, if any. Its map re-weights what goes
    /// on to that stage, to the pyramid and to the regions; its logits say which classes occur in
    /// the image.
    pub attention: Option<AttentionConfig>,
    /// An attention branch that looks at every region before the last stage does, for a map of every
    /// detection in the forward pass; of [`Neck::LastStage`] alone, whose regions are what the
    /// features of a classifier are. MANet without a [stage of its own](AttentionConfig::stage) is
    /// the only one that costs little: 16 M multiply-adds a region of ResNet-50, against 2.9 G.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_attention: Option<AttentionConfig>,
    /// Classes, without the background.
    pub classes: usize,
    /// What does not learn.
    pub frozen: Frozen,
    /// Every other number.
    pub constants: DetectorConstants,
}

/// Why no detector can be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDetector {
    /// The branch cannot be.
    #[error(transparent)]
    Attention(#[from] InvalidAttention),
    /// A constant cannot be.
    #[error(transparent)]
    Constants(#[from] ConstantsError),
    /// The parts do not fit each other.
    #[error("{0}")]
    Parts(&'static str),
}

impl DetectorConfig {
    /// The levels of features that anchors lie on.
    pub(super) fn levels(&self) -> usize {
        match self.neck {
            Neck::Pyramid { .. } => self.network.stages.len() + 1,
            Neck::LastStage => 1,
        }
    }

    /// What the branch says of an image: of each class whether it occurs.
    pub(super) fn occurrences(&self) -> Outputs {
        Outputs::of(vec![2; self.classes]).with(Binary::Sigmoid)
    }

    /// Refuses what no detector can be built of; a configuration may come from a file.
    ///
    /// # Errors
    /// A part cannot be, or parts do not fit each other.
    pub fn check(&self) -> Result<(), InvalidDetector> {
        self.constants.check()?;
        let anchors = &self.constants.anchors;
        let cells = (0..self.levels()).map(|level| anchors.sizes.get(level).map(Vec::len));
        let cells: Vec<Option<usize>> = cells.collect();
        let refused = |what| Err(InvalidDetector::Parts(what));
        if anchors.sizes.len() != self.levels() {
            return refused("anchors.sizes needs a list for each level of features");
        }
        if cells.windows(2).any(|pair| pair[0] != pair[1]) {
            return refused("anchors.sizes needs as many sizes on each level");
        }
        if !(1..=1_000_000).contains(&self.classes) {
            return refused("a detector has 1 to 1,000,000 classes");
        }
        if self.network.final_norm || self.network.head.begins_with_pool() {
            return refused("a detector stands on a ResNet, ResNeXt, SENet or CBAM network");
        }
        if self.network.stages.len() < 2 {
            return refused("a detector needs a backbone of two stages or more");
        }
        if self.frozen.parts > self.network.stages.len() {
            return refused("a detector without anything that learns");
        }
        if let Neck::Pyramid { channels, hidden } = self.neck
            && !((1..=1 << 16).contains(&channels) && (1..=1 << 16).contains(&hidden))
        {
            return refused("a pyramid has 1 to 65,536 channels and hidden values");
        }
        for attention in [&self.attention, &self.region_attention]
            .into_iter()
            .flatten()
        {
            attention.check()?;
            if attention.maps == Maps::PerGroup {
                return refused("a detector's branch has one map an image or region");
            }
            if !attention.terms.is_none() {
                return refused("nothing is asked of the maps of a detector");
            }
        }
        if self.region_attention.is_some() && self.neck != Neck::LastStage {
            return refused(
                "a branch of regions needs the detector c4, whose regions the last stage sees",
            );
        }
        Ok(())
    }

    /// Trainable parameters, frozen ones among them; frozen batch norms have none, as in
    /// torchvision.
    pub fn parameters(&self, device: &Device) -> usize {
        let learned = |name: &str| {
            let is_norm =
                self.frozen.norms && name.starts_with("network.") && name.contains("norm.");
            !is_buffer(name) && !is_norm
        };
        let shapes = shapes_of(&self.init(device));
        let learned = shapes.iter().filter(|(name, _)| learned(name));
        learned.map(|(_, shape)| shape.num_elements()).sum()
    }

    /// The same without dropout.
    #[must_use]
    pub fn without_dropout(self) -> Self {
        Self {
            network: self.network.with_dropout(0.0),
            attention: self.attention.map(AttentionConfig::without_dropout),
            region_attention: self.region_attention.map(AttentionConfig::without_dropout),
            ..self
        }
    }

    /// A detector whose weights are drawn at first use.
    pub fn init(&self, device: &Device) -> Detector {
        Detector::new(self, device)
    }

    /// A detector whose weights are all drawn now, from that seed, in the order in which a forward
    /// pass meets them: the same seed gives the same weights [on every
    /// device](abn_kernels::ops::drawn_on). The generator is global, so nothing else may draw
    /// meanwhile.
    pub fn init_seeded(&self, seed: u64, device: &Device) -> Detector {
        drawn(seed, device, |device| self.init(device), Detector::draw)
    }
}
