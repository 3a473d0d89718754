//! Pooling over channels-last values: windows of maxima and averages, and the pooling of whole
//! images.

mod average;
mod global;
mod maximum;
mod walk;
mod windows;

pub use average::{average, average_backward};
pub use global::{add_spread, global_average, global_maximum, global_maximum_backward, spread};
pub use maximum::{maximum, maximum_backward};
pub use windows::Windows;
