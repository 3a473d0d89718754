//! What makes a detector of a network: a neck, anchors that fit its strides, sizes of images.

use abn_boxes::{ByMode, DetectorConstants};
use abn_core::backbone::NetworkConfig;
use abn_core::detect::{DetectorConfig, Frozen, InvalidDetector, Neck};
use abn_core::{AttentionConfig, ClassifierConfig};
use abn_data::Within;
use serde::{Deserialize, Serialize};

use super::RecipeError;
use super::error::require;

/// Sides of images between which nobody trains.
const SIDES: std::ops::RangeInclusive<usize> = 8..=8192;
/// Sides of anchors in strides of their level: torchvision's 32 pixels at a stride of 4 ...
const OF_PYRAMID: f64 = 8.0;
/// ... and detectron2's 32 to 512 pixels at a stride of 16.
const BEFORE_STAGE: [f64; 5] = [2.0, 4.0, 8.0, 16.0, 32.0];

/// A kind of detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum DetectorName {
    /// A feature pyramid over all stages: torchvision's fasterrcnn_resnet50_fpn
    Fpn,
    /// Regions before the last stage, which is their head: the detector of the papers' tables
    C4,
}

impl DetectorName {
    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fpn => "fpn",
            Self::C4 => "c4",
        }
    }
}

/// What a recipe says of its detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorRecipe {
    /// What regions are pooled from.
    pub neck: Neck,
    /// A branch that looks at every region, of a detector whose last stage does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_attention: Option<AttentionConfig>,
    /// What of the backbone does not learn.
    pub frozen: Frozen,
    /// How large images become.
    pub inputs: Within,
    /// Every other number.
    pub constants: DetectorConstants,
}

impl DetectorRecipe {
    /// The usual detector of that kind on a network, for images of that size. Whatever is given in
    /// pixels of features by torchvision and detectron2 goes with the strides of the network.
    pub fn usual(name: DetectorName, network: &NetworkConfig, inputs: Within) -> Self {
        let strides = network.strides();
        let outputs = network.last_stage().outputs();
        let (neck, mut constants) = match name {
            DetectorName::Fpn => {
                let channels = outputs.min(256);
                let hidden = 4 * channels;
                (Neck::Pyramid { channels, hidden }, DetectorConstants::fpn())
            }
            DetectorName::C4 => (Neck::LastStage, DetectorConstants::c4()),
        };
        let coarsest = strides.last().map(|stride| 2 * stride);
        constants.anchors.sizes = match name {
            DetectorName::Fpn => {
                let levels = strides.iter().copied().chain(coarsest);
                levels
                    .map(|stride| vec![OF_PYRAMID * stride as f64])
                    .collect()
            }
            DetectorName::C4 => {
                let level = strides.len().saturating_sub(2);
                let stride = strides.get(level).copied().unwrap_or(1) as f64;
                vec![BEFORE_STAGE.map(|side| side * stride).to_vec()]
            }
        };
        Self {
            neck,
            region_attention: None,
            frozen: Frozen::NOTHING,
            inputs,
            constants,
        }
    }

    /// The same with so many regions an image: in training they are drawn among eight times as many
    /// proposals, otherwise they are all that is looked at.
    #[must_use]
    pub fn of_few_regions(mut self, regions: ByMode) -> Self {
        let constants = &mut self.constants;
        constants.regions.sampled = regions.training;
        constants.rpn.after_nms = ByMode {
            training: 8 * regions.training,
            testing: regions.testing,
        };
        constants.rpn.before_nms = ByMode {
            training: 8 * regions.training,
            testing: 4 * regions.testing,
        };
        self
    }

    /// Its kind.
    pub fn name(&self) -> DetectorName {
        match self.neck {
            Neck::Pyramid { .. } => DetectorName::Fpn,
            Neck::LastStage => DetectorName::C4,
        }
    }

    /// The detector of so many classes, on the network of a classifier.
    pub fn config(&self, model: &ClassifierConfig, classes: usize) -> DetectorConfig {
        DetectorConfig {
            network: model.network.clone(),
            neck: self.neck.clone(),
            attention: model.attention.clone(),
            region_attention: self.region_attention.clone(),
            classes,
            frozen: self.frozen,
            constants: self.constants.clone(),
        }
    }

    /// Refuses what no detector can be built of, or no machine could hold.
    ///
    /// # Errors
    /// A part cannot be, or images are too small or too large.
    pub(super) fn check(
        &self,
        network: &NetworkConfig,
        attention: Option<&AttentionConfig>,
    ) -> Result<(), RecipeError> {
        let Within { shorter, longest } = self.inputs;
        let fits = SIDES.contains(&shorter) && SIDES.contains(&longest) && shorter <= longest;
        let expected = format!(
            "sides of {} to {} pixels, the shorter not above the longest",
            SIDES.start(),
            SIDES.end()
        );
        require(fits, "detector.inputs", expected)?;
        let outputs = abn_core::Outputs::of(vec![2]);
        let model = ClassifierConfig {
            network: network.clone(),
            attention: attention.cloned(),
            outputs,
        };
        self.config(&model, 1).check().map_err(RecipeError::from)
    }
}

impl From<InvalidDetector> for RecipeError {
    fn from(error: InvalidDetector) -> Self {
        Self::Detector(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::architectures;

    const INPUTS: Within = Within {
        shorter: 800,
        longest: 1333,
    };

    fn usual(name: DetectorName, architecture: &str) -> DetectorRecipe {
        let network = architectures::parse(architecture).unwrap().network;
        DetectorRecipe::usual(name, &network, INPUTS)
    }

    #[test]
    fn on_resnet50_they_are_the_published_ones() {
        let fpn = usual(DetectorName::Fpn, "resnet50");
        assert_eq!(fpn.neck, Neck::PYRAMID);
        assert_eq!(fpn.constants, DetectorConstants::fpn());
        let c4 = usual(DetectorName::C4, "resnet50");
        assert_eq!(
            (c4.neck, c4.constants),
            (Neck::LastStage, DetectorConstants::c4())
        );
    }

    #[test]
    fn every_family_that_can_has_one_that_fits() {
        for architecture in [
            "resnet8",
            "resnet18",
            "resnext50_32x4d",
            "se-resnet50",
            "resnext29_8x64d",
        ] {
            for name in [DetectorName::Fpn, DetectorName::C4] {
                let network = architectures::parse(architecture).unwrap().network;
                usual(name, architecture).check(&network, None).unwrap();
            }
        }
        let small = usual(DetectorName::Fpn, "resnet8");
        let sizes = [8.0, 16.0, 32.0, 64.0].map(|size| vec![size]);
        assert_eq!(small.constants.anchors.sizes, sizes);
        let vgg = architectures::parse("vgg16_bn").unwrap().network;
        let error = DetectorRecipe::usual(DetectorName::Fpn, &vgg, INPUTS).check(&vgg, None);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("stands on a ResNet")
        );
    }

    #[test]
    fn sizes_that_nobody_trains_with_are_refused() {
        let network = architectures::parse("resnet50").unwrap().network;
        for (shorter, longest) in [(4, 100), (900, 800), (800, 1 << 20)] {
            let detector = DetectorRecipe {
                inputs: Within { shorter, longest },
                ..usual(DetectorName::Fpn, "resnet50")
            };
            assert!(detector.check(&network, None).is_err());
        }
    }
}
