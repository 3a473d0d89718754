//! From the options of `abn train` to the recipe that they ask for.

use std::path::Path;

use abn_core::architecture::AttentionName;
use abn_core::detect::Frozen;
use abn_core::outputs::Binary;
use abn_data::Within;
use abn_run::datasets::{DataSet, SHAPES};
use abn_run::folder::run_dir::RunDir;
use abn_run::recipe::architectures::{self, with_block};
use abn_run::recipe::detector::{DetectorName, DetectorRecipe};
use abn_run::recipe::recognise::recognise;
use abn_run::recipe::schedule::WarmUp;
use abn_run::recipe::{Recipe, RunConfig, overrides};
use abn_run::weights::read_checkpoint;
use anyhow::{Result, ensure};

use crate::cli::TrainArgs;
use crate::device;

/// What is trained on where nothing is said.
const USUAL: &DataSet = &SHAPES;

/// The recipe of the existing run, or the data set's, with every option that was given in its
/// place.
///
/// # Errors
/// An option names what does not exist, or what to start from cannot be read.
pub(crate) fn recipe_from_args(args: &TrainArgs, existing: Option<&RunConfig>) -> Result<Recipe> {
    let mut recipe = match existing {
        Some(config) => config.recipe.clone(),
        None => new_recipe(args)?,
    };
    if let (Some(name), Some(run)) = (args.detector, existing) {
        check_detector(name, run)?;
    }
    let architecture = match &args.arch {
        None if args.details.block.is_none() => architectures::parse(&recipe.architecture)?,
        named => with_block(
            named.as_ref().unwrap_or(&recipe.architecture),
            args.details.block,
        )?,
    };
    let branch = match (args.attention, existing) {
        (None, None) => Some(AttentionName::Abn),
        // The details of the run's own branch are options left out.
        (Some(name), Some(run)) if name.name() == run.recipe.attention_name() => None,
        (name, _) => name,
    };
    set_numbers(&mut recipe, args);
    set(
        &mut recipe.attention,
        branch.map(|name| architecture.attention(name)),
    );
    let binary = branch.map(usual_binary).filter(|_| existing.is_none());
    set(&mut recipe.binary, args.details.binary.or(binary));
    set_inputs(&mut recipe, args)?;
    recipe.architecture = architecture.name;
    Ok(overrides::apply(recipe, &args.details.settings)?)
}

/// A run stays what it is.
fn check_detector(asked: DetectorName, run: &RunConfig) -> Result<()> {
    let own = run.recipe.detector.as_ref().map(DetectorRecipe::name);
    ensure!(
        own == Some(asked),
        "--detector {}: this run is {}; train another with another --out",
        asked.name(),
        own.map_or("one of a classifier".to_owned(), |own| {
            format!("one of the detector {}", own.name())
        })
    );
    Ok(())
}

/// What images become.
fn set_inputs(recipe: &mut Recipe, args: &TrainArgs) -> Result<()> {
    if let Some(detector) = &mut recipe.detector {
        ensure!(
            args.augment.is_none(),
            "--augment is for classifiers: a detector's images are mirrored and keep their aspect"
        );
        if let Some(side) = args.inputs.size {
            detector.inputs = Within::of(side as usize);
        }
        return Ok(());
    }
    let mut augmentation = recipe.augmentation();
    set(&mut augmentation.augment, args.augment);
    set(&mut augmentation.side, args.inputs.size);
    if augmentation != recipe.augmentation() {
        recipe.set_augmentation(augmentation);
    }
    Ok(())
}

/// How labels of two classes are learned under a branch, unless said otherwise: the authors' code
/// for facial attributes has a logit for each label.
pub(crate) fn usual_binary(branch: AttentionName) -> Binary {
    match branch {
        AttentionName::Mtabn | AttentionName::MtabnResidual => Binary::Sigmoid,
        AttentionName::None | AttentionName::Abn | AttentionName::Manet => Binary::Softmax,
    }
}

/// Puts a given value in the place of another.
fn set<T>(slot: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *slot = value;
    }
}

fn set_numbers(recipe: &mut Recipe, args: &TrainArgs) {
    set(&mut recipe.dataset, args.dataset);
    recipe.shortcut = args.shortcut.or(recipe.shortcut);
    recipe.crop_to_object |= args.crop_to_object;
    if let Some(labels) = &args.labels {
        recipe.choose_labels(labels);
    }
    set(&mut recipe.epochs, args.epochs);
    set(&mut recipe.batch_size, args.batch_size);
    recipe.drop_last |= args.drop_last;
    set(&mut recipe.accumulate, args.accumulate);
    recipe.sync_batch_norm |= args.sync_batch_norm;
    set(&mut recipe.precision, args.precision);
    set(&mut recipe.learning_rate, args.lr);
    set(&mut recipe.schedule, args.schedule.clone());
    set(&mut recipe.gamma, args.gamma);
    if let Some(steps) = args.warm_up {
        recipe.warm_up = (steps > 0).then_some(WarmUp::of(steps));
    }
    set(&mut recipe.sgd.weight_decay, args.weight_decay);
    set(&mut recipe.sgd.momentum, args.momentum);
    set(&mut recipe.seed, args.seed);
    set(&mut recipe.best, args.best.map(Some));
    set(&mut recipe.normalization.mean, args.inputs.mean);
    set(&mut recipe.normalization.std, args.inputs.std);
    set(&mut recipe.limit, args.limit.map(Some));
    set(&mut recipe.dropout, args.dropout.map(Some));
    set(&mut recipe.penalty.focal, args.penalty.focal);
}

/// The recipe of the data set for the network. A run to start from also decides the network, unless
/// another is asked for, and the normalisation, without which its weights are of no use.
fn new_recipe(args: &TrainArgs) -> Result<Recipe> {
    let dataset = args.dataset.unwrap_or(USUAL);
    let usual = Recipe::of(dataset, args.epochs);
    let start = match args.init.as_deref() {
        Some(run) if run.is_dir() => Some(RunDir::open(run)?.1.recipe),
        Some(file) => recognised(args, &usual, file)?,
        None => None,
    };
    let same = start
        .as_ref()
        .filter(|_| args.arch.is_none() && args.details.block.is_none());
    let of_start = start.as_ref().map(|start| &start.architecture);
    let name = args
        .arch
        .as_ref()
        .or(of_start)
        .unwrap_or(&usual.architecture);
    if let Some(detector) = args.detector {
        return new_detector(args, detector, start.as_ref());
    }
    let family = architectures::parse(name)?.network.family;
    let recipe = Recipe::for_family(dataset, family, args.epochs);
    Ok(Recipe {
        architecture: of_start.unwrap_or(&usual.architecture).clone(),
        block: same.and_then(|start| start.block.clone()),
        dropout: same.map_or(recipe.dropout, |start| start.dropout),
        normalization: start
            .as_ref()
            .map_or(recipe.normalization, |start| start.normalization),
        ..recipe
    })
}

/// The recipe of a detector. Where it starts from trained weights, the first parts of its backbone
/// and all its batch norms stay as they are.
fn new_detector(args: &TrainArgs, name: DetectorName, start: Option<&Recipe>) -> Result<Recipe> {
    let dataset = args.dataset.unwrap_or(USUAL);
    let block = args.details.block;
    let same = start.filter(|_| args.arch.is_none() && block.is_none());
    let asked = match (&args.arch, block) {
        (Some(name), block) => Some(with_block(name, block)?.name),
        (None, _) => start.map(|start| start.architecture.clone()),
    };
    let recipe = Recipe::detecting(dataset, name, asked.as_deref(), args.epochs)?;
    let pretrained = args.init.as_ref().map(|_| Frozen::PRETRAINED);
    Ok(Recipe {
        block: same.and_then(|start| start.block.clone()),
        normalization: start.map_or(recipe.normalization, |start| start.normalization),
        detector: recipe.detector.map(|detector| DetectorRecipe {
            frozen: pretrained.unwrap_or(detector.frozen),
            ..detector
        }),
        ..recipe
    })
}

/// The recipe with the architecture of a checkpoint to start from, where none is asked for.
fn recognised(args: &TrainArgs, usual: &Recipe, file: &Path) -> Result<Option<Recipe>> {
    if args.arch.is_some() {
        return Ok(None);
    }
    let asked = architectures::parse(&usual.architecture)?;
    let found = recognise(&asked, &read_checkpoint(file)?, &device::for_bookkeeping()?);
    Ok(found.map(|found| {
        let family = found.architecture.network.family;
        Recipe {
            architecture: found.architecture.name,
            ..Recipe::for_family(usual.dataset, family, args.epochs)
        }
    }))
}
