//! Weights to start a training from: those of a run or of a PyTorch checkpoint, as far as they fit
//! the network.

use std::path::{Path, PathBuf};

use abn_core::pytorch::{is_detector, part_from_pytorch, part_of_detector};
use abn_core::state::{State, StateMismatch, state_of};
use abn_core::transfer::{Transfer, start_from};
use burn::tensor::Device;

use crate::RunError;
use crate::digest::sha256;
use crate::folder::checkpoint::{CheckpointChoice, Checkpoints};
use crate::folder::run_dir::{RunDir, checkpoints_of};
use crate::recipe::recognise::{Recognised, recognise};
use crate::recipe::{Init, RunConfig, architectures};
use crate::weights::{read_checkpoint, to_safetensors};

/// Why a training cannot start from given weights.
#[derive(Debug, thiserror::Error)]
pub enum WarmStartError {
    /// A path that cannot be used.
    #[error("the weights to start from are at no usable path")]
    Unusable(#[source] std::io::Error),
    /// A file or run that was replaced.
    #[error("`{}` does not hold the weights any more that this run was made with", .0.display())]
    Replaced(PathBuf),
    /// Weights of another network.
    #[error("`{}` does not fit {network}", from.display())]
    Misfit {
        /// The run or file.
        from: PathBuf,
        /// The network that was asked for.
        network: String,
        /// The known network that the weights are of.
        known: Option<Box<Recognised>>,
        /// What differs.
        source: Box<StateMismatch>,
    },
}

/// Weights as they were found.
struct Found {
    state: State,
    /// Whether the names are ours or PyTorch's.
    ours: bool,
}

/// The weights that a run starts from, or `None` for random ones: those at `given`, or those that
/// the existing run was made with.
///
/// # Errors
/// The weights cannot be read.
pub fn init_of(
    given: Option<&Path>,
    existing: Option<&RunConfig>,
) -> Result<Option<Init>, RunError> {
    let last = existing.and_then(|config| config.init.clone());
    let Some(given) = given else { return Ok(last) };
    let from = std::path::absolute(given).map_err(WarmStartError::Unusable)?;
    match last {
        Some(last) if last.from == from => Ok(Some(last)),
        _ => {
            let sha256 = digest(&read(&from)?.state)?;
            Ok(Some(Init { from, sha256 }))
        }
    }
}

/// The whole state that the run in that folder starts from, in our names, with what of it was
/// loaded and what not. `None` if it starts from random weights, or continues from a checkpoint.
///
/// # Errors
/// The weights cannot be read, are not those that the run was made with, or are of another network.
pub fn start(
    config: &RunConfig,
    run: &Path,
    device: &Device,
) -> Result<Option<Transfer>, RunError> {
    match &config.init {
        Some(init) if Checkpoints::open(checkpoints_of(run))?.is_empty() => {
            transfer(init, config, device).map(Some)
        }
        _ => Ok(None),
    }
}

fn transfer(init: &Init, config: &RunConfig, device: &Device) -> Result<Transfer, RunError> {
    let found = read(&init.from)?;
    if digest(&found.state)? != init.sha256 {
        return Err(WarmStartError::Replaced(init.from.clone()).into());
    }
    let misfit = |known: Option<Recognised>| {
        let (from, network) = (init.from.clone(), config.recipe.title());
        move |source: StateMismatch| WarmStartError::Misfit {
            from,
            network,
            known: known.map(Box::new),
            source: Box::new(source),
        }
    };
    let seed = config.recipe.seed;
    let detector = config.detector();
    let fresh = match &detector {
        Some(detector) => state_of(&detector.init_seeded(seed, device)),
        None => state_of(&config.model.init_seeded(seed, device)),
    };
    let (given, unused) = match (found.ours, &detector) {
        (true, _) => (found.state, Vec::new()),
        (false, Some(detector)) if is_detector(&found.state) => {
            part_of_detector(detector, found.state, device).map_err(misfit(None))?
        }
        (false, _) => {
            let asked = architectures::parse(&config.recipe.architecture)?;
            let known = recognise(&asked, &found.state, device);
            part_from_pytorch(&config.model, found.state, device).map_err(misfit(known))?
        }
    };
    let mut transfer = start_from(&config.model, fresh, given).map_err(misfit(None))?;
    transfer.unused.extend(unused);
    Ok(transfer)
}

fn read(from: &Path) -> Result<Found, RunError> {
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

fn digest(state: &State) -> Result<String, RunError> {
    let single = |(name, data): (&String, &burn::tensor::TensorData)| {
        (name.clone(), data.clone().convert::<f32>())
    };
    Ok(sha256(&to_safetensors(
        &state.iter().map(single).collect(),
    )?))
}
