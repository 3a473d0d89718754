//! `abn eval`: accuracy of a run on its data set.

use abn_data::Split;
use abn_explain::attributes::{AttributeIntervals, intervals};
use abn_run::images::plain_loader;
use abn_run::measure::classification::Classification;
use abn_run::measure::records::{MapHealth, Summary};
use abn_run::measure::task::{Measured, Task};
use anyhow::{Context, Result};
use serde::Serialize;

use super::{figures, images, labels, open};
use crate::cli::EvalArgs;
use crate::terminal;

#[derive(Debug, Serialize)]
struct Evaluation {
    #[serde(flatten)]
    summary: Summary,
    maps: Option<MapHealth>,
    /// Of several labels of two classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    intervals: Option<AttributeIntervals>,
}

/// Runs the command.
///
/// # Errors
/// The run or its data set is missing or damaged.
pub fn run(args: EvalArgs) -> Result<()> {
    let session = open(&args.run, &args.network)?;
    let learned = args.images.asked() == Some(Split::Train);
    let limit = session.config.recipe.limit.filter(|_| learned);
    let collection = images((&args.run, &session.config), &args.images, None, limit)?;
    let loader = plain_loader(&session.config, &collection, args.images.workers);
    let progress = terminal::counter("evaluating", collection.samples.len());
    let mut go_on = |images| {
        progress.set_position(images as u64);
        true
    };
    let (task, device) = (Classification::of(&session.config), &session.device);
    let measured = task.measure(&session.classifier, &loader, device, &mut go_on)?;
    progress.finish_and_clear();
    let measured = measured.context("the evaluation was stopped")?;
    let Measured {
        summary,
        maps,
        scores,
        ..
    } = measured;
    let attributes = summary.figures.attributes();
    let intervals = attributes.map(|found| intervals(found, &scores));
    if args.json {
        return terminal::json(&Evaluation {
            summary,
            maps,
            intervals,
        });
    }
    terminal::result(&format!(
        "{}, loss {:.4} on {} images",
        figures(&summary.figures),
        summary.loss,
        summary.images
    ))?;
    let table = labels(&summary.figures, intervals.as_ref());
    table.map_or(Ok(()), |labels| terminal::result(&labels))
}
