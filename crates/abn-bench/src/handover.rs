//! The files by which our process hands a network over to the others.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::case::Case;
use crate::process::Process;
use crate::python;

/// Exit status of a program that was interrupted (128 + SIGINT), as shells expect it.
const INTERRUPTED: i32 = 130;

/// A folder for one network after the other, gone with this value.
pub(crate) struct Handover(TempDir);

impl Handover {
    /// From here on Ctrl-C ends the program without leaving the folder, which may hold gigabytes.
    ///
    /// # Errors
    /// There is no place for it.
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("no place for weights")?;
        let path = folder.path().to_owned();
        ctrlc::set_handler(move || {
            let _ = std::fs::remove_dir_all(&path);
            std::process::exit(INTERRUPTED);
        })
        .context("cannot listen for Ctrl-C")?;
        Ok(Self(folder))
    }

    /// Weights under PyTorch's names, and the images of the check.
    pub(crate) fn weights(&self) -> PathBuf {
        self.0.path().join("weights.safetensors")
    }

    /// The network with these weights, once [`export`](Self::export) has made it.
    pub(crate) fn onnx(&self) -> PathBuf {
        self.0.path().join("network.onnx")
    }

    /// Has PyTorch write the ONNX file.
    ///
    /// # Errors
    /// It cannot.
    pub(crate) fn export(&self, python: &Path, case: &Case) -> Result<()> {
        let mut command = python::peer(python);
        command.arg("export").args(case.arguments());
        command.arg("--weights").arg(self.weights());
        command.arg("--onnx").arg(self.onnx());
        Process::start(&mut command, format!("the export of {case}"))?.answer()
    }

    /// Makes place for the next network.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub(crate) fn clear(&self) -> Result<()> {
        for entry in self.0.path().read_dir()? {
            std::fs::remove_file(entry?.path())?;
        }
        Ok(())
    }
}
