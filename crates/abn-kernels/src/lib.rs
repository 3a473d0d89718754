//! Kernels of convolutional networks for CPUs.

mod buffer;
pub mod conv;
pub mod norm;
mod simd;
mod sweep;

pub use simd::InstructionSet;
