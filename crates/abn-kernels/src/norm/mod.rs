//! Batch normalisation over channels-last values, fused with the sum and the ReLU that follow it in
//! a residual block.
//!
//! ```text
//! y = relu((x - mean) * gamma * inverse_std + beta + residual)
//! ```
//!
//! Values are `positions * channels`; a position is a pixel of an image. The forward pass reads the
//! input twice ([`statistics`], [`normalize`]), and so does [`backward`].

mod backward;
mod normalize;
mod part;
mod statistics;

pub use backward::{Relu, Saved, backward};
pub use normalize::{Affine, normalize};
pub(crate) use part::Part;
pub use statistics::{Statistics, statistics};
