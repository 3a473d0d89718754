//! `abn import`: a run from a checkpoint that PyTorch wrote.

use std::path::Path;

use abn_core::Outputs;
use abn_core::architecture::AttentionName;
use abn_core::attention::MapConfig;
use abn_core::outputs::Binary;
use abn_core::pytorch::{check, from_pytorch, is_detector, prefixes};
use abn_core::state::{self, State};
use abn_data::{Group, Labels, Split};
use abn_run::RunError;
use abn_run::datasets::{ATTRIBUTES, CIFAR10, CIFAR100, IMAGENET, Request};
use abn_run::folder::checkpoint::Checkpoints;
use abn_run::folder::run_dir::{RunDir, checkpoints_of};
use abn_run::recipe::architectures::with_block;
use abn_run::recipe::augmentation::Augmentation;
use abn_run::recipe::recognise::{close_to, is_backbone, outputs, recognise};
use abn_run::recipe::{Recipe, RunConfig, architectures, overrides};
use abn_run::weights::{Part, averaged_weights_in, read_part, recipe_in_file};
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;

use super::import_detector;
use super::recipe_from_args::usual_binary;
use crate::cli::ImportArgs;
use crate::device;
use crate::hints::options_of;
use crate::terminal;

/// Prefixes that an error names.
const MOST_PREFIXES: usize = 8;

/// Runs the command.
///
/// # Errors
/// The file is no checkpoint of that architecture, or the run cannot be written.
pub fn run(args: ImportArgs) -> Result<()> {
    let device = device::for_bookkeeping()?;
    let part = Part {
        key: args.key.as_deref(),
        prefix: args.prefix.as_deref(),
    };
    let checkpoint = read_part(&args.file, part)?;
    if args.key.is_none() {
        tell_of_averaged_weights(&args.file, "--key NAME takes them");
    }
    if let Some(detector) = args.detector {
        return import_detector::run(&args, detector, checkpoint, &device);
    }
    ensure!(
        !is_detector(&checkpoint),
        "`{}` is a detector: name its kind with --detector fpn, or c4",
        args.file.display()
    );
    let architecture = with_block(&args.arch, args.details.block)?;
    ensure!(
        !is_backbone(&architecture, &checkpoint, &device),
        "`{}` has no layer that tells classes: it is a backbone, from which `abn train --arch {} \
         --init FILE` starts",
        args.file.display(),
        architecture.name
    );
    let mut config = fitting(&args, config_of(&args, &checkpoint)?, &checkpoint, &device)?;
    config.imported = Some(args.file.display().to_string());
    let weights = from_pytorch(&config.model, checkpoint, &device)?;
    // Loading proves that the weights fit before anything is written.
    state::with_state(config.model.init(&device), weights.clone())?;
    write(&args, &config, &weights)
}

/// A file may have two sets of weights, of which one is taken.
pub(super) fn tell_of_averaged_weights(file: &Path, remedy: &str) {
    let keys = averaged_weights_in(file);
    if !keys.is_empty() {
        terminal::note(&format!(
            "note: `{}` has averaged weights too, under {}, which are not taken; {remedy}",
            file.display(),
            keys.join(", ")
        ));
    }
}

/// Makes the run and says so.
pub(super) fn write(args: &ImportArgs, config: &RunConfig, weights: &State) -> Result<()> {
    ensure!(
        Checkpoints::open(checkpoints_of(&args.out))?.is_empty(),
        "`{}` is a run already; nothing was changed, choose another --out",
        args.out.display()
    );
    let run = RunDir::open_for_writing(&args.out, config)?;
    Checkpoints::open(run.checkpoints())?.save_imported(weights)?;
    if args.json {
        let recipe = &config.recipe;
        return terminal::json(&serde_json::json!({
            "run": run.path(),
            "tensors": weights.len(),
            "architecture": recipe.architecture,
            "attention": recipe.attention_name(),
            "classes": config.labels.count(),
            "dataset": recipe.dataset.name,
        }));
    }
    terminal::result(&format!(
        "imported {} tensors of {} and {} into `{}`; try `abn eval {3}`",
        weights.len(),
        config.recipe.title(),
        config.labels.title(),
        run.path().display()
    ))
}

/// The configuration asked for, or the one of the checkpoint if that differs only in what nobody
/// names.
fn fitting(
    args: &ImportArgs,
    asked: RunConfig,
    checkpoint: &State,
    device: &Device,
) -> Result<RunConfig> {
    let Err(mismatch) = check(&asked.model, checkpoint, device) else {
        return Ok(asked);
    };
    let classes = asked.model.outputs.learned().total();
    let Some(recipe) = close_to(&asked.recipe, classes, checkpoint, device) else {
        let architecture = architectures::parse(&asked.recipe.architecture)?;
        let known = recognise(&architecture, checkpoint, device);
        let hint = match known {
            Some(known) => format!("; it fits {}", options_of(&known)),
            None => among(&prefixes(checkpoint)),
        };
        return Err(mismatch).with_context(|| {
            format!(
                "`{}` is not a checkpoint of {} and {classes} classes{hint}",
                args.file.display(),
                asked.recipe.title()
            )
        });
    };
    if recipe.architecture != asked.recipe.architecture {
        terminal::note(&format!(
            "note: the checkpoint's shortcuts have no parameters, so it is imported as {}",
            recipe.architecture
        ));
    }
    if recipe.attention != asked.recipe.attention {
        terminal::note(
            "note: the checkpoint's attention map is made in another way than the papers' for this \
             network",
        );
    }
    Ok(RunConfig::new(recipe, asked.labels)?)
}

/// What to say of a file whose names begin in several ways.
fn among(prefixes: &[(String, usize)]) -> String {
    let shown = prefixes.iter().take(MOST_PREFIXES);
    let counted: Vec<String> = shown
        .map(|(prefix, count)| format!("{prefix} ({count})"))
        .collect();
    match counted.is_empty() {
        true => String::new(),
        false => format!(
            "; --prefix takes those of its tensors whose names begin with one of: {}",
            counted.join(", ")
        ),
    }
}

fn config_of(args: &ImportArgs, checkpoint: &State) -> Result<RunConfig> {
    let architecture = with_block(&args.arch, args.details.block)?;
    let classes = match args.classes {
        Some(count) => Some(count as usize),
        None => outputs(&architecture, checkpoint),
    };
    // What we exported says itself how its network was trained, beyond what names and shapes tell.
    let exported = recipe_in_file(&args.file).filter(|recipe| {
        recipe.architecture == architecture.name && recipe.attention_name() == args.attention.name()
    });
    let usual = match classes {
        _ if is_multitask(args.attention) => &ATTRIBUTES,
        _ if architecture.is_for_photographs() => &IMAGENET,
        Some(100) => &CIFAR100,
        _ => &CIFAR10,
    };
    let dataset = args
        .dataset
        .or(exported.as_ref().map(|recipe| recipe.dataset))
        .unwrap_or(usual);
    let mut recipe = match exported {
        Some(recipe) => Recipe { dataset, ..recipe },
        None => Recipe {
            attention: architecture.attention(args.attention),
            architecture: architecture.name,
            binary: usual_binary(args.attention),
            ..Recipe::of(dataset, None)
        },
    };
    recipe.binary = args.details.binary.unwrap_or(recipe.binary);
    if let Some(mean) = args.inputs.mean {
        recipe.normalization.mean = mean;
    }
    if let Some(std) = args.inputs.std {
        recipe.normalization.std = std;
    }
    if let Some(side) = args.inputs.size {
        let augmentation = recipe.augmentation();
        recipe.set_augmentation(Augmentation {
            side,
            ..augmentation
        });
    }
    let recipe = overrides::apply(recipe, &args.details.settings)?;
    recipe.check()?;
    let labels = match &args.classes_file {
        Some(file) => named_in(file, classes)?,
        None => labels(&recipe, args.data.as_deref(), classes)?,
    };
    Ok(RunConfig::new(recipe, labels)?)
}

/// One label whose classes are named in a file.
fn named_in(file: &Path, count: Option<usize>) -> Result<Labels> {
    let names = abn_data::class_names(file)?;
    ensure!(
        count.is_none_or(|count| count == names.len()),
        "`{}` names {} classes, and the checkpoint has {}",
        file.display(),
        names.len(),
        count.unwrap_or_default()
    );
    Ok(Labels::one(names))
}

/// The data set's labels where they are known or at hand and fit, numbered classes otherwise: an
/// import needs no images. Those of a folder that is given must fit.
fn labels(recipe: &Recipe, folder: Option<&Path>, count: Option<usize>) -> Result<Labels> {
    let learned = |labels: &Labels| Outputs::of(labels.sizes()).with(recipe.binary).learned();
    let fits = |labels: &Labels| count.is_none_or(|count| learned(labels).total() == count);
    if let Some(folder) = folder {
        let labels = labels_in(recipe, Some(folder))?;
        ensure!(
            fits(&labels),
            "`{}` has {}, and the checkpoint has {} outputs",
            folder.display(),
            labels.title(),
            count.unwrap_or_default()
        );
        return Ok(labels);
    }
    let known = recipe
        .dataset
        .known_classes
        .map(|classes| Labels::one(classes()));
    if let Some(labels) = known.filter(fits) {
        return Ok(labels);
    }
    match (labels_in(recipe, None), count) {
        (Ok(labels), _) if fits(&labels) => Ok(labels),
        (Err(error), _) if recipe.labels.is_some() => {
            Err(error).context("the checkpoint has several labels, whose classes are unknown")
        }
        (_, Some(count)) if recipe.binary == Binary::Sigmoid => Ok(attributes(count)),
        (_, Some(count)) if is_of_logits(recipe) => Ok(attributes(count / 2)),
        (_, Some(count)) => {
            let numbered = (0..count).map(|class| format!("class {class}"));
            Ok(Labels::one(numbered.collect()))
        }
        (found, None) => found.context("the number of classes is unknown; give --classes"),
    }
}

/// The labels of facial attributes if there are as many, numbered ones otherwise; each is absent or
/// present.
fn attributes(count: usize) -> Labels {
    let celeba = abn_data::CELEBA_ATTRIBUTES;
    let name = |number: usize| match celeba.get(number) {
        Some(name) if count == celeba.len() => (*name).to_owned(),
        _ => format!("label {number}"),
    };
    let group = |number| Group::attribute(name(number));
    Labels::of((0..count).map(group).collect())
}

/// Whether the network is one of several labels that are absent or present.
fn is_of_logits(recipe: &Recipe) -> bool {
    let attention = recipe.attention.as_ref();
    attention.is_some_and(|attention| matches!(attention.map, MapConfig::Logit(_)))
}

/// Whether the branch is of several labels.
fn is_multitask(attention: AttentionName) -> bool {
    usual_binary(attention) == Binary::Sigmoid
}

/// The labels of the data set, which lies in that folder or where it usually does.
fn labels_in(recipe: &Recipe, folder: Option<&Path>) -> Result<Labels, RunError> {
    let folder = recipe.dataset.folder(folder, None)?;
    let opened = recipe.dataset.open(&Request {
        labels: recipe.labels.as_deref(),
        ..Request::of(Split::HeldOut, folder.as_deref())
    });
    Ok(opened.map_err(RunError::DataSet)?.labels)
}

#[cfg(test)]
mod tests {
    use abn_run::datasets::{DataSet, FOLDER};

    use super::*;

    fn names(dataset: &'static DataSet, count: Option<usize>) -> Result<Vec<String>> {
        let labels = labels(&Recipe::of(dataset, None), None, count)?;
        Ok(labels.classes().cloned().collect())
    }

    #[test]
    fn class_names_need_no_images() {
        let known = names(&IMAGENET, Some(1000)).unwrap();
        assert_eq!(
            (known[0].as_str(), known[999].as_str()),
            ("tench", "toilet tissue")
        );
        assert_eq!(names(&IMAGENET, Some(2)).unwrap(), ["class 0", "class 1"]);
        assert_eq!(names(&FOLDER, Some(1)).unwrap(), ["class 0"]);
        let error = names(&FOLDER, None).unwrap_err().to_string();
        assert!(error.contains("give --classes"), "{error}");
    }
}
