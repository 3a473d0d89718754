//! One run in a process of its own, so that what goes wrong in it ends it alone.
//!
//! The job comes as a line on stdin. The end of stdin asks the worker to save and stop: it comes
//! when the parent wants that, and also when the parent was killed.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use abn_run::folder::FolderError;
use abn_run::folder::run_dir::RunDir;
use abn_run::recipe::{Recipe, RunConfig};
use abn_run::training_images::{Damage, TrainingImages};
use abn_run::warm_start;
use abn_train::device;
use abn_train::interrupt::{EXIT_CODE, Interrupt};
use abn_train::ranks::Ranks;
use abn_train::train::{TrainOptions, train};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::record::Record;

/// Time between two looks at a run that another process trains.
const PATIENCE: Duration = Duration::from_millis(300);

/// What a worker does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// What is trained.
    pub(crate) recipe: Recipe,
    /// Folder of the run.
    pub(crate) run: PathBuf,
    /// Folder of the data set, if not the usual one.
    pub(crate) data: Option<PathBuf>,
    /// Where it is trained.
    pub(crate) device: String,
    /// Threads that load images.
    pub(crate) workers: usize,
}

/// Does the job on stdin.
///
/// # Errors
/// Anything that keeps the run from its end.
pub(crate) fn main() -> Result<ExitCode> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let job: Job = serde_json::from_str(&line)
        .context("a worker is started by `cargo xtask ablation` alone")?;
    let interrupt = Interrupt::listen()?;
    let asked = interrupt.clone();
    thread::spawn(move || {
        // Nothing more is sent: this returns when the other end is closed.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        asked.request();
    });
    let finished = work(&job, &interrupt)?;
    Ok(if finished {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_CODE)
    })
}

/// Trains the run and writes its record; `false` if it was asked to stop before.
fn work(job: &Job, interrupt: &Interrupt) -> Result<bool> {
    let device = device::open(Some(&job.device))?;
    let images = TrainingImages::open(&job.recipe, job.data.as_deref(), None, Damage::default())?;
    let config = images.describe(images.fit_batch(job.recipe.clone(), true)?, None)?;
    config.check_parameters(&device)?;
    let Some(run) = open(&job.run, &config, interrupt)? else {
        return Ok(false);
    };
    // Another process may have finished it while this one waited.
    if Record::read(&job.run, &job.recipe)?.is_some() {
        return Ok(true);
    }
    let start = warm_start::start(&config, &job.run, &device)?;
    let options = TrainOptions {
        workers: job.workers,
        ..TrainOptions::default()
    };
    let alone = Ranks::alone();
    let (_, results) = train(
        &config,
        Some(&run),
        &images,
        start,
        std::slice::from_ref(&device),
        &alone,
        interrupt,
        options,
    )?;
    let Some(results) = results else {
        return Ok(false);
    };
    Record::write(&run, &job.recipe, &config, results, &images.test(), &device)?;
    Ok(true)
}

/// Opens the run as soon as no other process has it; `None` if asked to stop before.
fn open(path: &Path, config: &RunConfig, interrupt: &Interrupt) -> Result<Option<RunDir>> {
    while !interrupt.requested() {
        match RunDir::open_for_writing(path, config) {
            Err(FolderError::InUse(_)) => thread::sleep(PATIENCE),
            opened => return Ok(Some(opened?)),
        }
    }
    Ok(None)
}
