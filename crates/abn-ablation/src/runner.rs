//! Trains the runs that are not finished, several at once, each in a process of its own.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use abn_run::folder::run_dir::{METRICS, in_use};
use abn_train::interrupt::{EXIT_CODE, Interrupt};
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
    /// Whether they compute with the threads that load images, too.
    pub(crate) on_cpu: bool,
    /// Folder of the data set, if not the usual one.
    pub(crate) data: Option<PathBuf>,
    /// Where they are trained: one device at least, which each trains one run after the other. Where
    /// there are more runs at once, they share them evenly.
    pub(crate) devices: Vec<String>,
}

/// A run that did not come to its end, or cannot be used, as the page lists it.
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

/// Trains those runs. A run that fails does not stop the others. Returns how many failed.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn train(
    runs: Vec<Run>,
    folder: &Folder,
    conditions: &Conditions,
    interrupt: &Interrupt,
    overview: &Overview,
) -> Result<usize> {
    let _training = folder.train()?;
    let queue = Mutex::new(VecDeque::from(runs));
    let queue = || queue.lock().unwrap_or_else(PoisonError::into_inner);
    let failed = AtomicUsize::new(0);
    let slot = |device: &str| {
        while !interrupt.requested() {
            let next = queue().pop_front();
            let Some(run) = next else { return };
            if in_use(&folder.run(&run)) {
                // Another process trains it; there may be others to do meanwhile.
                queue().push_back(run);
                thread::sleep(INTERVAL);
                continue;
            }
            overview.begins(&run, epochs_done(folder, &run));
            let end = do_one(&run, folder, conditions, device, interrupt, overview);
            if !ended(&run, end, folder, overview) {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for device in conditions.devices.iter().cycle().take(conditions.jobs) {
            scope.spawn(|| slot(device));
        }
    });
    overview.end();
    Ok(failed.into_inner())
}

/// Shows how a run ended, and remembers why it failed; `false` if it did.
fn ended(run: &Run, end: Result<End>, folder: &Folder, overview: &Overview) -> bool {
    match end.unwrap_or_else(|error| End::Failed(format!("{error:#}"))) {
        End::Finished => overview.finished(run, folder.record(run).ok().flatten().as_ref()),
        End::Interrupted => overview.stopped(run),
        End::Failed(cause) => {
            overview.failed(run, &cause);
            if let Err(error) = folder.remember(run, Some(&cause)) {
                overview.note(&format!("{error:#}"));
            }
            return false;
        }
    }
    true
}

/// One run from its start to the end of its process.
fn do_one(
    run: &Run,
    folder: &Folder,
    conditions: &Conditions,
    device: &str,
    interrupt: &Interrupt,
    overview: &Overview,
) -> Result<End> {
    folder.remember(run, None)?;
    if folder.record(run)?.is_some() {
        // Another process finished it.
        return Ok(End::Finished);
    }
    let mut child = start(run, folder, conditions, device)?;
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
        Some(code) if code == i32::from(EXIT_CODE) && interrupt.requested() => End::Interrupted,
        Some(code) if code == i32::from(EXIT_CODE) => End::Failed(
            "it was asked to stop by somebody else; it continues where it was".to_owned(),
        ),
        Some(_) => End::Failed(last_words(folder, run)),
        None => End::Failed(format!(
            "ended by a signal ({status}); was there enough memory?"
        )),
    })
}

fn start(run: &Run, folder: &Folder, conditions: &Conditions, device: &str) -> Result<Child> {
    let program = program().context("cannot find this program")?;
    let log = folder.log(run);
    let log = File::create(&log).with_context(|| format!("cannot write `{}`", log.display()))?;
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .div_ceil(conditions.jobs);
    let mut command = Command::new(program);
    command
        .arg(WORKER)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log);
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    let mut child = command.spawn().context("cannot start a run")?;
    let job = Job {
        recipe: run.recipe.clone(),
        run: folder.run(run),
        data: conditions.data.clone(),
        device: device.to_owned(),
        // A GPU waits for photographs if nothing else does.
        workers: if conditions.on_cpu {
            threads.min(2)
        } else {
            threads
        },
    };
    if let Some(input) = &mut child.stdin {
        // A worker that ended already says why in its log.
        let _ = writeln!(input, "{}", serde_json::to_string(&job)?);
    }
    Ok(child)
}

/// This program, on Linux also after a build has put another one in its place.
fn program() -> io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if own.exists() {
        Ok(own.to_owned())
    } else {
        std::env::current_exe()
    }
}

/// Epochs of the run that are done.
fn epochs_done(folder: &Folder, run: &Run) -> usize {
    let metrics = fs::read(folder.run(run).join(METRICS)).unwrap_or_default();
    metrics.iter().filter(|byte| **byte == b'\n').count()
}

/// Why it failed, of what it said.
fn last_words(folder: &Folder, run: &Run) -> String {
    cause(&fs::read_to_string(folder.log(run)).unwrap_or_default())
}

/// The last error in a log, or the message of a panic, or else its last line.
fn cause(log: &str) -> String {
    let lines: Vec<&str> = log
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let error = lines
        .iter()
        .rev()
        .find_map(|line| line.strip_prefix("error: "));
    let panic = || {
        lines
            .windows(2)
            .rev()
            .find(|pair| pair[0].contains("panicked at"))
            .map(|pair| pair[1])
    };
    error
        .or_else(panic)
        .or(lines.last().copied())
        .unwrap_or("it left no message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_among_what_a_run_said() {
        assert_eq!(
            cause("epoch 1/2\nerror: the disk is full\n  a: 1 in the run"),
            "the disk is full"
        );
        let panic = "thread 'main' panicked at src/main.rs:3:5:\nout of memory\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(cause(panic), "out of memory");
        assert_eq!(cause("epoch 1/2\n\n"), "epoch 1/2");
        assert_eq!(cause(""), "it left no message");
    }
}
