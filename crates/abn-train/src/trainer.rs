//! The training procedure, from the first batch to the last epoch's checkpoint.
//!
//! Everything random is a function of (seed, epoch, index), so a run that continues from any checkpoint takes
//! exactly the steps that it would have taken without the interruption.

use std::time::{Duration, Instant};

use abn_core::{Classifier, loss, state};
use abn_data::{Batch, Loader};
use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};

use crate::checkpoint::{Checkpoints, Progress, Resume};
use crate::evaluate::{HealthMeter, Outcome, Sums, for_each_batch, images_of};
use crate::interrupt::Interrupt;
use crate::metrics::{EpochRecord, EpochTiming};
use crate::recipe::{Recipe, RunConfig};
use crate::run_dir::RunDir;
use crate::sgd::Sgd;
use crate::terminal::TrainingDisplay;

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
    checkpoints: Checkpoints,
    last_save: Instant,
}

impl<'a> Trainer<'a> {
    /// Takes the run up where its checkpoint left it, or at the beginning. `device` is without autodiff.
    ///
    /// # Errors
    /// The checkpoint is damaged.
    pub fn new(
        config: &'a RunConfig,
        run: &'a RunDir,
        loaders: Loaders,
        device: Device,
        interrupt: Interrupt,
        save_every: Duration,
    ) -> Result<Self> {
        let checkpoints = Checkpoints::open(run.checkpoints())?;
        let recipe = &config.recipe;
        let training_device = device.clone().autodiff();
        let (model, sgd, progress) = match checkpoints.resume()? {
            Some(Resume { model, optimizer, progress }) => {
                let model =
                    state::with_state(config.model.init(&training_device), model).with_context(|| {
                        format!("`{}` does not fit config.json", checkpoints.manifest_path().display())
                    })?;
                (model, Sgd::with_state(recipe.sgd, optimizer, &device), progress)
            }
            None => {
                let model = config.model.init_seeded(recipe.seed, &training_device);
                (model, Sgd::new(recipe.sgd), Progress::default())
            }
        };
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
    /// A sample cannot be read, the loss is not a number, or a file cannot be written. The last checkpoint
    /// stays as it is.
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
        let epoch = self.progress.epoch;
        let rate = self.recipe().rate(epoch);
        let weight = self.recipe().attention_weight();
        let (started, resumed_at) = (Instant::now(), self.progress.sums.images());
        let speed = |images: usize| (images - resumed_at) as f64 / started.elapsed().as_secs_f64();
        display.start_epoch(epoch, self.progress.batch);
        for batch in self.loaders.train.epoch(epoch, self.progress.batch) {
            self.batch(batch?, rate)?;
            self.progress.batch += 1;
            let so_far = self.progress.sums.summary(weight);
            display.batch(epoch, self.progress.batch, so_far.loss, so_far.top1, speed(so_far.images));
            if self.interrupt.requested() {
                self.save()?;
                return Ok(Ending::Interrupted);
            }
            if self.last_save.elapsed() >= self.save_every {
                self.save()?;
            }
        }
        let (train_seconds, images_per_second) =
            (started.elapsed().as_secs_f64(), speed(self.progress.sums.images()));
        display.evaluating();
        let record = self.measure(rate)?;
        self.warn_of_dead_maps(&record, display);
        self.finish_epoch(record.clone())?;
        let test_seconds = started.elapsed().as_secs_f64() - train_seconds;
        let timing = EpochTiming { epoch: epoch + 1, train_seconds, images_per_second, test_seconds };
        self.record_timing(timing)?;
        display.end_epoch(&record, &timing);
        Ok(if self.interrupt.requested() { Ending::Interrupted } else { Ending::Finished })
    }

    /// One step of gradient descent.
    fn batch(&mut self, mut batch: Batch, rate: f64) -> Result<()> {
        let device = self.device.clone().autodiff();
        let labels: Vec<i64> = batch.labels.iter().map(|label| *label as i64).collect();
        let output = self.model.forward(images_of(&mut batch, &device));
        let labels = Tensor::<1, Int>::from_ints(labels.as_slice(), &device);
        let objective = loss::loss(&output, labels, self.recipe().attention_weight()).total;
        let mut sums = Sums::default();
        let outcome = Outcome::read(output, false)?;
        sums.add(&batch.labels, &outcome);
        if !sums.summary(self.recipe().attention_weight()).loss.is_finite() {
            return self.refuse_to_go_on();
        }
        let gradients = GradientsParams::from_grads(objective.backward(), &self.model);
        self.model = self.sgd.step(rate, self.model.clone(), gradients);
        self.progress.sums.add(&batch.labels, &outcome);
        Ok(())
    }

    fn refuse_to_go_on(&self) -> Result<()> {
        let saved = self.checkpoints.progress();
        bail!(
            "the loss is not a finite number at epoch {}, step {}; lower --lr and train into another --out. \
             The last good checkpoint is `{}` (after {} epochs and {} steps)",
            self.progress.epoch + 1,
            self.progress.batch + 1,
            self.checkpoints.manifest_path().display(),
            saved.epoch,
            saved.batch
        )
    }

    /// Measures the network as it stands on the test images.
    fn measure(&self, rate: f64) -> Result<EpochRecord> {
        let weight = self.recipe().attention_weight();
        let (mut sums, mut health) = (Sums::default(), HealthMeter::default());
        for_each_batch(&self.model.valid(), &self.loaders.test, &self.device, |batch, outcome| {
            sums.add(&batch.labels, outcome);
            let maps = outcome.attention.iter().flat_map(|attention| &attention.maps);
            maps.for_each(|map| health.add(map));
            Ok(true)
        })?;
        let test = sums.summary(weight);
        let highest =
            self.progress.history.iter().map(|record| record.test.top1).fold(f64::NEG_INFINITY, f64::max);
        Ok(EpochRecord {
            epoch: self.progress.epoch + 1,
            learning_rate: rate,
            train: self.progress.sums.summary(weight),
            best: test.top1 > highest,
            test,
            maps: health.health(),
        })
    }

    fn warn_of_dead_maps(&self, record: &EpochRecord, display: &TrainingDisplay) {
        let Some(maps) = record.maps else { return };
        if maps.constant > DEAD_MAPS || maps.not_finite > 0.0 {
            display.line(&format!(
                "warning: of the attention maps {:.0} % are constant ({:.0} % all 0, {:.0} % all 1) and {:.0} % not finite",
                100.0 * maps.constant,
                100.0 * maps.zero,
                100.0 * maps.one,
                100.0 * maps.not_finite
            ));
        }
    }

    /// The checkpoint comes first: `metrics.jsonl` is rewritten from it on resume.
    fn finish_epoch(&mut self, record: EpochRecord) -> Result<()> {
        self.progress.history.push(record);
        self.progress.epoch += 1;
        self.progress.batch = 0;
        self.progress.sums = Sums::default();
        self.save()?;
        self.run.write_lines(METRICS, &self.progress.history)
    }

    fn record_timing(&self, timing: EpochTiming) -> Result<()> {
        let mut timings: Vec<EpochTiming> = self.run.read_lines(TIMING)?;
        timings.retain(|other| other.epoch != timing.epoch);
        timings.push(timing);
        self.run.write_lines(TIMING, &timings)
    }

    fn save(&mut self) -> Result<()> {
        self.checkpoints.save(&state::state_of(&self.model), &self.sgd.state(), &self.progress)?;
        self.last_save = Instant::now();
        Ok(())
    }
}
