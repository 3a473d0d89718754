//! `abn eval` of a detector: how well it finds the objects of a data set.

use std::path::Path;

use abn_boxes::coco::{Detected, write_results};
use abn_data::{Batch, Collection, Split};
use abn_run::RunError;
use abn_run::detector_session::DetectorSession;
use abn_run::folder::files::write_atomically;
use abn_run::images::plain_loader;
use abn_run::measure::detection::{DetectedBatch, Detection};
use abn_run::measure::objects::{FoundObjects, ObjectFigures};
use abn_run::measure::records::{Figures, MapHealth, Summary};
use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::detection_tables::{by_class, together};
use super::{has_folder, images, open_detector, percent};
use crate::cli::EvalArgs;
use crate::terminal;

/// The JSON contract of the command.
#[derive(Debug, Serialize)]
struct Evaluation {
    #[serde(flatten)]
    summary: Summary,
    maps: Option<MapHealth>,
}

/// Runs the command.
///
/// # Errors
/// The run or its data set is missing or damaged, or the results cannot be written.
pub(super) fn run(run: &Path, args: &EvalArgs) -> Result<()> {
    ensure!(
        !args.best_threshold,
        "--best-threshold is for several labels of two classes each, and this run is a detector: \
         leave it out"
    );
    ensure!(
        args.csv.is_none(),
        "--csv is for classifiers: --results writes what a detector finds"
    );
    ensure!(
        args.failures.is_none(),
        "--failures is for classifiers: the report of the run shows what a detector finds"
    );
    if let Some(file) = &args.results {
        has_folder("--results", file)?;
    }
    let session = open_detector(run, &args.network)?;
    let learned = args.images.asked() == Some(Split::Train);
    let limit = session.config.recipe.limit.filter(|_| learned);
    let collection = images((run, &session.config), &args.images, None, limit)?;
    let (evaluation, found, indices) = evaluate(&session, &collection, args.images.workers)?;
    if let Some(file) = &args.results {
        let renumbered = renumbered(&found, &indices, &collection)?;
        let mut text = Vec::new();
        write_results(&mut text, &renumbered)?;
        write_atomically(file, &text)?;
    }
    match args.json {
        true => terminal::json(&evaluation),
        false => print(&evaluation),
    }
}

/// Passes the images through the detector; also gives the index of each.
fn evaluate(
    session: &DetectorSession,
    images: &Collection,
    workers: usize,
) -> Result<(Evaluation, FoundObjects, Vec<usize>)> {
    let Some(task) = Detection::of(&session.config) else {
        bail!("this run is one of a classifier");
    };
    let loader = plain_loader(&session.config, images, workers);
    let progress = terminal::counter("evaluating", images.samples.len());
    let mut go_on = |images| {
        progress.set_position(images as u64);
        true
    };
    let (mut found, mut indices) = (FoundObjects::of(&session.config.labels), Vec::new());
    let mut seen = |batch: &Batch, detected: &DetectedBatch| {
        for (source, detections) in batch.sources.iter().zip(&detected.found) {
            found.add(source, detections);
        }
        indices.extend(&batch.indices);
    };
    let (detector, device) = (&session.detector, &session.device);
    let measured = task.look(detector, &loader, device, &mut go_on, &mut seen)?;
    progress.finish_and_clear();
    let mut measured = measured.context("the evaluation was stopped")?;
    let figures = found.figures().map_err(RunError::NotFinite)?;
    if let Figures::Objects { found, .. } = &mut measured.summary.figures {
        *found = Some(Box::new(figures));
    }
    let evaluation = Evaluation {
        summary: measured.summary,
        maps: measured.maps,
    };
    Ok((evaluation, found, indices))
}

/// What was found under the numbers of the data set's own file.
fn renumbered(
    found: &FoundObjects,
    indices: &[usize],
    images: &Collection,
) -> Result<Vec<Detected>> {
    let files = images.files.as_ref();
    let classes = files.map(|files| files.class_numbers()).unwrap_or_default();
    let place = |number: u64| (number - 1) as usize;
    let renumber = |detected: &Detected| {
        let index = *indices.get(place(detected.image_id))?;
        let image_id = files.and_then(|files| files.number(index));
        let category_id = match classes.get(place(detected.category_id)) {
            Some(number) => (*number)?,
            None => detected.category_id,
        };
        Some(Detected {
            image_id: image_id.unwrap_or(index as u64 + 1),
            category_id,
            ..*detected
        })
    };
    let all = found.found().iter();
    let kept: Vec<Detected> = all.filter_map(renumber).collect();
    let lost = found.found().len() - kept.len();
    if lost > 0 {
        terminal::note(&format!(
            "{lost} detections are of classes that the data set does not have, and not written"
        ));
    }
    Ok(kept)
}

fn print(evaluation: &Evaluation) -> Result<()> {
    let summary = &evaluation.summary;
    let Some(found) = summary.figures.objects() else {
        bail!("nothing was measured");
    };
    let ObjectFigures { stats, voc, .. } = found;
    terminal::result(&format!(
        "loss {:.4} on {} images; VOC mAP {} (11 points {})",
        summary.loss,
        summary.images,
        of(voc.mean_ap),
        of(voc.mean_ap_11_points)
    ))?;
    terminal::result(&together(stats))?;
    terminal::result("")?;
    terminal::result(&by_class(found))
}

/// A figure in percent; a dash where no object counts.
fn of(figure: f64) -> String {
    match figure < 0.0 {
        true => "-".to_owned(),
        false => percent(figure),
    }
}
