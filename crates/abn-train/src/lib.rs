//! The program `abn`: trains attention branch networks on Burn, resumes exactly, shows where they
//! look.
//!
//! The [command line](cli) becomes a [recipe](abn_run::recipe), [training](train) turns it into a
//! [run folder](abn_run::folder) with checkpoints, and the other [commands] open that folder by its
//! path alone. It is a library too, so that the campaigns train as the program does, and a program
//! of one's own can:
//!
//! ```
//! use abn_train::cli;
//! use clap::FromArgMatches;
//!
//! let line = ["abn", "train", "--dataset", "cifar100", "--labels", "both"];
//! let typed = cli::Cli::from_arg_matches(&cli::command().try_get_matches_from(line)?)?;
//! assert!(matches!(typed.command, Some(cli::Command::Train(_))));
//! # Ok::<(), clap::Error>(())
//! ```

pub mod cli;
pub mod commands;
pub mod device;
pub mod hints;
pub mod interrupt;
pub mod ranks;
pub mod terminal;
pub mod train;
mod unreadable;

use std::process::ExitCode;

use anyhow::Result;
use clap::FromArgMatches;

use crate::cli::{Cli, Command};
use crate::device::failure::caught;
use crate::ranks::Told;
use crate::train::trainer::Ending;

/// The program. Exit status 0 is success, 1 failure with its cause on stderr, 2 wrong usage, 130
/// interrupted.
pub fn main() -> ExitCode {
    let typed = Cli::from_arg_matches(&cli::command().get_matches());
    let typed = typed.unwrap_or_else(|error| error.exit());
    let command = typed.command;
    let command = command.unwrap_or_else(|| Command::Train(Box::default()));
    match caught(|| dispatch(command)) {
        Ok(Ending::Finished) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) if terminal::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if error.is::<Told>() => ExitCode::FAILURE,
        Err(error) => {
            tell(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says what went wrong, and what helps.
pub(crate) fn tell(error: &anyhow::Error) {
    terminal::note(&format!("error: {error:#}"));
    if let Some(hint) = hints::hint(error) {
        terminal::note(&format!("hint: {hint}"));
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
        Command::Compare(args) => commands::compare::run(args)?,
        Command::Devices(args) => commands::devices::run(&args)?,
        Command::Models(args) => commands::models::run(args)?,
        Command::Import(args) => commands::import::run(args)?,
        Command::Export(args) => commands::export::run(args)?,
        Command::Data(args) => return commands::data::run(args),
        Command::Completions(args) => commands::manual::complete(args)?,
        Command::Man(args) => commands::manual::write(args)?,
    }
    Ok(Ending::Finished)
}
