//! The engines that ours is measured against, all in one Python.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::case::{Case, Mode};
use crate::process::Process;
use crate::python;

/// Another engine. Which layout of images and weights is faster in PyTorch depends on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Rival {
    /// PyTorch, images as planes
    PytorchNchw,
    /// PyTorch, channels last
    PytorchChannelsLast,
    /// PyTorch's compiler, channels last
    TorchCompile,
    /// ONNX Runtime, inference only
    OnnxRuntime,
    /// OpenVINO, inference only
    #[serde(rename = "openvino")]
    #[value(name = "openvino")]
    OpenVino,
}

impl Rival {
    /// Those that the Python has; tells on stderr which it lacks.
    ///
    /// # Errors
    /// It has no PyTorch.
    pub(crate) fn all_of(python: &Path) -> Result<Vec<Self>> {
        eprintln!("looking for the engines of {}", python.display());
        let mut probe = python::peer(python);
        probe.arg("probe");
        let missing: BTreeMap<Self, String> = Process::start(&mut probe, "the probe".to_owned())?
            .answer()
            .context("--peer needs a Python with torch, numpy and safetensors")?;
        for (rival, reason) in &missing {
            eprintln!("warning: {rival} is not measured: {reason}");
        }
        let all = Self::value_variants().iter().copied();
        Ok(all.filter(|rival| !missing.contains_key(rival)).collect())
    }

    /// Whether it does that.
    pub(crate) fn does(self, case: &Case) -> bool {
        match case.mode {
            _ if self.reads_onnx() && !case.place.is_cpu() => false,
            Mode::Train => !self.reads_onnx(),
            Mode::Infer => true,
            _ => false,
        }
    }

    /// Whether it runs a file that PyTorch wrote.
    pub(crate) fn reads_onnx(self) -> bool {
        matches!(self, Self::OnnxRuntime | Self::OpenVino)
    }

    /// The name as its process takes it.
    pub(crate) fn argument(self) -> String {
        let value = self.to_possible_value().expect("no value is hidden");
        value.get_name().to_owned()
    }
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PytorchNchw => "PyTorch nchw",
            Self::PytorchChannelsLast => "PyTorch nhwc",
            Self::TorchCompile => "torch.compile",
            Self::OnnxRuntime => "ONNX Runtime",
            Self::OpenVino => "OpenVINO",
        })
    }
}
