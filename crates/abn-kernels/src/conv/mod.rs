//! Convolutions over channels-last values: forward pass and the gradients of input and weight.

mod forward;
mod gather;
mod geometry;
mod input_gradient;
mod outer;
mod padded;
mod panels;
mod pass;
mod portions;
mod taps;
mod tasks;
mod weight_gradient;
mod winograd;

pub use forward::{Algorithm, forward};
pub use gather::Finish;
pub use geometry::Convolution;
use geometry::weight_index;
pub use input_gradient::input_gradient;
pub use weight_gradient::weight_gradient;
