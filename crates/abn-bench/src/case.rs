//! What is measured: a network at a batch, a size of images and a number of threads.

use std::fmt;

use abn_core::cost::Cost;
use abn_core::explain::Method;
use abn_core::outputs::Binary;
use abn_core::precision::Precision;
use abn_core::{Architecture, AttentionConfig, ClassifierConfig, Outputs};
use abn_device::{Backend, DeviceName};
use anyhow::{Result, anyhow};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use serde::Serialize;

/// The device of all cases unless another is asked for.
const CPU: &str = "cpu";

/// One measurement; also the options of the processes that make it, ours and the peer's.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize)]
pub(crate) struct Case {
    #[arg(long)]
    pub(crate) arch: String,
    #[arg(long)]
    pub(crate) attention: Attention,
    #[arg(long)]
    pub(crate) mode: Mode,
    #[arg(long)]
    pub(crate) batch: usize,
    /// Side of the square images
    #[arg(long)]
    pub(crate) size: usize,
    /// Classes, or labels of two classes
    #[arg(long)]
    pub(crate) classes: usize,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) place: Place,
    /// No option: RAYON_NUM_THREADS and OMP_NUM_THREADS tell it.
    #[arg(skip)]
    pub(crate) threads: usize,
}

/// Where it computes, and in which numbers.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize)]
pub(crate) struct Place {
    /// Where all compute: cpu, cuda, cuda:1 or another that `abn devices` lists, if it is compiled
    /// in, as by `cargo xtask bench train --features cuda --device cuda`. PyTorch knows cpu, cuda
    /// and metal
    #[arg(long, value_name = "DEVICE", default_value = CPU, value_parser = parse_device)]
    pub(crate) device: String,
    /// Numbers of the convolutions in training; PyTorch's `autocast` beside it
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    pub(crate) precision: Precision,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            device: CPU.to_owned(),
            precision: Precision::F32,
        }
    }
}

impl Place {
    /// Whether it is the processor.
    pub(crate) fn is_cpu(&self) -> bool {
        self.device == CPU
    }

    /// What PyTorch calls the device, if it has it.
    pub(crate) fn in_pytorch(&self) -> Option<String> {
        let device: DeviceName = self.device.parse().ok()?;
        match device.backend {
            Backend::Cpu => Some("cpu".to_owned()),
            Backend::Cuda => Some(format!("cuda:{}", device.index)),
            Backend::Metal => Some("mps".to_owned()),
            Backend::Vulkan | Backend::Wgpu => None,
        }
    }
}

/// A device that is there, by its full name.
fn parse_device(text: &str) -> Result<String, String> {
    let opened = abn_device::open(Some(text));
    let name = opened.and_then(|_| abn_device::choose(Some(text)));
    name.map(|name| name.to_string())
        .map_err(|error| error.to_string())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Attention {
    None,
    Abn,
    Manet,
    /// Of several labels of two classes, with a map each.
    Mtabn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// Forward, joint loss, backward, a step of SGD.
    Train,
    /// Logits and maps, by the running statistics.
    Infer,
    /// CAM of a class that is known.
    Cam,
    /// Grad-CAM of a class that is known, at the last features.
    GradCam,
    /// Grad-CAM++ of a class that is known, at the last features.
    #[value(name = "grad-cam++")]
    #[serde(rename = "grad-cam++")]
    GradCamPlusPlus,
    /// The gradient at the image, of a class that is known.
    Gradient,
}

/// The networks of the tables: name, batch, side of the images, classes. Batches are such that four
/// engines have room beside each other in 24 GiB.
const PUBLISHED: [(&str, usize, usize, usize); 9] = [
    ("resnet20", 64, 32, 10),
    ("resnet20", 128, 32, 10),
    ("wrn-16-4", 64, 32, 10),
    ("resnet18", 16, 224, 1000),
    ("resnet50", 16, 224, 1000),
    ("resnext29-8x64d", 16, 32, 10),
    ("densenet-bc-100-12", 64, 32, 10),
    ("se-resnet50", 16, 224, 1000),
    ("vgg16-bn", 8, 224, 1000),
];

/// Networks at the batches of GPUs, and a small one to rehearse with.
const LARGE: [(&str, usize, usize, usize); 6] = [
    ("resnet20", 128, 32, 10),
    ("resnet20", 512, 32, 10),
    ("wrn-28-10", 128, 32, 10),
    ("resnet50", 64, 224, 1000),
    ("resnet50", 128, 224, 1000),
    ("resnet8", 8, 32, 10),
];

/// The network of facial attributes: CelebA's forty labels with a map each.
const ATTRIBUTES: [(&str, usize, usize, usize); 1] = [("resnet18", 4, 224, 40)];
/// How many labels its cost is measured with.
const LABELS: [usize; 4] = [1, 10, 20, 40];

/// Those networks as ABN and as MANet, and that of facial attributes; answering, also alone,
/// without a map.
pub(crate) fn published(mode: Mode, threads: usize) -> Vec<Case> {
    let attentions = [Attention::None, Attention::Abn, Attention::Manet];
    let ways: Vec<_> = attentions
        .into_iter()
        .filter(|attention| mode != Mode::Train || *attention != Attention::None)
        .map(|attention| (attention, mode))
        .collect();
    let of_one = cases(&PUBLISHED, &ways, threads);
    let several = cases(&ATTRIBUTES, &[(Attention::Mtabn, mode)], threads);
    of_one.into_iter().chain(several).collect()
}

/// Training of large batches as ABN.
pub(crate) fn large(threads: usize) -> Vec<Case> {
    cases(&LARGE, &[(Attention::Abn, Mode::Train)], threads)
}

/// The network of facial attributes with more and more labels.
pub(crate) fn by_labels(threads: usize) -> Vec<Case> {
    let modes = [Mode::Train, Mode::Infer];
    let of = |mode| {
        let networks = ATTRIBUTES
            .map(|(name, batch, size, _)| LABELS.map(|labels| (name, batch, size, labels)));
        cases(
            networks.as_flattened(),
            &[(Attention::Mtabn, mode)],
            threads,
        )
    };
    modes.into_iter().flat_map(of).collect()
}

/// What an explanation costs: the plain forward pass of the network alone, that of its ABN, which
/// has a map, and what else there is to ask the network alone.
pub(crate) fn explanations(threads: usize) -> Vec<Case> {
    let asked = [
        (Attention::None, Mode::Infer),
        (Attention::Abn, Mode::Infer),
        (Attention::None, Mode::Cam),
        (Attention::None, Mode::GradCam),
        (Attention::None, Mode::GradCamPlusPlus),
        (Attention::None, Mode::Gradient),
    ];
    cases(&[PUBLISHED[0], PUBLISHED[3]], &asked, threads)
}

/// Each network in each of the ways.
fn cases(
    networks: &[(&str, usize, usize, usize)],
    ways: &[(Attention, Mode)],
    threads: usize,
) -> Vec<Case> {
    let of = |&(arch, batch, size, classes): &(&str, usize, usize, usize)| {
        let arch = arch.to_owned();
        let case = |&(attention, mode)| Case {
            arch: arch.clone(),
            attention,
            mode,
            batch,
            size,
            classes,
            place: Place::default(),
            threads,
        };
        ways.iter().map(case).collect::<Vec<_>>()
    };
    networks.iter().flat_map(of).collect()
}

impl Mode {
    /// The method of explaining that is measured, if one is.
    pub(crate) fn method(self) -> Option<Method> {
        match self {
            Self::Train | Self::Infer => None,
            Self::Cam => Some(Method::Cam),
            Self::GradCam => Some(Method::GradCam),
            Self::GradCamPlusPlus => Some(Method::GradCamPlusPlus),
            Self::Gradient => Some(Method::InputGradient),
        }
    }
}

impl Case {
    /// The network. It drops nothing (VGG would), so that losses can be compared.
    ///
    /// # Errors
    /// There is none of that name.
    pub(crate) fn config(&self) -> Result<ClassifierConfig> {
        let architecture = Architecture::parse(&self.arch).map_err(|error| anyhow!(error))?;
        let attention = match self.attention {
            Attention::None => None,
            Attention::Abn => Some(architecture.abn()),
            Attention::Manet => Some(AttentionConfig::manet()),
            Attention::Mtabn => Some(AttentionConfig::multitask()),
        };
        let outputs = match self.attention {
            Attention::Mtabn => Outputs::of(vec![2; self.classes]).with(Binary::Sigmoid),
            Attention::None | Attention::Abn | Attention::Manet => Outputs::one(self.classes),
        };
        Ok(ClassifierConfig {
            network: architecture.network.with_dropout(0.0),
            attention,
            outputs,
        })
    }

    /// Floating point operations for one image: two for every multiply-add of convolutions and
    /// linear layers, and in training three times as many, for the gradients by weights and by
    /// inputs cost as much each. Of an explanation those of its first forward pass alone are
    /// counted.
    pub(crate) fn operations(&self) -> Result<f64> {
        let passes = match self.mode {
            Mode::Train => 3,
            _ => 1,
        };
        Ok((2 * passes * self.cost()?.multiply_adds) as f64)
    }

    /// Trainable parameters.
    pub(crate) fn parameters(&self) -> Result<usize> {
        Ok(self.cost()?.parameters)
    }

    fn cost(&self) -> Result<Cost> {
        Ok(self.config()?.cost([self.size; 2], &Device::flex()))
    }

    /// The options that make this case of a worker.
    pub(crate) fn arguments(&self) -> Vec<String> {
        [
            ("--arch", self.arch.clone()),
            ("--attention", self.attention.to_string()),
            ("--mode", self.mode.to_string()),
            ("--batch", self.batch.to_string()),
            ("--size", self.size.to_string()),
            ("--classes", self.classes.to_string()),
            ("--device", self.place.device.clone()),
            ("--precision", self.place.precision.name().to_owned()),
        ]
        .into_iter()
        .flat_map(|(option, value)| [option.to_owned(), value])
        .collect()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            arch,
            attention,
            mode,
            batch,
            size,
            classes,
            place,
            threads,
        } = self;
        let labels = match attention {
            Attention::Mtabn => format!(" of {classes} labels"),
            Attention::None | Attention::Abn | Attention::Manet => String::new(),
        };
        write!(
            f,
            "{mode} {arch} {attention}{labels} batch {batch} {size}x{size}"
        )?;
        match (place.is_cpu(), threads) {
            (false, _) => write!(f, " {}", place.device)?,
            (true, 1) => write!(f, " 1 thread")?,
            (true, _) => write!(f, " {threads} threads")?,
        }
        match place.precision.is_usual() {
            true => Ok(()),
            false => write!(f, " {}", place.precision.name()),
        }
    }
}

impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Abn => "abn",
            Self::Manet => "manet",
            Self::Mtabn => "mtabn",
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Infer => "infer",
            Self::Cam => "cam",
            Self::GradCam => "grad-cam",
            Self::GradCamPlusPlus => "grad-cam++",
            Self::Gradient => "gradient",
        })
    }
}
