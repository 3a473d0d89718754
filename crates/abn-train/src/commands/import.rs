//! `abn import`: a run from a checkpoint that PyTorch wrote.

use abn_core::pytorch::{check, from_pytorch};
use abn_core::state::{self, State};
use abn_data::Split;
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;

use crate::cli::ImportArgs;
use crate::device;
use crate::terminal;
use abn_run::datasets::DatasetName;
use abn_run::folder::checkpoint::Checkpoints;
use abn_run::folder::foreign;
use abn_run::folder::run_dir::{RunDir, checkpoints_of};
use abn_run::folder::weights::{read_checkpoint, recipe_of};
use abn_run::recipe::architectures::with_block;
use abn_run::recipe::augmentation::Inputs;
use abn_run::recipe::overrides;
use abn_run::recipe::{Recipe, RunConfig};

/// Runs the command.
///
/// # Errors
/// The file is no checkpoint of that architecture, or the run cannot be written.
pub fn run(args: ImportArgs) -> Result<()> {
    let device = device::for_bookkeeping()?;
    let checkpoint = read_checkpoint(&args.file)?;
    let mut config = fitting(&args, config_of(&args, &checkpoint)?, &checkpoint, &device)?;
    config.imported = Some(args.file.display().to_string());
    let weights = from_pytorch(&config.model, checkpoint, &device)?;
    // Loading proves that the weights fit before anything is written.
    state::with_state(config.model.init(&device), weights.clone())?;
    ensure!(
        Checkpoints::open(checkpoints_of(&args.out))?.is_empty(),
        "`{}` is a run already; nothing was changed, choose another --out",
        args.out.display()
    );
    let run = RunDir::open_for_writing(&args.out, &config)?;
    Checkpoints::open(run.checkpoints())?.save_imported(&weights)?;
    if args.json {
        let recipe = &config.recipe;
        return terminal::json(&serde_json::json!({
            "run": run.path(),
            "tensors": weights.len(),
            "architecture": recipe.architecture,
            "attention": recipe.attention_name(),
            "classes": config.classes.len(),
            "dataset": recipe.dataset.name(),
        }));
    }
    terminal::result(&format!(
        "imported {} tensors of {} and {} classes into `{}`; try `abn eval {3}`",
        weights.len(),
        config.recipe.title(),
        config.classes.len(),
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
    let classes = asked.classes.len();
    let Some(recipe) = foreign::close_to(&asked.recipe, classes, checkpoint, device) else {
        let hint = foreign::hint(&asked.recipe, checkpoint, device);
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
    RunConfig::new(recipe, asked.classes)
}

fn config_of(args: &ImportArgs, checkpoint: &State) -> Result<RunConfig> {
    let architecture = with_block(&args.arch, args.block)?;
    let classes = match args.classes {
        Some(count) => Some(count as usize),
        None => foreign::outputs(&architecture, checkpoint),
    };
    // What we exported says itself how its network was trained, beyond what names and shapes tell.
    let exported = recipe_of(&args.file).filter(|recipe| {
        recipe.architecture == architecture.name && recipe.attention_name() == args.attention.name()
    });
    let usual = match classes {
        _ if architecture.is_for_photographs() => DatasetName::Imagenet,
        Some(100) => DatasetName::Cifar100,
        _ => DatasetName::Cifar10,
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
            ..Recipe::of(dataset, None)
        },
    };
    if let Some(mean) = args.mean {
        recipe.normalization.mean = mean;
    }
    if let Some(std) = args.std {
        recipe.normalization.std = std;
    }
    if let Some(side) = args.size {
        let mut inputs = Inputs::of_recipe(&recipe);
        inputs.side = side;
        recipe.set_inputs(inputs);
    }
    let recipe = overrides::apply(recipe, &args.settings)?;
    recipe.check()?;
    RunConfig::new(recipe, class_names(dataset, classes)?)
}

/// The data set's names where they are known or at hand and fit, numbers otherwise: an import needs
/// no images.
fn class_names(dataset: DatasetName, count: Option<usize>) -> Result<Vec<String>> {
    let fits = |names: &Vec<String>| count.is_none_or(|count| names.len() == count);
    if let Some(names) = dataset.known_classes().filter(fits) {
        return Ok(names);
    }
    match (classes_at_hand(dataset), count) {
        (Ok(names), _) if fits(&names) => Ok(names),
        (_, Some(count)) => Ok((0..count).map(|class| format!("class {class}")).collect()),
        (found, None) => found.context("the number of classes is unknown; give --classes"),
    }
}

fn classes_at_hand(dataset: DatasetName) -> Result<Vec<String>> {
    let folder = dataset.folder(None, None)?;
    Ok(dataset.open(Split::Test, folder.as_deref(), None)?.classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_need_no_images() {
        let names = class_names(DatasetName::Imagenet, Some(1000)).unwrap();
        assert_eq!(
            (names[0].as_str(), names[999].as_str()),
            ("tench", "toilet tissue")
        );
        assert_eq!(
            class_names(DatasetName::Imagenet, Some(2)).unwrap(),
            ["class 0", "class 1"]
        );
        assert_eq!(
            class_names(DatasetName::Folder, Some(1)).unwrap(),
            ["class 0"]
        );
        let error = class_names(DatasetName::Folder, None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("give --classes"), "{error}");
    }
}
