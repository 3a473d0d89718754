//! `abn data`: data sets alone, without a network.

mod check;
#[cfg(feature = "fetch")]
mod fetch;
mod pack;

use std::ops::ControlFlow;
use std::thread::available_parallelism;

use anyhow::Result;
use indicatif::ProgressBar;

use crate::cli::data::{DataArgs, DataCommand};
use crate::interrupt::Interrupt;
use crate::train::trainer::Ending;

/// Runs the command.
///
/// # Errors
/// The data set is missing or damaged, or what is to be written cannot be.
pub fn run(args: DataArgs) -> Result<Ending> {
    match args.command {
        #[cfg(feature = "fetch")]
        DataCommand::Fetch(args) => fetch::run(&args),
        #[cfg(not(feature = "fetch"))]
        DataCommand::Fetch(_) => anyhow::bail!(
            "this build of abn cannot download: build it with --features fetch, as in `cargo install \
             --path crates/abn-train --features fetch`"
        ),
        DataCommand::Check(args) => check::run(&args),
        DataCommand::Pack(args) => pack::run(&args),
    }
}

/// So many threads as were asked for, or one a core.
fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| available_parallelism().map_or(1, usize::from))
}

/// Shows how far a pass over images is, until the user asks to stop.
fn shown(
    progress: &ProgressBar,
    interrupt: &Interrupt,
    done: usize,
    all: usize,
) -> ControlFlow<()> {
    progress.set_length(all as u64);
    progress.set_position(done as u64);
    match interrupt.requested() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}
