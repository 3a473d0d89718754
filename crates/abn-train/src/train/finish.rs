//! The end of a run: the maps of its best weights measured once more, `results.json`, `report.html`.

use abn_core::AttentionConfig;
use abn_data::Loader;
use abn_pages::heatmap::Drawing;
use abn_pages::{Chosen, Related, Report, render};
use abn_run::detector_session::DetectorSession;
use abn_run::folder::checkpoint::{CheckpointChoice, Checkpoints};
use abn_run::folder::run_dir::{REPORT, RESULTS, RunDir, TIMING};
use abn_run::images::plain_loader;
use abn_run::measure::inverted::{ClassMeans, inverted_classes, like_grad_cam};
use abn_run::measure::pointing::beside_untrained;
use abn_run::measure::records::{EpochRecord, EpochTiming, InvertedClass, Results};
use abn_run::recipe::RunConfig;
use abn_run::session::Session;
use abn_run::training_images::TrainingImages;
use anyhow::{Context, Result};
use burn::tensor::Device;

use crate::train::found::found;
use crate::train::gallery::{Seen, seen};

/// Test images among which the report's pictures are chosen.
const GALLERY_IMAGES: usize = 1000;
/// Threads that load images.
const WORKERS: usize = 2;

/// Writes the results and the report of a finished run.
///
/// # Errors
/// The run has no finished epoch, a file or sample cannot be read, or the folder not be written.
pub fn conclude(
    config: &RunConfig,
    run: &RunDir,
    images: &TrainingImages,
    device: Device,
) -> Result<Results> {
    let test = &images.test();
    let progress = Checkpoints::open(run.checkpoints())?.progress();
    let last = progress
        .history
        .last()
        .context("the run has no finished epoch")?;
    let best = progress
        .history
        .iter()
        .rev()
        .find(|record| record.best)
        .unwrap_or(last);
    let ends = Ends {
        best,
        last,
        history: &progress.history,
    };
    if config.recipe.detector.is_some() {
        return detector(&ends, run, images, device);
    }
    let session = Session::open(run.path(), CheckpointChoice::Best, device)?;
    let plain = plain_loader(config, test, WORKERS);
    let on_objects = beside_untrained(&session, &plain)?;
    let pointing = on_objects.as_ref().map(|found| found.pointing);
    let (pointing_by_label, auc) = on_objects
        .map(|found| (found.labels, found.auc))
        .unwrap_or_default();
    let results = Results {
        pointing,
        pointing_by_label,
        inverted: inverted(&session, &plain, &auc)?,
        ..ends.results(images)
    };
    run.write_json(RESULTS, &results)?;
    let Seen { shots, confused } =
        seen(&session, test, WORKERS, Chosen::default(), GALLERY_IMAGES)?;
    let page = Report {
        confused,
        gallery: shots,
        ..report(config, &session.device, run, ends.history, &results)
    };
    run.write(REPORT, render(&page).as_bytes())?;
    Ok(results)
}

/// The epochs of a run that has finished one.
struct Ends<'a> {
    best: &'a EpochRecord,
    last: &'a EpochRecord,
    history: &'a [EpochRecord],
}

impl Ends<'_> {
    /// What they tell, without the maps.
    fn results(&self, images: &TrainingImages) -> Results {
        Results {
            epochs: self.history.len(),
            best_epoch: self.best.epoch,
            best: self.best.test.clone(),
            last: self.last.test.clone(),
            pointing: None,
            pointing_by_label: vec![],
            inverted: vec![],
            left_out: images.unreadable.count(),
        }
    }
}

/// The results and the report of a detector.
fn detector(ends: &Ends, run: &RunDir, images: &TrainingImages, device: Device) -> Result<Results> {
    let session = DetectorSession::open(run.path(), CheckpointChoice::Best, device)?;
    let results = ends.results(images);
    run.write_json(RESULTS, &results)?;
    let page = Report {
        found: found(&session, &images.test())?,
        ..report(
            &session.config,
            &session.device,
            run,
            ends.history,
            &results,
        )
    };
    run.write(REPORT, render(&page).as_bytes())?;
    Ok(results)
}

/// Classes whose trained map is inverted. One that weighs nothing was never trained.
fn inverted(session: &Session, loader: &Loader, auc: &ClassMeans) -> Result<Vec<InvertedClass>> {
    let labels = &session.config.labels;
    let attention = session.config.model.attention.as_ref();
    if !attention.is_some_and(AttentionConfig::trains_map) {
        return Ok(Vec::new());
    }
    let like = match auc.knows_all(labels) {
        true => ClassMeans::default(),
        false => like_grad_cam(session, loader)?,
    };
    Ok(inverted_classes(labels, auc, &like))
}

/// The report of a run without its pictures.
fn report(
    config: &RunConfig,
    device: &Device,
    run: &RunDir,
    history: &[EpochRecord],
    results: &Results,
) -> Report {
    let recipe = &config.recipe;
    Report {
        title: format!("{} on {}", recipe.title(), config.data_title()),
        subtitle: format!("{} epochs, seed {}", recipe.epochs, recipe.seed),
        settings: config.described(device),
        timing: run.read_lines::<EpochTiming>(TIMING).unwrap_or_default(),
        results: Some(results.clone()),
        epochs: history.to_vec(),
        best: recipe.best,
        drawing: Drawing::of(config.model.attention.as_ref()),
        related: match recipe.detector {
            // Its other pages are about images of one's own.
            Some(_) => vec![],
            None => related(run, config.model.attention.is_some()),
        },
        ..Report::default()
    }
}

/// The other pages about the run, as they are now.
fn related(run: &RunDir, has_attention: bool) -> Vec<Related> {
    let mut pages = Related::of(run.path(), has_attention);
    for page in &mut pages {
        page.exists = run.path().join(page.file).is_file();
    }
    pages
}
