//! A training from its configuration to its report, as `abn train` and the campaigns of `cargo
//! xtask ablation` do it.

pub mod finish;
mod gallery;
pub mod trainer;
pub mod warm_start;

use std::path::{Path, PathBuf};
use std::time::Duration;

use abn_core::state::State;
use abn_data::{Collection, Loader, Split};
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;

use crate::interrupt::Interrupt;
use crate::terminal;
use crate::train::finish::conclude;
use crate::train::trainer::{Ending, Loaders, Trainer};
use abn_run::datasets::fingerprint;
use abn_run::folder::run_dir::RunDir;
use abn_run::measure::records::Results;
use abn_run::recipe::{Recipe, RunConfig};
use abn_run::session::plain_loader;

/// What does not change the result of a training.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Threads that load images.
    pub workers: usize,
    /// Time between checkpoints within an epoch.
    pub save_every: Duration,
}

impl Default for How {
    fn default() -> Self {
        Self {
            workers: 2,
            save_every: Duration::from_secs(300),
        }
    }
}

/// Trains a run from `start`, random weights or its checkpoint to its last epoch, measures and
/// shows it. `None` if it was interrupted: then its checkpoint holds all that was done.
///
/// # Errors
/// Anything that keeps the run from its end; its last checkpoint is kept.
pub fn train(
    config: &RunConfig,
    run: &RunDir,
    images: &Images,
    start: Option<State>,
    device: Device,
    interrupt: &Interrupt,
    how: How,
) -> Result<Option<Results>> {
    let loaders = images.loaders(config, how.workers);
    let mut trainer = Trainer::new(
        config,
        run,
        start,
        loaders.clone(),
        device.clone(),
        interrupt.clone(),
        how.save_every,
    )?;
    announce(config, run, &loaders, &trainer, &device);
    if trainer.train()? == Ending::Interrupted {
        return Ok(None);
    }
    drop(trainer);
    interrupt.end_at_once();
    conclude(config, run, &images.test, device).map(Some)
}

/// The images of a run.
pub struct Images {
    folder: Option<PathBuf>,
    train: Collection,
    /// The images that no training sees.
    pub test: Collection,
}

impl Images {
    /// Opens both splits: in `given`, where the existing run had them, or at their usual place.
    ///
    /// # Errors
    /// The data set is missing, damaged or empty.
    pub fn open(
        recipe: &Recipe,
        given: Option<&Path>,
        existing: Option<&RunConfig>,
    ) -> Result<Self> {
        let last = existing.and_then(|config| config.data.as_deref());
        let folder = recipe.dataset.folder(given, last)?;
        let open = |split| {
            let opened = recipe.dataset.open(split, folder.as_deref(), None);
            opened
                .context("the data set cannot be opened; --data or ABN_DATASETS says where it lies")
        };
        let (mut train, test) = (open(Split::Train)?, open(Split::Test)?);
        if let Some(limit) = recipe.limit {
            train = train.limit(limit);
        }
        ensure!(
            !train.samples.is_empty() && !test.samples.is_empty(),
            "the data set has no images"
        );
        Ok(Self {
            folder,
            train,
            test,
        })
    }

    /// The recipe with batches that the images can fill. A usual size is made smaller, one that was
    /// asked for is not.
    ///
    /// # Errors
    /// The size that was asked for is more than there are images.
    pub fn fit_batch(&self, recipe: Recipe, usual: bool) -> Result<Recipe> {
        let images = self.train.samples.len();
        ensure!(
            usual || recipe.batch_size <= images,
            "--batch-size {} is more than the {images} training images; give a smaller one",
            recipe.batch_size
        );
        Ok(Recipe {
            batch_size: recipe.batch_size.min(images),
            ..recipe
        })
    }

    /// The whole configuration of a run on these images.
    ///
    /// # Errors
    /// An image cannot be read, or there is no architecture of the recipe's name.
    pub fn describe(&self, recipe: Recipe) -> Result<RunConfig> {
        let images = format!(
            "train: {}; test: {}",
            fingerprint(&self.train)?,
            fingerprint(&self.test)?
        );
        let config = RunConfig::new(recipe, self.train.classes.clone())?;
        Ok(RunConfig {
            images: Some(images),
            data: self.folder.clone(),
            ..config
        })
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
            test: Loader {
                masks: false,
                ..plain_loader(config, &self.test, workers)
            },
        }
    }
}

/// Derived numbers, before the work begins.
fn announce(
    config: &RunConfig,
    run: &RunDir,
    loaders: &Loaders,
    trainer: &Trainer<'_>,
    device: &Device,
) {
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
    if recipe
        .attention
        .as_ref()
        .is_some_and(|attention| !attention.trains_map())
    {
        terminal::note(
            "attention.mechanism is identity: the branch is trained, but not its map, which weighs \
             nothing; `abn explain` has other methods",
        );
    }
    let progress = trainer.progress();
    if progress.epoch == recipe.epochs {
        terminal::note(
            "all its epochs are done; to train on, start another run from it with --init",
        );
    } else if progress.epoch + progress.batch > 0 {
        terminal::note(&format!(
            "continuing after {} epochs and {} steps",
            progress.epoch, progress.batch
        ));
    }
}
