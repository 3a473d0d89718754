//! `abn data pack`: photographs in one file.

use anyhow::Result;

use crate::cli::data::PackArgs;
use crate::train::trainer::Ending;

/// Runs the command.
///
/// # Errors
/// The folder cannot be read, or the file not be written.
pub fn run(_args: &PackArgs) -> Result<Ending> {
    todo!()
}
