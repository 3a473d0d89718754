//! Trains the runs that are not finished, several at once, each in a process of its own.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use abn_train::interrupt::{EXIT_CODE, Interrupt};
use abn_train::trainer::METRICS;
use anyhow::{Context, Result};

use crate::folder::Folder;
use crate::overview::Overview;
use crate::plan::Run;
use crate::worker::Job;

/// The hidden command of this program that does one run.
pub(crate) const WORKER: &str = "worker";
/// Time between two looks at the processes.
const INTERVAL: Duration = Duration::from_millis(200);

/// How the runs are trained.
#[derive(Debug)]
pub(crate) struct Conditions {
    /// Runs at once.
    pub(crate) jobs: usize,
    /// Folder of the data set, if not the usual one.
    pub(crate) data: Option<PathBuf>,
    /// Where they are trained.
    pub(crate) device: Option<String>,
}

/// A run that did not come to its end.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Which.
    pub(crate) name: String,
    /// Why, in a line.
    pub(crate) cause: String,
}

/// How a run ended.
enum End {
    Finished,
    Interrupted,
    Failed(String),
}

/// Trains those runs. A run that fails does not stop the others. Returns what failed.
///
/// # Errors
/// A process cannot be started at all.
pub(crate) fn train(
    runs: Vec<Run>,
    folder: &Folder,
    conditions: &Conditions,
    interrupt: &Interrupt,
    overview: &Overview,
) -> Result<Vec<Failure>> {
    let queue = Mutex::new(VecDeque::from(runs));
    let failures = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let slot = || -> Result<()> {
        while !interrupt.requested() {
            let Some(run) = next() else { return Ok(()) };
            overview.begins(&run, epochs_done(folder, &run));
            match do_one(&run, folder, conditions, interrupt, overview)? {
                End::Finished => overview.finished(&run, folder.record(&run).ok().flatten().as_ref()),
                End::Interrupted => overview.stopped(&run),
                End::Failed(cause) => {
                    overview.failed(&run, &cause);
                    let failure = Failure { name: run.name, cause };
                    failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
                }
            }
        }
        Ok(())
    };
    let ended: Vec<Result<()>> = thread::scope(|scope| {
        let slots: Vec<_> = (0..conditions.jobs).map(|_| scope.spawn(slot)).collect();
        slots.into_iter().filter_map(|slot| slot.join().ok()).collect()
    });
    overview.end();
    ended.into_iter().collect::<Result<()>>()?;
    Ok(failures.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// One run from its start to the end of its process.
fn do_one(
    run: &Run,
    folder: &Folder,
    conditions: &Conditions,
    interrupt: &Interrupt,
    overview: &Overview,
) -> Result<End> {
    let mut child = start(run, folder, conditions)?;
    let mut input = child.stdin.take();
    let status = loop {
        if let Some(status) = child.try_wait().context("cannot wait for a run")? {
            break status;
        }
        if interrupt.requested() {
            // Closed, it asks the worker to save and stop.
            input = None;
        }
        overview.progress(run, epochs_done(folder, run));
        thread::sleep(INTERVAL);
    };
    drop(input);
    Ok(match status.code() {
        Some(0) => End::Finished,
        Some(code) if code == i32::from(EXIT_CODE) => End::Interrupted,
        Some(_) => End::Failed(last_words(folder, run)),
        None => End::Failed(format!("ended by a signal ({status}); was there enough memory?")),
    })
}

fn start(run: &Run, folder: &Folder, conditions: &Conditions) -> Result<Child> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let log = folder.log(run);
    let log = File::create(&log).with_context(|| format!("cannot write `{}`", log.display()))?;
    let threads = thread::available_parallelism().map_or(1, usize::from).div_ceil(conditions.jobs);
    let mut command = Command::new(program);
    command.arg(WORKER).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    let mut child = command.spawn().context("cannot start a run")?;
    let job = Job {
        recipe: run.recipe.clone(),
        run: folder.run(run),
        data: conditions.data.clone(),
        device: conditions.device.clone(),
        workers: threads.min(2),
    };
    if let Some(input) = &mut child.stdin {
        // A worker that ended already says why in its log.
        let _ = writeln!(input, "{}", serde_json::to_string(&job)?);
    }
    Ok(child)
}

/// Epochs of the run that are done.
fn epochs_done(folder: &Folder, run: &Run) -> usize {
    let metrics = fs::read(folder.run(run).join(METRICS)).unwrap_or_default();
    metrics.iter().filter(|byte| **byte == b'\n').count()
}

/// The last line of the log, which says why it failed.
fn last_words(folder: &Folder, run: &Run) -> String {
    let log = fs::read_to_string(folder.log(run)).unwrap_or_default();
    let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it left no message");
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
