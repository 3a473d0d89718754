//! Devices by name, among the backends that were compiled in.

pub mod check;

#[cfg(feature = "flex")]
use abn_kernels::InstructionSet;
use anyhow::{Result, bail};
use burn::tensor::Device;

#[cfg(feature = "flex")]
use crate::terminal;

/// The compiled backends, the preferred first.
const COMPILED: &[&str] = &[
    #[cfg(feature = "cuda")]
    "cuda",
    #[cfg(feature = "metal")]
    "metal",
    #[cfg(feature = "vulkan")]
    "vulkan",
    #[cfg(feature = "wgsl")]
    "wgpu",
    #[cfg(feature = "flex")]
    "flex",
];

/// A device to count shapes on, which needs no accelerator where a CPU backend is compiled in.
///
/// # Errors
/// No backend is compiled in.
pub fn for_bookkeeping() -> Result<Device> {
    open(COMPILED.last().copied())
}

/// That name, or else the preferred compiled backend's.
pub fn name(asked: Option<&str>) -> &str {
    asked.or(COMPILED.first().copied()).unwrap_or_default()
}

/// Whether the device of that name, or the preferred one, is the CPU.
pub fn is_cpu(asked: Option<&str>) -> bool {
    matches!(name(asked), "flex" | "cpu")
}

/// The CPU; none where its backend is not compiled in.
pub fn cpu() -> Option<Device> {
    #[cfg(feature = "flex")]
    return Some(Device::flex());
    #[cfg(not(feature = "flex"))]
    None
}

/// Whether there is nothing to compare: the device is the CPU.
pub fn computes_as_the_cpu(device: &Device) -> bool {
    cpu().is_some_and(|cpu| cpu == device.clone().without_autodiff())
}

/// The device of that name, or of the preferred compiled backend. `cuda:1` is the second CUDA
/// device.
///
/// # Errors
/// The backend is not compiled in.
pub fn open(name: Option<&str>) -> Result<Device> {
    let Some(name) = name.or(COMPILED.first().copied()) else {
        bail!("no backend is compiled in; build with --features flex, cuda, vulkan or wgpu");
    };
    match name {
        #[cfg(feature = "flex")]
        "flex" | "cpu" => {
            check_instructions()?;
            abn_kernels::keep_freed_memory();
            Ok(Device::flex())
        }
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Device::cuda(0)),
        #[cfg(feature = "cuda")]
        name if name
            .strip_prefix("cuda:")
            .is_some_and(|index| index.parse::<usize>().is_ok()) =>
        {
            Ok(Device::cuda(name["cuda:".len()..].parse::<usize>()?))
        }
        #[cfg(feature = "metal")]
        "metal" => Ok(Device::metal(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "vulkan")]
        "vulkan" => Ok(Device::vulkan(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "wgsl")]
        "wgpu" => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        other => bail!(
            "device `{other}` is not available in this build, which has: {}; build with --features \
             {} if it is a backend",
            COMPILED.join(", "),
            other.split(':').next().unwrap_or(other)
        ),
    }
}

/// Refuses what `ABN_INSTRUCTIONS` asks for in vain, and tells once where results differ from
/// those of other machines.
#[cfg(feature = "flex")]
fn check_instructions() -> Result<()> {
    static TOLD: std::sync::Once = std::sync::Once::new();
    if !InstructionSet::chosen()?.is_fused() {
        TOLD.call_once(|| {
            terminal::note(
                "note: this machine has no fused multiply-add: results differ in their last bits \
                 from those of other machines",
            );
        });
    }
    Ok(())
}
