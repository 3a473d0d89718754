//! The network that F-Fidelity asks in `abn score --fine-tune N`: made once and kept beside the
//! figures, so that an interrupted score goes on with the same one.

use std::fs;
use std::path::Path;

use abn_core::Classifier;
use abn_core::state::{state_of, with_state};
use abn_explain::score::{FineTuned, tuned};
use abn_run::datasets::fingerprint;
use abn_run::digest::sha256;
use abn_run::folder::files::write_atomically;
use abn_run::session::Session;
use abn_run::training_images::{Damage, TrainingImages};
use abn_run::unreadable::UnreadableImages;
use abn_run::weights::{from_safetensors, to_safetensors};
use anyhow::{Context, Result};

use crate::cli::ScoreArgs;
use crate::interrupt::Interrupt;
use crate::terminal;

/// What is asked for, with the training images as they are now; `None` if nothing is.
///
/// # Errors
/// The run's training images are missing.
pub(super) fn asked(session: &Session, args: &ScoreArgs) -> Result<Option<FineTuned>> {
    let epochs = args.fine_tune;
    if epochs == 0 {
        return Ok(None);
    }
    let images = training_images(session, args)?;
    Ok(Some(FineTuned {
        epochs,
        images: fingerprint(images.splits()[0])?,
    }))
}

/// The fine-tuned network; `None` if the user asked to stop.
///
/// # Errors
/// A training image cannot be read, or the folder not be written.
pub(super) fn network(
    session: &Session,
    asked: &FineTuned,
    args: &ScoreArgs,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<Option<Classifier>> {
    let key = serde_json::to_vec(&(&session.digest, asked))?;
    let file = folder.join(format!("{}-tuned.safetensors", &sha256(&key)[..16]));
    let model = &session.config.model;
    if let Ok(bytes) = fs::read(&file) {
        let kept = || -> Result<Classifier> {
            let state = from_safetensors(&bytes)?;
            Ok(with_state(model.init(&session.device), state)?)
        };
        let network = kept().with_context(|| {
            let file = file.display();
            format!("`{file}` is damaged; remove it, and it is made anew")
        })?;
        return Ok(Some(network));
    }
    let images = training_images(session, args)?;
    let loader = images.loaders(&session.config, args.images.workers).train;
    let progress = terminal::counter("fine-tuning", asked.epochs * loader.batches());
    let found = tuned(session, &loader, asked.epochs, |batches| {
        progress.set_position(batches as u64);
        !interrupt.requested()
    })?;
    progress.finish_and_clear();
    match &found {
        Some(network) => write_atomically(&file, &to_safetensors(&state_of(network))?)?,
        None => terminal::note("the fine-tuning begins anew with the same command"),
    }
    Ok(found)
}

/// The images that the run was trained on.
fn training_images(session: &Session, args: &ScoreArgs) -> Result<TrainingImages> {
    let config = &session.config;
    let damage = Damage {
        policy: args.images.damage.policy(),
        known: UnreadableImages::of_run(&args.run)?,
    };
    TrainingImages::open(&config.recipe, None, Some(config), damage)
        .context("the fine-tuning needs the run's training images")
}
