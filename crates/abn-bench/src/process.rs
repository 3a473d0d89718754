//! Processes with one network each, ours and the peer's, that are asked line by line.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use abn_kernels::InstructionSet;
use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::handover::Handover;
use crate::rival::Rival;
use crate::{instructions, python};

/// Who does the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Engine {
    /// This program, by those instructions instead of the machine's best.
    Ours {
        instructions: Option<InstructionSet>,
    },
    /// Another in that Python.
    Rival { rival: Rival, python: PathBuf },
}

/// The first line of a process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Name and version.
    pub(crate) engine: String,
    /// Peak resident memory in bytes before there is a network: what the libraries take.
    pub(crate) empty: Option<u64>,
    /// Trainable parameters, where the engine still knows them.
    pub(crate) parameters: Option<usize>,
    /// The instruction set, where the engine tells.
    #[serde(default)]
    pub(crate) instructions: Option<String>,
}

/// A timed piece of work.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Repetition {
    pub(crate) images: usize,
    pub(crate) seconds: f64,
}

impl Engine {
    fn command(&self, task: &str, threads: usize) -> Result<Command> {
        let mut command = match self {
            Self::Ours { instructions } => {
                let mut command = this_program()?;
                if let Some(set) = instructions {
                    instructions::force(*set, &mut command);
                }
                command
            }
            Self::Rival { python, .. } => python::peer(python),
        };
        command.arg(task);
        let threads = threads.to_string();
        for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS"] {
            command.env(variable, &threads);
        }
        Ok(command)
    }

    pub(crate) fn rival(&self) -> Option<Rival> {
        match self {
            Self::Ours { .. } => None,
            Self::Rival { rival, .. } => Some(*rival),
        }
    }

    /// Sees to it that its process finds what it reads.
    ///
    /// # Errors
    /// There is no ONNX file yet, and PyTorch cannot write it.
    pub(crate) fn prepare(&self, case: &Case, handover: &Handover) -> Result<()> {
        match self {
            Self::Rival { rival, python } if rival.reads_onnx() && !handover.onnx().exists() => {
                handover.export(python, case)
            }
            _ => Ok(()),
        }
    }

    /// The most operations a second that it reaches, by what reaches them.
    pub(crate) fn peaks(&self, threads: usize) -> Result<Vec<(String, f64)>> {
        Process::start(&mut self.command("peak", threads)?, self.to_string())?.answer()
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours { .. } => f.write_str("abn"),
            Self::Rival { rival, .. } => rival.fmt(f),
        }
    }
}

/// This very program, on Linux even if it is compiled anew meanwhile.
pub(crate) fn this_program() -> Result<Command> {
    Ok(if cfg!(target_os = "linux") {
        Command::new("/proc/self/exe")
    } else {
        Command::new(std::env::current_exe().context("cannot find this program")?)
    })
}

/// A process with the network of a case.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Process,
    pub(crate) ready: Ready,
}

impl Worker {
    /// Of the handed over files only the ONNX file is read now, by those who need it.
    pub(crate) fn start(engine: &Engine, case: &Case, handover: &Handover) -> Result<Self> {
        Self::start_in(Path::new("."), engine, case, handover)
    }

    /// The same with that working directory.
    pub(crate) fn start_in(
        directory: &Path,
        engine: &Engine,
        case: &Case,
        handover: &Handover,
    ) -> Result<Self> {
        let mut command = engine.command("worker", case.threads)?;
        command.current_dir(directory);
        command.args(case.arguments());
        if let Engine::Rival { rival, .. } = engine {
            command.args(["--engine", &rival.argument()]);
            let device = case.place.in_pytorch();
            let device = device.context("PyTorch has no such device")?;
            command.args(["--torch-device", &device]);
            if rival.reads_onnx() {
                command.arg("--onnx").arg(handover.onnx());
            }
        }
        let mut process = Process::start(&mut command, format!("{engine}, {case}"))?;
        let ready = process.answer()?;
        Ok(Self { process, ready })
    }

    pub(crate) fn ask<T: DeserializeOwned>(&mut self, request: &str) -> Result<T> {
        self.process.ask(request)
    }
}

/// A process that ends with its value.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(command: &mut Command, name: String) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let input = child.stdin.take().context("a pipe to the process")?;
        let output = BufReader::new(child.stdout.take().context("a pipe from the process")?);
        Ok(Self {
            name,
            child,
            input,
            output,
        })
    }

    pub(crate) fn ask<T: DeserializeOwned>(&mut self, request: &str) -> Result<T> {
        // A process that has ended says why on stderr, and has no answer.
        let _ = writeln!(self.input, "{request}");
        self.answer()
    }

    pub(crate) fn answer<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(
            !line.is_empty(),
            "{} ended without an answer; above is why, or it was out of memory",
            self.name
        );
        serde_json::from_str(&line).with_context(|| format!("{} said: {}", self.name, line.trim()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It holds nothing worth waiting for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hands every line on stdin to `request`, as its first word and the rest.
///
/// # Errors
/// That of the first request which has one.
pub(crate) fn each_line(mut request: impl FnMut(&str, &str) -> Result<()>) -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (name, argument) = line.split_once(' ').unwrap_or((&line, ""));
        request(name, argument)?;
    }
    Ok(())
}

/// Writes a line of JSON to stdout.
///
/// # Errors
/// Stdout is closed.
pub(crate) fn answer(value: &impl Serialize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)?;
    Ok(out.flush()?)
}
