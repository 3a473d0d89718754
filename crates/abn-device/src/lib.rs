//! What to compute on: devices by name, `cpu` or `cuda:1`, [what they are](found()), and
//! [an error](failure) where one of them fails.

mod card;
#[cfg(feature = "drivers")]
mod drivers;
pub mod failure;
mod found;
mod tuned;

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

pub use self::found::{Found, found, found_named};
pub use self::tuned::{TunedKernels, tuned_kernels};

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// NVIDIA's GPUs.
    Cuda,
    /// Apple's GPUs.
    Metal,
    /// GPUs with a Vulkan driver.
    Vulkan,
    /// GPUs by WGSL, over what the system has.
    Wgpu,
    /// The processor.
    Cpu,
}

impl Backend {
    /// All of them, the preferred first.
    pub const ALL: [Self; 5] = [Self::Cuda, Self::Metal, Self::Vulkan, Self::Wgpu, Self::Cpu];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Metal => "metal",
            Self::Vulkan => "vulkan",
            Self::Wgpu => "wgpu",
            Self::Cpu => "cpu",
        }
    }

    /// The feature of a build that has it.
    pub fn feature(self) -> &'static str {
        match self {
            Self::Cpu => "flex",
            other => other.name(),
        }
    }

    /// Whether this build has it.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Wgpu => cfg!(feature = "wgsl"),
            Self::Cpu => cfg!(feature = "flex"),
        }
    }

    /// Those of this build, the preferred first.
    pub fn compiled() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|backend| backend.is_compiled())
    }
}

/// A device as it is typed: a backend, and the number of one of its devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceName {
    /// Whose it is.
    pub backend: Backend,
    /// Its number, from 0 on.
    pub index: usize,
}

impl FromStr for DeviceName {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let (name, index) = text.split_once(':').unwrap_or((text, "0"));
        // What the CPU was called, and is in older scripts.
        let name = if name == "flex" { "cpu" } else { name };
        let backend = Backend::ALL
            .into_iter()
            .find(|backend| backend.name() == name);
        let name = backend.zip(index.parse().ok());
        let name = name.map(|(backend, index)| Self { backend, index });
        name.ok_or_else(|| DeviceError::NoName(text.to_owned()))
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.backend, self.index) {
            (Backend::Cpu, 0) => f.write_str("cpu"),
            (backend, index) => write!(f, "{}:{index}", backend.name()),
        }
    }
}

/// Why there is no such device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// A name of nothing.
    #[error("`{0}` is no device: cpu, cuda, metal, vulkan and wgpu are, and cuda:1 the second one")]
    NoName(String),
    /// Left out of the build.
    #[error(
        "device `{0}` is not available in this build, which has: {has}; build with --features {1}",
        has = compiled_names()
    )]
    NotCompiled(DeviceName, &'static str),
    /// Not on this machine.
    #[error("there is no device `{asked}` on this machine, which has: {}", .found.join(", "))]
    NotFound {
        /// What was asked for.
        asked: DeviceName,
        /// What there is.
        found: Vec<String>,
    },
    /// No device of that backend.
    #[error("no device of {0} is found: {1}", .backend.name(), why_absent(*.backend))]
    NoDriver {
        /// The backend.
        backend: Backend,
    },
    /// The instructions that `ABN_INSTRUCTIONS` asks for are not there.
    #[error(transparent)]
    Instructions(#[from] abn_kernels::InstructionsError),
    /// A build that can compute nothing.
    #[error("no backend is compiled in; build with --features flex, cuda, vulkan or wgpu")]
    Nothing,
}

fn compiled_names() -> String {
    let names: Vec<&str> = Backend::compiled().map(Backend::name).collect();
    names.join(", ")
}

/// What is missing where nothing is found.
pub fn why_absent(backend: Backend) -> &'static str {
    match backend {
        Backend::Cuda => "is the driver of NVIDIA installed? `nvidia-smi` lists its GPUs",
        Backend::Metal => "it is for Apple's GPUs",
        Backend::Vulkan | Backend::Wgpu => {
            "is a driver of Vulkan installed? `vulkaninfo --summary` lists its devices"
        }
        Backend::Cpu => "this build is without it",
    }
}

/// A device to count shapes on, which needs no accelerator where a CPU backend is compiled in.
///
/// # Errors
/// No backend is compiled in.
pub fn for_bookkeeping() -> Result<Device, DeviceError> {
    match cpu() {
        Some(cpu) => Ok(cpu),
        None => open(None),
    }
}

/// The CPU; none where its backend is not compiled in.
pub fn cpu() -> Option<Device> {
    #[cfg(feature = "flex")]
    return Some(Device::flex());
    #[cfg(not(feature = "flex"))]
    None
}

/// Bytes that the allocator of a device holds; unknown of the CPU.
pub fn memory_held(device: &Device) -> Option<u64> {
    let usage = device.clone().without_autodiff().memory_pool_usage()?;
    Some(usage.bytes_reserved)
}

/// Whether there is nothing to compare: the device is the CPU.
pub fn computes_as_the_cpu(device: &Device) -> bool {
    cpu().is_some_and(|cpu| cpu == device.clone().without_autodiff())
}

/// What a device is called; empty for one that nobody lists.
pub fn name_of(device: &Device) -> String {
    let device = device.clone().without_autodiff();
    let index = |backend| {
        let listed = found::devices(backend);
        let index = listed.iter().position(|listed| *listed == device)?;
        Some(DeviceName { backend, index }.to_string())
    };
    Backend::compiled().find_map(index).unwrap_or_default()
}

/// The device of that name, or the best that is there.
///
/// # Errors
/// There is none of that name, or its backend is not compiled in.
pub fn choose(asked: Option<&str>) -> Result<DeviceName, DeviceError> {
    match asked {
        Some(text) => text.parse(),
        None => found::best().ok_or(DeviceError::Nothing),
    }
}

/// The devices of these names, which commas separate; or all that are like the best that is there.
///
/// # Errors
/// One of them is no device's name.
pub fn choose_several(asked: Option<&str>) -> Result<Vec<DeviceName>, DeviceError> {
    match asked {
        Some(names) => names.split(',').map(|name| name.trim().parse()).collect(),
        None => Ok(found::like(choose(None)?)),
    }
}

/// [Opens](choose) it.
///
/// # Errors
/// There is none of that name, its backend is not compiled in, or `ABN_INSTRUCTIONS` asks the CPU
/// for what it lacks.
pub fn open(asked: Option<&str>) -> Result<Device, DeviceError> {
    let name = choose(asked)?;
    if !name.backend.is_compiled() {
        return Err(DeviceError::NotCompiled(name, name.backend.feature()));
    }
    #[cfg(feature = "flex")]
    if name.backend == Backend::Cpu {
        abn_kernels::InstructionSet::chosen()?;
        abn_kernels::keep_freed_memory();
    }
    if name.backend != Backend::Cpu {
        failure::opened();
    }
    let mut devices = found::devices(name.backend);
    if name.index < devices.len() {
        return Ok(devices.swap_remove(name.index));
    }
    let backend = name.backend;
    let named = |index| DeviceName { backend, index }.to_string();
    let found: Vec<String> = (0..devices.len()).map(named).collect();
    Err(match found.is_empty() {
        true => DeviceError::NoDriver { backend },
        false => DeviceError::NotFound { asked: name, found },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in ["cpu", "cuda:0", "vulkan:3"] {
            assert_eq!(text.parse::<DeviceName>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse::<DeviceName>().unwrap().to_string(), "cuda:0");
        assert_eq!("flex".parse::<DeviceName>().unwrap().to_string(), "cpu");
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CUDA"] {
            assert!(text.parse::<DeviceName>().is_err(), "{text}");
        }
    }
}
