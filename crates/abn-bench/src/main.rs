//! The benchmark behind `cargo xtask bench`: how many images a second the networks learn from and
//! answer, alone or beside the same networks in other engines ([`rival`]).
//!
//! Every network runs in processes of its own, ours ([`worker`]) and the others' (`peer/`), which do
//! one repetition each time they are asked to ([`process`]). So all are measured by turns in the
//! same call ([`measure`]), and peak memory is that of one network. Before anything is timed, all
//! have the same weights ([`handover`]) and must give the same numbers for the same images
//! ([`check`]).
#![allow(clippy::print_stdout, clippy::print_stderr)] // A program for the terminal.

mod case;
mod check;
mod cli;
mod data;
mod detect;
mod growth;
mod handover;
mod instructions;
mod layers;
mod machine;
mod measure;
mod peak;
mod process;
mod profile;
mod python;
mod report;
mod rival;
mod table;
mod worker;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::case::{Case, Mode};
use crate::cli::{Cli, Command, Options};
use crate::handover::Handover;
use crate::process::Engine;

#[global_allocator]
static ALLOCATOR: abn_kernels::Allocator = abn_kernels::Allocator;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Train(options) => bench(case::published(Mode::Train, options.threads()), &options),
        Command::Infer(options) => bench(case::published(Mode::Infer, options.threads()), &options),
        Command::Growth(options) => bench(growth::cases(options.threads()), &options),
        Command::Explain(options) => {
            options.refuse_peer();
            bench(case::explanations(options.threads()), &options)
        }
        Command::Large(options) => bench(case::large(options.threads()), &options),
        Command::Profile(options) => profile(&options),
        Command::Layers(options) => layers::bench(&options).map(|table| println!("{table}")),
        Command::Data(options) => data::bench(&options).map(|table| println!("{table}")),
        Command::Detect(options) => detect::bench(&options).map(|table| println!("{table}")),
        Command::DetectWorker(case) => detect::work(&case),
        Command::Worker(case) => worker::run(&case),
        Command::DataWorker(case) => data::work(&case),
        Command::Peak => peak::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Where the time of a GPU goes.
fn profile(options: &Options) -> Result<()> {
    options.refuse_peer();
    let cases = options.chosen(case::large(options.threads()));
    let ours = Engine::Ours {
        instructions: options.instructions,
    };
    println!("{}", profile::bench(&cases, &ours, &Handover::new()?)?);
    Ok(())
}

/// Prints what there is to print even if a network failed: the others took their time.
fn bench(cases: Vec<Case>, options: &Options) -> Result<()> {
    let (report, failures) = measure::all(&options.chosen(cases), options)?;
    println!("{}", report.in_format(options.format())?);
    ensure!(failures == 0, "{failures} measurements failed; see above");
    Ok(())
}
