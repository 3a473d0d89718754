//! `abn eval`: accuracy of a run on its data set.

use std::fs;
use std::path::Path;

use abn_data::{Collection, Split};
use abn_explain::attributes::{
    AttributeIntervals, ThresholdIntervals, intervals, threshold_intervals,
};
use abn_explain::groups::{GroupIntervals, group_intervals};
use abn_pages::heatmap::Drawing;
use abn_pages::numbers::grouped;
use abn_pages::{Chosen, MistakesPage, render_mistakes};
use abn_run::folder::FolderError;
use abn_run::folder::files::write_atomically;
use abn_run::images::plain_loader;
use abn_run::measure::attributes::{Attributes, PrecisionRecall, Scores, are_attributes};
use abn_run::measure::classification::Classification;
use abn_run::measure::records::{Figures, MapHealth, Summary};
use abn_run::measure::task::{Measured, Task};
use abn_run::measure::thresholds::AtThresholds;
use abn_run::session::Session;
use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::eval_classes::ByClass;
use super::{
    eval_detections, eval_detector, eval_tables, figures, has_folder, images, is_detector, labels,
    open,
};
use crate::cli::{EvalArgs, SplitArgs, SplitName};
use crate::terminal;
use crate::train::gallery::{Seen, seen};

/// The JSON contract of the command.
#[derive(Debug, Serialize)]
struct Evaluation {
    #[serde(flatten)]
    summary: Summary,
    maps: Option<MapHealth>,
    /// Of one label.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    by_class: Option<ByClass>,
    /// Of several labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    intervals: Option<Intervals>,
    /// Of several labels of two classes: what whoever does not look at the images gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    constant: Option<Constant>,
    /// Only if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_best_threshold: Option<AtBestThreshold>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Intervals {
    Attributes(Box<AttributeIntervals>),
    Groups(GroupIntervals),
}

/// The figures of predictors that always say the same: what is right more often, the same score, or
/// that every label is present.
#[derive(Debug, Serialize)]
pub(super) struct Constant {
    pub(super) mean_accuracy: f64,
    pub(super) balanced_accuracy: f64,
    pub(super) mean_average_precision: f64,
    #[serde(flatten)]
    pub(super) together: PrecisionRecall,
}

impl Constant {
    fn of(found: &Attributes) -> Self {
        Self {
            mean_accuracy: found.constant_accuracy,
            balanced_accuracy: 0.5,
            mean_average_precision: found.constant_average_precision(),
            together: found.always_present(),
        }
    }
}

/// The labels, each said to be present from the probability on that has the highest F1 on the
/// training images.
#[derive(Debug, Serialize)]
pub(super) struct AtBestThreshold {
    /// On the images that are measured.
    #[serde(flatten)]
    pub(super) found: AtThresholds,
    /// How sure that is.
    pub(super) intervals: ThresholdIntervals,
}

/// Name of the page of the worst mistakes.
pub const FAILURES: &str = "failures.html";
/// Mistakes on it.
const MOST_MISTAKES: usize = 48;

/// Why there is no table of several labels.
const NO_MATRIX: &str =
    "--csv is for runs of one label: those of several have no one matrix; --json has their figures";

/// Runs the command.
///
/// # Errors
/// The run or its data set is missing or damaged, or thresholds are asked for where there is
/// nothing to choose them by.
pub fn run(args: EvalArgs) -> Result<()> {
    if let (Some(truth), Some(detections)) = (&args.truth, &args.detections) {
        return eval_detections::run(truth, detections, args.json);
    }
    let run = args.run.as_deref().context("name the folder of a run")?;
    if is_detector(run)? {
        return eval_detector::run(run, &args);
    }
    ensure!(
        args.results.is_none(),
        "--results is for detectors: `{}` is a run of a classifier",
        run.display()
    );
    let session = open(run, &args.network)?;
    if let Some(path) = &args.csv {
        ensure!(session.config.labels.only().is_some(), NO_MATRIX);
        has_folder("--csv", path)?;
    }
    if let Some(out) = &args.failures {
        fs::create_dir_all(out).map_err(FolderError::writing_in(out))?;
    }
    if args.best_threshold {
        check_thresholds(&session, &args.images)?;
    }
    let learned = args.images.asked() == Some(Split::Train);
    let limit = session.config.recipe.limit.filter(|_| learned);
    let collection = images((run, &session.config), &args.images, None, limit)?;
    let Measured {
        summary,
        maps,
        scores,
        right,
        told,
        ..
    } = pass(&session, &collection, args.images.workers, "evaluating")?;
    let attributes = summary.figures.attributes();
    let intervals = match attributes {
        Some(found) => Some(Intervals::Attributes(Box::new(intervals(found, &scores)))),
        None => group_intervals(&summary.figures, &right).map(Intervals::Groups),
    };
    let at_best_threshold = attributes.filter(|_| args.best_threshold);
    let at_best_threshold = at_best_threshold
        .map(|found| at_best_threshold_of(&session, (run, &args.images), found, &scores))
        .transpose()?;
    let names = session.config.labels.only().unwrap_or_default();
    let by_class = match (&told, &summary.figures) {
        (Some(told), Figures::Label(hits)) => Some(ByClass::of(names, told, hits.top5)),
        _ => None,
    };
    if let Some(path) = &args.csv {
        let table = by_class.as_ref().zip(told.as_ref());
        let (by_class, told) = table.context(NO_MATRIX)?;
        write_atomically(path, &by_class.csv(told)?)?;
    }
    if let Some(out) = &args.failures {
        let page = mistakes_of(&session, &collection, args.images.workers)?;
        write_atomically(&out.join(FAILURES), render_mistakes(&page).as_bytes())?;
        terminal::note(&format!("page {}", out.join(FAILURES).display()));
    }
    let evaluation = Evaluation {
        by_class,
        constant: attributes.map(Constant::of),
        intervals,
        at_best_threshold,
        summary,
        maps,
    };
    match args.json {
        true => terminal::json(&evaluation),
        false => print(&evaluation),
    }
}

/// What the network is surest of and wrong about.
fn mistakes_of(session: &Session, images: &Collection, workers: usize) -> Result<MistakesPage> {
    let config = &session.config;
    let count = images.samples.len();
    let chosen = Chosen::wrong(MOST_MISTAKES);
    let Seen { shots, confused } = seen(session, images, workers, chosen, count)?;
    Ok(MistakesPage {
        title: format!("What {} gets wrong", config.recipe.title()),
        subtitle: format!(
            "{} images of {}",
            grouped(count as f64),
            config.data_title()
        ),
        images: count,
        shots,
        drawing: Drawing::of(config.model.attention.as_ref()),
        confused,
    })
}

/// Passes the images through the network.
fn pass(
    session: &Session,
    images: &Collection,
    workers: usize,
    what: &'static str,
) -> Result<Measured> {
    let loader = plain_loader(&session.config, images, workers);
    let progress = terminal::counter(what, images.samples.len());
    let mut go_on = |images| {
        progress.set_position(images as u64);
        true
    };
    let (task, device) = (Classification::of(&session.config), &session.device);
    let measured = task.measure(&session.classifier, &loader, device, &mut go_on)?;
    progress.finish_and_clear();
    measured.context("the evaluation was stopped")
}

/// Thresholds are chosen on training images, and measured on others.
fn check_thresholds(session: &Session, images: &SplitArgs) -> Result<()> {
    let labels = &session.config.labels;
    ensure!(
        are_attributes(labels),
        "--best-threshold is for several labels of two classes each, and this run has {}: leave it \
         out",
        labels.title()
    );
    let learned = match images.asked() {
        Some(Split::Train) => true,
        Some(Split::All) => images.data.is_none(),
        _ => false,
    };
    ensure!(
        !learned,
        "--best-threshold chooses thresholds on the training images and measures them on others: \
         leave out --split"
    );
    Ok(())
}

/// What is told of the measured images at the thresholds of the training images.
fn at_best_threshold_of(
    session: &Session,
    (run, measured): (&Path, &SplitArgs),
    found: &Attributes,
    scores: &[Scores],
) -> Result<AtBestThreshold> {
    let of_training = SplitArgs {
        data: None,
        split: Some(SplitName::Train),
        ..measured.clone()
    };
    let limit = session.config.recipe.limit;
    let training = images((run, &session.config), &of_training, None, limit)?;
    terminal::note(&format!(
        "choosing the threshold of each label on {} training images",
        training.samples.len()
    ));
    let learned = pass(session, &training, measured.workers, "choosing")?;
    let thresholds: Vec<f32> = learned.scores.iter().map(Scores::best_threshold).collect();
    let found = AtThresholds::of(found, scores, &thresholds);
    let intervals = threshold_intervals(&found, scores, &thresholds);
    Ok(AtBestThreshold { found, intervals })
}

fn print(evaluation: &Evaluation) -> Result<()> {
    let Evaluation {
        summary,
        by_class,
        intervals,
        constant,
        at_best_threshold: at_best,
        ..
    } = evaluation;
    terminal::result(&format!(
        "{}, loss {:.4} on {} images",
        figures(&summary.figures),
        summary.loss,
        summary.images
    ))?;
    if let Some(by_class) = by_class {
        terminal::result(&by_class.text())?;
    }
    match intervals {
        None => Ok(()),
        Some(Intervals::Groups(intervals)) => {
            let table = eval_tables::groups(summary.figures.groups(), intervals);
            terminal::result(&format!("\n{table}"))
        }
        Some(Intervals::Attributes(intervals)) => {
            if let Some((found, constant)) = summary.figures.attributes().zip(constant.as_ref()) {
                let table = eval_tables::together(found, intervals, constant, at_best.as_ref());
                terminal::result(&format!("\n{table}"))?;
            }
            let table = labels(&summary.figures, Some(intervals));
            table.map_or(Ok(()), |labels| terminal::result(&format!("\n{labels}")))?;
            let table = at_best.as_ref().map(eval_tables::at_best_threshold);
            table.map_or(Ok(()), |table| terminal::result(&format!("\n{table}")))
        }
    }
}
