//! What the developers run: `cargo xtask ci`.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A program for the terminal.

mod ci;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask TASK

tasks:
  ci    everything that continuous integration checks: format, tests, clippy, docs, the CUDA build's types,
        and, where ../shared lies beside the project, the tests on real data and reference numbers";

fn main() -> ExitCode {
    let task = std::env::args().nth(1);
    let done = match task.as_deref() {
        Some("ci") => ci::run(),
        Some("-h" | "--help") => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
