//! Weights to start from: those of a run or of a PyTorch checkpoint, as far as they fit the
//! network.

use std::collections::BTreeSet;
use std::path::Path;

use abn_core::pytorch::part_from_pytorch;
use abn_core::state::{State, state_of};
use abn_core::transfer::{Transfer, start_from};
use abn_run::digest::sha256;
use abn_run::folder::checkpoint::{CheckpointChoice, Checkpoints};
use abn_run::folder::run_dir::{RunDir, checkpoints_of};
use abn_run::recipe::{Init, RunConfig};
use abn_run::weights::{read_checkpoint, to_safetensors};
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;

use crate::hints::hint_of_checkpoint;
use crate::terminal;

/// Most parts that a line of the listing names.
const SHOWN: usize = 12;

/// Weights as they were found.
struct Found {
    state: State,
    /// Whether the names are ours or PyTorch's.
    ours: bool,
}

/// Resolves `--init`: the weights that this run starts from, or `None` for random ones. An existing
/// run keeps those that it was made with.
///
/// # Errors
/// The weights cannot be read.
pub fn init_of(given: Option<&Path>, existing: Option<&RunConfig>) -> Result<Option<Init>> {
    let last = existing.and_then(|config| config.init.clone());
    let Some(given) = given else { return Ok(last) };
    let from = std::path::absolute(given).context("--init is not a usable path")?;
    match last {
        Some(last) if last.from == from => Ok(Some(last)),
        _ => {
            let sha256 = digest(&read(&from)?.state)?;
            Ok(Some(Init { from, sha256 }))
        }
    }
}

/// The whole state that the run in that folder starts from, in our names; says what of it was
/// loaded and what not. `None` if it starts from random weights, or continues from a checkpoint.
///
/// # Errors
/// The weights cannot be read, are not those that the run was made with, or are of another network.
pub fn start(config: &RunConfig, run: &Path, device: &Device) -> Result<Option<State>> {
    match &config.init {
        Some(init) if Checkpoints::open(checkpoints_of(run))?.is_empty() => {
            state(init, config, device).map(Some)
        }
        _ => Ok(None),
    }
}

fn state(init: &Init, config: &RunConfig, device: &Device) -> Result<State> {
    let found = read(&init.from)?;
    ensure!(
        digest(&found.state)? == init.sha256,
        "`{}` does not hold the weights any more that this run was made with; choose another --out",
        init.from.display()
    );
    let fresh = state_of(&config.model.init_seeded(config.recipe.seed, device));
    let misfit = || {
        format!(
            "`{}` does not fit {}",
            init.from.display(),
            config.recipe.title()
        )
    };
    let (given, unused) = match found.ours {
        true => (found.state, Vec::new()),
        false => {
            let hint = hint_of_checkpoint(&config.recipe, &found.state, device);
            part_from_pytorch(&config.model, found.state, device)
                .with_context(|| format!("{}{hint}", misfit()))?
        }
    };
    let mut transfer = start_from(&config.model, fresh, given).with_context(misfit)?;
    transfer.unused.extend(unused);
    announce(&init.from, &transfer);
    Ok(transfer.state)
}

fn read(from: &Path) -> Result<Found> {
    if !from.is_dir() {
        return Ok(Found {
            state: read_checkpoint(from)?,
            ours: false,
        });
    }
    let (run, _) = RunDir::open(from)?;
    Ok(Found {
        state: Checkpoints::open(run.checkpoints())?.weights(CheckpointChoice::Best)?,
        ours: true,
    })
}

fn digest(state: &State) -> Result<String> {
    let floats = state
        .iter()
        .map(|(name, data)| (name.clone(), data.clone().convert::<f32>()))
        .collect();
    Ok(sha256(&to_safetensors(&floats)?))
}

fn announce(from: &Path, transfer: &Transfer) {
    terminal::note(&format!("starting from `{}`:", from.display()));
    let list = |what: &str, names: &[String]| {
        if !names.is_empty() {
            terminal::note(&format!(
                "  {what} {} tensors: {}",
                names.len(),
                parts(names)
            ));
        }
    };
    list("loaded", &transfer.loaded);
    list(
        "copied from the last stage into the branch's",
        &transfer.copied,
    );
    list("not loaded, random:", &transfer.fresh);
    list("not used of the file:", &transfer.unused);
}

/// The parts of the network that the tensors belong to, such as `network.stages.1`.
fn parts(names: &[String]) -> String {
    let part = |name: &String| {
        let fields: Vec<&str> = name.split('.').collect();
        let depth = if fields.get(1) == Some(&"stages") {
            3
        } else {
            2
        };
        fields[..depth.min(fields.len())].join(".")
    };
    let parts: BTreeSet<String> = names.iter().map(part).collect();
    let mut text = parts
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if parts.len() > SHOWN {
        text.push_str(&format!(" and {} more", parts.len() - SHOWN));
    }
    text
}
