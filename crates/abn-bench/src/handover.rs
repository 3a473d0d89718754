//! The files by which our process hands a network over to the others.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::case::Case;
use crate::process::Process;
use crate::python;

/// A folder for one network, gone with this value.
pub(crate) struct Handover(TempDir);

impl Handover {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir().context("no place for weights")?))
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
}
