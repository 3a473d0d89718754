//! Measuring: every engine's process of a network warms up, then they work by turns, and medians
//! count.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::case::Case;
use crate::cli::Options;
use crate::process::{Engine, Layout, Ready, Repetition, Worker};
use crate::report::{Library, Peak, Peer, Report, Row, Speed};
use crate::{check, machine, python};

/// Share of the machine that other processes may use without a warning.
const BUSY: f64 = 0.05;

/// Measures the cases in order. What fails is told and counted, and the others go on.
///
/// # Errors
/// There is no Python for the peer, or the machine's peak cannot be measured.
pub(crate) fn all(cases: &[Case], options: &Options) -> Result<(Report, usize)> {
    let engines = engines(options)?;
    let in_use = machine::share_in_use();
    if let Some(share) = in_use.filter(|share| *share > BUSY) {
        eprintln!(
            "warning: other processes use {:.0} % of this machine; measure when it is idle",
            100.0 * share
        );
    }
    let mut bench = Bench {
        engines,
        options,
        libraries: vec![],
        differences: BTreeMap::new(),
    };
    let mut peaks = bench.peaks(cases)?;
    let mut rows = Vec::new();
    let mut failures = 0;
    for (number, case) in cases.iter().enumerate() {
        eprintln!("[{}/{}] {case}", number + 1, cases.len());
        match bench.row(case) {
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
        processor: machine::processor(),
        in_use: [in_use, machine::share_in_use()]
            .into_iter()
            .flatten()
            .reduce(f64::max),
        libraries: bench.libraries,
        repetitions: options.repetitions(),
        seconds: options.seconds(),
        peaks,
        rows,
    };
    Ok((report, failures))
}

/// This call, such that it can be pasted into a shell.
pub(crate) fn command() -> String {
    let words = ["cargo", "xtask", "bench"].map(str::to_owned);
    shell_words::join(words.into_iter().chain(std::env::args().skip(1)))
}

fn engines(options: &Options) -> Result<Vec<Engine>> {
    let mut engines = vec![Engine::Ours];
    if options.peer {
        let python = match &options.python {
            Some(python) => python.clone(),
            None => python::environment()?,
        };
        let peer = |layout| Engine::Peer {
            python: python.clone(),
            layout,
        };
        engines.extend([Layout::Nchw, Layout::ChannelsLast].map(peer));
    }
    Ok(engines)
}

struct Bench<'a> {
    /// Ours, then the peer's.
    engines: Vec<Engine>,
    options: &'a Options,
    libraries: Vec<Library>,
    /// Largest difference between our numbers and the peer's, by network and size.
    differences: BTreeMap<String, f32>,
}

impl Bench<'_> {
    /// The machine's peak for each number of threads: the fastest thing that any engine does.
    fn peaks(&self, cases: &[Case]) -> Result<Vec<Peak>> {
        let mut counts: Vec<usize> = cases.iter().map(|case| case.threads).collect();
        counts.sort_unstable();
        counts.dedup();
        let mut peaks = Vec::new();
        for threads in counts {
            eprintln!("measuring the machine's peak, threads: {threads}");
            // Layouts do not matter to it.
            for engine in self.engines.iter().take(2) {
                for (what, operations) in engine.peaks(threads)? {
                    let engine = engine.library().to_owned();
                    peaks.push(Peak {
                        threads,
                        engine,
                        what,
                        operations_per_second: operations,
                    });
                }
            }
        }
        Ok(peaks)
    }

    fn row(&mut self, case: &Case) -> Result<Row> {
        let difference = self.difference(case)?;
        let mut workers = self.workers(case)?;
        let parameters = workers[0].ready.parameters;
        ensure!(
            workers
                .iter()
                .all(|worker| worker.ready.parameters == parameters),
            "the networks have different numbers of parameters"
        );
        let mut speeds = self.by_turns(&mut workers)?;
        let ours = speeds.remove(0);
        let layouts = self.engines.iter().filter_map(Engine::layout);
        let peers = layouts
            .zip(speeds)
            .map(|(layout, speed)| Peer { layout, speed })
            .collect();
        Ok(Row {
            case: case.clone(),
            parameters,
            operations: case.operations()?,
            ours,
            peers,
            difference,
        })
    }

    /// A process of each engine, warm.
    fn workers(&mut self, case: &Case) -> Result<Vec<Worker>> {
        let mut workers = Vec::new();
        for engine in &self.engines {
            let mut worker = Worker::start(engine, case)?;
            let Ready { engine, empty, .. } = &worker.ready;
            if !self.libraries.iter().any(|known| known.name == *engine) {
                self.libraries.push(Library {
                    name: engine.clone(),
                    memory: *empty,
                });
            }
            worker.ask::<()>(&format!("warm {}", self.options.seconds()))?;
            workers.push(worker);
        }
        Ok(workers)
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

    /// How far the peer's numbers are from ours, if there is a peer.
    fn difference(&mut self, case: &Case) -> Result<Option<f32>> {
        let [ours, peer, ..] = self.engines.as_slice() else {
            return Ok(None);
        };
        let network = format!("{} {} {}", case.arch, case.attention, case.size);
        if let Some(known) = self.differences.get(&network) {
            return Ok(Some(*known));
        }
        let difference = check::compare(ours, peer, case)?;
        self.differences.insert(network, difference);
        Ok(Some(difference))
    }
}
