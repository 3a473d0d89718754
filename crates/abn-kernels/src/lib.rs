//! Kernels of convolutional networks for CPUs.

mod buffer;
pub mod conv;
pub mod gate;
pub mod layout;
pub mod norm;
#[cfg(feature = "burn")]
pub mod ops;
pub mod pool;
mod simd;
mod sweep;

pub use buffer::Buffers;
pub use simd::InstructionSet;
