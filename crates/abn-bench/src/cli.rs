//! The command line.

use std::fmt::Display;
use std::path::PathBuf;

use abn_kernels::InstructionSet;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::case::{Case, Mode, Place};
use crate::report::Format;
use crate::rival::Rival;
use crate::{data, detect, instructions, layers, machine};

/// Measures how many images a second the networks learn from and answer, and how many are read,
/// alone or beside PyTorch, ONNX Runtime and OpenVINO.
#[derive(Debug, Parser)]
#[command(
    name = "abn-bench",
    bin_name = "cargo xtask bench",
    after_help = "Examples:\n  \
        cargo xtask bench train --quick --only resnet20          a first look, half a minute\n  \
        cargo xtask bench train --peer                           every network, by turns with PyTorch's\n  \
        cargo xtask bench infer --peer                           and with ONNX Runtime and OpenVINO\n  \
        cargo xtask bench infer --peer --python env/bin/python   with what is installed there\n  \
        cargo xtask bench infer --peer --instructions avx2       as on a machine without AVX-512\n  \
        cargo xtask bench growth --markdown                      by batch, threads and size of the images\n  \
        cargo xtask bench layers --arch resnet50                 where a network's time goes\n  \
        cargo xtask bench train --features cuda --device cuda    on a GPU; --peer for PyTorch there\n  \
        cargo xtask bench data --peer                            images read, by turns with torchvision and DALI\n\n\
        The table goes to stdout, everything else to stderr. Exit status: 0 success, 1 failure, 2 \
        wrong usage."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Training: forward, joint loss, backward, a step of SGD with momentum
    Train(Options),
    /// Inference: logits, without and with the attention map
    Infer(Options),
    /// ABN-ResNet-20 by batch, threads and size of the images
    Growth(Options),
    /// Explanation: the attention map of a forward pass beside CAM, Grad-CAM and gradients, which
    /// cost more
    Explain(Options),
    /// Training as GPUs are given it: large batches
    Large(Options),
    /// What a step of these has a GPU do, kernel by kernel
    Profile(Options),
    /// Each convolution over more than one position by itself, as shares of the machine's peak and of
    /// its memory
    Layers(layers::Options),
    /// Images read, augmented and put into batches
    Data(data::Options),
    /// Detectors and their parts beside torchvision
    Detect(detect::Options),
    /// One network in a process of its own
    #[command(hide = true)]
    Worker(Case),
    /// One reader of images in a process of its own
    #[command(hide = true)]
    DataWorker(data::Case),
    /// One detector, or a part of one, in a process of its own
    #[command(hide = true)]
    DetectWorker(detect::Case),
    /// The most that the machine can do
    #[command(hide = true)]
    Peak,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measure the same networks in PyTorch, eager and compiled, and for inference in ONNX Runtime
    /// and OpenVINO, by turns with ours
    #[arg(long)]
    pub(crate) peer: bool,
    /// A Python with torch, numpy and safetensors, instead of the one that is made under
    /// target/peer once (some minutes and gigabytes); what else it lacks is left out
    #[arg(long, value_name = "PATH", requires = "peer")]
    pub(crate) python: Option<PathBuf>,
    /// Of the others, only this one; may be given several times. torch.compile takes minutes for a
    /// large network
    #[arg(long, value_name = "ENGINE", requires = "peer")]
    pub(crate) engine: Vec<Rival>,
    /// Only what has this text in its description, such as `resnet20`, `manet` or `batch 64`; of
    /// several, any
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Instructions of our kernels, avx512, avx2 or portable, instead of the machine's best; the
    /// others use their best
    #[arg(long, value_name = "SET", value_parser = instructions::parse)]
    pub(crate) instructions: Option<InstructionSet>,
    #[command(flatten)]
    place: Place,
    /// Threads of each; all that the machine has if left out
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
    /// Repetitions, of which the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Length of the warm-up and of a repetition, which is at least one batch
    #[arg(long, value_name = "S", default_value_t = 1.5, value_parser = parse_seconds)]
    seconds: f64,
    /// A first look: 3 repetitions of 0.3 seconds
    #[arg(long, conflicts_with_all = ["repetitions", "seconds"])]
    quick: bool,
    /// Print all numbers as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print a table for Markdown, with date, command and processor
    #[arg(long)]
    markdown: bool,
}

impl Options {
    pub(crate) fn threads(&self) -> usize {
        self.threads.unwrap_or_else(machine::threads)
    }

    /// Ends the program where there is no peer to measure.
    pub(crate) fn refuse_peer(&self) {
        if self.peer {
            let message =
                "--peer is for train, infer and large: the rest is not measured beside others";
            Cli::command()
                .error(ErrorKind::ArgumentConflict, message)
                .exit();
        }
    }

    pub(crate) fn repetitions(&self) -> u32 {
        if self.quick { 3 } else { self.repetitions }
    }

    pub(crate) fn seconds(&self) -> f64 {
        if self.quick { 0.3 } else { self.seconds }
    }

    pub(crate) fn format(&self) -> Format {
        match (self.json, self.markdown) {
            (true, _) => Format::Json,
            (_, true) => Format::Markdown,
            _ => Format::Text,
        }
    }

    /// The cases that are asked for. None is a mistake of usage, which ends the program.
    pub(crate) fn chosen(&self, cases: Vec<Case>) -> Vec<Case> {
        let chosen = only(&self.only, cases).into_iter();
        chosen.map(|case| self.there(case)).collect()
    }
}

impl Options {
    /// The case on the device and in the numbers that are asked for. What cannot be had there is a
    /// mistake of usage, which ends the program.
    fn there(&self, case: Case) -> Case {
        let refuse = |message: &str| {
            Cli::command()
                .error(ErrorKind::ArgumentConflict, message)
                .exit()
        };
        if !self.place.precision.is_usual() && case.mode != Mode::Train {
            refuse("--precision is for training: everything else is computed in f32");
        }
        if self.peer && self.place.in_pytorch().is_none() {
            refuse("PyTorch computes on cpu, cuda and metal alone: leave --peer out");
        }
        Case {
            place: self.place.clone(),
            ..case
        }
    }
}

/// What has one of these texts in its description, or all if there is none. Nothing is a mistake of
/// usage, which ends the program.
pub(crate) fn only<T: Display>(texts: &[String], all: Vec<T>) -> Vec<T> {
    let names: Vec<String> = all.iter().map(T::to_string).collect();
    let asked = |name: &str| texts.is_empty() || texts.iter().any(|text| name.contains(text));
    let chosen: Vec<T> = all
        .into_iter()
        .zip(&names)
        .filter_map(|(each, name)| asked(name).then_some(each))
        .collect();
    if chosen.is_empty() {
        let message = format!(
            "nothing has the text of --only; there is:\n  {}",
            names.join("\n  ")
        );
        Cli::command()
            .error(ErrorKind::ValueValidation, message)
            .exit();
    }
    chosen
}

pub(crate) fn parse_threads(text: &str) -> Result<usize, String> {
    let most = machine::threads();
    let threads = text
        .parse()
        .ok()
        .filter(|threads| (1..=most).contains(threads));
    threads.ok_or_else(|| format!("this machine runs 1 to {most}"))
}

pub(crate) fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| (0.01..=3600.0).contains(seconds));
    seconds.ok_or_else(|| "not a number from 0.01 to 3600".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
