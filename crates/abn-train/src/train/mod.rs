//! A training from its configuration to its report, as `abn train` and the campaigns of `cargo
//! xtask ablation` do it.

mod circle;
mod epoch_table;
pub mod finish;
mod found;
pub(crate) mod gallery;
mod keeper;
mod replica;
mod shares;
pub mod trainer;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use abn_core::state::{State, state_of};
use abn_core::transfer::Transfer;
use abn_run::folder::checkpoint::Progress;
use abn_run::folder::run_dir::RunDir;
use abn_run::measure::classification::Classification;
use abn_run::measure::detection::Detection;
use abn_run::measure::records::Results;
use abn_run::measure::task::Task;
use abn_run::recipe::RunConfig;
use abn_run::self_check::first_images;
use abn_run::training_images::{Loaders, TrainingImages};
use anyhow::{Result, ensure};
use burn::tensor::Device;

use crate::device::failure::{DeviceFailed, caught};
use crate::device::{self, TunedKernels, check};
use crate::interrupt::Interrupt;
use crate::ranks::Ranks;
use crate::terminal;
use crate::train::finish::conclude;
use crate::train::trainer::{Ending, Trainer};
use crate::unreadable;

/// Most parts that a line about the weights to start from names.
const SHOWN: usize = 12;

/// What does not change the result of a training, but for rounding where replicas normalise
/// together.
#[derive(Debug, Clone, Copy)]
pub struct TrainOptions {
    /// Threads that load images.
    pub workers: usize,
    /// Time between checkpoints within an epoch.
    pub save_every: Duration,
    /// Whether another device is compared with the CPU first.
    pub check: bool,
    /// Whether the epochs are also written as CSV.
    pub csv: bool,
    /// Shares of a batch that are computed at the same time.
    pub replicas: usize,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            workers: 2,
            save_every: Duration::from_secs(300),
            check: true,
            csv: false,
            replicas: 1,
        }
    }
}

/// Trains a run from `start`, random weights or its checkpoint to its last epoch, measures and
/// shows it. Without results if it was interrupted, when its checkpoint holds all that was done; and
/// in all processes but the first, which alone has the run.
///
/// # Errors
/// Anything that keeps the run from its end; its last checkpoint is kept.
pub fn train(
    config: &RunConfig,
    run: Option<&RunDir>,
    images: &TrainingImages,
    start: Option<Transfer>,
    devices: &[Device],
    ranks: &Ranks,
    interrupt: &Interrupt,
    options: TrainOptions,
) -> Result<(Ending, Option<Results>)> {
    if let Some((init, transfer)) = config.init.as_ref().zip(start.as_ref()) {
        announce_start(&init.from, transfer);
    }
    let start = start.map(|transfer| transfer.state);
    let training = Training {
        config,
        run,
        images,
        devices,
        ranks,
        interrupt,
        options,
    };
    let ending = match Detection::of(config) {
        Some(task) => training.to_its_end(task, start)?,
        None => training.to_its_end(Classification::of(config), start)?,
    };
    let Some(run) = run.filter(|_| ending == Ending::Finished) else {
        return Ok((ending, None));
    };
    interrupt.end_at_once();
    let results = conclude(config, run, images, devices[0].clone())?;
    Ok((ending, Some(results)))
}

/// A training of whatever task.
struct Training<'a> {
    config: &'a RunConfig,
    /// In the first process alone.
    run: Option<&'a RunDir>,
    images: &'a TrainingImages,
    /// The first measures.
    devices: &'a [Device],
    ranks: &'a Ranks,
    interrupt: &'a Interrupt,
    options: TrainOptions,
}

impl Training<'_> {
    /// Trains until all epochs are done or the user asks to stop.
    fn to_its_end<T: Task>(&self, task: T, start: Option<State>) -> Result<Ending> {
        let Self {
            config,
            run,
            images,
            options,
            ..
        } = self;
        let loaders = images.loaders(config, options.workers);
        ensure!(
            self.devices.len() == 1 || !task.has_dropout(),
            "--devices is for networks without dropout, which draws from one generator: name one by \
             --device"
        );
        ensure!(
            options.replicas == 1 || !config.recipe.sync_batch_norm || !task.has_dropout(),
            "--sync-batch-norm with --replicas is for networks without dropout, which draws from one \
             generator: let a launcher of MPI start a process for each, or leave --replicas out"
        );
        let others = self.devices.iter();
        for device in others.filter(|device| options.check && !device::computes_as_the_cpu(device))
        {
            let drawn = || state_of(&task.init_seeded(config.recipe.seed, device));
            let weights = start.clone().unwrap_or_else(drawn);
            let first = first_images(&loaders.train);
            let checked = check::before_training(config, &weights, first, device);
            self.ranks.agree(checked)?;
        }
        let mut trainer = Trainer::new(
            task,
            &config.recipe,
            *run,
            start,
            loaders.clone(),
            self.devices,
            self.ranks,
            self.interrupt.clone(),
            *options,
        )?;
        if let Some(run) = run {
            self.announce(run, &loaders, trainer.progress());
            images
                .summary()
                .iter()
                .for_each(|line| terminal::note(line));
        }
        let trained = caught(|| trainer.train()).map_err(|error| {
            let failed: Option<&DeviceFailed> = error.downcast_ref();
            match failed.is_some_and(DeviceFailed::lacks_memory) {
                true => error.context(too_large(config.recipe.batch_size)),
                false => error,
            }
        });
        if let Some(note) = images.unreadable.note().filter(|_| run.is_some()) {
            terminal::note(&note);
        }
        let named = |error| unreadable::with_all(error, images, *run, options.workers);
        trained.map_err(named)
    }

    /// Derived numbers, before the work begins.
    fn announce(&self, run: &RunDir, loaders: &Loaders, progress: &Progress) {
        let Self {
            config, devices, ..
        } = self;
        let (recipe, device) = (&config.recipe, &devices[0]);
        terminal::note(&format!(
            "{} on {} ({}): {} training, {} test images",
            recipe.title(),
            config.data_title(),
            config.labels.title(),
            loaders.train.dataset.len(),
            loaders.test.dataset.len(),
        ));
        terminal::note(&format!(
            "{}; {} epochs of {} steps of {}",
            size_of(config, device),
            recipe.epochs,
            loaders.train.batches(),
            recipe.batch_size,
        ));
        if let Some(apart) = self.apart() {
            terminal::note(&apart);
        }
        if !recipe.precision.is_usual() {
            let name = recipe.precision.name();
            terminal::note(&format!("convolutions learn in {name}, all else in f32"));
        }
        terminal::note(&format!(
            "run in `{}`; figures are training/test, * the best so far",
            run.path().display()
        ));
        if devices.len() > 1 || !device::computes_as_the_cpu(device) {
            let names: Vec<String> = devices.iter().map(device::name_of).collect();
            terminal::note(&format!("computed on {}", names.join(", ")));
        }
        if !device::computes_as_the_cpu(device)
            && let Some(TunedKernels {
                file,
                unusable: None,
            }) = device::tuned_kernels()
        {
            terminal::note(&format!(
                "the fastest kernels of each shape are kept in `{}`",
                file.display()
            ));
        }
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

    /// How a step is divided, if it is.
    fn apart(&self) -> Option<String> {
        let shares = self.config.recipe.accumulate;
        let (replicas, ranks) = (self.options.replicas, self.ranks.count());
        if self.config.recipe.sync_batch_norm {
            let parts = match (ranks, replicas) {
                (1, 1) => return None,
                (1, replicas) => format!("in {replicas} parts at the same time"),
                (ranks, _) => format!("by {ranks} processes"),
            };
            return Some(format!("each step {parts}, normalised together"));
        }
        let processes = match ranks {
            1 => String::new(),
            ranks => format!(", by {ranks} processes"),
        };
        let at_once = match replicas {
            1 => String::new(),
            replicas => format!(", {replicas} at the same time"),
        };
        (shares > 1).then(|| format!("each step in {shares} shares{processes}{at_once}"))
    }
}

/// What to do about a batch that does not fit.
fn too_large(batch: usize) -> String {
    format!(
        "a batch of {batch} does not fit in the memory of the device; try --batch-size {} and another \
         --out",
        (batch / 2).max(1)
    )
}

/// What a network has to learn, and what it costs.
fn size_of(config: &RunConfig, device: &Device) -> String {
    let parameters = config.parameters(device) as f64 / 1e6;
    match &config.recipe.detector {
        Some(detector) => format!(
            "{parameters:.3} M parameters, images of {} to {} pixels",
            detector.inputs.shorter, detector.inputs.longest
        ),
        None => format!(
            "{parameters:.3} M parameters, {:.1} M multiply-adds an image",
            config.cost(device).multiply_adds as f64 / 1e6
        ),
    }
}

/// What of the weights to start from is used, and what is not.
fn announce_start(from: &Path, transfer: &Transfer) {
    terminal::note(&format!("starting from `{}`:", from.display()));
    let lists = [
        ("loaded", &transfer.loaded),
        (
            "copied from the last stage into the branch's",
            &transfer.copied,
        ),
        ("not loaded, random:", &transfer.fresh),
        ("not used of the file:", &transfer.unused),
    ];
    for (what, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
        let parts = parts(names);
        terminal::note(&format!("  {what} {} tensors: {parts}", names.len()));
    }
}

/// The parts of the network that the tensors belong to, such as `network.stages.1`.
fn parts(names: &[String]) -> String {
    let part = |name: &String| {
        let fields: Vec<&str> = name.split('.').collect();
        let depth = match fields.get(1) {
            Some(&"stages") => 3,
            _ => 2,
        };
        fields[..depth.min(fields.len())].join(".")
    };
    let parts: BTreeSet<String> = names.iter().map(part).collect();
    let more = parts.len().saturating_sub(SHOWN);
    let shown: Vec<String> = parts.into_iter().take(SHOWN).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
