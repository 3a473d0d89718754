//! The one place that prints: results to stdout, everything else to stderr. On a terminal a bar
//! redraws in place; through a pipe there is one line per epoch.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use abn_run::measure::best::BestFigure;
use abn_run::measure::records::{EpochRecord, EpochTiming, Figures, Summary};
use anyhow::{Context, Result};
use indicatif::{FormattedDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Writes a result to stdout, where scripts read it.
///
/// # Errors
/// Stdout is closed.
pub fn result(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("cannot write to stdout")
}

/// Writes bytes to stdout, as they are.
///
/// # Errors
/// Stdout is closed.
pub fn bytes_out(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).context("cannot write to stdout")
}

/// Writes a JSON result to stdout.
///
/// # Errors
/// Stdout is closed.
pub fn json(value: &impl serde::Serialize) -> Result<()> {
    result(&serde_json::to_string(value)?)
}

/// Tells the user something. A closed pipe must not end a training.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Whether somebody closed our stdout: they have seen enough, as in `abn models | head -1`.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A bar that counts to a known number, on a terminal.
pub fn counter(what: &'static str, total: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total as u64), draw_target());
    bar.set_style(style(
        "{prefix:>12} {bar:24.cyan/dim} {pos}/{len}  {eta} left",
    ));
    bar.set_prefix(what);
    bar
}

/// A bar that counts bytes, on a terminal.
#[cfg(feature = "fetch")]
pub fn bytes() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, draw_target());
    bar.set_style(style(
        "{prefix:>12} {bar:24.cyan/dim} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left",
    ));
    bar
}

fn draw_target() -> ProgressDrawTarget {
    if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Progress of a training.
#[derive(Debug)]
pub struct TrainingDisplay {
    bar: ProgressBar,
    epochs: usize,
    epoch_batches: usize,
    /// Batches of the whole run that were done when this process began.
    resumed_at: usize,
    /// What the best epoch is chosen by, if not by the usual figure.
    best: Option<BestFigure>,
    started: Instant,
}

impl TrainingDisplay {
    /// A display for a run of that many epochs and batches an epoch, of which some batches are done
    /// already.
    pub fn new(epochs: usize, epoch_batches: usize, done: usize, best: Option<BestFigure>) -> Self {
        let bar = ProgressBar::with_draw_target(Some(epoch_batches as u64), draw_target());
        bar.set_style(style("{prefix} {wide_bar:.cyan/dim} {pos:>3}/{len} {msg}"));
        Self {
            bar,
            epochs,
            epoch_batches,
            resumed_at: done,
            best,
            started: Instant::now(),
        }
    }

    /// A display of a process whose progress another one shows.
    pub fn hidden() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            ..Self::new(0, 0, 0, None)
        }
    }

    /// An epoch, counted from 0, begins at that batch.
    pub fn start_epoch(&self, epoch: usize, batch: usize) {
        self.bar
            .set_prefix(format!("epoch {}/{}", epoch + 1, self.epochs));
        self.bar.set_length(self.epoch_batches as u64);
        self.bar.set_position(batch as u64);
        self.bar.set_message("");
    }

    /// A batch of an epoch is done; `so_far` are the means over those before it, too.
    pub fn batch(&self, epoch: usize, batch: usize, so_far: &Summary, images_per_second: f64) {
        let mut message = format!(
            "loss {:.3} {} {} images/s",
            so_far.loss,
            in_training(&so_far.figures),
            speed(images_per_second)
        );
        if let Some(left) = self.time_left(epoch * self.epoch_batches + batch) {
            let _ = write!(message, " ETA {left}");
        }
        self.bar.set_position(batch as u64);
        self.bar.set_message(message);
    }

    /// The evaluation of an epoch has seen that many of the test images.
    pub fn evaluating(&self, images: usize, of: usize) {
        self.bar.set_length(of as u64);
        self.bar.set_position(images as u64);
        self.bar.set_message("test images");
    }

    /// An epoch is done; its time is unknown if nothing but the evaluation was left of it.
    pub fn end_epoch(&self, record: &EpochRecord, timing: Option<&EpochTiming>) {
        let EpochRecord {
            epoch, train, test, ..
        } = record;
        let mut line = format!(
            "epoch {epoch}/{}  loss {:.3}/{:.3}  {}{}{}",
            self.epochs,
            train.loss,
            test.loss,
            of_epoch(train, test),
            self.chosen_by(&test.figures),
            if record.best { " *" } else { "  " }
        );
        if let Some(timing) = timing {
            let speed = speed(timing.images_per_second);
            let _ = write!(line, "  {speed} images/s");
        }
        if let Some(left) = self
            .time_left(epoch * self.epoch_batches)
            .filter(|_| *epoch < self.epochs)
        {
            let _ = write!(line, "  ETA {left}");
        }
        self.line(&line);
    }

    /// The test figure that the best epoch is chosen by, if not by the usual one.
    fn chosen_by(&self, figures: &Figures) -> String {
        if self.best.is_none() {
            return String::new();
        }
        let name = figures.best_name_by(self.best);
        match figures.best_by(self.best) {
            Some(value) => format!("  {name} {:5.2} %", 100.0 * value),
            None => format!("  {name} not defined"),
        }
    }

    /// A line that stays, above the bar.
    pub fn line(&self, text: &str) {
        self.bar.suspend(|| note(text));
    }

    /// The bar goes.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Time until the end of the run, by the speed of this process so far.
    fn time_left(&self, done: usize) -> Option<FormattedDuration> {
        let seen = done.checked_sub(self.resumed_at).filter(|seen| *seen > 0)?;
        let each = self.started.elapsed().as_secs_f64() / seen as f64;
        let batches = self
            .epochs
            .saturating_mul(self.epoch_batches)
            .saturating_sub(done);
        Duration::try_from_secs_f64((each * batches as f64).ceil())
            .ok()
            .map(FormattedDuration)
    }
}

/// Images a second: of slow networks with a digit behind the point.
fn speed(images_per_second: f64) -> String {
    match images_per_second < 9.95 {
        true => format!("{images_per_second:.1}"),
        false => format!("{images_per_second:.0}"),
    }
}

/// What is shown while an epoch is trained: of a detector what its loss is made of.
fn in_training(figures: &Figures) -> String {
    if let Some(losses) = figures.losses() {
        let parts = losses.named().into_iter().map(|(name, loss)| {
            let name = name.trim_start_matches("loss_");
            format!("{name} {loss:.3}")
        });
        let parts: Vec<String> = parts.collect();
        return format!("({})", parts.join(", "));
    }
    let best = figures
        .best()
        .map(|value| format!("{:5.2} %", 100.0 * value));
    format!("{} {}", figures.best_name(), best.unwrap_or_default())
}

/// The figures of an epoch, of training and of test images where both have them.
fn of_epoch(train: &Summary, test: &Summary) -> String {
    let name = test.figures.best_name();
    let percent = |value: f64| format!("{:5.2}", 100.0 * value);
    match (train.figures.best(), test.figures.best()) {
        (Some(train), Some(test)) => format!("{name} {}/{} %", percent(train), percent(test)),
        (None, Some(_)) => {
            let main = test.figures.main().into_iter().take(2);
            let shown = main.map(|(name, value)| format!("{name} {} %", percent(value)));
            shown.collect::<Vec<_>>().join("  ")
        }
        (_, None) => format!("{name} not defined"),
    }
}
