//! The training procedure, from the first batch to the last epoch's checkpoint.
//!
//! Everything random is a function of (seed, epoch, index), so a run that continues from any
//! checkpoint takes exactly the steps that it would have taken without the interruption.

use std::time::{Duration, Instant};

use abn_core::explain::AttentionMap;
use abn_core::state::{self, State};
use abn_core::{Classifier, loss};
use abn_data::{Batch, Loader};
use anyhow::{Context, Result, bail, ensure};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::interrupt::Interrupt;
use crate::terminal::TrainingDisplay;
use abn_core::sgd::Sgd;
use abn_run::folder::checkpoint::{Checkpoints, Progress};
use abn_run::folder::run_dir::RunDir;
use abn_run::measure::drift::{drift, maps_of, state_of_maps};
use abn_run::measure::evaluate::{Measured, images_of, measure};
use abn_run::measure::readback::Outcome;
use abn_run::measure::records::{EpochRecord, EpochTiming, MapHealth};
use abn_run::measure::totals::Sums;
use abn_run::recipe::{Recipe, RunConfig};

/// Name of the file with one record an epoch.
pub const METRICS: &str = "metrics.jsonl";
/// Name of the file with the times of the epochs.
pub const TIMING: &str = "timing.jsonl";
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

/// Where the images come from.
#[derive(Clone)]
pub struct Loaders {
    /// Shuffled, augmented.
    pub train: Loader,
    /// In order, as they are.
    pub test: Loader,
}

/// A run in training.
pub struct Trainer<'a> {
    config: &'a RunConfig,
    run: &'a RunDir,
    loaders: Loaders,
    interrupt: Interrupt,
    save_every: Duration,
    device: Device,
    model: Classifier,
    sgd: Sgd,
    progress: Progress,
    /// Maps of the first test images after the last finished epoch.
    probes: Vec<AttentionMap>,
    checkpoints: Checkpoints,
    last_save: Instant,
}

impl<'a> Trainer<'a> {
    /// Takes the run up where its checkpoint left it, or at the beginning: at `start`, or else at
    /// random weights. `device` is without autodiff.
    ///
    /// # Errors
    /// The checkpoint is damaged.
    pub fn new(
        config: &'a RunConfig,
        run: &'a RunDir,
        start: Option<State>,
        loaders: Loaders,
        device: Device,
        interrupt: Interrupt,
        save_every: Duration,
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
                check_position(&resume.progress, &config.recipe, &loaders.train)
                    .with_context(place)?;
                let model = state::with_state(config.model.init(&training_device), resume.model)
                    .with_context(place)?;
                let sgd = Sgd::with_state(config.recipe.sgd, resume.optimizer, &model, &device)
                    .with_context(place)?;
                (model, sgd, resume.progress, maps_of(&resume.maps))
            }
            None => {
                refuse_lost_checkpoint(run, &checkpoints)?;
                let model = match start {
                    Some(state) => state::with_state(config.model.init(&training_device), state)?,
                    None => config
                        .model
                        .init_seeded(config.recipe.seed, &training_device),
                };
                (
                    model,
                    Sgd::new(config.recipe.sgd),
                    Progress::default(),
                    Vec::new(),
                )
            }
        };
        checkpoints.remove_unnamed()?;
        let last_save = Instant::now();
        Ok(Self {
            config,
            run,
            loaders,
            interrupt,
            save_every,
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
        let epochs = self.recipe().epochs;
        let epoch_batches = self.loaders.train.batches();
        let done = self.progress.epoch * epoch_batches + self.progress.batch;
        let display = TrainingDisplay::new(epochs, epoch_batches, done);
        // A kill between the checkpoint and these files left them an epoch behind.
        self.run.write_lines(METRICS, &self.progress.history)?;
        while self.progress.epoch < epochs {
            if self.epoch(&display)? == Ending::Interrupted {
                display.finish();
                return Ok(Ending::Interrupted);
            }
        }
        display.finish();
        Ok(Ending::Finished)
    }

    fn recipe(&self) -> &'a Recipe {
        &self.config.recipe
    }

    /// The rest of the current epoch and its evaluation.
    fn epoch(&mut self, display: &TrainingDisplay) -> Result<Ending> {
        let (started, resumed_at) = (Instant::now(), self.progress.sums.images());
        if self.batches(display)? == Ending::Interrupted {
            return Ok(Ending::Interrupted);
        }
        let train_seconds = started.elapsed().as_secs_f64();
        let images = self.progress.sums.images() - resumed_at;
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
        };
        let timing = (images > 0).then_some(timing);
        if let Some(timing) = timing {
            self.record_timing(timing)?;
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
        let rate = self.recipe().rate(epoch);
        let (started, resumed_at) = (Instant::now(), self.progress.sums.images());
        display.start_epoch(epoch, self.progress.batch);
        for batch in self.loaders.train.epoch(epoch, self.progress.batch) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Err(self.saved_before(error.into())),
            };
            self.step(&batch, rate)?;
            self.progress.batch += 1;
            let so_far = self.progress.sums.summary(self.recipe().attention_weight());
            let speed = (so_far.images - resumed_at) as f64 / started.elapsed().as_secs_f64();
            display.batch(epoch, self.progress.batch, so_far.loss, so_far.top1, speed);
            if self.interrupt.requested() {
                self.save()?;
                return Ok(Ending::Interrupted);
            }
            if self.last_save.elapsed() >= self.save_every {
                self.save()?;
            }
        }
        Ok(Ending::Finished)
    }

    /// One step of gradient descent.
    fn step(&mut self, batch: &Batch, rate: f64) -> Result<()> {
        let device = self.device.clone().autodiff();
        let weight = self.recipe().attention_weight();
        let labels: Vec<i64> = batch.labels.iter().map(|label| *label as i64).collect();
        let labels = Tensor::<1, Int>::from_ints(labels.as_slice(), &device);
        // Dropout too is a function of (seed, epoch, batch): nothing else draws from the device in
        // training.
        device.seed(step_seed(
            self.recipe().seed,
            self.progress.epoch,
            self.progress.batch,
        ));
        let output = self.model.forward(images_of(batch, &device));
        let objective = loss::loss(&output, labels, weight);
        let mut sums = Sums::default();
        let outcome = Outcome::read(output, false)?;
        sums.add(&batch.labels, &outcome);
        if !sums.summary(weight).loss.is_finite() {
            return self.diverged("the loss");
        }
        let gradients = GradientsParams::from_grads(objective.backward(), &self.model);
        self.model = self.sgd.step(rate, self.model.clone(), gradients);
        self.progress.sums.add(&batch.labels, &outcome);
        Ok(())
    }

    /// Ends a run whose numbers are not finite any more.
    fn diverged<T>(&self, what: &str) -> Result<T> {
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
        let weight = self.recipe().attention_weight();
        let loader = &self.loaders.test;
        let go_on = |images| {
            display.evaluating(images, loader.dataset.len());
            !self.interrupt.requested()
        };
        let measured = measure(&self.model.valid(), loader, &self.device, weight, go_on)?;
        let Some(Measured {
            summary: test,
            maps,
            probes,
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
        let history = &self.progress.history;
        let highest = history
            .iter()
            .map(|record| record.test.top1)
            .fold(f64::NEG_INFINITY, f64::max);
        let record = EpochRecord {
            epoch: self.progress.epoch + 1,
            learning_rate: self.recipe().rate(self.progress.epoch),
            train: self.progress.sums.summary(weight),
            best: test.top1 > highest,
            test,
            maps,
        };
        Ok(Some((record, probes)))
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
        self.run.write_lines(METRICS, &self.progress.history)
    }

    fn record_timing(&self, timing: EpochTiming) -> Result<()> {
        // Times are for looking at: a damaged file of them is no reason to end a training.
        let mut timings: Vec<EpochTiming> = self.run.read_lines(TIMING).unwrap_or_default();
        timings.retain(|other| other.epoch != timing.epoch);
        timings.push(timing);
        self.run.write_lines(TIMING, &timings)
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
        self.checkpoints.save(&model, &velocities, maps, progress)?;
        self.last_save = Instant::now();
        Ok(())
    }
}

/// Mixes the position into the seed of the run (the finaliser of splitmix64 after each number).
fn step_seed(seed: u64, epoch: usize, batch: usize) -> u64 {
    [epoch, batch].into_iter().fold(seed, |state, number| {
        let mut mixed = state
            .wrapping_add(number as u64)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
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
        sums,
        history,
    } = progress;
    let images = batch
        .saturating_mul(recipe.batch_size)
        .min(train.dataset.len());
    let possible = *epoch <= recipe.epochs
        && history.len() == *epoch
        && history
            .iter()
            .zip(1..)
            .all(|(record, number)| record.epoch == number)
        && *batch <= train.batches()
        && (*epoch < recipe.epochs || *batch == 0)
        && sums.images() == images;
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
