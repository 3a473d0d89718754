//! Kernels of convolutional networks for CPUs.

mod buffer;
pub mod conv;
pub mod norm;
#[cfg(feature = "burn")]
pub mod ops;
mod simd;
mod sweep;

pub use simd::InstructionSet;
