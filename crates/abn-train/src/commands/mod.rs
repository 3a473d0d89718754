//! The commands, one a file: from arguments as typed to results on stdout.

pub mod compare;
pub mod data;
mod detection_tables;
pub mod devices;
pub mod eval;
mod eval_classes;
mod eval_detections;
mod eval_detector;
mod eval_tables;
pub mod explain;
mod explain_detector;
pub mod export;
mod fine_tune;
mod image_files;
pub mod import;
mod import_detector;
pub mod manual;
mod map_files;
pub mod models;
mod output_folder;
pub mod predict;
mod predict_detector;
mod predictions;
mod probability_table;
mod recipe_from_args;
pub mod score;
mod score_detector;
mod score_files;
mod score_labels;
mod side_by_side;
pub mod stability;
pub mod train;

use std::path::Path;

use abn_data::{Collection, Truth};
use abn_explain::attributes::AttributeIntervals;
use abn_explain::bootstrap::Interval;
use abn_explain::columns::columns;
use abn_run::detector_session::DetectorSession;
use abn_run::folder::run_dir::RunDir;
use abn_run::images::{Choice, open_images};
use abn_run::measure::attributes::Attribute;
use abn_run::measure::records::Figures;
use abn_run::recipe::RunConfig;
use abn_run::session::Session;
use abn_run::unreadable::{OnCorrupt, UnreadableImages};
use anyhow::{Result, ensure};

use crate::cli::{NetworkArgs, SplitArgs};
use crate::device::{self, check};
use crate::terminal;
use crate::unreadable;

/// The run at that path with the weights and on the device asked for.
fn open(run: &Path, network: &NetworkArgs) -> Result<Session> {
    let device = device::open(network.device.as_deref())?;
    let session = Session::open(run, network.checkpoint, device)?;
    if !network.no_check {
        check::before_use(&session)?;
    }
    Ok(session)
}

/// Whether the run at that path is one of a detector.
fn is_detector(run: &Path) -> Result<bool> {
    Ok(RunDir::open(run)?.1.recipe.detector.is_some())
}

/// The detector at that path with the weights and on the device asked for.
fn open_detector(run: &Path, network: &NetworkArgs) -> Result<DetectorSession> {
    let device = device::open(network.device.as_deref())?;
    let session = DetectorSession::open(run, network.checkpoint, device)?;
    if !network.no_check {
        check::before_detection(&session)?;
    }
    Ok(session)
}

/// The first `limit` images that are asked for, without those that the run in that folder is
/// without; says what is to be known of them. Those that cannot be read are named or left out
/// before anything is measured.
fn images(
    (run, config): (&Path, &RunConfig),
    args: &SplitArgs,
    truth: Option<Truth>,
    limit: Option<usize>,
) -> Result<Collection> {
    let unreadable = UnreadableImages::of_run(run)?;
    let images = open_images(
        config,
        Choice {
            split: args.asked(),
            data: args.data.as_deref(),
            truth,
            unreadable: unreadable.as_ref(),
        },
    )?;
    images.notes.iter().for_each(|note| terminal::note(note));
    let images = match limit {
        Some(limit) => images.limit(limit),
        None => images,
    };
    match args.damage.policy() {
        OnCorrupt::Stop => Ok(images),
        OnCorrupt::Skip { most } => unreadable::without(images, most, args.workers),
    }
}

/// The path of each image below the folder of its data set; none where images have no files.
fn paths(images: &Collection) -> Vec<String> {
    let count = images.samples.len();
    let named = images.files.as_ref();
    named.map_or(vec![], |files| {
        (0..count).map(|index| files.name(index)).collect()
    })
}

/// Makes sure before long work that the folder of a file to be written is there.
fn has_folder(option: &str, file: &Path) -> Result<()> {
    let folder = file.parent();
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        ensure!(
            folder.is_dir(),
            "{option}: the folder `{}` does not exist",
            folder.display()
        );
    }
    ensure!(!file.is_dir(), "{option}: `{}` is a folder", file.display());
    Ok(())
}

/// All figures in a line.
fn figures(figures: &Figures) -> String {
    let named = figures.named().into_iter();
    let texts: Vec<String> = named
        .map(|(name, value)| format!("{name} {}", percent(value)))
        .collect();
    texts.join(", ")
}

/// Labels of two classes, one a line, with what is told of each, and how sure it is where that was
/// asked; nothing of others.
fn labels(figures: &Figures, intervals: Option<&AttributeIntervals>) -> Option<String> {
    let known = |value: Option<f64>| value.map_or("-".to_owned(), percent);
    let row = |(number, label): (usize, &Attribute)| {
        let sure = intervals.and_then(|intervals| intervals.labels.get(number));
        let mut row = vec![
            label.name.clone(),
            percent(label.positive),
            percent(label.constant),
            percent(label.accuracy),
        ];
        row.extend(sure.map(|sure| ends(sure.accuracy)));
        row.push(known(label.balanced_accuracy));
        row.push(known(label.average_precision));
        row.extend(sure.map(|sure| ends(sure.average_precision)));
        row.push(known(label.f1));
        row
    };
    let found = figures.attributes()?;
    let interval = intervals.map(|_| "95 %");
    let names = [
        Some("label"),
        Some("present"),
        Some("always the same"),
        Some("accuracy"),
        interval,
        Some("balanced"),
        Some("average precision"),
        interval,
        Some("F1"),
    ];
    let names = names.into_iter().flatten().map(str::to_owned).collect();
    let rows = found.labels.iter().enumerate().map(row).collect();
    Some(columns(names, rows, 1))
}

/// Both ends of an interval as percentages; nothing of none.
fn ends(interval: Option<Interval>) -> String {
    interval.map_or(String::new(), |found| {
        format!("{:.1} to {:.1}", 100.0 * found.low, 100.0 * found.high)
    })
}

/// A fraction as a percentage.
fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}
