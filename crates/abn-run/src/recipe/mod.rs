//! What a run is: everything that decides its result, complete and comparable.

use abn_core::AttentionConfig;
use abn_core::architecture::{AttentionName, BlockName};
use abn_core::backbone::{Family, NetworkConfig};
use abn_core::loss::{Objective, Penalty};
use abn_core::mixed::MixedAttentionConfig;
use abn_core::outputs::Binary;
use abn_core::precision::Precision;
use abn_core::sgd::SgdConfig;
use abn_data::{Normalization, Step, Transform};
use serde::{Deserialize, Serialize};

pub mod architectures;
pub mod augmentation;
pub mod defaults;
pub mod detector;
mod error;
pub mod overrides;
pub mod recognise;
mod run_config;
pub mod schedule;

use self::augmentation::Augmentation;
use self::defaults::Defaults;
use self::detector::{DetectorName, DetectorRecipe};
pub use self::error::RecipeError;
use self::error::require;
pub use self::run_config::{Init, RunConfig, VERSION};
use self::schedule::{Schedule, WarmUp};
use crate::datasets::{DataSet, SHAPES, by_name};
use crate::measure::best::BestFigure;

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
    #[serde(with = "by_name")]
    pub dataset: &'static DataSet,
    /// Which of its labels are told, if not the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// Share of the built-in images that bear a mark which gives their class away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortcut: Option<f64>,
    /// Whether every image is cropped to the box of its object.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub crop_to_object: bool,
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
    /// What makes a detector of the network; none for a classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector: Option<DetectorRecipe>,
    /// How labels of two classes are learned.
    #[serde(default, skip_serializing_if = "Binary::is_usual")]
    pub binary: Binary,
    /// What a wrong answer costs.
    #[serde(default, skip_serializing_if = "Penalty::is_usual")]
    pub penalty: Penalty,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Whether the last step of an epoch is left out where it would have fewer images.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop_last: bool,
    /// Shares of a step that are computed apart: each is normalised by its own statistics, the
    /// first one's are kept, and the gradients are averaged over the images.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// Whether the replicas or processes that compute a step normalise its batch together, as one
    /// would: then there is one share, of which each has a part.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sync_batch_norm: bool,
    /// The numbers in which convolutions compute in training.
    #[serde(default, skip_serializing_if = "Precision::is_usual")]
    pub precision: Precision,
    /// Learning rate of the first epoch.
    pub learning_rate: f64,
    /// How it falls.
    pub schedule: Schedule,
    /// Factor of each fall, for the schedules that fall in steps.
    pub gamma: f64,
    /// How it rises in the first steps, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<WarmUp>,
    /// Momentum and weight decay.
    pub sgd: SgdConfig,
    /// Decides the initial weights, the order of the images and their augmentation.
    pub seed: u64,
    /// What the best epoch is chosen by, if not by top-1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<BestFigure>,
    /// Steps of a training image, before normalisation.
    pub train_steps: Vec<Step>,
    /// Steps of every other image.
    pub eval_steps: Vec<Step>,
    /// Mean and standard deviation of the inputs.
    pub normalization: Normalization,
}

/// As every batch was computed before it could be divided.
fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_one(count: &usize) -> bool {
    *count == 1
}

impl Recipe {
    /// The recipe of a data set's publications for its usual network, in a run of so many epochs
    /// (or the usual number).
    pub fn of(dataset: &'static DataSet, epochs: Option<usize>) -> Self {
        Self::with(dataset, &dataset.defaults, epochs)
    }

    /// The recipe of a data set's publications for networks of a family, in a run of so many epochs
    /// (or the usual number).
    pub fn for_family(dataset: &'static DataSet, family: Family, epochs: Option<usize>) -> Self {
        Self::with(dataset, &dataset.defaults_for(family), epochs)
    }

    fn with(dataset: &'static DataSet, defaults: &Defaults, epochs: Option<usize>) -> Self {
        let epochs = epochs.unwrap_or(defaults.epochs);
        let inputs = dataset.augmentation();
        Self {
            dataset,
            labels: None,
            shortcut: None,
            crop_to_object: false,
            limit: None,
            architecture: defaults.architecture.to_owned(),
            block: None,
            dropout: defaults.dropout,
            attention: Some(AttentionConfig::abn()),
            detector: None,
            binary: Binary::Softmax,
            penalty: Penalty::default(),
            epochs,
            batch_size: defaults.batch_size,
            drop_last: false,
            accumulate: 1,
            sync_batch_norm: false,
            precision: Precision::F32,
            learning_rate: defaults.learning_rate,
            schedule: defaults.falls.schedule(epochs),
            gamma: defaults.gamma,
            warm_up: None,
            sgd: defaults.sgd,
            seed: 0,
            best: None,
            train_steps: inputs.train_steps(),
            eval_steps: inputs.eval_steps(),
            normalization: defaults.normalization,
        }
    }

    /// The usual recipe of a detector on a data set whose objects are known, in a run of so many
    /// epochs (or the usual number).
    ///
    /// # Errors
    /// The objects of the data set are not known, or there is no such architecture.
    pub fn detecting(
        dataset: &'static DataSet,
        name: DetectorName,
        architecture: Option<&str>,
        epochs: Option<usize>,
    ) -> Result<Self, RecipeError> {
        let Some(objects) = &dataset.objects else {
            return Err(no_objects(dataset));
        };
        let usual = Self::with(dataset, &objects.defaults, epochs);
        let architecture = architecture.unwrap_or(objects.defaults.architecture);
        let network = architectures::parse(architecture)?.network;
        let detector = DetectorRecipe::usual(name, &network, objects.inputs);
        let detector = match objects.regions {
            Some(regions) => detector.of_few_regions(regions),
            None => detector,
        };
        Ok(Self {
            architecture: architecture.to_owned(),
            detector: Some(detector),
            warm_up: Some(objects.warm_up),
            train_steps: vec![Step::Flip],
            eval_steps: vec![],
            ..usual
        })
    }

    /// Learns these of the data set's labels.
    pub fn choose_labels(&mut self, labels: &str) {
        let usual = self.dataset.labels.first() == Some(&labels);
        self.labels = (!usual).then(|| labels.to_owned());
    }

    /// What its steps were made of.
    pub fn augmentation(&self) -> Augmentation {
        let usual = self.dataset.augmentation();
        usual.in_steps(&self.train_steps, &self.eval_steps)
    }

    /// Side of the square inputs in pixels; of a detector the shorter one.
    pub fn side(&self) -> usize {
        match &self.detector {
            Some(detector) => detector.inputs.shorter,
            None => self.augmentation().side as usize,
        }
    }

    /// Takes over the steps that this augmentation stands for.
    pub fn set_augmentation(&mut self, augmentation: Augmentation) {
        self.train_steps = augmentation.train_steps();
        self.eval_steps = augmentation.eval_steps();
    }

    /// The backbone.
    ///
    /// # Errors
    /// There is none of that name, or its blocks have no place for an attention module.
    pub fn network(&self) -> Result<NetworkConfig, RecipeError> {
        let mut network = architectures::parse(&self.architecture)?.network;
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
    pub fn block_attention(&self) -> Result<Option<MixedAttentionConfig>, RecipeError> {
        let architecture = architectures::parse(&self.architecture)?;
        let (named, _) = BlockName::split(&architecture.name);
        Ok(self.block.clone().or_else(|| named.attention()))
    }

    /// The network in words.
    pub fn title(&self) -> String {
        let network = match &self.detector {
            None => self.architecture.clone(),
            Some(detector) => format!("{}-{}", self.architecture, detector.name().name()),
        };
        match &self.attention {
            None => format!("{network} without attention"),
            Some(_) => format!("{network} with attention {}", self.attention_name()),
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

    /// Learning rate of a step of an epoch of so many steps, both counted from 0.
    pub fn rate_of_step(&self, epoch: usize, step: usize, steps: usize) -> f64 {
        let rate = self.rate(epoch);
        match &self.warm_up {
            Some(warm_up) if epoch == 0 => rate * warm_up.factor(step, steps),
            _ => rate,
        }
    }

    /// Weight of the attention branch's loss.
    pub fn attention_weight(&self) -> f64 {
        self.attention
            .as_ref()
            .map_or(0.0, |attention| attention.loss_weight)
    }

    /// What the network is to become.
    pub fn objective(&self) -> Objective {
        Objective {
            attention_weight: self.attention_weight(),
            penalty: self.penalty.clone(),
        }
    }

    /// Whether the maps are to learn where the objects are.
    pub fn learns_objects(&self) -> bool {
        let attention = self.attention.as_ref();
        attention.is_some_and(|attention| attention.terms.objects > 0.0)
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
    pub fn check(&self) -> Result<(), RecipeError> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let fraction = |value: f64| (0.0..1.0).contains(&value);
        let below_one = "at least 0 and below 1";
        let epochs = (1..=MOST_EPOCHS).contains(&self.epochs);
        require(epochs, "epochs", format!("1 to {MOST_EPOCHS}"))?;
        require(self.batch_size > 0, "batch_size", "at least 1")?;
        let shares = (1..=self.batch_size).contains(&self.accumulate);
        require(shares, "accumulate", "1 to the images a step")?;
        let whole = !self.sync_batch_norm || self.accumulate == 1;
        require(whole, "accumulate", "1 where batch norm is synchronised")?;
        require(self.limit != Some(0), "limit", "at least 1")?;
        let rate = positive(self.learning_rate);
        require(rate, "learning_rate", "a positive number")?;
        let gamma = positive(self.gamma) && self.gamma <= 1.0;
        require(gamma, "gamma", "above 0 and at most 1")?;
        require(fraction(self.sgd.momentum), "momentum", below_one)?;
        require(fraction(self.sgd.weight_decay), "weight_decay", below_one)?;
        let Normalization { mean, std } = self.normalization;
        let finite = mean.iter().all(|value| value.is_finite());
        require(finite, "mean", "three numbers")?;
        let deviations = std.iter().all(|value| positive((*value).into()));
        require(deviations, "std", "three positive numbers")?;
        if let Some(share) = self.shortcut {
            require(
                self.dataset == &SHAPES,
                "shortcut",
                "left out: only the images of shapes can bear a mark",
            )?;
            let share = share > 0.0 && share <= 1.0;
            require(share, "shortcut", "above 0 and at most 1")?;
        }
        require(
            self.dataset.tables || !self.crop_to_object,
            "crop_to_object",
            "left out: only of attributes, images may have a box each",
        )?;
        if let Some(warm_up) = &self.warm_up {
            warm_up.check()?;
        }
        self.check_labels()?;
        self.check_detector()?;
        self.check_inputs()?;
        if let Some(attention) = &self.attention {
            attention.check()?;
        }
        if let Some(block) = &self.block {
            block.check()?;
        }
        self.penalty.check().map_err(RecipeError::Penalty)?;
        self.check_dropout()
    }

    fn check_labels(&self) -> Result<(), RecipeError> {
        let Some(labels) = &self.labels else {
            return Ok(());
        };
        let choices = self.dataset.labels;
        let name = self.dataset.name;
        if self.dataset.tables {
            let name = !labels.is_empty() && !labels.contains(char::is_control);
            return require(name, "labels", "the name of a table");
        }
        if choices.is_empty() {
            return Err(RecipeError::range(
                "labels",
                format!("left out: images of {name} have one label"),
            ));
        }
        let known = choices.contains(&labels.as_str());
        require(
            known,
            "labels",
            format!("one of {} for {name}", choices.join(", ")),
        )
    }

    /// A detector needs objects, and what is of labels alone is of no use to it.
    fn check_detector(&self) -> Result<(), RecipeError> {
        let dataset = self.dataset;
        let Some(detector) = &self.detector else {
            let classified = !dataset
                .objects
                .as_ref()
                .is_some_and(|objects| objects.alone);
            let expected = format!(
                "fpn or c4: {} tells where objects are (the dataset attributes reads the same \
                 folder for which of them an image shows)",
                dataset.name
            );
            return require(classified, "detector", expected);
        };
        if dataset.objects.is_none() {
            return Err(no_objects(dataset));
        }
        let left_out = "left out: it is of classifiers alone";
        require(self.labels.is_none(), "labels", left_out)?;
        require(self.shortcut.is_none(), "shortcut", left_out)?;
        require(!self.crop_to_object, "crop_to_object", left_out)?;
        require(self.penalty.is_usual(), "penalty", left_out)?;
        require(
            self.best.is_none(),
            "best",
            "left out: a detector is chosen by its AP",
        )?;
        let terms = self.attention.as_ref().map(|attention| attention.terms);
        let none = terms.is_none_or(|terms| terms.is_none());
        require(none, "attention.terms", left_out)?;
        let flips = |steps: &[Step]| steps.iter().all(|step| *step == Step::Flip);
        require(
            flips(&self.train_steps) && self.eval_steps.is_empty(),
            "train_steps",
            "nothing but Flip, and eval_steps empty: images of a detector keep their aspect, and \
             detector.inputs says how large they become",
        )?;
        detector.check(&self.network()?, self.attention.as_ref())
    }

    fn check_inputs(&self) -> Result<(), RecipeError> {
        if self.detector.is_some() {
            return Ok(());
        }
        let smallest = self.network()?.smallest_side();
        for steps in [&self.train_steps, &self.eval_steps] {
            let side = least_side(steps);
            if (side as usize) < smallest {
                return Err(RecipeError::TooSmall {
                    side,
                    architecture: self.architecture.clone(),
                    smallest,
                });
            }
            if steps.len() > MOST_STEPS {
                return Err(RecipeError::Steps("too many steps"));
            }
            if !steps.iter().all(is_moderate) {
                return Err(RecipeError::Steps("a step makes images too large"));
            }
        }
        Ok(())
    }

    fn check_dropout(&self) -> Result<(), RecipeError> {
        let Some(probability) = self.dropout else {
            return Ok(());
        };
        let in_range = (0.0..1.0).contains(&probability);
        require(in_range, "dropout", "at least 0 and below 1")?;
        let network = architectures::parse(&self.architecture)?.network;
        if probability > 0.0 && network.clone().with_dropout(0.25) == network {
            return Err(RecipeError::NoDropout {
                architecture: self.architecture.clone(),
            });
        }
        Ok(())
    }
}

/// What to say where nobody knows the objects of a data set.
fn no_objects(dataset: &DataSet) -> RecipeError {
    let known = crate::datasets::ALL.iter();
    let known = known.filter(|known| known.objects.is_some());
    let names: Vec<&str> = known.map(|known| known.name).collect();
    RecipeError::range(
        "detector",
        format!(
            "left out: nothing tells where the objects of {} are; they are known of {}",
            dataset.name,
            names.join(", ")
        ),
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::{ALL, CIFAR10, CIFAR100, COCO, FOLDER, IMAGENET};

    #[test]
    fn the_first_epoch_always_has_the_full_rate() {
        for (epochs, milestones) in [
            (1, vec![]),
            (2, vec![1]),
            (3, vec![1, 2]),
            (4, vec![2, 3]),
            (300, vec![150, 225]),
        ] {
            let recipe = Recipe::of(&CIFAR10, Some(epochs));
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
        for dataset in ALL {
            let detectors = [DetectorName::Fpn, DetectorName::C4]
                .map(|name| Recipe::detecting(dataset, name, None, None));
            let alone = dataset
                .objects
                .as_ref()
                .is_some_and(|objects| objects.alone);
            let classifier = (!alone).then(|| Recipe::of(dataset, None));
            assert_eq!(detectors[0].is_ok(), dataset.objects.is_some());
            for recipe in detectors.into_iter().flatten().chain(classifier) {
                recipe.check().unwrap();
                recipe.network().unwrap();
                assert_eq!(recipe.rate(0), recipe.learning_rate);
            }
        }
        let error = Recipe::of(&COCO, None).check().unwrap_err().to_string();
        assert!(error.contains("detector must be fpn or c4"), "{error}");
        let error = Recipe::detecting(&CIFAR10, DetectorName::Fpn, None, None);
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("they are known of scenes, coco, voc"),
            "{error}"
        );
        // torchvision's reference of 26 epochs: divided by 10 after 16 and 22 of them.
        let coco = Recipe::detecting(&COCO, DetectorName::Fpn, None, None).unwrap();
        assert_eq!(coco.schedule, Schedule::Milestones(vec![16, 22]));
        let first = coco.rate_of_step(0, 0, 60_000);
        assert!((first - 0.0025e-3).abs() < 1e-12, "{first}");
        assert_eq!(coco.rate_of_step(0, 1000, 60_000), 0.0025);
        assert_eq!(coco.rate_of_step(1, 0, 60_000), 0.0025);
        // ABN's code: divided by 10 after 30 and 60 epochs.
        let imagenet = Recipe::of(&IMAGENET, None);
        let rates = [29, 30, 60, 89].map(|epoch| (imagenet.rate(epoch) * 1e6).round());
        assert_eq!(rates, [100_000.0, 10_000.0, 1_000.0, 1_000.0]);
    }

    #[test]
    fn families_are_trained_as_their_authors_did() {
        let recipe = |family, epochs| Recipe::for_family(&CIFAR100, family, epochs);
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
        assert_eq!(recipe(Family::ResNet, None), Recipe::of(&CIFAR100, None));
        assert_eq!(
            Recipe::for_family(&FOLDER, Family::WideResNet, None),
            Recipe::of(&FOLDER, None)
        );
    }

    #[test]
    fn labels_are_those_of_the_data_set() {
        let check = |dataset: &'static DataSet, labels: &str| {
            let labels = Some(labels.to_owned());
            let recipe = Recipe {
                labels,
                ..Recipe::of(dataset, None)
            };
            recipe.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(&CIFAR100, "both"), Ok(()));
        let error = check(&CIFAR100, "bth").unwrap_err();
        assert!(
            error.contains("one of fine, coarse, both for cifar100"),
            "{error}"
        );
        let error = check(&CIFAR10, "both").unwrap_err();
        assert!(
            error.contains("images of cifar10 have one label"),
            "{error}"
        );
    }
}
