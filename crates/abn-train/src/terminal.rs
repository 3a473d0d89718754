//! What the user sees while work goes on: all of it on stderr. On a terminal a bar redraws in place; through a
//! pipe there is one line per epoch.
#![allow(clippy::print_stderr, clippy::print_stdout)] // The one place that may print.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::metrics::{EpochRecord, EpochTiming};

/// Writes a result to stdout, where scripts read it.
///
/// # Errors
/// Stdout is closed.
pub fn result(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("cannot write to stdout")
}

/// Writes a JSON result to stdout.
///
/// # Errors
/// Stdout is closed.
pub fn json(value: &impl serde::Serialize) -> Result<()> {
    result(&serde_json::to_string(value)?)
}

/// Tells the user something.
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// A bar that counts to a known number, on a terminal.
pub fn counter(what: &'static str, total: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total as u64), draw_target());
    bar.set_style(style("{prefix:>12} {bar:24.cyan/dim} {pos}/{len}  {eta} left"));
    bar.set_prefix(what);
    bar
}

fn draw_target() -> ProgressDrawTarget {
    if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Progress of a training.
#[derive(Debug)]
pub struct TrainingDisplay {
    bar: ProgressBar,
    epochs: usize,
    /// Batches of the whole run, and those of it done when this process began.
    batches: usize,
    epoch_batches: usize,
    resumed_at: usize,
    started: Instant,
}

impl TrainingDisplay {
    /// A display for a run of that many epochs and batches an epoch, of which some batches are done already.
    pub fn new(epochs: usize, epoch_batches: usize, done: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(epoch_batches as u64), draw_target());
        bar.set_style(style("{prefix:>12} {bar:24.cyan/dim} {pos:>4}/{len} {msg}"));
        Self {
            bar,
            epochs,
            batches: epochs * epoch_batches,
            epoch_batches,
            resumed_at: done,
            started: Instant::now(),
        }
    }

    /// An epoch, counted from 0, begins at that batch.
    pub fn start_epoch(&self, epoch: usize, batch: usize) {
        self.bar.set_prefix(format!("epoch {}/{}", epoch + 1, self.epochs));
        self.bar.set_length(self.epoch_batches as u64);
        self.bar.set_position(batch as u64);
    }

    /// A batch of an epoch is done.
    pub fn batch(&self, epoch: usize, batch: usize, loss: f64, top1: f64, images_per_second: f64) {
        let left = self.time_left(epoch * self.epoch_batches + batch);
        let top1 = 100.0 * top1;
        self.bar.set_position(batch as u64);
        self.bar.set_message(format!(
            "loss {loss:.3}  top-1 {top1:5.2} %  {images_per_second:.0} images/s  {left} left"
        ));
    }

    /// The evaluation of an epoch begins.
    pub fn evaluating(&self) {
        self.bar.set_message("evaluating ...");
    }

    /// An epoch is done.
    pub fn end_epoch(&self, record: &EpochRecord, timing: &EpochTiming) {
        let EpochRecord { epoch, train, test, .. } = record;
        let left = match epoch == &self.epochs {
            true => String::new(),
            false => format!("  {} left", self.time_left(epoch * self.epoch_batches)),
        };
        self.line(&format!(
            "epoch {epoch:>3}/{}  loss {:.3} -> test {:.3}  top-1 {:5.2} % -> test {:5.2} %{}  {:.0} images/s{left}",
            self.epochs,
            train.loss,
            test.loss,
            100.0 * train.top1,
            100.0 * test.top1,
            if record.best { " best" } else { "     " },
            timing.images_per_second,
        ));
    }

    /// A line that stays, above the bar.
    pub fn line(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// The bar goes.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn time_left(&self, done: usize) -> String {
        let seen = done.saturating_sub(self.resumed_at);
        if seen == 0 {
            return "?".to_owned();
        }
        let each = self.started.elapsed().as_secs_f64() / seen as f64;
        let seconds = each * self.batches.saturating_sub(done) as f64;
        HumanDuration(Duration::from_secs_f64(seconds.ceil().max(0.0))).to_string()
    }
}
