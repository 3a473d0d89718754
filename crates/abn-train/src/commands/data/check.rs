//! `abn data check`: every image of a data set is read, and what is wrong named.

use anyhow::Result;

use crate::cli::data::CheckArgs;
use crate::train::trainer::Ending;

/// Runs the command.
///
/// # Errors
/// The data set cannot be opened, or something is wrong with it.
pub fn run(_args: &CheckArgs) -> Result<Ending> {
    todo!()
}
