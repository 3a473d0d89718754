//! `cargo xtask bench detect`: detectors and their parts, by turns with torchvision.
//!
//! Both sides have random weights of their own, so that they propose different regions; how many
//! there are, and so the work, is the same.

mod worker;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

pub(crate) use self::worker::run as work;
use crate::cli::parse_seconds;
use crate::process::{Process, Repetition, this_program};
use crate::report::{Speed, memory};
use crate::table::Table;
use crate::{machine, python};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measure torchvision, too, by turns with ours
    #[arg(long)]
    peer: bool,
    /// A Python with torch and torchvision, instead of the one that is made under target/data-peer
    /// once (some minutes and gigabytes)
    #[arg(long, value_name = "PATH", requires = "peer")]
    python: Option<PathBuf>,
    /// Only these; may be given several times
    #[arg(long, value_enum, value_name = "TASK")]
    only: Vec<Task>,
    /// Threads of both [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Repetitions, of which the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Length of the warm-up and of a repetition
    #[arg(long, value_name = "S", default_value_t = 5.0, value_parser = parse_seconds)]
    seconds: f64,
    /// Print all numbers as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print a table for Markdown, with date, command and processor
    #[arg(long)]
    markdown: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Task {
    /// RoIAlign of 512 regions of 256 x 128 x 128 features, 7 x 7 bins of 2 x 2 samples
    RoiAlign,
    /// The same and its gradient
    RoiAlignGradient,
    /// Suppression among 5 groups of 2,000 boxes
    Nms,
    /// A training step of ResNet-18-FPN, two images of 512 x 512
    TrainResnet18,
    /// A training step of ResNet-50-FPN, two images of 512 x 512
    TrainResnet50,
    /// Detection by ResNet-18-FPN, one image of 512 x 512
    InferResnet18,
    /// Detection by ResNet-50-FPN, one image of 512 x 512
    InferResnet50,
}

impl Task {
    const ALL: [Self; 7] = [
        Self::RoiAlign,
        Self::RoiAlignGradient,
        Self::Nms,
        Self::TrainResnet18,
        Self::TrainResnet50,
        Self::InferResnet18,
        Self::InferResnet50,
    ];

    /// As typed.
    fn name(self) -> String {
        let value = self.to_possible_value().expect("no value is hidden");
        value.get_name().to_owned()
    }
}

/// What one process does.
#[derive(Debug, Clone, Args)]
pub(crate) struct Case {
    #[arg(long, value_enum)]
    pub(crate) task: Task,
}

/// The first line of a process: names and versions.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) engine: String,
}

/// What a task reached: times a second, of whole detectors images a second.
#[derive(Debug, Serialize)]
struct Row {
    task: Task,
    threads: usize,
    engine: String,
    speed: Speed,
}

/// Measures, and gives what is to be printed.
///
/// # Errors
/// A process failed.
pub(crate) fn bench(options: &Options) -> Result<String> {
    let python = match (&options.python, options.peer) {
        (_, false) => None,
        (Some(python), true) => Some(python.clone()),
        (None, true) => Some(python::data_environment()?),
    };
    let threads = options.threads.unwrap_or_else(machine::threads);
    let mut rows = Vec::new();
    for task in Task::ALL {
        if !options.only.is_empty() && !options.only.contains(&task) {
            continue;
        }
        eprintln!("measuring {}", task.name());
        let mut workers = vec![start(ours()?, task, threads)?];
        if let Some(python) = &python {
            let mut command = Command::new(python);
            command.arg(python::folder().join("detect_peer.py"));
            workers.push(start(command, task, threads)?);
        }
        rows.extend(by_turns(workers, task, threads, options)?);
    }
    if options.json {
        return Ok(serde_json::to_string_pretty(&rows)?);
    }
    Ok(report(&rows, options))
}

fn ours() -> Result<Command> {
    let mut command = this_program()?;
    command.arg("detect-worker");
    Ok(command)
}

fn start(mut command: Command, task: Task, threads: usize) -> Result<(String, Process)> {
    command.args(["--task", &task.name()]);
    for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS"] {
        command.env(variable, threads.to_string());
    }
    let mut process = Process::start(&mut command, task.name())?;
    let Ready { engine } = process.answer()?;
    Ok((engine, process))
}

/// One repetition after the other, each of every side.
fn by_turns(
    mut workers: Vec<(String, Process)>,
    task: Task,
    threads: usize,
    options: &Options,
) -> Result<Vec<Row>> {
    let request = format!("go {}", options.seconds);
    let mut rates = vec![Vec::new(); workers.len()];
    for (_, process) in &mut workers {
        process.ask::<Repetition>(&request)?;
    }
    for _ in 0..options.repetitions {
        for ((_, process), rates) in workers.iter_mut().zip(&mut rates) {
            let Repetition { images, seconds } = process.ask(&request)?;
            rates.push(images as f64 / seconds);
        }
    }
    let pairs = workers.into_iter().zip(rates);
    pairs
        .map(|((engine, mut process), rates)| {
            let memory = process.ask("memory")?;
            Ok(Row {
                task,
                threads,
                engine,
                speed: Speed::new(rates, memory),
            })
        })
        .collect()
}

fn report(rows: &[Row], options: &Options) -> String {
    let cells = |row: &Row| {
        let other = rows
            .iter()
            .find(|other| other.task == row.task && other.engine != row.engine);
        let speed = &row.speed;
        let share = other.map(|other| speed.images_per_second / other.speed.images_per_second);
        vec![
            row.task.name(),
            row.engine.clone(),
            format!("{:.3}", speed.images_per_second),
            format!("{:.3}-{:.3}", speed.lowest, speed.highest),
            share.map_or(String::new(), |share| format!("{share:.2}")),
            memory(speed.peak_memory),
        ]
    };
    let head = ["task", "by", "a second", "range", "of the other", "memory"];
    let table = Table {
        head: head.map(str::to_owned).to_vec(),
        rows: rows.iter().map(cells).collect(),
    };
    let table = match options.markdown {
        true => table.markdown(),
        false => table.text(),
    };
    let threads = rows.first().map_or(0, |row| row.threads);
    format!(
        "{table}\n\n{}; {}; {threads} threads. Medians of {} repetitions of {} s, by turns. Detectors \
         in images a second, their parts in times a second. `{}`",
        machine::today(),
        machine::processor(),
        options.repetitions,
        options.seconds,
        crate::measure::command()
    )
}
