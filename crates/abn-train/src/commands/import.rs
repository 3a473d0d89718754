//! `abn import`: a run from a checkpoint that PyTorch wrote.

use abn_core::pytorch::from_pytorch;
use abn_core::state;
use abn_data::Split;
use anyhow::{Context, Result, ensure};

use super::attention;
use crate::checkpoint::Checkpoints;
use crate::cli::ImportArgs;
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

/// The data set's names where they are at hand and fit, numbers otherwise: an import needs no images.
fn classes_of(args: &ImportArgs) -> Result<Vec<String>> {
    let folder = args.dataset.folder(None, None)?;
    let named = args.dataset.open(Split::Test, folder.as_deref()).map(|collection| collection.classes);
    let asked = args.classes.map(|count| count as usize);
    match (named, asked) {
        (Ok(names), None) => Ok(names),
        (Ok(names), Some(count)) if names.len() == count => Ok(names),
        (_, Some(count)) => Ok((0..count).map(|class| format!("class {class}")).collect()),
        (Err(error), None) => Err(error).context("the number of classes is unknown; give --classes"),
    }
}
