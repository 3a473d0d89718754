//! Measuring: every engine's process of a network warms up, then they work by turns, and medians
//! count.

use anyhow::{Context, Result, ensure};

use crate::case::Case;
use crate::cli::Options;
use crate::handover::Handover;
use crate::process::{Engine, Repetition, Worker};
use crate::report::{Library, Peak, Peer, Report, Row, Speed};
use crate::rival::Rival;
use crate::{check, machine, python};

/// Share of the machine that other processes may use without a warning.
const BUSY: f64 = 0.05;

/// Measures the cases in order. What fails is told and counted, and the others go on.
///
/// # Errors
/// There is no Python for the others, or the machine's peak cannot be measured.
pub(crate) fn all(cases: &[Case], options: &Options) -> Result<(Report, usize)> {
    let bench = Bench {
        ours: Engine::Ours {
            instructions: options.instructions,
        },
        rivals: rivals(options)?,
        handover: Handover::new()?,
        options,
    };
    let in_use = machine::share_in_use();
    if let Some(share) = in_use.filter(|share| *share > BUSY) {
        eprintln!(
            "warning: other processes use {:.0} % of this machine; measure when it is idle",
            100.0 * share
        );
    }
    let mut peaks = bench.peaks(cases)?;
    let (mut rows, mut libraries, mut failures) = (Vec::new(), Vec::new(), 0);
    for (number, case) in cases.iter().enumerate() {
        eprintln!("[{}/{}] {case}", number + 1, cases.len());
        match bench.row(case, &mut libraries) {
            Ok(row) => {
                eprintln!("        {}", row.summary());
                rows.push(row);
            }
            Err(error) => {
                eprintln!("error: {case}: {error:#}");
                failures += 1;
            }
        }
    }
    // Again, for a moment in which the machine was slow must not pass for its best.
    peaks.extend(bench.peaks(cases)?);
    let report = Report {
        date: machine::today(),
        command: command(),
        processor: processor(cases),
        in_use: [in_use, machine::share_in_use()]
            .into_iter()
            .flatten()
            .reduce(f64::max),
        libraries,
        repetitions: options.repetitions(),
        seconds: options.seconds(),
        peaks,
        rows,
    };
    Ok((report, failures))
}

/// What computes: the processor, and the device beside it.
fn processor(cases: &[Case]) -> String {
    let device = cases.iter().find(|case| !case.place.is_cpu());
    let device = device.and_then(|case| abn_device::found_named(&case.place.device));
    let words = device.map(|found| {
        let driver = found
            .driver
            .map_or_else(String::new, |name| format!(" by {name}"));
        format!("{} ({}){driver}, ", found.name, found.device)
    });
    words.unwrap_or_default() + &machine::processor()
}

/// This call, such that it can be pasted into a shell.
pub(crate) fn command() -> String {
    let words = ["cargo", "xtask", "bench"].map(str::to_owned);
    shell_words::join(words.into_iter().chain(std::env::args().skip(1)))
}

/// The others, if they are asked for and there.
fn rivals(options: &Options) -> Result<Vec<Engine>> {
    if !options.peer {
        return Ok(vec![]);
    }
    let python = match &options.python {
        Some(python) => python.clone(),
        None => python::environment()?,
    };
    let engine = |rival| Engine::Rival {
        rival,
        python: python.clone(),
    };
    let asked = |rival: &Rival| options.engine.is_empty() || options.engine.contains(rival);
    let rivals = Rival::all_of(&python)?.into_iter().filter(asked);
    Ok(rivals.map(engine).collect())
}

struct Bench<'a> {
    ours: Engine,
    rivals: Vec<Engine>,
    handover: Handover,
    options: &'a Options,
}

impl Bench<'_> {
    /// The machine's peak for each number of threads: the fastest thing that we or PyTorch do.
    fn peaks(&self, cases: &[Case]) -> Result<Vec<Peak>> {
        let on_cpu = cases.iter().filter(|case| case.place.is_cpu());
        let mut counts: Vec<usize> = on_cpu.map(|case| case.threads).collect();
        counts.sort_unstable();
        counts.dedup();
        // Whichever of the others is asked, it is PyTorch that answers.
        let pytorch = self.rivals.first().map(|engine| ("PyTorch", engine));
        let mut peaks = Vec::new();
        for threads in counts {
            eprintln!("measuring the machine's peak, threads: {threads}");
            for (name, engine) in [("abn", &self.ours)].into_iter().chain(pytorch) {
                for (what, operations) in engine.peaks(threads)? {
                    peaks.push(Peak {
                        threads,
                        engine: name.to_owned(),
                        what,
                        operations_per_second: operations,
                    });
                }
            }
        }
        Ok(peaks)
    }

    /// Notes the libraries that are not known yet.
    fn row(&self, case: &Case, libraries: &mut Vec<Library>) -> Result<Row> {
        self.handover.clear()?;
        let does = |engine: &&Engine| engine.rival().is_some_and(|rival| rival.does(case));
        let rivals = self.rivals.iter().filter(does);
        let rivals = check::agreeing(&self.ours, rivals, case, &self.handover)?;
        let engines = std::iter::once(&self.ours).chain(rivals.iter().map(|(engine, _)| *engine));
        let workers: Result<Vec<Worker>> = engines.map(|engine| self.warm(engine, case)).collect();
        let mut workers = workers?;
        let parameters = case.parameters()?;
        for ready in workers.iter().map(|worker| &worker.ready) {
            ensure!(
                ready.parameters.is_none_or(|found| found == parameters),
                "{} counts other parameters",
                ready.engine
            );
            if !libraries.iter().any(|known| known.name == ready.engine) {
                libraries.push(Library {
                    name: ready.engine.clone(),
                    instructions: ready.instructions.clone(),
                    memory: ready.empty,
                });
            }
        }
        let mut speeds = self.by_turns(&mut workers)?.into_iter();
        let ours = speeds.next().context("our own speed")?;
        let peers = rivals.into_iter().zip(speeds);
        let peers = peers.filter_map(|((engine, difference), speed)| {
            Some(Peer {
                engine: engine.rival()?,
                difference,
                speed,
            })
        });
        Ok(Row {
            case: case.clone(),
            parameters,
            operations: case.operations()?,
            ours,
            peers: peers.collect(),
        })
    }

    /// A process of an engine, warm.
    fn warm(&self, engine: &Engine, case: &Case) -> Result<Worker> {
        let mut worker = Worker::start(engine, case, &self.handover)?;
        worker.ask::<()>(&format!("warm {}", self.options.seconds()))?;
        Ok(worker)
    }

    /// One repetition after the other, each of every worker.
    fn by_turns(&self, workers: &mut [Worker]) -> Result<Vec<Speed>> {
        let mut rates = vec![Vec::new(); workers.len()];
        for _ in 0..self.options.repetitions() {
            for (worker, rates) in workers.iter_mut().zip(&mut rates) {
                let Repetition { images, seconds } = worker.ask("go")?;
                rates.push(images as f64 / seconds);
            }
        }
        let pairs = workers.iter_mut().zip(rates);
        pairs
            .map(|(worker, rates)| Ok(Speed::new(rates, worker.ask("memory")?)))
            .collect()
    }
}
