//! `abn train`: make or continue a run, then measure and show it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use abn_run::folder::run_dir::{REPORT, RunDir};
use abn_run::measure::best::BestFigure;
use abn_run::measure::records::{InvertedClass, Results, Summary, words_of};
use abn_run::recipe::RunConfig;
use abn_run::training_images::{Damage, TrainingImages};
use abn_run::unreadable::UnreadableImages;
use abn_run::{RunError, warm_start};
use anyhow::Result;

use super::{detection_tables, figures, labels, percent};
use crate::cli::{TrainArgs, Weight};
use crate::commands::import::tell_of_averaged_weights;
use crate::commands::recipe_from_args::recipe_from_args;
use crate::device;
use crate::interrupt::Interrupt;
use crate::terminal;
use crate::train::trainer::Ending;
use crate::train::{TrainOptions, train};
use crate::unreadable;

/// Runs the command.
///
/// # Errors
/// Anything that keeps the run from its end; its last checkpoint is kept.
pub fn run(args: TrainArgs) -> Result<Ending> {
    let device = device::open(args.device.as_deref())?;
    let (path, existing) = find_run(&args)?;
    let recipe = recipe_from_args(&args, existing.as_ref())?;
    recipe.check()?;
    let damage = Damage {
        policy: args.damage.policy(),
        known: UnreadableImages::of_run(&path)?,
    };
    let images = TrainingImages::open(&recipe, args.data.as_deref(), existing.as_ref(), damage)?;
    let mut recipe = images.fit_batch(recipe, args.batch_size.is_none() && existing.is_none())?;
    match args.penalty.positive_weight {
        Some(Weight::Of(factor)) => {
            let labels = images.splits()[0].labels.groups().len();
            recipe.penalty.positive = vec![factor; labels];
        }
        Some(Weight::Balanced) => recipe.penalty.positive = images.balance()?,
        None => {}
    }
    if let Some(file) = args.init.as_deref().filter(|file| file.is_file()) {
        tell_of_averaged_weights(
            file,
            "`abn import --key NAME` makes a run of them to start from",
        );
    }
    let init = warm_start::init_of(args.init.as_deref(), existing.as_ref())?;
    let usual = TrainOptions::default();
    let options = TrainOptions {
        workers: args.workers.unwrap_or(usual.workers),
        save_every: args.save_every.map_or(usual.save_every, save_every),
        check: !args.no_check,
        csv: args.log.is_some(),
    };
    let named =
        |error: RunError| unreadable::with_all(error.into(), &images, None, options.workers);
    let config = RunConfig {
        init,
        ..images.describe(recipe, existing.as_ref()).map_err(named)?
    };
    config.check_parameters(&device)?;
    let start = warm_start::start(&config, &path, &device)?;
    let run = RunDir::open_for_writing(&path, &config)?;
    let interrupt = Interrupt::listen()?;
    let results = train(&config, &run, &images, start, device, &interrupt, options)?;
    let Some(results) = results else {
        terminal::note(&format!(
            "stopped; the same command continues from the checkpoint in `{}`",
            run.path().display()
        ));
        return Ok(Ending::Interrupted);
    };
    print_results(args.json, &config, &run, &results)?;
    Ok(Ending::Finished)
}

/// So many seconds, or forever.
fn save_every(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Path and configuration of the run that is meant.
fn find_run(args: &TrainArgs) -> Result<(PathBuf, Option<RunConfig>)> {
    let path = match &args.out {
        Some(path) => path.clone(),
        None => default_path(args)?,
    };
    let existing = RunDir::existing_config(&path)?;
    if let Some(file) = existing
        .as_ref()
        .and_then(|config| config.imported.as_ref())
    {
        anyhow::bail!(
            "`{0}` was imported from `{file}` and is not trained further; train from it with \
             --init {0} and another --out",
            path.display()
        );
    }
    Ok((path, existing))
}

/// `runs/DATASET-ARCH-ATTENTION`, with the labels behind the data set if they were chosen, and the
/// detector behind the architecture.
fn default_path(args: &TrainArgs) -> Result<PathBuf> {
    let recipe = recipe_from_args(args, None)?;
    // Of a table, the name without folder and ending.
    let labels = recipe.labels.as_deref().map(Path::new);
    let labels = labels.and_then(|labels| labels.file_stem()?.to_str());
    let detector = recipe
        .detector
        .as_ref()
        .map(|detector| detector.name().name());
    let parts: Vec<&str> = std::iter::once(recipe.dataset.name)
        .chain(labels)
        .chain([recipe.architecture.as_str()])
        .chain(detector)
        .chain([recipe.attention_name()])
        .collect();
    let name = parts.join("-");
    Ok(Path::new("runs").join(name))
}

fn print_results(json: bool, config: &RunConfig, run: &RunDir, results: &Results) -> Result<()> {
    warn_of_inverted_maps(&results.inverted);
    if json {
        return terminal::json(results);
    }
    let Results {
        best,
        best_epoch,
        pointing,
        ..
    } = results;
    let chosen_by = config.recipe.best;
    terminal::result(&format!(
        "{} {} of {} held-out images (epoch {best_epoch}); {}",
        best.figures.best_name_by(chosen_by),
        best.figures
            .best_by(chosen_by)
            .map_or("not defined".to_owned(), percent),
        best.images,
        without_looking(config, best)
    ))?;
    if let Some(found) = best.figures.objects() {
        terminal::result(&detection_tables::by_class(found))?;
    }
    if config.recipe.detector.is_none() && config.labels.only().is_none() {
        terminal::result(&figures(&best.figures))?;
        let table = labels(&best.figures, None);
        table.map_or(Ok(()), |labels| terminal::result(&labels))?;
    }
    if let Some(pointing) = pointing {
        terminal::result(&format!(
            "the attention map's maximum lies on the object in {}; untrained network {}, random \
             point {}",
            percent(pointing.trained),
            percent(pointing.untrained),
            percent(pointing.chance)
        ))?;
    }
    terminal::result(&format!("report {}", run.path().join(REPORT).display()))
}

/// What whoever does not look at the images gets: by chance, or of labels of two classes with the
/// same answer always. Whoever does not look finds nothing: of objects, more figures.
fn without_looking(config: &RunConfig, best: &Summary) -> String {
    if let Some(found) = best.figures.objects() {
        let shown = [("AP50", found.stats.ap50), ("VOC mAP", found.voc.mean_ap)];
        return shown
            .map(|(name, value)| format!("{name} {}", percent(value)))
            .join(", ");
    }
    if let Some(found) = best.figures.attributes() {
        let constant = percent(match config.recipe.best {
            Some(BestFigure::Balanced) => 0.5,
            Some(BestFigure::Map) => found.constant_average_precision(),
            Some(BestFigure::Top1 | BestFigure::MeanAccuracy) | None => found.constant_accuracy,
        });
        return format!("the same answers always get {constant}");
    }
    let sizes = config.labels.sizes();
    let chances = sizes.iter().map(|classes| 1.0 / *classes as f64);
    let chance = chances.sum::<f64>() / sizes.len() as f64;
    format!("chance is {}", percent(chance))
}

/// A branch whose maps mislead does not show in the accuracy.
fn warn_of_inverted_maps(inverted: &[InvertedClass]) {
    if inverted.is_empty() {
        return;
    }
    terminal::note(&format!(
        "warning: the attention map is inverted, dark on the object or against the order of \
         Grad-CAM, for {}; attention.map.sigmoid.source and .norm (--set) decide what it is made of",
        words_of(inverted)
    ));
}
