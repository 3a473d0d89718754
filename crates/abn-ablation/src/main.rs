//! The campaigns behind `cargo xtask ablation`: the papers' tables, rerun at the scale that the
//! machine allows, and set beside what was published.
//!
//! A [`campaign`](mod@campaign) is a list of rows that derive from one recipe ([`campaigns`],
//! [`size`]); the [`plan`] is every recipe once. The [`runner`] trains what is not finished, each
//! run in a process of its own ([`worker`]), which leaves a [`record`] in the results [`folder`]. A
//! [`table`] is a pure function of records, and the files for readers are functions of tables.

mod campaign;
mod campaigns;
mod cli;
mod explained;
mod folder;
mod images;
mod markdown;
mod numbers;
mod overview;
mod page;
mod plan;
mod published;
mod record;
mod results;
mod runner;
mod size;
mod speed;
mod spreadsheet;
mod statistics;
mod table;
mod worker;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;

use abn_run::recipe::{Recipe, RunConfig};
use abn_train::device;
use abn_train::interrupt::{EXIT_CODE, Interrupt};
use abn_train::terminal;
use anyhow::{Result, ensure};
use clap::Parser;

use crate::campaign::{Campaign, Name};
use crate::campaigns::campaign;
use crate::cli::Cli;
use crate::folder::{Folder, Manifest};
use crate::images::DataSets;
use crate::overview::Overview;
use crate::plan::Run;
use crate::results::{Invocation, PAGE, WrittenTables};
use crate::runner::{Conditions, Failure, WORKER};

#[global_allocator]
static ALLOCATOR: abn_kernels::Allocator = abn_kernels::Allocator;

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some(WORKER) => worker::main(),
        _ => run(&Cli::parse()),
    };
    match done {
        Ok(code) => code,
        Err(error) if terminal::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Everything is checked before anything is written.
fn run(cli: &Cli) -> Result<ExitCode> {
    let out = cli.out();
    let known = Manifest::read(&out)?
        .map(Manifest::into_campaigns)
        .unwrap_or_default();
    let asked = asked(cli, &known)?;
    let plan = campaigns_of(cli, &asked)?;
    let devices: Vec<String> = device::choose_several(cli.device.as_deref())?
        .iter()
        .map(ToString::to_string)
        .collect();
    let opened = devices.iter().map(|name| device::open(Some(name)));
    let device = opened.collect::<Result<Vec<_>>>()?.swap_remove(0);
    if cli.list {
        return list(&Folder::at(out), &runs_of_shard(cli, &plan)?);
    }
    // The tables are about all campaigns of the folder, so their images have to be the same ones,
    // too.
    let sets = DataSets::open(&plan, cli.data.as_deref())?
        .with(&campaigns_of(cli, &known)?, cli.data.as_deref())?;
    let setting = cli.setting(cli.seeds());
    let manifest = Manifest::new(&setting, sets.fingerprints(), asked.clone());
    let folder = Folder::open(&out, &manifest)?;
    let mut failed = 0;
    if !cli.report {
        let interrupt = Interrupt::listen()?;
        let runs = runs_of_shard(cli, &plan)?;
        failed = train(cli, &folder, &sets, &devices, runs, &interrupt)?;
        if interrupt.requested() {
            terminal::note("stopped; the same command continues");
            return Ok(ExitCode::from(EXIT_CODE));
        }
        interrupt.end_at_once();
    }
    let call = Invocation {
        scale: cli.scale,
        command: command(),
        device: devices[0].clone(),
    };
    // Another process may have brought campaigns since.
    let campaigns = |folder: &Folder| campaigns_of(cli, &folder.campaigns()?);
    let WrittenTables { tables, damaged } =
        results::write(&folder, campaigns, sets, cli.data.as_deref(), &device, call)?;
    for table in tables
        .iter()
        .filter(|table| asked.contains_key(&table.campaign.name))
    {
        let file = folder.file(&format!("{}.md", table.campaign.name.name()));
        let open = if table.is_complete() {
            ""
        } else {
            " (not yet complete)"
        };
        terminal::result(&format!("table {}{open}", file.display()))?;
    }
    terminal::result(&format!("page {}", folder.file(PAGE).display()))?;
    if failed > 0 {
        terminal::note(&format!(
            "{failed} of the runs failed; their logs lie in `{}`, and the same command tries them \
             again",
            folder.file("logs").display()
        ));
    }
    for Failure { name, cause } in &damaged {
        terminal::note(&format!("{name}: {cause}"));
    }
    if !damaged.is_empty() {
        terminal::note(&format!(
            "{} of the finished runs cannot be used as they are; restore their files, or move \
             their folders out of `{}`, and the same command trains them again",
            damaged.len(),
            folder.file("runs").display()
        ));
    }
    Ok(if failed == 0 && damaged.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The campaigns asked for with their seeds; a report without names is about those that there are.
fn asked(cli: &Cli, known: &BTreeMap<Name, usize>) -> Result<BTreeMap<Name, usize>> {
    if cli.report && cli.names_no_campaign() {
        ensure!(
            !known.is_empty(),
            "`{}` holds no results yet; the same command without --report makes them",
            cli.out().display()
        );
        return Ok(known.clone());
    }
    Ok(cli
        .campaigns()
        .into_iter()
        .map(|name| (name, cli.seeds()))
        .collect())
}

fn campaigns_of(cli: &Cli, names: &BTreeMap<Name, usize>) -> Result<Vec<Campaign>> {
    names
        .iter()
        .map(|(name, seeds)| campaign(*name, &cli.setting(*seeds)))
        .collect()
}

/// What was typed, such that it can be pasted into a shell.
fn command() -> String {
    let words = ["cargo", "xtask", "ablation"].map(str::to_owned);
    shell_words::join(words.into_iter().chain(std::env::args().skip(1)))
}

fn runs_of_shard(cli: &Cli, plan: &[Campaign]) -> Result<Vec<Run>> {
    let runs = plan::runs(plan)?.into_iter().enumerate();
    let ours = |place: usize| cli.shard.is_none_or(|shard| shard.holds(place));
    Ok(runs
        .filter(|(place, _)| ours(*place))
        .map(|(_, run)| run)
        .collect())
}

fn list(folder: &Folder, runs: &[Run]) -> Result<ExitCode> {
    for run in runs {
        let state = match folder.record(run) {
            Ok(Some(_)) => "finished",
            Ok(None) if folder.cause(run).is_some() => "failed",
            Ok(None) => "to do",
            Err(_) => "damaged",
        };
        terminal::result(&format!("{state:<8}  {}", folder.run(run).display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Trains what is not finished; returns how many runs failed.
fn train(
    cli: &Cli,
    folder: &Folder,
    sets: &DataSets,
    devices: &[String],
    runs: Vec<Run>,
    interrupt: &Interrupt,
) -> Result<usize> {
    let all = runs.len();
    let (mut finished, mut to_do) = (0, Vec::new());
    for run in runs {
        match folder.record(&run) {
            Ok(Some(_)) => finished += 1,
            Ok(None) => {
                let work = work(&run.recipe, sets)?;
                to_do.push((run, work));
            }
            Err(error) => terminal::note(&format!("{}: {error:#}", run.name)),
        }
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let on_cpu = device::choose(Some(&devices[0]))?.backend == device::Backend::Cpu;
    let jobs = cli
        .jobs
        .unwrap_or(if on_cpu { cores } else { devices.len() })
        .min(to_do.len().max(1));
    let conditions = Conditions {
        jobs,
        on_cpu,
        data: cli.data.clone(),
        devices: devices.to_vec(),
    };
    terminal::note(&format!(
        "{all} runs, {finished} of them finished; {jobs} at once, in `{}`",
        folder.file("runs").display()
    ));
    let overview = Overview::new(all - to_do.len(), &to_do);
    let runs = to_do.into_iter().map(|(run, _)| run).collect();
    runner::train(runs, folder, &conditions, interrupt, &overview)
}

/// Multiply-adds of a run: forward, and as many again for each of the two gradients; forward alone
/// for the test images.
fn work(recipe: &Recipe, sets: &DataSets) -> Result<f64> {
    let Some(images) = sets.of(recipe) else {
        return Ok(0.0);
    };
    let config = RunConfig::new(recipe.clone(), images.test.labels.clone())?;
    let train = recipe
        .limit
        .map_or(images.train, |limit| limit.min(images.train));
    let images = (3 * train + images.test.samples.len()) * recipe.epochs;
    Ok(config.cost(&device::for_bookkeeping()?).multiply_adds as f64 * images as f64)
}
