//! The benchmark, which is a program of its own: it needs Burn, and these tasks compile in a moment.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// Compiles and runs it with these arguments; its exit status is ours.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<ExitCode> {
    let status = Command::new(env!("CARGO"))
        .args(["run", "--package", "abn-bench", "--"])
        .args(arguments)
        .status()
        .context("cannot start cargo")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
