//! The training procedure, from the first batch to the last epoch's checkpoint.
//!
//! Everything random is a function of (seed, epoch, index), so a run that continues from any
//! checkpoint takes exactly the steps that it would have taken without the interruption.

use std::rc::Rc;
use std::time::Instant;

use abn_core::explain::AttentionMap;
use abn_core::flat_gradients::FlatGradients;
use abn_core::loss_scale::scaling;
use abn_core::precision::in_precision;
use abn_core::state::{State, is_buffer, state_of};
use abn_data::{Batch, DataError, Loader, Shares};
use abn_kernels::ops::{Replicas, Together, together};
use abn_run::digest::sha256;
use abn_run::folder::checkpoint::Progress;
use abn_run::folder::run_dir::RunDir;
use abn_run::measure::drift::{drift, maps_of, state_of_maps};
use abn_run::measure::records::{EpochRecord, EpochTiming, Figures, MapHealth};
use abn_run::measure::task::{Measured, Task};
use abn_run::measure::totals::Totals;
use abn_run::recipe::Recipe;
use abn_run::training_images::Loaders;
use anyhow::{Context, Result, bail, ensure};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, TensorData};
use serde::{Deserialize, Serialize};

use crate::device;
use crate::interrupt::Interrupt;
use crate::ranks::{EndedElsewhere, Ranks};
use crate::terminal::TrainingDisplay;
use crate::train::TrainOptions;
use crate::train::keeper::Keeper;
use crate::train::replica::Replica;
use crate::train::shares::{Computer, Gradients, Learned, images_of, step_seed, weights};

/// A map is reported as dead when more than this share of the test maps is constant.
const DEAD_MAPS: f64 = 0.5;

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// All epochs are done.
    Finished,
    /// The user asked to stop; a checkpoint was written.
    Interrupted,
}

/// A step whose outcome is still on the device.
struct Pending<T: Task> {
    batch: Batch,
    unread: T::Unread,
    /// Steps of the epoch before it.
    place: usize,
}

/// A run in training, whatever its task.
pub struct Trainer<'a, T: Task> {
    task: T,
    recipe: &'a Recipe,
    loaders: Loaders,
    interrupt: Interrupt,
    options: TrainOptions,
    /// Its network is the run's.
    main: Replica<T::Network>,
    /// Those on other devices, which take the same steps.
    others: Vec<Replica<T::Network>>,
    progress: Progress,
    /// Maps of the first test images after the last finished epoch.
    probes: Vec<AttentionMap>,
    ranks: &'a Ranks,
    /// What this process computes of every batch.
    shares: Shares,
    /// The last step, where a device goes on while the host does.
    pending: Option<Pending<T>>,
    /// The folder of the run, which the first process alone has.
    keeper: Option<Keeper<'a>>,
}

impl<'a, T: Task> Trainer<'a, T> {
    /// Takes the run up where its checkpoint left it, or at the beginning: at `start`, or else at
    /// random weights. The first of several processes has the `run`. `devices` are without autodiff.
    ///
    /// # Errors
    /// The checkpoint is damaged.
    pub fn new(
        task: T,
        recipe: &'a Recipe,
        run: Option<&'a RunDir>,
        start: Option<State>,
        loaders: Loaders,
        devices: &[Device],
        ranks: &'a Ranks,
        interrupt: Interrupt,
        options: TrainOptions,
    ) -> Result<Self> {
        let [device, ..] = devices else {
            bail!("no device to train on");
        };
        let training_device = device.clone().autodiff();
        let open = |run| Keeper::open(run, loaders.unreadable.clone(), options.csv);
        let keeper = ranks.agree(run.map(open).transpose())?;
        let resume = keeper.as_ref().map(Keeper::resume).transpose();
        let resume = ranks.agree(resume)?.flatten();
        let place = || {
            let place = keeper.as_ref().map(Keeper::place).unwrap_or_default();
            format!("{place} does not fit this run")
        };
        let replica = |weights, velocities, device: &Device| {
            Replica::of(&task, recipe.sgd, weights, velocities, device.clone())
        };
        let begin = || -> Result<_> {
            Ok(match resume {
                Some(resume) => {
                    check_position(&resume.progress, recipe, &loaders.train).with_context(place)?;
                    let main =
                        replica(resume.model, resume.optimizer, device).with_context(place)?;
                    (main, resume.progress, maps_of(&resume.maps))
                }
                None => {
                    let drawn = || state_of(&task.init_seeded(recipe.seed, &training_device));
                    let weights = start.unwrap_or_else(drawn);
                    let main = replica(weights, State::new(), device)?;
                    let progress = Progress {
                        loss_scale: recipe.precision.loss_scale(),
                        ..Progress::default()
                    };
                    (main, progress, Vec::new())
                }
            })
        };
        let (mut main, mut progress, probes) = ranks.agree(begin())?;
        if ranks.count() > 1 {
            let weights = ranks.state_of_first(state_of(&main.network))?;
            let velocities = ranks.state_of_first(main.sgd.state())?;
            progress = ranks.from_first(|| Ok(progress))?;
            main = replica(weights, velocities, device)?;
        }
        // Who waits for others between layers needs a network of its own: passes through the same
        // parameters wait for each other in Burn's graph.
        let apart = match recipe.sync_batch_norm {
            true => options.replicas,
            false => devices.len(),
        };
        let others = devices.iter().cycle().take(apart).skip(1);
        let others = others
            .map(|other| replica(state_of(&main.network), main.sgd.state(), other))
            .collect::<Result<_>>()?;
        if let Some(keeper) = &keeper {
            keeper.tidy()?;
        }
        Ok(Self {
            main,
            others,
            task,
            recipe,
            loaders,
            interrupt,
            options,
            progress,
            probes,
            ranks,
            shares: ranks.shares(match recipe.sync_batch_norm {
                true => ranks.count() * options.replicas,
                false => recipe.accumulate,
            }),
            pending: None,
            keeper,
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
        let display = match self.ranks.is_first() {
            true => TrainingDisplay::new(epochs, epoch_batches, done, self.recipe.best),
            false => TrainingDisplay::hidden(),
        };
        // A kill between the checkpoint and these files left them an epoch behind.
        self.ranks.agree(self.write_metrics())?;
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
        let next = self.progress.next(vec![]);
        let ending = match self.keeper {
            Some(_) => self.end_epoch(display, started, resumed_at),
            // The first process measures.
            None => Ok(Ending::Finished),
        };
        let ending = self.ranks.agree(ending)?;
        let ending = self.ranks.from_first(|| Ok(ending))?;
        if self.ranks.count() > 1 || !self.others.is_empty() {
            let own = digest_of_parameters(&self.main.network);
            self.ranks.same("the network", &own)?;
            self.same_everywhere(&own)?;
        }
        if self.keeper.is_none() {
            self.progress = next;
        }
        Ok(ending)
    }

    /// What all of them are called, each once.
    fn devices(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for replica in [&self.main].into_iter().chain(&self.others) {
            let name = device::name_of(&replica.device);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(", ")
    }

    /// Refuses replicas whose networks have come apart.
    fn same_everywhere(&self, main: &str) -> Result<()> {
        for (index, other) in self.others.iter().enumerate() {
            ensure!(
                digest_of_parameters(&other.network) == main,
                "after the same steps replica {} of the network, on {}, is not the first, on {}: train \
                 with one alone",
                index + 2,
                device::name_of(&other.device),
                device::name_of(&self.main.device)
            );
        }
        Ok(())
    }

    /// Measures and keeps an epoch whose batches are done.
    fn end_epoch(
        &mut self,
        display: &TrainingDisplay,
        started: Instant,
        resumed_at: usize,
    ) -> Result<Ending> {
        let train_seconds = started.elapsed().as_secs_f64();
        let images = self.progress.totals.images() - resumed_at;
        let Some((record, probes)) = self.test(display)? else {
            self.save()?;
            return Ok(Ending::Interrupted);
        };
        warn_of_dead_maps(&record, display);
        if let Some(scale) = self.progress.loss_scale.filter(|scale| scale.left_out > 0) {
            display.line(&format!(
                "note: of {} steps {} were left out, for gradients were too large for half \
                 precision; losses are multiplied by {} now",
                self.progress.batch,
                scale.left_out,
                scale.factor()
            ));
        }
        self.finish_epoch(record.clone(), probes)?;
        let timing = EpochTiming {
            epoch: record.epoch,
            train_seconds,
            images_per_second: images as f64 / train_seconds,
            test_seconds: started.elapsed().as_secs_f64() - train_seconds,
            device: self.devices(),
        };
        let timing = (images > 0).then_some(timing);
        if let (Some(keeper), Some(timing)) = (&self.keeper, &timing) {
            keeper.record_timing(timing.clone())?;
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
        let shares = self.shares.clone();
        let own = shares.own().len();
        let loader = &self.loaders.train;
        let mut batches = loader.epoch_in_shares(epoch, self.progress.batch, shares);
        while self.progress.batch < steps {
            let rate = self.recipe.rate_of_step(epoch, self.progress.batch, steps);
            let batch: Result<Vec<Batch>, DataError> = batches.by_ref().take(own).collect();
            let stop = match self.shares.count() {
                1 => self.step(batch, rate)?,
                _ => self.step_in_shares(batch, rate)?,
            };
            self.progress.batch += 1;
            let so_far = self.task.summary(&self.progress.totals);
            if so_far.images > resumed_at {
                let speed = (so_far.images - resumed_at) as f64 / started.elapsed().as_secs_f64();
                display.batch(epoch, self.progress.batch, &so_far, speed);
            }
            if stop {
                self.save()?;
                return Ok(Ending::Interrupted);
            }
            let every = self.options.save_every;
            if self
                .keeper
                .as_ref()
                .is_some_and(|keeper| keeper.is_due(every))
            {
                self.save()?;
            }
        }
        self.settle()?;
        Ok(Ending::Finished)
    }

    /// One step of gradient descent with a whole batch. Whether to stop after it.
    fn step(&mut self, batch: Result<Vec<Batch>, DataError>, rate: f64) -> Result<bool> {
        let batch = match batch {
            Ok(batch) => batch.into_iter().find(|batch| !batch.is_empty()),
            Err(error) => return Err(self.saved_before(error.into())),
        };
        if let Some(batch) = batch {
            let device = self.main.device.clone().autodiff();
            let place = [self.progress.epoch, self.progress.batch];
            // Dropout too is a function of (seed, epoch, batch): nothing else draws from the device
            // in training.
            device.seed(step_seed(self.recipe.seed, &place));
            let (gradients, unread) = in_precision(self.recipe.precision, || {
                let learn = || self.task.gradients(&self.main.network, &batch, &device);
                scaling(self.loss_factor(), learn)
            })?;
            self.descend(rate, gradients);
            // Another device has the whole step to do by now, and is waited for a step later.
            let pending = Pending {
                batch,
                unread,
                place: self.progress.batch,
            };
            self.settle()?;
            self.pending = Some(pending);
            if device::computes_as_the_cpu(&self.main.device) {
                self.settle()?;
            }
        }
        Ok(self.interrupt.requested())
    }

    /// What losses are multiplied by before they go backwards.
    fn loss_factor(&self) -> f32 {
        let scale = self.progress.loss_scale;
        scale.map_or(1.0, |scale| scale.factor())
    }

    /// A step along gradients; none where those of scaled losses are not finite.
    fn descend(&mut self, rate: f64, gradients: GradientsParams) {
        self.main
            .descend(rate, gradients, &mut self.progress.loss_scale);
    }

    /// The same step on every device.
    fn descend_everywhere(&mut self, rate: f64, mean: &FlatGradients) {
        let before = self.progress.loss_scale;
        for replica in self.others.iter_mut().chain([&mut self.main]) {
            let gradients = mean.of_parameters(&replica.network, &replica.device);
            self.progress.loss_scale = before;
            replica.descend(rate, gradients, &mut self.progress.loss_scale);
        }
    }

    /// Waits for the last step and counts what came out of it.
    fn settle(&mut self) -> Result<()> {
        let Some(step) = self.pending.take() else {
            return Ok(());
        };
        let outcome = self.task.read(step.unread)?;
        let mut alone = Totals::default();
        self.task.add(&mut alone, &step.batch, &outcome);
        if !self.task.summary(&alone).loss.is_finite() {
            return self.diverged_after(step.place, "the loss");
        }
        self.task
            .add(&mut self.progress.totals, &step.batch, &outcome);
        Ok(())
    }

    /// One step of gradient descent with a batch in shares, of which these are computed here.
    fn step_in_shares(&mut self, own: Result<Vec<Batch>, DataError>, rate: f64) -> Result<bool> {
        let own = own.map_err(anyhow::Error::from);
        let learned = match self.ranks.replicas() {
            // The others wait for this process between layers: an error there ends all of them.
            Some(processes) if self.recipe.sync_batch_norm => match self.ranks.agree(own) {
                Ok(own) => Ok(together(self.among(processes, &own)?, || self.learn(&own))?),
                Err(error) => Err(error),
            },
            _ => self.ranks.agree(own.and_then(|own| self.learn(&own))),
        };
        let (learned, gradients) = match learned {
            Ok(learned) => learned,
            Err(error) => return Err(self.saved_before(error)),
        };
        let said = self.ranks.exchange((self.interrupt.requested(), learned))?;
        let stop = said.iter().any(|(stop, _)| *stop);
        let learned: Vec<Learned> = said.into_iter().flat_map(|(_, learned)| learned).collect();
        if learned.iter().all(|share| share.images == 0) {
            return Ok(stop);
        }
        let mut totals = Totals::default();
        for share in &learned {
            match &share.totals {
                Some(own) => totals.plus(own),
                None => return self.diverged("the loss"),
            }
        }
        let mean = match gradients {
            Gradients::Mean(mean) => mean,
            Gradients::Apart(own) => self.ranks.sum(&own, &weights(images_of(&learned)))?,
        };
        self.descend_everywhere(rate, &mean);
        self.progress.totals.plus(&totals);
        Ok(stop)
    }

    /// This process among those that normalise a batch together, of which it has these images.
    fn among(&self, replicas: Rc<dyn Replicas>, own: &[Batch]) -> Result<Together> {
        let images = own.iter().map(Batch::len).sum();
        let of_all: Vec<usize> = self.ranks.exchange(images)?;
        let all: usize = of_all.iter().sum();
        ensure!(
            !of_all.contains(&0),
            "a batch has {all} images, too few for {} processes",
            of_all.len()
        );
        let weight = images as f64 / all as f64;
        Ok(Together { replicas, weight })
    }

    /// What the shares of this process teach.
    fn learn(&self, own: &[Batch]) -> Result<(Vec<Learned>, Gradients)> {
        let replicas: Vec<_> = [&self.main].into_iter().chain(&self.others).collect();
        let at_once = match self.task.has_dropout() {
            true => 1,
            false => self.options.replicas,
        };
        let computer = Computer {
            task: &self.task,
            replicas: &replicas,
            precision: self.recipe.precision,
            loss_factor: self.loss_factor(),
            normalized_together: self.recipe.sync_batch_norm,
            seed: self.recipe.seed,
            place: [self.progress.epoch, self.progress.batch],
            at_once,
        };
        computer.compute(own, self.shares.own().start, self.ranks.count() == 1)
    }

    /// Ends a run whose numbers are not finite any more.
    fn diverged<R>(&self, what: &str) -> Result<R> {
        self.diverged_after(self.progress.batch, what)
    }

    /// The same after so many steps of the epoch.
    fn diverged_after<R>(&self, steps: usize, what: &str) -> Result<R> {
        let Some(keeper) = &self.keeper else {
            bail!(EndedElsewhere {
                rank: 0,
                reason: format!("{what} is not finite")
            });
        };
        bail!(
            "{what} is not finite after {} steps of epoch {}: the training diverged. Lower --lr \
             (or check --mean and --std) and train into another --out; {}",
            steps,
            self.progress.epoch + 1,
            keeper.kept()
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
        let network = self.main.network.valid();
        let measured = self
            .task
            .measure(&network, loader, &self.main.device, &mut go_on)?;
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
        let next = self.progress.next(history);
        self.save_as(&next, Some(&state_of_maps(&probes)))?;
        (self.progress, self.probes) = (next, probes);
        self.write_metrics()
    }

    fn write_metrics(&self) -> Result<()> {
        let keeper = self.keeper.as_ref();
        keeper.map_or(Ok(()), |keeper| {
            keeper.write_metrics(&self.progress.history)
        })
    }

    /// Saves where the run stands.
    fn save(&mut self) -> Result<()> {
        self.settle()?;
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
        if self.keeper.is_none() {
            return Ok(());
        }
        let (model, velocities) = (state_of(&self.main.network), self.main.sgd.state());
        let finite = |data: &TensorData| data.iter::<f32>().all(f32::is_finite);
        if !model.values().chain(velocities.values()).all(finite) {
            return self.diverged("a weight");
        }
        self.keeper.as_mut().map_or(Ok(()), |keeper| {
            keeper.save(&model, &velocities, maps, progress)
        })
    }
}

/// SHA-256 of what is trained, which all processes have alike.
fn digest_of_parameters<M: Module>(network: &M) -> String {
    let mut bytes = Vec::new();
    for (name, data) in state_of(network) {
        if !is_buffer(&name) {
            bytes.extend_from_slice(data.as_bytes());
        }
    }
    sha256(&bytes)
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
        loss_scale,
    } = progress;
    let images = batch
        .saturating_mul(recipe.batch_size)
        .min(train.dataset.len());
    // Which of the images so far are left out is not worth the sum.
    let images = images.saturating_sub(train.skips.len())..=images;
    let possible = *epoch <= recipe.epochs
        && loss_scale.is_some() == recipe.precision.loss_scale().is_some()
        && loss_scale.is_none_or(|scale| scale.factor().is_normal() && scale.factor() > 0.0)
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
