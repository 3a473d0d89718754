//! Transformed kernels.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::{Line, Output};
use crate::simd::{InstructionSet, Kernel, Simd};

use super::super::panels::Weights;
use super::Tiles;
use super::four::Four;
use super::transform::{Transform, twice};
use super::two::Two;

/// The transformed kernels of a convolution: for every value of a tile, panel of output channels and
/// input channel, the values of the panel's channels side by side, zeros behind the last.
#[derive(Debug)]
pub(crate) struct Kernels {
    lines: Vec<Line>,
    pub(super) tiles: Tiles,
    pub(super) channels_in: usize,
    pub(super) channels_out: usize,
    /// Output channels of a panel.
    pub(super) width: usize,
}

impl Kernels {
    /// Transforms kernels of 3x3, turned by half a turn where `turned`.
    pub(crate) fn new(
        set: InstructionSet,
        tiles: Tiles,
        [channels_in, channels_out]: [usize; 2],
        weights: Weights,
        turned: bool,
    ) -> Self {
        let kernels = Self {
            lines: Vec::new(),
            tiles,
            channels_in,
            channels_out,
            width: set.panel(channels_out),
        };
        match tiles {
            Tiles::Two => kernels.transform::<Two, 4, 2>(set, weights, turned),
            Tiles::Four => kernels.transform::<Four, 6, 4>(set, weights, turned),
        }
    }

    /// These kernels, with their values.
    fn transform<T: Transform<N, M>, const N: usize, const M: usize>(
        mut self,
        set: InstructionSet,
        weights: Weights,
        turned: bool,
    ) -> Self {
        let (width, plane) = (self.width, self.plane());
        let (panels, panel_len) = (self.panels(), self.channels_in * width);
        let write = |values: &mut [f32]| {
            let output = Output::new(values);
            for value in 0..N * N {
                for gap in value * plane + panels * panel_len..(value + 1) * plane {
                    // SAFETY: a value of the output.
                    unsafe { output.at(gap).write(0.0) };
                }
            }
            (0..panels).into_par_iter().for_each(|panel| {
                set.run(Panel {
                    weights,
                    turned,
                    channels: panel * width..self.channels_out.min((panel + 1) * width),
                    channels_in: self.channels_in,
                    width,
                    first: panel * panel_len,
                    plane,
                    output,
                    transforms: PhantomData::<T>,
                });
            });
        };
        // SAFETY: panels and gaps are all of it: planes are whole lines.
        let lines = unsafe { Line::filled(N * N * plane, write) };
        self.lines = lines;
        self
    }

    pub(super) fn panels(&self) -> usize {
        self.channels_out.div_ceil(self.width)
    }

    /// Distance of neighbouring planes, an odd number of cache lines: the values of a kernel, which
    /// are written together, so fall into different sets of the cache.
    fn plane(&self) -> usize {
        let lines = (self.panels() * self.channels_in * self.width).div_ceil(Line::LEN) | 1;
        lines * Line::LEN
    }

    /// Values of all planes.
    pub(super) fn len(&self) -> usize {
        Line::values(&self.lines).len()
    }

    /// The values of one panel, `[input channel, output channel]`.
    pub(super) fn panel(&self, value: usize, panel: usize) -> &[f32] {
        let len = self.channels_in * self.width;
        &Line::values(&self.lines)[value * self.plane() + panel * len..][..len]
    }
}

/// One panel while it is transformed.
struct Panel<'a, T, const N: usize, const M: usize> {
    weights: Weights<'a>,
    turned: bool,
    channels: Range<usize>,
    channels_in: usize,
    width: usize,
    /// Where the panel starts in the first plane.
    first: usize,
    /// Distance of the planes.
    plane: usize,
    /// Nobody else uses the values of this panel meanwhile.
    output: Output<'a>,
    /// The transforms.
    transforms: PhantomData<T>,
}

/// Room for the widest panel.
const WIDEST: usize = 32;

impl<T: Transform<N, M>, const N: usize, const M: usize> Kernel for Panel<'_, T, N, M> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self {
            weights,
            turned,
            channels,
            channels_in,
            width,
            first,
            plane,
            output,
            ..
        } = self;
        assert!(width <= WIDEST && width % S::LANES == 0);
        assert!(first + channels_in * width <= plane && N * N * plane <= output.len());
        let mut values = [[0.0_f32; WIDEST]; 9];
        for from in 0..channels_in {
            for (offset, channel) in channels.clone().enumerate() {
                let kernel =
                    &weights.values[channel * weights.output + from * weights.input..][..9];
                for (value, values) in values.iter_mut().enumerate() {
                    values[offset] = kernel[if turned { 8 - value } else { value }];
                }
            }
            for at in (0..width).step_by(S::LANES) {
                // SAFETY: `at + LANES <= width`, which the row of values and the planes hold.
                unsafe {
                    let mut kernel = [[S::splat(0.0); 3]; 3];
                    for (value, values) in values.iter().enumerate() {
                        kernel[value / 3][value % 3] = S::load(values.as_ptr().add(at));
                    }
                    let kernel = twice::<S, 3, N>(kernel, T::of_kernel::<S>);
                    for value in 0..N * N {
                        let to = value * plane + first + from * width + at;
                        S::store(output.pointer().add(to), kernel[value / N][value % N]);
                    }
                }
            }
        }
    }
}
