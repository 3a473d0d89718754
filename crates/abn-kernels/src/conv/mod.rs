//! Convolutions over channels-last values: forward pass and the gradients of input and weight.

mod activated;
mod chunks;
mod forward;
mod gather;
mod geometry;
mod input_gradient;
mod outer;
mod padded;
mod panels;
mod pass;
mod taps;
mod tasks;
mod weight_gradient;
mod winograd;

pub use forward::{Algorithm, Prepared, forward};
pub use gather::Finish;
pub(crate) use gather::accumulate;
pub use geometry::Convolution;
pub use input_gradient::{Turned, input_gradient, input_gradient_by};
pub(crate) use panels::Weights;
pub(crate) use pass::{Pass, Side};
pub(crate) use taps::{Tap, Taps};
pub(crate) use tasks::PER_THREAD;
pub use weight_gradient::weight_gradient;
pub(crate) use weight_gradient::{Order, weight_sums};
