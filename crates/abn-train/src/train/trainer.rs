//! The training procedure, from the first batch to the last epoch's checkpoint.
//!
//! Everything random is a function of (seed, epoch, index), so a run that continues from any
//! checkpoint takes exactly the steps that it would have taken without the interruption.

use std::time::Instant;

use abn_core::explain::AttentionMap;
use abn_core::sgd::Sgd;
use abn_core::state::{self, State};
use abn_data::{Batch, Loader, splitmix64};
use abn_run::folder::checkpoint::{Checkpoints, Progress};
use abn_run::folder::run_dir::{METRICS, RunDir, TIMING};
use abn_run::measure::drift::{drift, maps_of, state_of_maps};
use abn_run::measure::records::{EpochRecord, EpochTiming, Figures, MapHealth};
use abn_run::measure::task::{Measured, Task};
use abn_run::measure::totals::Totals;
use abn_run::recipe::Recipe;
use abn_run::training_images::Loaders;
use anyhow::{Context, Result, bail, ensure};
use burn::module::Module;
use burn::tensor::{Device, TensorData};

use crate::device;
use crate::interrupt::Interrupt;
use crate::terminal::TrainingDisplay;
use crate::train::TrainOptions;
use crate::train::epoch_table::{EPOCHS, csv};

/// A map is reported as dead when more than this share of the test maps is constant.
const DEAD_MAPS: f64 = 0.5;

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are done.
    Finished,
    /// The user asked to stop; a checkpoint was written.
    Interrupted,
}

/// A run in training, whatever its task.
pub struct Trainer<'a, T: Task> {
    task: T,
    recipe: &'a Recipe,
    run: &'a RunDir,
    loaders: Loaders,
    interrupt: Interrupt,
    options: TrainOptions,
    device: Device,
    model: T::Network,
    sgd: Sgd,
    progress: Progress,
    /// Maps of the first test images after the last finished epoch.
    probes: Vec<AttentionMap>,
    checkpoints: Checkpoints,
    last_save: Instant,
}

impl<'a, T: Task> Trainer<'a, T> {
    /// Takes the run up where its checkpoint left it, or at the beginning: at `start`, or else at
    /// random weights. `device` is without autodiff.
    ///
    /// # Errors
    /// The checkpoint is damaged.
    pub fn new(
        task: T,
        recipe: &'a Recipe,
        run: &'a RunDir,
        start: Option<State>,
        loaders: Loaders,
        device: Device,
        interrupt: Interrupt,
        options: TrainOptions,
    ) -> Result<Self> {
        let checkpoints = Checkpoints::open(run.checkpoints())?;
        let training_device = device.clone().autodiff();
        let resume = checkpoints.resume()?;
        let (model, sgd, progress, probes) = match resume {
            Some(resume) => {
                let place = || {
                    format!(
                        "`{}` does not fit this run",
                        checkpoints.manifest_path().display()
                    )
                };
                check_position(&resume.progress, recipe, &loaders.train).with_context(place)?;
                let model = state::with_state(task.init(&training_device), resume.model)
                    .with_context(place)?;
                let sgd = Sgd::with_state(recipe.sgd, resume.optimizer, &model, &device)
                    .with_context(place)?;
                (model, sgd, resume.progress, maps_of(&resume.maps))
            }
            None => {
                refuse_lost_checkpoint(run, &checkpoints)?;
                let model = match start {
                    Some(state) => state::with_state(task.init(&training_device), state)?,
                    None => task.init_seeded(recipe.seed, &training_device),
                };
                let sgd = Sgd::new(recipe.sgd);
                (model, sgd, Progress::default(), Vec::new())
            }
        };
        let sgd = sgd.sparing(task.undecayed());
        checkpoints.remove_unnamed()?;
        let last_save = Instant::now();
        Ok(Self {
            task,
            recipe,
            run,
            loaders,
            interrupt,
            options,
            device,
            model,
            sgd,
            progress,
            probes,
            checkpoints,
            last_save,
        })
    }

    /// Where the run stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Trains until all epochs are done or the user asks to stop.
    ///
    /// # Errors
    /// A training sample cannot be read (the steps before it are saved), the loss is not a number,
    /// or a file cannot be written. The checkpoint is a good one in any case.
    pub fn train(&mut self) -> Result<Ending> {
        let epochs = self.recipe.epochs;
        let epoch_batches = self.loaders.train.batches();
        let done = self.progress.epoch * epoch_batches + self.progress.batch;
        let display = TrainingDisplay::new(epochs, epoch_batches, done, self.recipe.best);
        // A kill between the checkpoint and these files left them an epoch behind.
        self.write_metrics()?;
        while self.progress.epoch < epochs {
            if self.epoch(&display)? == Ending::Interrupted {
                display.finish();
                return Ok(Ending::Interrupted);
            }
        }
        display.finish();
        Ok(Ending::Finished)
    }

    /// The rest of the current epoch and its evaluation.
    fn epoch(&mut self, display: &TrainingDisplay) -> Result<Ending> {
        let (started, resumed_at) = (Instant::now(), self.progress.totals.images());
        if self.batches(display)? == Ending::Interrupted {
            return Ok(Ending::Interrupted);
        }
        let train_seconds = started.elapsed().as_secs_f64();
        let images = self.progress.totals.images() - resumed_at;
        let Some((record, probes)) = self.test(display)? else {
            self.save()?;
            return Ok(Ending::Interrupted);
        };
        warn_of_dead_maps(&record, display);
        self.finish_epoch(record.clone(), probes)?;
        let timing = EpochTiming {
            epoch: record.epoch,
            train_seconds,
            images_per_second: images as f64 / train_seconds,
            test_seconds: started.elapsed().as_secs_f64() - train_seconds,
            device: device::name_of(&self.device),
        };
        let timing = (images > 0).then_some(timing);
        if let Some(timing) = &timing {
            self.record_timing(timing.clone())?;
        }
        display.end_epoch(&record, timing.as_ref());
        Ok(if self.interrupt.requested() {
            Ending::Interrupted
        } else {
            Ending::Finished
        })
    }

    /// The rest of the batches of the current epoch.
    fn batches(&mut self, display: &TrainingDisplay) -> Result<Ending> {
        let epoch = self.progress.epoch;
        let steps = self.loaders.train.batches();
        let (started, resumed_at) = (Instant::now(), self.progress.totals.images());
        display.start_epoch(epoch, self.progress.batch);
        for batch in self.loaders.train.epoch(epoch, self.progress.batch) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Err(self.saved_before(error.into())),
            };
            if !batch.is_empty() {
                let rate = self.recipe.rate_of_step(epoch, self.progress.batch, steps);
                self.step(&batch, rate)?;
            }
            self.progress.batch += 1;
            let so_far = self.task.summary(&self.progress.totals);
            let speed = (so_far.images - resumed_at) as f64 / started.elapsed().as_secs_f64();
            display.batch(epoch, self.progress.batch, &so_far, speed);
            if self.interrupt.requested() {
                self.save()?;
                return Ok(Ending::Interrupted);
            }
            if self.last_save.elapsed() >= self.options.save_every {
                self.save()?;
            }
        }
        Ok(Ending::Finished)
    }

    /// One step of gradient descent.
    fn step(&mut self, batch: &Batch, rate: f64) -> Result<()> {
        let device = self.device.clone().autodiff();
        let place = [self.progress.epoch, self.progress.batch];
        // Dropout too is a function of (seed, epoch, batch): nothing else draws from the device in
        // training.
        device.seed(step_seed(self.recipe.seed, place));
        let (gradients, outcome) = self.task.gradients(&self.model, batch, &device)?;
        let mut alone = Totals::default();
        self.task.add(&mut alone, batch, &outcome);
        if !self.task.summary(&alone).loss.is_finite() {
            return self.diverged("the loss");
        }
        self.model = self.sgd.step(rate, self.model.clone(), gradients);
        self.task.add(&mut self.progress.totals, batch, &outcome);
        Ok(())
    }

    /// Ends a run whose numbers are not finite any more.
    fn diverged<R>(&self, what: &str) -> Result<R> {
        let saved = self.checkpoints.progress();
        let kept = match saved.epoch + saved.batch {
            0 => "no checkpoint was written".to_owned(),
            _ => format!(
                "the last good checkpoint is `{}` (after {} epochs and {} steps)",
                self.checkpoints.manifest_path().display(),
                saved.epoch,
                saved.batch
            ),
        };
        bail!(
            "{what} is not finite after {} steps of epoch {}: the training diverged. Lower --lr \
             (or check --mean and --std) and train into another --out; {kept}",
            self.progress.batch,
            self.progress.epoch + 1
        )
    }

    /// Measures the network as it stands on the test images, with the maps that the next epoch's
    /// will be compared with; `None` if the user asked to stop.
    fn test(&self, display: &TrainingDisplay) -> Result<Option<(EpochRecord, Vec<AttentionMap>)>> {
        let loader = &self.loaders.test;
        let mut go_on = |images| {
            display.evaluating(images, loader.dataset.len());
            !self.interrupt.requested()
        };
        let network = self.model.valid();
        let measured = self
            .task
            .measure(&network, loader, &self.device, &mut go_on)?;
        let Some(Measured {
            summary: test,
            maps,
            probes,
            ..
        }) = measured
        else {
            return Ok(None);
        };
        let maps = maps.map(|maps| MapHealth {
            drift: drift(&self.probes, &probes),
            ..maps
        });
        if !test.loss.is_finite() {
            return self.diverged("the test loss");
        }
        let record = EpochRecord {
            epoch: self.progress.epoch + 1,
            learning_rate: self.recipe.rate(self.progress.epoch),
            train: self.task.summary(&self.progress.totals),
            best: self.is_best(&test.figures),
            test,
            maps,
        };
        Ok(Some((record, probes)))
    }

    /// Whether these test figures are better than those of every epoch before.
    fn is_best(&self, figures: &Figures) -> bool {
        let value = |figures: &Figures| figures.best_by(self.recipe.best);
        let history = self.progress.history.iter();
        let highest = history
            .filter_map(|record| value(&record.test.figures))
            .fold(f64::NEG_INFINITY, f64::max);
        value(figures).is_some_and(|value| value > highest)
    }

    /// The checkpoint comes first: `metrics.jsonl` is rewritten from it on resume.
    fn finish_epoch(&mut self, record: EpochRecord, probes: Vec<AttentionMap>) -> Result<()> {
        let mut history = self.progress.history.clone();
        history.push(record);
        let next = Progress {
            epoch: self.progress.epoch + 1,
            history,
            ..Progress::default()
        };
        self.save_as(&next, Some(&state_of_maps(&probes)))?;
        (self.progress, self.probes) = (next, probes);
        self.write_metrics()
    }

    fn write_metrics(&self) -> Result<()> {
        self.run.write_lines(METRICS, &self.progress.history)?;
        if self.options.csv {
            self.run.write(EPOCHS, &csv(&self.progress.history)?)?;
        }
        Ok(())
    }

    fn record_timing(&self, timing: EpochTiming) -> Result<()> {
        // Times are for looking at: a damaged file of them is no reason to end a training.
        let mut timings: Vec<EpochTiming> = self.run.read_lines(TIMING).unwrap_or_default();
        timings.retain(|other| other.epoch != timing.epoch);
        timings.push(timing);
        Ok(self.run.write_lines(TIMING, &timings)?)
    }

    /// Saves where the run stands.
    fn save(&mut self) -> Result<()> {
        self.save_as(&self.progress.clone(), None)
    }

    /// Keeps the steps that were made before an error that is not theirs.
    fn saved_before(&mut self, error: anyhow::Error) -> anyhow::Error {
        let no_step = self.progress.epoch + self.progress.batch == 0;
        match if no_step { Ok(()) } else { self.save() } {
            Ok(()) => error,
            Err(unsaved) => {
                error.context(format!("the steps so far could not be saved ({unsaved:#})"))
            }
        }
    }

    /// Saves weights and velocities with a position, unless they are broken: a good checkpoint is
    /// worth more. With new maps if an epoch ends here.
    fn save_as(&mut self, progress: &Progress, maps: Option<&State>) -> Result<()> {
        let (model, velocities) = (state::state_of(&self.model), self.sgd.state());
        let finite = |data: &TensorData| data.iter::<f32>().all(f32::is_finite);
        if !model.values().chain(velocities.values()).all(finite) {
            return self.diverged("a weight");
        }
        if let Some(unreadable) = &self.loaders.unreadable {
            unreadable.record(self.run, &Default::default())?;
        }
        self.checkpoints.save(&model, &velocities, maps, progress)?;
        self.last_save = Instant::now();
        Ok(())
    }
}

/// Mixes epoch and batch into the seed of the run.
fn step_seed(seed: u64, place: [usize; 2]) -> u64 {
    let mixed = |state: u64, number: usize| splitmix64(state.wrapping_add(number as u64));
    place.into_iter().fold(seed, mixed)
}

/// A branch that died shows in its maps before it shows in the accuracy.
fn warn_of_dead_maps(record: &EpochRecord, display: &TrainingDisplay) {
    let Some(maps) = record.maps else { return };
    if maps.constant > DEAD_MAPS || maps.not_finite > 0.0 {
        display.line(&format!(
            "warning: of the attention maps {:.0} % are constant ({:.0} % all 0, {:.0} % all 1), \
             {:.0} % not finite",
            100.0 * maps.constant,
            100.0 * maps.zero,
            100.0 * maps.one,
            100.0 * maps.not_finite
        ));
    }
}

/// A position that this run cannot have been in.
fn check_position(progress: &Progress, recipe: &Recipe, train: &Loader) -> Result<()> {
    let Progress {
        epoch,
        batch,
        totals,
        history,
    } = progress;
    let images = batch
        .saturating_mul(recipe.batch_size)
        .min(train.dataset.len());
    // Which of the images so far are left out is not worth the sum.
    let images = images.saturating_sub(train.skips.len())..=images;
    let possible = *epoch <= recipe.epochs
        && history.len() == *epoch
        && history
            .iter()
            .zip(1..)
            .all(|(record, number)| record.epoch == number)
        && *batch <= train.batches()
        && (*epoch < recipe.epochs || *batch == 0)
        && images.contains(&totals.images());
    ensure!(
        possible,
        "its position is impossible; it is damaged: restore it or train into another --out"
    );
    Ok(())
}

/// Metrics are written after the checkpoint of their epoch, so metrics without one mean that it was
/// lost.
fn refuse_lost_checkpoint(run: &RunDir, checkpoints: &Checkpoints) -> Result<()> {
    let finished: Vec<EpochRecord> = run.read_lines(METRICS)?;
    ensure!(
        finished.is_empty(),
        "`{}` is missing although the run has finished {} epochs; restore it or train into another \
         --out",
        checkpoints.manifest_path().display(),
        finished.len()
    );
    Ok(())
}
