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
use abn_run::RunError;
use abn_run::datasets::fingerprint;
use abn_run::folder::checkpoint::Progress;
use abn_run::folder::run_dir::RunDir;
use abn_run::images::plain_loader;
use abn_run::measure::classification::Classification;
use abn_run::measure::records::Results;
use abn_run::recipe::{Recipe, RunConfig};
use anyhow::Result;
use burn::tensor::Device;

use crate::interrupt::Interrupt;
use crate::terminal;
use crate::train::finish::conclude;
use crate::train::trainer::{Ending, Loaders, Trainer};

/// What does not change the result of a training.
#[derive(Debug, Clone, Copy)]
pub struct TrainOptions {
    /// Threads that load images.
    pub workers: usize,
    /// Time between checkpoints within an epoch.
    pub save_every: Duration,
}

impl Default for TrainOptions {
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
    options: TrainOptions,
) -> Result<Option<Results>> {
    let loaders = images.loaders(config, options.workers);
    let mut trainer = Trainer::new(
        Classification::of(config),
        &config.recipe,
        run,
        start,
        loaders.clone(),
        device.clone(),
        interrupt.clone(),
        options.save_every,
    )?;
    announce(config, run, &loaders, trainer.progress(), &device);
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
    ) -> Result<Self, RunError> {
        let last = existing.and_then(|config| config.data.as_deref());
        let (dataset, labels) = (recipe.dataset, recipe.labels.as_deref());
        let folder = dataset.folder(given, last)?;
        let open = |split| {
            let opened = dataset.open(split, folder.as_deref(), labels, None);
            opened.map_err(RunError::DataSet)
        };
        let (mut train, test) = (open(Split::Train)?, open(Split::HeldOut)?);
        if let Some(limit) = recipe.limit {
            train = train.limit(limit);
        }
        if train.samples.is_empty() || test.samples.is_empty() {
            return Err(RunError::NoImages(dataset.name));
        }
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
    pub fn fit_batch(&self, recipe: Recipe, usual: bool) -> Result<Recipe, RunError> {
        let (batch, images) = (recipe.batch_size, self.train.samples.len());
        if !usual && batch > images {
            return Err(RunError::BatchSize { batch, images });
        }
        Ok(Recipe {
            batch_size: batch.min(images),
            ..recipe
        })
    }

    /// The whole configuration of a run on these images.
    ///
    /// # Errors
    /// An image cannot be read, or there is no architecture of the recipe's name.
    pub fn describe(&self, recipe: Recipe) -> Result<RunConfig, RunError> {
        let images = format!(
            "train: {}; test: {}",
            fingerprint(&self.train)?,
            fingerprint(&self.test)?
        );
        let config = RunConfig::new(recipe, self.train.labels.clone())?;
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
    progress: &Progress,
    device: &Device,
) {
    let recipe = &config.recipe;
    let cost = config.cost(device);
    terminal::note(&format!(
        "{} on {} ({}): {} training, {} test images",
        recipe.title(),
        config.data_title(),
        config.labels.title(),
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
