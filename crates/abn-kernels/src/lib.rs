//! Convolutions, batch normalisation, pooling and gates for CPUs, forward and backward.
//!
//! The kernels are functions over slices with the channels of a position side by side ("channels
//! last"); the instruction set, AVX-512, AVX2 or what the compiler's target has, is chosen at run
//! time, or by the environment variable `ABN_INSTRUCTIONS`. rayon shares the work among threads.
//!
//! Results are the same bits for every instruction set and any number of threads: every sum has one
//! order, and no function is left to the system's libraries. Only a machine without fused
//! multiply-add differs ([`InstructionSet::is_fused`]).
//!
//! With the feature `burn`, [`ops`] has them as operations on Burn's tensors, with gradients. They
//! run on the CPU backend (feature `flex`) in single precision, batch norm in training and SGD on
//! GPUs (feature `cube`); all other calls are Burn's own operations:
//!
#![cfg_attr(feature = "flex", doc = "```")]
#![cfg_attr(not(feature = "flex"), doc = "```ignore")]
//! use abn_kernels::ops::{After, Kept, batch_norm_train, conv2d};
//! use burn::tensor::{Device, Distribution, Tensor, ops::ConvOptions};
//!
//! let device = Device::flex().autodiff();
//! let image = Tensor::<4>::random([2, 3, 32, 32], Distribution::Default, &device);
//! let weight = Tensor::<4>::random([16, 3, 3, 3], Distribution::Default, &device).require_grad();
//! let options = ConvOptions::new([1; 2], [1; 2], [1; 2], 1);
//! let features = conv2d(image, weight.clone(), None, options, &Kept::default());
//! let (gamma, beta) = (Tensor::ones([16], &device), Tensor::zeros([16], &device));
//! let normalized = batch_norm_train(features, gamma, beta, 1e-5, After::relu());
//! let gradients = normalized.output.sum().backward();
//! assert_eq!(weight.grad(&gradients).unwrap().dims(), [16, 3, 3, 3]);
//! ```

pub mod activation;
mod buffer;
pub mod conv;
#[cfg(gpu)]
mod cube;
pub mod descent;
pub mod gate;
pub mod layout;
pub mod linear;
mod memory;
pub mod norm;
#[cfg(feature = "burn")]
pub mod ops;
pub mod pool;
pub mod roi_align;
mod simd;
mod sweep;

pub use buffer::Buffers;
pub use memory::{Allocator, keep_freed_memory};
pub use simd::{InstructionSet, InstructionsError};
