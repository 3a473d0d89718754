//! Kernels of convolutional networks for CPUs.

mod buffer;
pub mod conv;
#[cfg(feature = "burn")]
pub mod ops;
mod simd;

pub use simd::InstructionSet;
