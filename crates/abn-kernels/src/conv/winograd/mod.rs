//! Convolutions of 3x3 by stride 1 after Winograd, as Lavin & Gray (2016) use it: F(2x2, 3x3) makes
//! 2x2 outputs from 4x4 inputs with 16 multiplications for each pair of channels instead of 36,
//! F(4x4, 3x3) 4x4 outputs from 6x6 inputs with 36 instead of 144.
//!
//! A tile of inputs and the kernel are transformed to 4x4 or 6x6 values each, multiplied value by
//! value, summed over the input channels, and transformed back. The sums are matrix products; the
//! transforms are a few additions of whole vectors of channels.

mod forward;
mod four;
mod kernels;
mod planes;
mod transform;
mod two;
mod weight_gradient;

pub(super) use forward::{Winograd, pass};
pub(super) use kernels::Kernels;
pub(super) use weight_gradient::weight_gradient;

use super::Convolution;

/// The outputs of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tiles {
    /// 2x2: sums round less than plain ones do.
    Two,
    /// 4x4: they round up to three times as much.
    Four,
}

/// Input and output channels of a group below which the transforms cost more than they save.
const CHANNELS: [usize; 2] = [16, 8];
/// The same of both where gradients are computed, whose bits are those of runs that began before
/// fewer output channels were worth it.
const CHANNELS_OF_GRADIENTS: usize = 16;

impl Tiles {
    /// Rows and columns that neighbouring tiles lie apart.
    fn step(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Values of a transformed tile.
    fn values(self) -> usize {
        (self.step() + 2).pow(2)
    }

    /// Multiplications of a pair of channels.
    fn multiplications(self, [height, width]: [usize; 2]) -> usize {
        let step = self.step();
        height.div_ceil(step) * width.div_ceil(step) * self.values()
    }

    /// The tiles with the fewest multiplications, where these kernels compute that convolution and
    /// gain by it.
    pub(super) fn fewest(geometry: &Convolution) -> Option<Self> {
        let [two, four] =
            [Self::Two, Self::Four].map(|tiles| tiles.multiplications(geometry.output()));
        let tiles = if four < two { Self::Four } else { Self::Two };
        tiles.serves(geometry).then_some(tiles)
    }

    /// The same for the gradients of that convolution.
    pub(super) fn serves_gradients(self, geometry: &Convolution) -> bool {
        let channels = geometry.group_in().min(geometry.group_out());
        channels >= CHANNELS_OF_GRADIENTS && self.serves(geometry)
    }

    /// Whether kernels with these tiles compute that convolution, and gain by it.
    pub(super) fn serves(self, geometry: &Convolution) -> bool {
        let Convolution {
            kernel,
            stride,
            dilation,
            ..
        } = *geometry;
        let [height, width] = geometry.output();
        kernel == [3, 3]
            && stride == [1, 1]
            && dilation == [1, 1]
            && geometry.group_in() >= CHANNELS[0]
            && geometry.group_out() >= CHANNELS[1]
            && 3 * self.multiplications([height, width]) <= 2 * height * width * 9
    }
}
