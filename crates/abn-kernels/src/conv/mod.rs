//! Convolutions over channels-last values: forward pass and the gradients of input and weight.

mod forward;
mod gather;
mod geometry;
mod padded;
mod panels;
mod tasks;

pub use forward::forward;
pub use gather::Finish;
pub use geometry::Convolution;
