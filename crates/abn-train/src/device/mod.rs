//! The device that a command computes on, as [`abn_device`] opens it.

pub mod check;

#[cfg(feature = "flex")]
use abn_kernels::InstructionSet;
use anyhow::Result;
use burn::tensor::Device;

pub use abn_device::*;

#[cfg(feature = "flex")]
use crate::terminal;

/// Opens it, and tells once where results differ from those of other machines.
///
/// # Errors
/// There is none of that name, its backend is not compiled in, or `ABN_INSTRUCTIONS` asks the CPU
/// for what it lacks.
pub fn open(asked: Option<&str>) -> Result<Device> {
    let device = abn_device::open(asked)?;
    #[cfg(feature = "flex")]
    if computes_as_the_cpu(&device) && !InstructionSet::chosen()?.is_fused() {
        static TOLD: std::sync::Once = std::sync::Once::new();
        TOLD.call_once(|| {
            terminal::note(
                "note: this machine has no fused multiply-add: results differ in their last bits \
                 from those of other machines",
            );
        });
    }
    Ok(device)
}
