//! `abn train`: make or continue a run, then measure and show it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use abn_data::{Loader, Split};
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;

use super::{attention, attention_name, percent};
use crate::checkpoint::Which;
use crate::cli::TrainArgs;
use crate::datasets::DatasetName;
use crate::device;
use crate::heatmap::Drawing;
use crate::interrupt::Interrupt;
use crate::metrics::{EpochTiming, Pointing, Results};
use crate::recipe::{Recipe, RunConfig};
use crate::report::{Report, render};
use crate::run_dir::RunDir;
use crate::session::{Session, plain_loader};
use crate::showcase::{gallery, pointing_game};
use crate::terminal;
use crate::trainer::{Ending, Loaders, TIMING, Trainer};

/// Threads that load images, unless said otherwise.
const WORKERS: usize = 2;
/// Seconds between checkpoints within an epoch, unless said otherwise.
const SAVE_EVERY: f64 = 300.0;
/// Test images among which the report's pictures are chosen.
const GALLERY_IMAGES: usize = 1000;
/// Name of the file with the final figures.
const RESULTS: &str = "results.json";

/// Runs the command.
///
/// # Errors
/// Anything that keeps the run from its end; what was trained so far is kept.
pub fn run(args: TrainArgs) -> Result<Ending> {
    let device = device::open(args.device.as_deref())?;
    let (path, existing) = find_run(&args)?;
    let recipe = recipe_of(&args, existing.as_ref())?;
    recipe.check()?;
    let save_every = Duration::try_from_secs_f64(args.save_every.unwrap_or(SAVE_EVERY))
        .ok()
        .context("--save-every must be a number of seconds, 0 or more")?;
    crate::architectures::parse(&recipe.architecture)?;

    let data = data_folder(&args, existing.as_ref())?;
    let train = recipe.dataset.open(Split::Train, data.as_deref())?;
    let test = recipe.dataset.open(Split::Test, data.as_deref())?;
    let config = RunConfig::new(recipe, train.classes.clone(), data)?;
    let train = match config.recipe.limit {
        Some(limit) => train.limit(limit),
        None => train,
    };
    ensure!(!train.samples.is_empty() && !test.samples.is_empty(), "the data set has no images");
    ensure!(
        config.recipe.batch_size <= train.samples.len(),
        "--batch-size {} is larger than the data set of {} images",
        config.recipe.batch_size,
        train.samples.len()
    );

    let run = RunDir::open_for_training(&path, &config)?;
    let workers = args.workers.unwrap_or(WORKERS);
    let loaders = Loaders {
        train: Loader {
            dataset: train.samples,
            transform: config.recipe.train_transform(),
            batch_size: config.recipe.batch_size,
            workers,
            seed: config.recipe.seed,
            shuffled: true,
            masks: false,
        },
        test: Loader { masks: false, ..plain_loader(&config, &test, workers) },
    };
    let interrupt = Interrupt::listen()?;
    let mut trainer = Trainer::new(&config, &run, loaders.clone(), device.clone(), interrupt, save_every)?;
    announce(&config, &run, &loaders, &trainer, &device);
    if trainer.train()? == Ending::Interrupted {
        terminal::note(&format!(
            "stopped; the checkpoint in `{}` is complete and the same command continues it",
            run.path().display()
        ));
        return Ok(Ending::Interrupted);
    }
    drop(trainer);
    let results = conclude(&config, &run, &test, workers, device)?;
    print_results(&args, &config, &run, &results)?;
    Ok(Ending::Finished)
}

/// Path and configuration of the run that is meant.
fn find_run(args: &TrainArgs) -> Result<(PathBuf, Option<RunConfig>)> {
    let path = args.out.clone().unwrap_or_else(|| {
        let recipe = Recipe::of(args.dataset.unwrap_or(DatasetName::Shapes), None);
        let branch = args.attention.map_or(recipe.attention, attention);
        let arch = args.arch.clone().unwrap_or(recipe.architecture);
        let name = format!("{}-{arch}-{}", recipe.dataset.name(), attention_name(branch.as_ref()));
        // An architecture is typed by the user; in a path it must be a plain name.
        Path::new("runs").join(name.replace(['/', '\\'], "_"))
    });
    let existing = RunDir::existing_config(&path)?;
    Ok((path, existing))
}

/// The recipe of the existing run, or the data set's, with every option that was given in its place.
fn recipe_of(args: &TrainArgs, existing: Option<&RunConfig>) -> Result<Recipe> {
    let mut recipe = match existing {
        Some(config) => config.recipe.clone(),
        None => Recipe::of(args.dataset.unwrap_or(DatasetName::Shapes), args.epochs),
    };
    fn set<T>(slot: &mut T, given: Option<T>) {
        if let Some(value) = given {
            *slot = value;
        }
    }
    set(&mut recipe.dataset, args.dataset);
    set(&mut recipe.attention, args.attention.map(attention));
    set(&mut recipe.epochs, args.epochs);
    set(&mut recipe.batch_size, args.batch_size);
    set(&mut recipe.learning_rate, args.lr);
    set(&mut recipe.schedule, args.schedule.clone());
    set(&mut recipe.gamma, args.gamma);
    set(&mut recipe.sgd.weight_decay, args.weight_decay);
    set(&mut recipe.sgd.momentum, args.momentum);
    set(&mut recipe.seed, args.seed);
    set(&mut recipe.normalization.mean, args.mean);
    set(&mut recipe.normalization.std, args.std);
    set(&mut recipe.limit, args.limit.map(Some));
    if let Some(arch) = &args.arch {
        recipe.architecture = crate::architectures::parse(arch)?.name;
    }
    Ok(recipe)
}

/// The data folder that was given, absolute so that the run reopens from anywhere.
fn data_folder(args: &TrainArgs, existing: Option<&RunConfig>) -> Result<Option<PathBuf>> {
    match &args.data {
        Some(data) => Ok(Some(std::path::absolute(data).context("--data is not a usable path")?)),
        None => Ok(existing.and_then(|config| config.data.clone())),
    }
}

/// Derived numbers, before the work begins.
fn announce(config: &RunConfig, run: &RunDir, loaders: &Loaders, trainer: &Trainer<'_>, device: &Device) {
    let recipe = &config.recipe;
    let cost = config.model.cost([32, 32], device);
    terminal::note(&format!(
        "{} with attention {} on {}: {} training and {} test images, {} classes",
        recipe.architecture,
        attention_name(recipe.attention.as_ref()),
        recipe.dataset.name(),
        loaders.train.dataset.len(),
        loaders.test.dataset.len(),
        config.classes.len(),
    ));
    terminal::note(&format!(
        "{:.3} M parameters, {:.1} M multiply-adds an image; {} epochs of {} steps of {} images; run in `{}`",
        cost.parameters as f64 / 1e6,
        cost.multiply_adds as f64 / 1e6,
        recipe.epochs,
        loaders.train.batches(),
        recipe.batch_size,
        run.path().display()
    ));
    let progress = trainer.progress();
    if progress.epoch + progress.batch > 0 {
        terminal::note(&format!("continuing after {} epochs and {} steps", progress.epoch, progress.batch));
    }
}

/// Measures the best weights once more where masks are known, and writes results and report.
fn conclude(
    config: &RunConfig,
    run: &RunDir,
    test: &abn_data::Collection,
    workers: usize,
    device: Device,
) -> Result<Results> {
    let session = Session::open(run.path(), Which::Best, device)?;
    let history = crate::checkpoint::Checkpoints::open(run.checkpoints())?.progress().history;
    let last = history.last().context("the run has no finished epoch")?;
    let best = history.iter().rev().find(|record| record.best).unwrap_or(last);
    let loader = plain_loader(config, test, workers);
    let results = Results {
        epochs: history.len(),
        best_epoch: best.epoch,
        best: best.test,
        last: last.test,
        pointing: pointing(&session, &loader)?,
    };
    run.write_json(RESULTS, &results)?;
    let sample = plain_loader(config, &test.clone().limit(GALLERY_IMAGES), workers);
    let recipe = &config.recipe;
    let report = Report {
        title: format!(
            "{} with attention {} on {}",
            recipe.architecture,
            attention_name(recipe.attention.as_ref()),
            recipe.dataset.name()
        ),
        subtitle: format!("{} epochs, seed {}", recipe.epochs, recipe.seed),
        settings: settings(config, &session.device)?,
        timing: run.read_lines::<EpochTiming>(TIMING)?,
        results: Some(results.clone()),
        gallery: gallery(&session.classifier, &sample, &config.classes, &session.device)?,
        epochs: history,
        drawing: Drawing::default(),
    };
    run.write("report.html", render(&report).as_bytes())?;
    Ok(results)
}

/// The pointing game of the trained network beside that of the same network before training.
fn pointing(session: &Session, loader: &Loader) -> Result<Option<Pointing>> {
    let Some(trained) = pointing_game(&session.classifier, loader, &session.device)? else {
        return Ok(None);
    };
    let untrained = session.config.model.init_seeded(session.config.recipe.seed, &session.device);
    let untrained = pointing_game(&untrained, loader, &session.device)?;
    Ok(untrained.map(|untrained| Pointing {
        images: trained.images(),
        trained: trained.accuracy(),
        untrained: untrained.accuracy(),
        chance: trained.chance(),
    }))
}

/// Every setting of the run, for the report's table.
fn settings(config: &RunConfig, device: &Device) -> Result<Vec<(String, String)>> {
    let cost = config.model.cost([32, 32], device);
    let mut settings = vec![
        ("parameters".to_owned(), cost.parameters.to_string()),
        ("multiply-adds an image".to_owned(), cost.multiply_adds.to_string()),
        ("map".to_owned(), format!("{} x {}", cost.map[0], cost.map[1])),
    ];
    settings.extend(config.settings());
    Ok(settings)
}

fn print_results(args: &TrainArgs, config: &RunConfig, run: &RunDir, results: &Results) -> Result<()> {
    if args.json {
        return terminal::json(results);
    }
    let Results { best, best_epoch, pointing, .. } = results;
    terminal::result(&format!(
        "top-1 {} of {} held-out images (epoch {best_epoch}); chance is {}",
        percent(best.top1),
        best.images,
        percent(1.0 / config.classes.len() as f64)
    ))?;
    if let Some(pointing) = pointing {
        terminal::result(&format!(
            "the attention map's maximum lies on the object in {}; untrained network {}, random point {}",
            percent(pointing.trained),
            percent(pointing.untrained),
            percent(pointing.chance)
        ))?;
    }
    terminal::result(&format!("report {}", run.report().display()))
}
