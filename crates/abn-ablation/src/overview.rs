//! What is done, what runs, what is to do, and how long it takes: on a terminal a bar and a line
//! for every run, through a pipe a line for every run that ends.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use abn_train::terminal;
use indicatif::{FormattedDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::plan::Run;
use crate::record::Record;
use crate::table::{error, error_name};

/// The state of all runs, shared by the threads that train them.
#[derive(Debug)]
pub(crate) struct Overview {
    bars: MultiProgress,
    total: ProgressBar,
    /// Work of every run, in multiply-adds, by its name.
    work: BTreeMap<String, f64>,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Runs that were finished before.
    before: usize,
    /// Runs that ended, well or not.
    ended: usize,
    failed: usize,
    running: BTreeMap<String, Running>,
    /// Work that was done since the start, of runs that ended.
    done: f64,
    /// Work of all runs to do.
    to_do: f64,
}

#[derive(Debug)]
struct Running {
    bar: ProgressBar,
    started: Instant,
    /// Share that was done before this process began.
    resumed_at: f64,
    share: f64,
}

impl Overview {
    /// An overview of the runs to do, each with its work in multiply-adds, beside so many that are
    /// finished.
    pub(crate) fn new(before: usize, to_do: &[(Run, f64)]) -> Self {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bars = MultiProgress::with_draw_target(target);
        let total = bars.add(ProgressBar::new((before + to_do.len()) as u64));
        total.set_style(style("{bar:32.cyan/dim} {pos}/{len} runs  {msg}"));
        let work: BTreeMap<String, f64> = to_do
            .iter()
            .map(|(run, work)| (run.name.clone(), *work))
            .collect();
        let state = State {
            before,
            to_do: work.values().sum(),
            ..State::default()
        };
        let overview = Self {
            bars,
            total,
            work,
            started: Instant::now(),
            state: Mutex::new(state),
        };
        overview.refresh(&overview.state());
        overview
    }

    /// A run begins, or continues after so many epochs.
    pub(crate) fn begins(&self, run: &Run, epochs: usize) {
        let bar = self.bars.add(ProgressBar::new(run.recipe.epochs as u64));
        bar.set_style(style("  {pos:>4}/{len} epochs  {msg:.dim}"));
        bar.set_position(epochs as u64);
        bar.set_message(run.name.clone());
        let share = share(run, epochs);
        let running = Running {
            bar,
            started: Instant::now(),
            resumed_at: share,
            share,
        };
        let mut state = self.state();
        state.running.insert(run.name.clone(), running);
        self.refresh(&state);
    }

    /// So many epochs of a run are done.
    pub(crate) fn progress(&self, run: &Run, epochs: usize) {
        let mut state = self.state();
        if let Some(running) = state.running.get_mut(&run.name) {
            running.share = share(run, epochs);
            running.bar.set_position(epochs as u64);
        }
        self.refresh(&state);
    }

    /// A run came to its end, with that record.
    pub(crate) fn finished(&self, run: &Run, record: Option<&Record>) {
        self.progress(run, run.recipe.epochs);
        let text = record.map_or("no record".to_owned(), |record| {
            let last = &record.results.last;
            format!("{} error {:.2} %", error_name(last), error(last))
        });
        self.ends(run, &text);
    }

    /// A run failed.
    pub(crate) fn failed(&self, run: &Run, cause: &str) {
        self.state().failed += 1;
        self.ends(run, &format!("FAILED: {cause}"));
    }

    /// A run was stopped; it continues another time.
    pub(crate) fn stopped(&self, run: &Run) {
        if let Some(running) = self.state().running.remove(&run.name) {
            running.bar.finish_and_clear();
        }
    }

    /// A line that stays.
    pub(crate) fn note(&self, text: &str) {
        self.bars.suspend(|| terminal::note(text));
    }

    /// All runs have ended.
    pub(crate) fn end(&self) {
        self.total.finish_and_clear();
    }

    fn ends(&self, run: &Run, how: &str) {
        let mut state = self.state();
        state.ended += 1;
        let work = self.work.get(&run.name).copied().unwrap_or(0.0);
        state.to_do -= work;
        let mut seconds = 0.0;
        if let Some(running) = state.running.remove(&run.name) {
            seconds = running.started.elapsed().as_secs_f64();
            state.done += work * (running.share - running.resumed_at).max(0.0);
            running.bar.finish_and_clear();
        }
        let all = state.before + self.work.len();
        let mut line = format!(
            "[{:>width$}/{all}] {}: {how}, {seconds:.0} s",
            state.before + state.ended,
            run.name,
            width = all.to_string().len()
        );
        if let Some(left) = self
            .time_left(&state)
            .filter(|_| state.ended < self.work.len())
        {
            line = format!(
                "{line}; {} to do, ETA {left}",
                self.work.len() - state.ended
            );
        }
        self.refresh(&state);
        self.note(&line);
    }

    fn refresh(&self, state: &State) {
        let to_do = self.work.len() - state.ended - state.running.len();
        let mut message = format!("{} running, {to_do} to do", state.running.len());
        if state.failed > 0 {
            message = format!("{message}, {} failed", state.failed);
        }
        if let Some(left) = self.time_left(state) {
            message = format!("{message}  ETA {left}");
        }
        self.total.set_position((state.before + state.ended) as u64);
        self.total.set_message(message);
    }

    /// Time until all is done, by the work of this process so far.
    fn time_left(&self, state: &State) -> Option<FormattedDuration> {
        let work = |(name, running): (&String, &Running), from: f64| {
            self.work
                .get(name)
                .map_or(0.0, |work| work * (running.share - from).max(0.0))
        };
        let since: f64 = state
            .running
            .iter()
            .map(|entry| work(entry, entry.1.resumed_at))
            .sum();
        let ever: f64 = state.running.iter().map(|entry| work(entry, 0.0)).sum();
        let done = state.done + since;
        let seconds = self.started.elapsed().as_secs_f64() * (state.to_do - ever) / done;
        let known = done > 0.0 && seconds.is_finite();
        known.then(|| FormattedDuration(Duration::from_secs_f64(seconds.clamp(0.0, 1e9).ceil())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn share(run: &Run, epochs: usize) -> f64 {
    epochs as f64 / run.recipe.epochs.max(1) as f64
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
