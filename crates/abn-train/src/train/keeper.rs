//! What a training leaves in the folder of its run.

use std::time::{Duration, Instant};

use abn_core::state::State;
use abn_run::folder::checkpoint::{Checkpoints, Progress, Resume};
use abn_run::folder::run_dir::{METRICS, RunDir, TIMING};
use abn_run::measure::records::{EpochRecord, EpochTiming};
use abn_run::unreadable::Unreadable;
use anyhow::{Result, ensure};

use crate::train::epoch_table::{EPOCHS, csv};

/// The folder of a run in training.
pub(super) struct Keeper<'a> {
    run: &'a RunDir,
    checkpoints: Checkpoints,
    unreadable: Option<Unreadable>,
    /// Whether the epochs are also written as CSV.
    csv: bool,
    last_save: Instant,
}

impl<'a> Keeper<'a> {
    /// The folder as it is.
    ///
    /// # Errors
    /// Its checkpoint is damaged.
    pub(super) fn open(run: &'a RunDir, unreadable: Option<Unreadable>, csv: bool) -> Result<Self> {
        Ok(Self {
            run,
            checkpoints: Checkpoints::open(run.checkpoints())?,
            unreadable,
            csv,
            last_save: Instant::now(),
        })
    }

    /// What to continue from; `None` for a run that has not begun.
    ///
    /// # Errors
    /// The checkpoint is damaged, or has gone.
    pub(super) fn resume(&self) -> Result<Option<Resume>> {
        let resume = self.checkpoints.resume()?;
        if resume.is_none() {
            self.refuse_lost_checkpoint()?;
        }
        Ok(resume)
    }

    /// Removes what a kill left behind.
    pub(super) fn tidy(&self) -> Result<()> {
        Ok(self.checkpoints.remove_unnamed()?)
    }

    /// Saves weights, velocities and a position; with new maps if an epoch ends there.
    pub(super) fn save(
        &mut self,
        model: &State,
        velocities: &State,
        maps: Option<&State>,
        progress: &Progress,
    ) -> Result<()> {
        if let Some(unreadable) = &self.unreadable {
            unreadable.record(self.run, &Default::default())?;
        }
        self.checkpoints.save(model, velocities, maps, progress)?;
        self.last_save = Instant::now();
        Ok(())
    }

    /// Whether the last checkpoint is older than that.
    pub(super) fn is_due(&self, every: Duration) -> bool {
        self.last_save.elapsed() >= every
    }

    /// The records of the finished epochs.
    pub(super) fn write_metrics(&self, history: &[EpochRecord]) -> Result<()> {
        self.run.write_lines(METRICS, history)?;
        if self.csv {
            self.run.write(EPOCHS, &csv(history)?)?;
        }
        Ok(())
    }

    /// Adds what an epoch took.
    pub(super) fn record_timing(&self, timing: EpochTiming) -> Result<()> {
        // Times are for looking at: a damaged file of them is no reason to end a training.
        let mut timings: Vec<EpochTiming> = self.run.read_lines(TIMING).unwrap_or_default();
        timings.retain(|other| other.epoch != timing.epoch);
        timings.push(timing);
        Ok(self.run.write_lines(TIMING, &timings)?)
    }

    /// What is safe, in words.
    pub(super) fn kept(&self) -> String {
        let saved = self.checkpoints.progress();
        match saved.epoch + saved.batch {
            0 => "no checkpoint was written".to_owned(),
            _ => format!(
                "the last good checkpoint is {} (after {} epochs and {} steps)",
                self.place(),
                saved.epoch,
                saved.batch
            ),
        }
    }

    /// The checkpoint, for messages.
    pub(super) fn place(&self) -> String {
        format!("`{}`", self.checkpoints.manifest_path().display())
    }

    /// Metrics are written after the checkpoint of their epoch, so metrics without one mean that it
    /// was lost.
    fn refuse_lost_checkpoint(&self) -> Result<()> {
        let finished: Vec<EpochRecord> = self.run.read_lines(METRICS)?;
        ensure!(
            finished.is_empty(),
            "{} is missing although the run has finished {} epochs; restore it or train into \
             another --out",
            self.place(),
            finished.len()
        );
        Ok(())
    }
}
