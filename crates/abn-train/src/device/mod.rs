//! The device that a command computes on, as [`abn_device`] opens it.

pub mod check;

use std::sync::Once;

#[cfg(feature = "flex")]
use abn_kernels::InstructionSet;
use anyhow::Result;
use burn::tensor::Device;

pub use abn_device::*;

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
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            terminal::note(
                "note: this machine has no fused multiply-add: results differ in their last bits \
                 from those of other machines",
            );
        });
    }
    if !computes_as_the_cpu(&device) {
        tell_of_unusable_kernels();
    }
    Ok(device)
}

/// Says once that the file of the fastest kernels cannot be used.
fn tell_of_unusable_kernels() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        if let Some(TunedKernels {
            file,
            unusable: Some(reason),
        }) = tuned_kernels()
        {
            terminal::note(&format!(
                "note: the fastest kernels kept in `{}` cannot be used ({reason}), and are looked for \
                 anew; if that file is damaged, delete it",
                file.display()
            ));
        }
    });
}
