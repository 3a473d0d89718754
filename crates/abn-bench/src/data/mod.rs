//! `cargo xtask bench data`: how many images a second become batches, from a folder and from packs of
//! it, by turns with torchvision and DALI.

mod images;
mod report;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use self::images::Images;
pub(crate) use self::worker::run as work;
use crate::cli::parse_seconds;
use crate::machine;
use crate::process::{Process, Repetition};
use crate::python;
use crate::report::Speed;

/// Images that both sides must see alike.
const CHECKED: usize = 64;
/// Mean difference of normalised values up to which they do. A step of 255 is 0.017: decoders and
/// resizers round differently by about one, and DALI cuts half a pixel beside where the others do.
const ALIKE: f32 = 0.06;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measure torchvision and DALI, too, by turns with ours
    #[arg(long)]
    peer: bool,
    /// A Python with torch, torchvision, pillow and nvidia-dali, instead of the one that is made under
    /// target/data-peer once (some minutes and gigabytes)
    #[arg(long, value_name = "PATH", requires = "peer")]
    python: Option<PathBuf>,
    /// Folder of photographs, one folder a class, of which copies are read
    #[arg(long, value_name = "DIR", default_value = "datasets/imagenet-sample")]
    images: PathBuf,
    /// Images that there are after copying
    #[arg(long, value_name = "N", default_value_t = 1200, value_parser = clap::value_parser!(u32).range(64..=1_000_000))]
    count: u32,
    /// Images a batch
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    /// Repetitions, of which the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Length of the warm-up and of a repetition
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = parse_seconds)]
    seconds: f64,
    /// Print all numbers as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print a table for Markdown, with date, command and processor
    #[arg(long)]
    markdown: bool,
}

/// What images go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum View {
    /// A random window, resized to 224, and a flip: what ImageNet is trained with
    Train,
    /// 256 pixels at the shorter side, and the middle 224: what it is measured with
    Eval,
}

/// Who reads, and from what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reader {
    /// abn from a folder
    Folder,
    /// abn from a pack of the files as they are
    Pack,
    /// abn from a pack of pixels, 256 at the shorter side
    Pack256,
    /// torchvision's ImageFolder, its transforms v2 on Pillow's images
    TorchvisionPillow,
    /// The same, on tensors
    TorchvisionTensors,
    /// DALI's pipeline without a GPU
    Dali,
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "abn, folder",
            Self::Pack => "abn, pack",
            Self::Pack256 => "abn, pack --size 256",
            Self::TorchvisionPillow => "torchvision, Pillow",
            Self::TorchvisionTensors => "torchvision, tensors",
            Self::Dali => "DALI",
        })
    }
}

impl Reader {
    const OURS: [Self; 3] = [Self::Folder, Self::Pack, Self::Pack256];
    const PEERS: [Self; 3] = [
        Self::TorchvisionPillow,
        Self::TorchvisionTensors,
        Self::Dali,
    ];

    fn is_peer(self) -> bool {
        Self::PEERS.contains(&self)
    }
}

/// What one process does.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Case {
    #[arg(long)]
    pub(crate) reader: Reader,
    #[arg(long)]
    pub(crate) view: View,
    /// Threads or processes that make batches; 1 is the one that asks for them
    #[arg(long)]
    pub(crate) threads: usize,
    #[arg(long)]
    pub(crate) batch: usize,
    /// Folder of the images, or pack of it
    #[arg(long)]
    pub(crate) data: PathBuf,
}

/// What a case reached.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    case: Case,
    speed: Speed,
}

/// The first line of a process: names and versions.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    engine: String,
}

/// Measures, and gives what is to be printed.
///
/// # Errors
/// The images cannot be read or copied, or a process failed.
pub(crate) fn bench(options: &Options) -> Result<String> {
    let images = Images::make(&options.images, options.count as usize)?;
    let python = match (&options.python, options.peer) {
        (_, false) => None,
        (Some(python), true) => Some(python.clone()),
        (None, true) => Some(python::data_environment()?),
    };
    let all = machine::threads();
    let mut counts = vec![1, all];
    counts.dedup();
    let (mut rows, mut differences, mut engines) = (Vec::new(), BTreeMap::new(), Vec::new());
    for view in [View::Train, View::Eval] {
        for &threads in &counts {
            let readers = Reader::OURS.into_iter().chain(Reader::PEERS);
            let readers = readers.filter(|reader| python.is_some() || !reader.is_peer());
            let mut workers = Vec::new();
            for reader in readers {
                let case = Case {
                    reader,
                    view,
                    threads,
                    batch: options.batch as usize,
                    data: images.of(reader),
                };
                eprintln!("starting {reader}, {}, threads: {threads}", typed(&view));
                match Worker::start(case, python.as_ref()) {
                    Ok(worker) => workers.push(worker),
                    // What does not install is told, and the others are measured.
                    Err(error) if reader == Reader::Dali => eprintln!("no DALI: {error:#}"),
                    Err(error) => return Err(error),
                }
            }
            for worker in &workers {
                if !engines.contains(&worker.engine) {
                    engines.push(worker.engine.clone());
                }
            }
            if view == View::Eval && threads == 1 {
                differences = check(&mut workers)?;
            }
            rows.extend(by_turns(workers, options)?);
        }
    }
    let report = report::Report {
        date: machine::today(),
        command: crate::measure::command(),
        processor: machine::processor(),
        images: images.describe(),
        engines,
        repetitions: options.repetitions,
        seconds: options.seconds,
        differences,
        rows,
    };
    match (options.json, options.markdown) {
        (true, _) => Ok(serde_json::to_string_pretty(&report)?),
        (_, markdown) => Ok(report.table(markdown)),
    }
}

/// A process at work on a case.
struct Worker {
    case: Case,
    engine: String,
    process: Process,
}

impl Worker {
    fn start(case: Case, python: Option<&PathBuf>) -> Result<Self> {
        let mut command = match python.filter(|_| case.reader.is_peer()) {
            Some(python) => {
                let mut command = std::process::Command::new(python);
                command.arg(python::folder().join("data_peer.py"));
                command
            }
            None => {
                let mut command = crate::process::this_program()?;
                command.arg("data-worker");
                command
            }
        };
        command
            .args([
                "--reader",
                &typed(&case.reader),
                "--view",
                &typed(&case.view),
            ])
            .args(["--threads", &case.threads.to_string()])
            .args(["--batch", &case.batch.to_string()])
            .arg("--data")
            .arg(&case.data);
        let mut process = Process::start(&mut command, case.reader.to_string())?;
        let Ready { engine } = process.answer()?;
        Ok(Self {
            case,
            engine,
            process,
        })
    }
}

/// A value as it is typed.
fn typed(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("no value is hidden");
    value.get_name().to_owned()
}

/// The mean difference of what each sees of the first images from what abn sees in the folder.
fn check(workers: &mut [Worker]) -> Result<BTreeMap<String, f32>> {
    let mut differences = BTreeMap::new();
    let mut first: Option<Vec<f32>> = None;
    for worker in workers {
        let seen: Vec<f32> = worker.process.ask(&format!("check {CHECKED}"))?;
        let Some(ours) = &first else {
            first = Some(seen);
            continue;
        };
        ensure!(
            seen.len() == ours.len(),
            "{} makes {} values of the first images, abn {}",
            worker.case.reader,
            seen.len(),
            ours.len()
        );
        let sum: f32 = seen.iter().zip(ours).map(|(a, b)| (a - b).abs()).sum();
        let mean = sum / ours.len() as f32;
        // The pack of pixels is resized twice at the training view alone: here it must be the same.
        ensure!(
            mean <= ALIKE,
            "{} sees other images: they differ by {mean} in the mean",
            worker.case.reader
        );
        differences.insert(worker.case.reader.to_string(), mean);
    }
    Ok(differences)
}

/// One repetition after the other, each of every worker.
fn by_turns(mut workers: Vec<Worker>, options: &Options) -> Result<Vec<Row>> {
    let mut rates = vec![Vec::new(); workers.len()];
    for worker in &mut workers {
        worker
            .process
            .ask::<Repetition>(&format!("go {}", options.seconds))?;
    }
    for _ in 0..options.repetitions {
        for (worker, rates) in workers.iter_mut().zip(&mut rates) {
            let request = format!("go {}", options.seconds);
            let Repetition { images, seconds } = worker.process.ask(&request)?;
            rates.push(images as f64 / seconds);
        }
    }
    let pairs = workers.into_iter().zip(rates);
    pairs
        .map(|(mut worker, rates)| {
            let memory = worker.process.ask("memory")?;
            Ok(Row {
                case: worker.case,
                speed: Speed::new(rates, memory),
            })
        })
        .collect()
}
