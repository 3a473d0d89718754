//! Convolutions of 3x3 by stride 1 after Winograd, as Lavin & Gray (2016) use it: F(2x2, 3x3) makes
//! 2x2 outputs from 4x4 inputs with 16 multiplications for each pair of channels instead of 36.
//!
//! A tile of inputs and the kernel are transformed to 4x4 values each, multiplied value by value,
//! summed over the input channels, and transformed back. The sixteen sums are matrix products; the
//! transforms are a few additions of whole vectors of channels.

mod forward;
mod planes;
mod transform;
mod weight_gradient;

pub(super) use forward::{Winograd, pass};
pub(super) use weight_gradient::weight_gradient;

use super::Convolution;

/// Values of a transformed tile.
const VALUES: usize = 16;

/// Rows and columns that neighbouring tiles lie apart, and the outputs of a tile.
const STEP: usize = 2;

/// Channels below which the transforms cost more than they save.
const CHANNELS: usize = 16;

/// Whether these kernels compute that convolution, and gain by it.
pub(super) fn serves(geometry: &Convolution) -> bool {
    let Convolution {
        kernel,
        stride,
        dilation,
        groups,
        channels_in,
        channels_out,
        ..
    } = *geometry;
    let [height, width] = geometry.output();
    let tiles = height.div_ceil(STEP) * width.div_ceil(STEP);
    kernel == [3, 3]
        && stride == [1, 1]
        && dilation == [1, 1]
        && groups == 1
        && channels_in.min(channels_out) >= CHANNELS
        && 3 * tiles * VALUES <= 2 * height * width * 9
}
