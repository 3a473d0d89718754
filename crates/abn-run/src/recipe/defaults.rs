//! What a data set's publications train with, unless said otherwise.

use std::fmt;

use abn_core::sgd::SgdConfig;
use abn_data::Normalization;

use super::augmentation::Augment;
use super::schedule::Schedule;

/// The numbers of a recipe that depend on the data set and on the family of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Defaults {
    /// Name of the backbone.
    pub architecture: &'static str,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Learning rate of the first epoch.
    pub learning_rate: f64,
    /// How it falls.
    pub falls: Falls,
    /// Factor of each fall, for the schedules that fall in steps.
    pub gamma: f64,
    /// Momentum and weight decay.
    pub sgd: SgdConfig,
    /// Probability of dropping values in training, other than the family's.
    pub dropout: Option<f64>,
    /// What training images go through.
    pub augment: Augment,
    /// Side of the inputs in pixels.
    pub side: u32,
    /// Mean and standard deviation of the inputs.
    pub normalization: Normalization,
}

/// How the learning rate falls in a run of any number of epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Falls {
    /// It falls every so many epochs.
    Every(usize),
    /// It falls at these percentages of the epochs.
    At(&'static [usize]),
    /// It follows half a cosine.
    Cosine,
}

impl Falls {
    /// The schedule of a run of so many epochs.
    pub fn schedule(self, epochs: usize) -> Schedule {
        match self {
            Self::Every(epochs) => Schedule::Step(epochs),
            Self::At(percents) => milestones(epochs, percents),
            Self::Cosine => Schedule::Cosine,
        }
    }
}

impl fmt::Display for Falls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(epochs) => write!(f, "step:{epochs}"),
            Self::At(percents) => {
                let percents: Vec<String> = percents.iter().map(usize::to_string).collect();
                write!(f, "milestones at {} % of the epochs", percents.join(", "))
            }
            Self::Cosine => f.write_str("cosine"),
        }
    }
}

/// Falls at those percentages of the epochs. One before the first epoch would only be a smaller
/// learning rate.
fn milestones(epochs: usize, percents: &[usize]) -> Schedule {
    let at = |percent: &usize| epochs.saturating_mul(*percent) / 100;
    let mut milestones: Vec<usize> = percents.iter().map(at).collect();
    milestones.dedup();
    milestones.retain(|milestone| *milestone > 0);
    Schedule::Milestones(milestones)
}

impl Defaults {
    /// ABN section 4.1 and its code on CIFAR.
    pub const CIFAR: Self = Self {
        architecture: "resnet20",
        epochs: 300,
        batch_size: 128,
        learning_rate: 0.1,
        falls: Falls::At(&[50, 75]),
        gamma: 0.1,
        sgd: SgdConfig::ABN,
        dropout: None,
        augment: Augment::PadCrop,
        side: 32,
        normalization: Normalization::CIFAR,
    };

    /// Photographs as inputs of 224 x 224, as MANet has them.
    pub const PHOTOGRAPHS: Self = Self {
        augment: Augment::ResizeCrop,
        side: 224,
        normalization: Normalization::IMAGENET,
        ..Self::CIFAR
    };

    /// The same with another weight decay.
    pub const fn decaying(self, weight_decay: f64) -> Self {
        let momentum = self.sgd.momentum;
        let sgd = SgdConfig {
            momentum,
            weight_decay,
        };
        Self { sgd, ..self }
    }
}
