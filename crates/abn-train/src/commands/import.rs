//! `abn import`: a run from a checkpoint that PyTorch wrote.

use abn_core::pytorch::from_pytorch;
use abn_core::state;
use abn_data::Split;
use anyhow::{Context, Result, ensure};

use super::attention;
use crate::checkpoint::Checkpoints;
use crate::cli::ImportArgs;
use crate::datasets::DatasetName;
use crate::recipe::{Recipe, RunConfig};
use crate::run_dir::RunDir;
use crate::weights::read_checkpoint;
use crate::{device, terminal};

/// Runs the command.
///
/// # Errors
/// The file is no checkpoint of that architecture, or the run cannot be written.
pub fn run(args: ImportArgs) -> Result<()> {
    let mut config = config_of(&args)?;
    config.imported = Some(args.file.display().to_string());
    let device = device::for_bookkeeping()?;
    let weights = from_pytorch(&config.model, read_checkpoint(&args.file)?, &device).with_context(|| {
        format!(
            "`{}` is not a checkpoint of {} and {} classes",
            args.file.display(),
            config.recipe.title(),
            config.classes.len()
        )
    })?;
    // Loading proves that the weights fit before anything is written.
    state::with_state(config.model.init(&device), weights.clone())?;
    ensure!(
        Checkpoints::open(args.out.join("checkpoints"))?.is_empty(),
        "`{}` is a run already; nothing was changed, choose another --out",
        args.out.display()
    );
    let run = RunDir::open_for_writing(&args.out, &config)?;
    Checkpoints::open(run.checkpoints())?.save_imported(&weights)?;
    terminal::result(&format!(
        "imported {} tensors into `{}`; try `abn eval {1}`",
        weights.len(),
        run.path().display()
    ))
}

fn config_of(args: &ImportArgs) -> Result<RunConfig> {
    let mut recipe = Recipe::of(args.dataset, None);
    let architecture = crate::architectures::parse(&args.arch)?;
    recipe.attention = attention(args.attention, &architecture);
    recipe.architecture = architecture.name;
    if let Some(mean) = args.mean {
        recipe.normalization.mean = mean;
    }
    if let Some(std) = args.std {
        recipe.normalization.std = std;
    }
    recipe.check()?;
    RunConfig::new(recipe, classes_of(args)?)
}

/// The data set's names where they are known or at hand and fit, numbers otherwise: an import needs no images.
fn classes_of(args: &ImportArgs) -> Result<Vec<String>> {
    let asked = args.classes.map(|count| count as usize);
    let fits = |names: &Vec<String>| asked.is_none_or(|count| names.len() == count);
    if let Some(names) = args.dataset.known_classes().filter(fits) {
        return Ok(names);
    }
    match (classes_at_hand(args.dataset), asked) {
        (Ok(names), _) if fits(&names) => Ok(names),
        (_, Some(count)) => Ok((0..count).map(|class| format!("class {class}")).collect()),
        (found, None) => found.context("the number of classes is unknown; give --classes"),
    }
}

fn classes_at_hand(dataset: DatasetName) -> Result<Vec<String>> {
    let folder = dataset.folder(None, None)?;
    Ok(dataset.open(Split::Test, folder.as_deref())?.classes)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn classes(options: &str) -> Result<Vec<String>> {
        let line = format!("abn import w.pth --arch resnet20 --out run {options}");
        match Cli::parse_from(line.split(' ')).command {
            Some(Command::Import(args)) => classes_of(&args),
            _ => panic!("another command"),
        }
    }

    #[test]
    fn classes_need_no_images() {
        for options in ["--dataset imagenet", "--dataset imagenet --classes 1000"] {
            let names = classes(options).unwrap();
            assert_eq!(
                (names.len(), names[0].as_str(), names[999].as_str()),
                (1000, "tench", "toilet tissue")
            );
        }
        assert_eq!(classes("--dataset imagenet --classes 2").unwrap(), ["class 0", "class 1"]);
        assert_eq!(classes("--dataset folder --classes 1").unwrap(), ["class 0"]);
        let error = classes("--dataset folder").unwrap_err().to_string();
        assert!(error.contains("give --classes"), "{error}");
    }
}
