//! `abn train`: make or continue a run, then measure and show it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use abn_data::{Collection, Loader, Split};
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;

use super::percent;
use crate::asked::recipe_of;
use crate::cli::TrainArgs;
use crate::conclusion::{REPORT, conclude};
use crate::datasets::fingerprint;
use crate::device;
use crate::initial;
use crate::interrupt::Interrupt;
use crate::metrics::Results;
use crate::recipe::{Recipe, RunConfig};
use crate::run_dir::RunDir;
use crate::session::plain_loader;
use crate::terminal;
use crate::trainer::{Ending, Loaders, Trainer};

/// Threads that load images, unless said otherwise.
const WORKERS: usize = 2;
/// Seconds between checkpoints within an epoch, unless said otherwise.
const SAVE_EVERY: f64 = 300.0;

/// Runs the command.
///
/// # Errors
/// Anything that keeps the run from its end; its last checkpoint is kept.
pub fn run(args: TrainArgs) -> Result<Ending> {
    let device = device::open(args.device.as_deref())?;
    let (path, existing) = find_run(&args)?;
    let recipe = recipe_of(&args, existing.as_ref())?;
    recipe.check()?;
    let images = Images::open(&recipe, args.data.as_deref(), existing.as_ref())?;
    let recipe = images.fit_batch(recipe, args.batch_size.is_none() && existing.is_none())?;
    let init = initial::init_of(args.init.as_deref(), existing.as_ref())?;
    let config = RunConfig { init, ..images.describe(recipe)? };
    config.check_parameters(&device)?;
    let start = initial::start(&config, &path, &device)?;
    let run = RunDir::open_for_writing(&path, &config)?;
    let loaders = images.loaders(&config, args.workers.unwrap_or(WORKERS));
    let interrupt = Interrupt::listen()?;
    let save_every =
        Duration::try_from_secs_f64(args.save_every.unwrap_or(SAVE_EVERY)).unwrap_or(Duration::MAX);
    let mut trainer =
        Trainer::new(&config, &run, start, loaders.clone(), device.clone(), interrupt.clone(), save_every)?;
    announce(&config, &run, &loaders, &trainer, &device);
    if trainer.train()? == Ending::Interrupted {
        terminal::note(&format!(
            "stopped; the same command continues from the checkpoint in `{}`",
            run.path().display()
        ));
        return Ok(Ending::Interrupted);
    }
    drop(trainer);
    interrupt.end_at_once();
    let results = conclude(&config, &run, &images.test, device)?;
    print_results(args.json, &config, &run, &results)?;
    Ok(Ending::Finished)
}

/// The images of a run.
struct Images {
    folder: Option<PathBuf>,
    train: Collection,
    test: Collection,
}

impl Images {
    fn open(recipe: &Recipe, given: Option<&Path>, existing: Option<&RunConfig>) -> Result<Self> {
        let last = existing.and_then(|config| config.data.as_deref());
        let folder = recipe.dataset.folder(given, last)?;
        let open = |split| {
            let opened = recipe.dataset.open(split, folder.as_deref(), None);
            opened.context("the data set cannot be opened; --data or ABN_DATASETS says where it lies")
        };
        let (mut train, test) = (open(Split::Train)?, open(Split::Test)?);
        if let Some(limit) = recipe.limit {
            train = train.limit(limit);
        }
        ensure!(!train.samples.is_empty() && !test.samples.is_empty(), "the data set has no images");
        Ok(Self { folder, train, test })
    }

    /// The recipe with batches that the images can fill. A usual size is made smaller, one that was asked for is not.
    fn fit_batch(&self, recipe: Recipe, usual: bool) -> Result<Recipe> {
        let images = self.train.samples.len();
        ensure!(
            usual || recipe.batch_size <= images,
            "--batch-size {} is more than the {images} training images; give a smaller one",
            recipe.batch_size
        );
        Ok(Recipe { batch_size: recipe.batch_size.min(images), ..recipe })
    }

    /// The whole configuration of a run on these images.
    fn describe(&self, recipe: Recipe) -> Result<RunConfig> {
        let images = format!("train: {}; test: {}", fingerprint(&self.train)?, fingerprint(&self.test)?);
        let config = RunConfig::new(recipe, self.train.classes.clone())?;
        Ok(RunConfig { images: Some(images), data: self.folder.clone(), ..config })
    }

    fn loaders(&self, config: &RunConfig, workers: usize) -> Loaders {
        let recipe = &config.recipe;
        Loaders {
            train: Loader {
                dataset: self.train.samples.clone(),
                transform: recipe.train_transform(),
                batch_size: recipe.batch_size,
                workers,
                seed: recipe.seed,
                shuffled: true,
                masks: false,
            },
            test: Loader { masks: false, ..plain_loader(config, &self.test, workers) },
        }
    }
}

/// Path and configuration of the run that is meant.
fn find_run(args: &TrainArgs) -> Result<(PathBuf, Option<RunConfig>)> {
    let path = match &args.out {
        Some(path) => path.clone(),
        None => default_path(args)?,
    };
    let existing = RunDir::existing_config(&path)?;
    if let Some(file) = existing.as_ref().and_then(|config| config.imported.as_ref()) {
        anyhow::bail!(
            "`{0}` was imported from `{file}` and is not trained further; train from it with --init {0} and another --out",
            path.display()
        );
    }
    Ok((path, existing))
}

/// `runs/DATASET-ARCH-ATTENTION`.
fn default_path(args: &TrainArgs) -> Result<PathBuf> {
    let recipe = recipe_of(args, None)?;
    let name = format!("{}-{}-{}", recipe.dataset.name(), recipe.architecture, recipe.attention_name());
    Ok(Path::new("runs").join(name))
}

/// Derived numbers, before the work begins.
fn announce(config: &RunConfig, run: &RunDir, loaders: &Loaders, trainer: &Trainer<'_>, device: &Device) {
    let recipe = &config.recipe;
    let cost = config.cost(device);
    terminal::note(&format!(
        "{} on {} ({} classes): {} training, {} test images",
        recipe.title(),
        config.data_title(),
        config.classes.len(),
        loaders.train.dataset.len(),
        loaders.test.dataset.len(),
    ));
    terminal::note(&format!(
        "{:.3} M parameters, {:.1} M multiply-adds an image; {} epochs of {} steps of {}",
        cost.parameters as f64 / 1e6,
        cost.multiply_adds as f64 / 1e6,
        recipe.epochs,
        loaders.train.batches(),
        recipe.batch_size,
    ));
    terminal::note(&format!(
        "run in `{}`; figures are training/test, * the best so far",
        run.path().display()
    ));
    let progress = trainer.progress();
    if progress.epoch == recipe.epochs {
        terminal::note("all its epochs are done; to train on, start another run from it with --init");
    } else if progress.epoch + progress.batch > 0 {
        terminal::note(&format!("continuing after {} epochs and {} steps", progress.epoch, progress.batch));
    }
}

fn print_results(json: bool, config: &RunConfig, run: &RunDir, results: &Results) -> Result<()> {
    if json {
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
    terminal::result(&format!("report {}", run.path().join(REPORT).display()))
}
