//! What the developers run: `cargo xtask ci`, `cargo xtask bench`, `cargo xtask ablation`.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A program for the terminal.

mod ci;
mod device_check;
mod gpu_check;
mod program;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask TASK

tasks:
  ablation the papers' tables, rerun at the scale that the machine allows and set beside what was
           published; `ablation -h`
  ci       everything that continuous integration checks: format, tests, clippy, docs, packages, the
           types of the CUDA build and, where the compiler has that target, of a browser; where
           there is a Chromium, the pages in it; where ../shared lies beside the project, the tests
           on real data and reference numbers
  device-check   whether a GPU, or a driver that computes on the processor, trains, resumes and
           explains as the CPU; `--device cuda`
  gpu-check      all that is to be found out on a GPU, as one report; `gpu-check -h`
  bench    how many images a second the networks learn from and answer, alone or beside PyTorch;
           `bench -h`";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let done = match arguments.next().as_deref() {
        Some("ci") => ci::run().map(|()| ExitCode::SUCCESS),
        Some("device-check") => ci::root()
            .and_then(|root| device_check::run(&root, arguments))
            .map(|()| ExitCode::SUCCESS),
        Some("gpu-check") => ci::root()
            .and_then(|root| gpu_check::run(&root, arguments))
            .map(|()| ExitCode::SUCCESS),
        Some("bench") => program::run("abn-bench", arguments),
        Some("ablation") => program::run("abn-ablation", arguments),
        Some("-h" | "--help") => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
