//! Kernels for GPUs, by CubeCL: what Burn makes of many launches there, as few as can be.
//!
//! Features are taken as rows of channels, `[B, H, W, C]` with the channels of a position side by
//! side, as the convolutions leave them. Sums have one order, whatever the device's timing.

pub(crate) mod descent;
pub(crate) mod images;
pub(crate) mod norm;
pub(crate) mod total;
