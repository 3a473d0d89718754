//! Kernels of convolutional networks for CPUs.

mod buffer;
pub mod conv;
mod simd;

pub use simd::InstructionSet;
