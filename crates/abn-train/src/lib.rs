//! The program `abn`: trains attention branch networks on Burn, resumes exactly, shows where they
//! look.
//!
//! The command line ([`cli`]) becomes a [`recipe`], the [`trainer`] turns it into a [run
//! directory](run_dir) with [`checkpoint`]s, and the other commands open that directory by its path
//! alone ([`session`]).

pub mod architectures;
pub mod asked;
pub mod checkpoint;
pub mod class_name;
pub mod cli;
pub mod commands;
pub mod conclusion;
pub mod datasets;
pub mod device;
pub mod drift;
pub mod evaluate;
pub mod files;
pub mod foreign;
pub mod heatmap;
pub mod image_files;
pub mod initial;
pub mod inputs;
pub mod interrupt;
pub mod interval;
pub mod meters;
pub mod method;
pub mod metrics;
pub mod outcome;
pub mod output_folder;
pub mod raw_maps;
pub mod recipe;
pub mod report;
pub mod run_dir;
pub mod schedule;
pub mod score;
pub mod session;
pub mod settings;
pub mod sgd;
pub mod showcase;
pub mod stability;
pub mod terminal;
pub mod trainer;
pub mod training;
pub mod view;
pub mod weights;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::cli::{Cli, Command};
use crate::trainer::Ending;

/// The program. Exit status 0 is success, 1 failure with its cause on stderr, 2 wrong usage, 130
/// interrupted.
pub fn main() -> ExitCode {
    let command = Cli::parse()
        .command
        .unwrap_or_else(|| Command::Train(Box::default()));
    match dispatch(command) {
        Ok(Ending::Finished) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) if terminal::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<Ending> {
    match command {
        Command::Train(args) => return commands::train::run(*args),
        Command::Eval(args) => commands::eval::run(args)?,
        Command::Predict(args) => commands::predict::run(args)?,
        Command::Explain(args) => commands::explain::run(args)?,
        Command::Score(args) => return commands::score::run(args),
        Command::Stability(args) => commands::stability::run(args)?,
        Command::Models(args) => commands::models::run(args)?,
        Command::Import(args) => commands::import::run(args)?,
        Command::Export(args) => commands::export::run(args)?,
    }
    Ok(Ending::Finished)
}
