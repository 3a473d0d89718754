//! `abn eval`: accuracy of a run on its data set.

use abn_data::Split;
use anyhow::Result;
use serde::Serialize;

use super::percent;
use crate::cli::{EvalArgs, SplitName};
use crate::evaluate::{HealthMeter, Sums, for_each_batch};
use crate::metrics::{MapHealth, Summary};
use crate::session::{Session, open_split, plain_loader};
use crate::{device, terminal};

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
    let session = Session::open(&args.run, args.checkpoint, device::open(args.device.as_deref())?)?;
    let split = match args.split {
        SplitName::Test => Split::Test,
        SplitName::Train => Split::Train,
    };
    let mut collection = open_split(&session.config, split, args.data.as_deref())?;
    if let (Split::Train, Some(limit)) = (split, session.config.recipe.limit) {
        collection = collection.limit(limit);
    }
    let loader = plain_loader(&session.config, &collection, args.workers);
    let (mut sums, mut health) = (Sums::default(), HealthMeter::default());
    let progress = terminal::counter("evaluating", collection.samples.len());
    for_each_batch(&session.classifier, &loader, &session.device, |batch, outcome| {
        sums.add(&batch.labels, outcome);
        let maps = outcome.attention.iter().flat_map(|attention| &attention.maps);
        maps.for_each(|map| health.add(map));
        progress.inc(batch.len() as u64);
        Ok(true)
    })?;
    progress.finish_and_clear();
    let summary = sums.summary(session.config.recipe.attention_weight());
    if args.json {
        return terminal::json(&Evaluation { summary, maps: health.health() });
    }
    terminal::result(&format!(
        "top-1 {}, top-5 {}, loss {:.4} on {} images",
        percent(summary.top1),
        percent(summary.top5),
        summary.loss,
        summary.images
    ))
}
