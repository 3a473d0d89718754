//! `abn eval`: accuracy of a run on its data set.

use abn_data::Split;
use anyhow::{Context, Result};
use serde::Serialize;

use super::percent;
use crate::cli::EvalArgs;
use crate::device;
use crate::terminal;
use abn_run::measure::evaluate::{Measured, measure};
use abn_run::measure::records::{MapHealth, Summary};
use abn_run::session::{Session, open_split, plain_loader};

#[derive(Debug, Serialize)]
struct Evaluation {
    #[serde(flatten)]
    summary: Summary,
    maps: Option<MapHealth>,
}

/// Runs the command.
///
/// # Errors
/// The run or its data set is missing or damaged.
pub fn run(args: EvalArgs) -> Result<()> {
    let session = Session::open(
        &args.run,
        args.checkpoint,
        device::open(args.device.as_deref())?,
    )?;
    let split = args.split.split();
    let mut collection = open_split(&session.config, split, args.data.as_deref(), None)?;
    if let (Split::Train, Some(limit)) = (split, session.config.recipe.limit) {
        collection = collection.limit(limit);
    }
    let loader = plain_loader(&session.config, &collection, args.workers);
    let progress = terminal::counter("evaluating", collection.samples.len());
    let weight = session.config.recipe.attention_weight();
    let measured = measure(
        &session.classifier,
        &loader,
        &session.device,
        weight,
        |images| {
            progress.set_position(images as u64);
            true
        },
    )?;
    progress.finish_and_clear();
    let Measured { summary, maps, .. } = measured.context("the evaluation was stopped")?;
    if args.json {
        return terminal::json(&Evaluation { summary, maps });
    }
    terminal::result(&format!(
        "top-1 {}, top-5 {}, loss {:.4} on {} images",
        percent(summary.top1),
        percent(summary.top5),
        summary.loss,
        summary.images
    ))
}
