//! What a run is: everything that decides its result, complete and comparable.

use abn_core::AttentionConfig;
use abn_core::architecture::{AttentionName, BlockName};
use abn_core::backbone::{Family, NetworkConfig};
use abn_core::mixed::MixedAttentionConfig;
use abn_core::sgd::SgdConfig;
use abn_data::{Normalization, Step, Transform};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

pub mod architectures;
pub mod augmentation;
pub mod overrides;
mod run_config;
pub mod schedule;

use self::augmentation::Inputs;
pub use self::run_config::{Init, RunConfig, VERSION};
use self::schedule::Schedule;
use crate::datasets::DatasetName;

/// More epochs than anyone trains, few enough that no count of batches overflows.
const MOST_EPOCHS: usize = 1_000_000;
/// The longest side to which a step of a transform may bring an image.
const LARGEST_SIDE: u32 = 2048;
/// More steps than any transform has.
const MOST_STEPS: usize = 16;
/// Largest label that is read, and so the largest number of classes.
pub const MOST_CLASSES: usize = 1_000_000;

/// Everything that decides the weights of a run, and so what must be the same to resume it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The data set.
    pub dataset: DatasetName,
    /// Train on the first so many images only.
    pub limit: Option<usize>,
    /// Name of the backbone.
    pub architecture: String,
    /// Attention module in every residual block, other than the one that the name says.
    pub block: Option<MixedAttentionConfig>,
    /// Probability of dropping values in training, other than the family's.
    pub dropout: Option<f64>,
    /// The attention branch; none for the baseline.
    pub attention: Option<AttentionConfig>,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Learning rate of the first epoch.
    pub learning_rate: f64,
    /// How it falls.
    pub schedule: Schedule,
    /// Factor of each fall, for the schedules that fall in steps.
    pub gamma: f64,
    /// Momentum and weight decay.
    pub sgd: SgdConfig,
    /// Decides the initial weights, the order of the images and their augmentation.
    pub seed: u64,
    /// Steps of a training image, before normalisation.
    pub train_steps: Vec<Step>,
    /// Steps of every other image.
    pub eval_steps: Vec<Step>,
    /// Mean and standard deviation of the inputs.
    pub normalization: Normalization,
}

impl Recipe {
    /// The recipe of a data set's publications, for a run of so many epochs (or the usual number).
    pub fn of(dataset: DatasetName, epochs: Option<usize>) -> Self {
        let mut recipe = match dataset {
            DatasetName::Shapes => Self::shapes(epochs.unwrap_or(7)),
            DatasetName::Cifar10 | DatasetName::Cifar100 => Self::cifar(epochs.unwrap_or(300)),
            DatasetName::Imagenet => Self::imagenet(epochs.unwrap_or(90)),
            DatasetName::Folder => Self::folder(epochs.unwrap_or(30)),
        };
        recipe.dataset = dataset;
        recipe.set_inputs(Inputs::of(dataset));
        recipe
    }

    /// ABN section 4.1 and its code.
    fn cifar(epochs: usize) -> Self {
        Self {
            dataset: DatasetName::Cifar10,
            limit: None,
            architecture: "resnet20".to_owned(),
            block: None,
            dropout: None,
            attention: Some(AttentionConfig::abn()),
            epochs,
            batch_size: 128,
            learning_rate: 0.1,
            // Divided by 10 at 50 % and 75 % of the epochs.
            schedule: milestones(epochs, &[50, 75]),
            gamma: 0.1,
            sgd: SgdConfig {
                momentum: 0.9,
                weight_decay: 1e-4,
            },
            seed: 0,
            train_steps: vec![],
            eval_steps: vec![],
            normalization: Normalization::CIFAR,
        }
    }

    /// What ABN's code trains in another way for a family on CIFAR (its README and TRAINING.md),
    /// for a run of so many epochs (or the usual number).
    #[must_use]
    pub fn for_family(mut self, family: Family, epochs: Option<usize>) -> Self {
        if !matches!(self.dataset, DatasetName::Cifar10 | DatasetName::Cifar100) {
            return self;
        }
        match family {
            Family::WideResNet => {
                self.epochs = epochs.unwrap_or(200);
                self.schedule = milestones(self.epochs, &[30, 60, 80]);
                self.gamma = 0.2;
                self.sgd.weight_decay = 5e-4;
                self.dropout = self.dropout.or(Some(0.3));
            }
            Family::DenseNet => self.batch_size = 64,
            Family::ResNext => self.sgd.weight_decay = 5e-4,
            Family::ResNet | Family::Vgg => {}
        }
        self
    }

    /// Something to look at within two minutes.
    fn shapes(epochs: usize) -> Self {
        Self {
            architecture: "resnet8".to_owned(),
            batch_size: 16,
            learning_rate: 0.05,
            schedule: Schedule::Cosine,
            sgd: SgdConfig {
                momentum: 0.9,
                weight_decay: 5e-4,
            },
            ..Self::cifar(epochs)
        }
    }

    /// ABN's code on ImageNet; MANet differs in the augmentation.
    fn imagenet(epochs: usize) -> Self {
        Self {
            architecture: "resnet50".to_owned(),
            batch_size: 256,
            schedule: Schedule::Step(30),
            normalization: Normalization::IMAGENET,
            ..Self::cifar(epochs)
        }
    }

    /// A few hundred to some thousand photographs: small batches, so that there are enough steps.
    fn folder(epochs: usize) -> Self {
        Self {
            architecture: "resnet18".to_owned(),
            batch_size: 32,
            learning_rate: 0.05,
            schedule: Schedule::Cosine,
            sgd: SgdConfig {
                momentum: 0.9,
                weight_decay: 5e-4,
            },
            normalization: Normalization::IMAGENET,
            ..Self::cifar(epochs)
        }
    }

    /// Takes over the steps that these inputs stand for.
    pub fn set_inputs(&mut self, inputs: Inputs) {
        self.train_steps = inputs.train_steps();
        self.eval_steps = inputs.eval_steps();
    }

    /// The backbone.
    ///
    /// # Errors
    /// There is none of that name, or its blocks have no place for an attention module.
    pub fn network(&self) -> Result<NetworkConfig> {
        let mut network = crate::recipe::architectures::parse(&self.architecture)?.network;
        if let Some(attention) = &self.block {
            network = network.with_block_attention(Some(attention))?;
        }
        Ok(match self.dropout {
            Some(probability) => network.with_dropout(probability),
            None => network,
        })
    }

    /// The attention module in every residual block, if any.
    ///
    /// # Errors
    /// There is no architecture of that name.
    pub fn block_attention(&self) -> Result<Option<MixedAttentionConfig>> {
        let architecture = crate::recipe::architectures::parse(&self.architecture)?;
        let (named, _) = BlockName::split(&architecture.name);
        Ok(self.block.clone().or_else(|| named.attention()))
    }

    /// The network in words.
    pub fn title(&self) -> String {
        match &self.attention {
            None => format!("{} without attention", self.architecture),
            Some(_) => format!(
                "{} with attention {}",
                self.architecture,
                self.attention_name()
            ),
        }
    }

    /// The name of the attention branch, also of one whose details differ from its paper's.
    pub fn attention_name(&self) -> &'static str {
        AttentionName::of(self.attention.as_ref()).name()
    }

    /// Learning rate of an epoch, counted from 0.
    pub fn rate(&self, epoch: usize) -> f64 {
        self.schedule
            .rate(self.learning_rate, self.gamma, epoch, self.epochs)
    }

    /// Weight of the attention branch's loss.
    pub fn attention_weight(&self) -> f64 {
        self.attention
            .as_ref()
            .map_or(0.0, |attention| attention.loss_weight)
    }

    /// Transform of training images.
    pub fn train_transform(&self) -> Transform {
        Transform {
            steps: self.train_steps.clone(),
            normalization: self.normalization,
        }
    }

    /// Transform of all other images.
    pub fn eval_transform(&self) -> Transform {
        Transform {
            steps: self.eval_steps.clone(),
            normalization: self.normalization,
        }
    }

    /// Refuses what cannot be trained, before anything is written. A recipe may come from a file.
    ///
    /// # Errors
    /// A number is out of its range.
    pub fn check(&self) -> Result<()> {
        ensure!(
            (1..=MOST_EPOCHS).contains(&self.epochs),
            "--epochs must be 1 to {MOST_EPOCHS}"
        );
        ensure!(self.batch_size > 0, "--batch-size must be at least 1");
        ensure!(self.limit != Some(0), "--limit must be at least 1");
        let positive = |value: f64| value.is_finite() && value > 0.0;
        ensure!(
            positive(self.learning_rate),
            "--lr must be a positive number"
        );
        ensure!(
            positive(self.gamma) && self.gamma <= 1.0,
            "--gamma must be above 0 and at most 1"
        );
        ensure!(
            (0.0..1.0).contains(&self.sgd.momentum),
            "--momentum must be at least 0 and below 1"
        );
        ensure!(
            (0.0..1.0).contains(&self.sgd.weight_decay),
            "--weight-decay must be at least 0 and below 1"
        );
        let Normalization { mean, std } = self.normalization;
        ensure!(
            mean.iter().all(|value| value.is_finite()),
            "--mean must be three numbers"
        );
        ensure!(
            std.iter().all(|value| positive((*value).into())),
            "--std must be three positive numbers"
        );
        let smallest = self.network()?.smallest_side();
        for steps in [&self.train_steps, &self.eval_steps] {
            let side = least_side(steps);
            ensure!(
                side as usize >= smallest,
                "inputs of {side}x{side} are too small for {}: --size must be at least {smallest}",
                self.architecture
            );
        }
        if let Some(attention) = &self.attention {
            attention.check()?;
        }
        if let Some(block) = &self.block {
            block.check()?;
        }
        ensure!(
            self.dropout
                .is_none_or(|probability| (0.0..1.0).contains(&probability)),
            "--dropout must be at least 0 and below 1"
        );
        let network = crate::recipe::architectures::parse(&self.architecture)?.network;
        ensure!(
            self.dropout.is_none_or(|p| p == 0.0) || network.clone().with_dropout(0.25) != network,
            "--dropout is of no use: {} drops nothing in training (WRN, DenseNet and VGG do)",
            self.architecture
        );
        ensure!(
            [&self.train_steps, &self.eval_steps]
                .into_iter()
                .all(|steps| steps.len() <= MOST_STEPS),
            "too many steps"
        );
        ensure!(
            self.train_steps
                .iter()
                .chain(&self.eval_steps)
                .all(is_moderate),
            "a step makes images too large"
        );
        Ok(())
    }
}

/// The least side of an image after these steps. Where none of them sets it, it is that of the
/// small data sets.
fn least_side(steps: &[Step]) -> u32 {
    const UNCHANGED: u32 = 32;
    steps.iter().fold(UNCHANGED, |side, step| match *step {
        Step::Flip | Step::PadCrop { .. } => side,
        Step::ResizeShorter { size }
        | Step::CenterCrop { size }
        | Step::RandomCrop { size }
        | Step::RandomResizedCrop { size } => size,
        Step::Resize { width, height } => width.min(height),
    })
}

/// Whether a step makes images of a size that fits into memory many times.
fn is_moderate(step: &Step) -> bool {
    let largest = match *step {
        Step::Flip => 0,
        Step::PadCrop { padding: size }
        | Step::ResizeShorter { size }
        | Step::CenterCrop { size }
        | Step::RandomCrop { size }
        | Step::RandomResizedCrop { size } => size,
        Step::Resize { width, height } => width.max(height),
    };
    largest <= LARGEST_SIDE
}

/// Falls at those percentages of the epochs. One before the first epoch would only be a smaller
/// learning rate.
fn milestones(epochs: usize, percents: &[usize]) -> Schedule {
    let mut milestones: Vec<usize> = percents
        .iter()
        .map(|percent| epochs.saturating_mul(*percent) / 100)
        .collect();
    milestones.dedup();
    milestones.retain(|milestone| *milestone > 0);
    Schedule::Milestones(milestones)
}

#[cfg(test)]
mod tests {
    use abn_core::attention::MapConfig;
    use abn_core::backbone::StemConfig;
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn the_first_epoch_always_has_the_full_rate() {
        for (epochs, milestones) in [
            (1, vec![]),
            (2, vec![1]),
            (3, vec![1, 2]),
            (4, vec![2, 3]),
            (300, vec![150, 225]),
        ] {
            let recipe = Recipe::of(DatasetName::Cifar10, Some(epochs));
            assert_eq!(
                recipe.schedule,
                Schedule::Milestones(milestones),
                "{epochs} epochs"
            );
            assert_eq!(recipe.rate(0), recipe.learning_rate);
        }
    }

    #[test]
    fn every_data_set_has_a_whole_recipe() {
        for dataset in DatasetName::value_variants() {
            let recipe = Recipe::of(*dataset, None);
            recipe.check().unwrap();
            recipe.network().unwrap();
            assert_eq!(recipe.rate(0), recipe.learning_rate);
        }
        // ABN's code: divided by 10 after 30 and 60 epochs.
        let imagenet = Recipe::of(DatasetName::Imagenet, None);
        let rates = [29, 30, 60, 89].map(|epoch| (imagenet.rate(epoch) * 1e6).round());
        assert_eq!(rates, [100_000.0, 10_000.0, 1_000.0, 1_000.0]);
    }

    #[test]
    fn families_are_trained_as_their_authors_did() {
        let recipe =
            |family, epochs| Recipe::of(DatasetName::Cifar100, epochs).for_family(family, epochs);
        let wide = recipe(Family::WideResNet, None);
        assert_eq!(
            (wide.epochs, wide.gamma, wide.dropout),
            (200, 0.2, Some(0.3))
        );
        assert_eq!(wide.schedule, Schedule::Milestones(vec![60, 120, 160]));
        assert_eq!(
            recipe(Family::WideResNet, Some(10)).schedule,
            Schedule::Milestones(vec![3, 6, 8])
        );
        assert_eq!(recipe(Family::DenseNet, None).batch_size, 64);
        assert_eq!(recipe(Family::ResNext, None).sgd.weight_decay, 5e-4);
        assert_eq!(
            recipe(Family::ResNet, None),
            Recipe::of(DatasetName::Cifar100, None)
        );
        let photographs = Recipe::of(DatasetName::Folder, None);
        assert_eq!(
            photographs.clone().for_family(Family::WideResNet, None),
            photographs
        );
    }

    #[test]
    fn a_hostile_configuration_is_refused() {
        let config = || {
            let classes = (0..10).map(|class| class.to_string()).collect();
            RunConfig::new(Recipe::of(DatasetName::Cifar10, None), classes).unwrap()
        };
        let parse = |config: &RunConfig| RunConfig::parse(&serde_json::to_string(config).unwrap());
        assert_eq!(parse(&config()).unwrap(), config());
        let check = |change: fn(&mut RunConfig)| {
            let mut config = config();
            change(&mut config);
            assert!(parse(&config).is_err());
        };
        check(|config| config.recipe.epochs = usize::MAX);
        check(|config| config.recipe.eval_steps = vec![Step::CenterCrop { size: 30_000 }]);
        check(|config| config.recipe.train_steps = vec![Step::Flip; 1000]);
        check(|config| config.model.network.stem = StemConfig::Small { width: 1 << 40 });
        check(|config| config.model.classes = 1 << 40);
        check(|config| {
            for attention in [&mut config.recipe.attention, &mut config.model.attention]
                .into_iter()
                .flatten()
            {
                attention.map = MapConfig::Sigmoid { kernel: usize::MAX };
            }
        });
        check(|config| config.classes.clear());
    }
}
