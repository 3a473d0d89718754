//! Which devices there are.

use burn::tensor::Device;
use serde::Serialize;

use crate::card;
use crate::{Backend, DeviceName};

/// A device of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// As `--device` takes it.
    pub device: String,
    /// As it calls itself.
    pub name: String,
    /// What kernels are compiled for.
    pub target: Option<String>,
    /// Its driver, with its version; none of the processor.
    pub driver: Option<String>,
    /// Its memory in bytes; that of the machine where it computes on the processor.
    pub memory: Option<u64>,
    /// Whether it is a driver that computes on the processor.
    pub software: bool,
    /// Numbers that it computes with.
    pub precisions: Vec<&'static str>,
}

/// The devices of a backend, in the order of their numbers; none of one that is not compiled in.
pub(crate) fn devices(backend: Backend) -> Vec<Device> {
    match backend {
        #[cfg(feature = "cuda")]
        Backend::Cuda => Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec(),
        #[cfg(feature = "metal")]
        Backend::Metal => Device::enumerate(burn::tensor::DeviceType::Metal).into_vec(),
        #[cfg(feature = "vulkan")]
        Backend::Vulkan => Device::enumerate(burn::tensor::DeviceType::Vulkan).into_vec(),
        #[cfg(feature = "wgsl")]
        Backend::Wgpu => Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec(),
        #[cfg(feature = "flex")]
        Backend::Cpu => vec![Device::flex()],
        #[allow(unreachable_patterns)] // A build with all of them.
        _ => vec![],
    }
}

/// The first device of the preferred backend that is there. Drivers that compute on the processor
/// come after the processor itself.
pub(crate) fn best() -> Option<DeviceName> {
    let first = |backend: Backend| {
        let devices = devices(backend);
        let index = devices.iter().position(|device| !is_software(device))?;
        Some(DeviceName { backend, index })
    };
    let any = |backend| (!devices(backend).is_empty()).then_some(DeviceName { backend, index: 0 });
    let hardware = Backend::compiled().find_map(first);
    hardware.or_else(|| Backend::compiled().find_map(any))
}

/// All devices of the same backend that are hardware as that one is; itself alone if it is none.
pub(crate) fn like(one: DeviceName) -> Vec<DeviceName> {
    let backend = one.backend;
    let devices = devices(backend);
    let is_hardware = |index: &usize| !is_software(&devices[*index]);
    if backend == Backend::Cpu || !is_hardware(&one.index) {
        return vec![one];
    }
    let all = (0..devices.len()).filter(is_hardware);
    all.map(|index| DeviceName { backend, index }).collect()
}

/// All devices of a backend.
pub fn found(backend: Backend) -> Vec<Found> {
    let told = |(index, device): (usize, Device)| {
        let card = card::of(backend, &device);
        let (name, target) = identity(&device).unwrap_or_else(|| (processor(), None));
        Found {
            device: DeviceName { backend, index }.to_string(),
            name,
            target,
            driver: card.driver,
            memory: card.memory,
            software: is_software(&device),
            precisions: precisions(&device),
        }
    };
    devices(backend).into_iter().enumerate().map(told).collect()
}

/// The device of that name, if it is there.
pub fn found_named(name: &str) -> Option<Found> {
    let named: DeviceName = name.parse().ok()?;
    found(named.backend).into_iter().nth(named.index)
}

fn precisions(device: &Device) -> Vec<&'static str> {
    use burn::tensor::FloatDType::{BF16, F16, F32, F64};
    let all = [("f32", F32), ("f16", F16), ("bf16", BF16), ("f64", F64)];
    let has = all
        .into_iter()
        .filter(|(_, kind)| device.supports_dtype(*kind));
    has.map(|(name, _)| name).collect()
}

/// Name and target of a device that is not the processor itself.
#[cfg(feature = "gpu")]
fn identity(device: &Device) -> Option<(String, Option<String>)> {
    let identity = device.identity()?;
    Some((identity.name, Some(identity.fingerprint)))
}

#[cfg(not(feature = "gpu"))]
fn identity(_device: &Device) -> Option<(String, Option<String>)> {
    None
}

/// Whether it is a driver that computes on the processor.
#[cfg(feature = "gpu")]
fn is_software(device: &Device) -> bool {
    let identity = device.identity();
    identity.is_some_and(|identity| identity.physical.is_none())
}

#[cfg(not(feature = "gpu"))]
fn is_software(_device: &Device) -> bool {
    false
}

/// What the processor computes with.
fn processor() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    #[cfg(feature = "flex")]
    if let Ok(set) = abn_kernels::InstructionSet::chosen() {
        return format!("{threads} threads, {set}");
    }
    format!("{threads} threads")
}
