//! Kernels in the order in which tiles are multiplied by them.

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

/// Transformed values of all groups from which they are larger than the second-level cache: then
/// they are kept as they are and transformed while they are used, for memory takes longer to bring
/// four times the values.
const WIDE: usize = 1 << 20;

/// The kernels of a convolution, in panels of some output channels whose values lie side by side,
/// zeros behind the last.
#[derive(Debug)]
pub(crate) struct Kernels {
    lines: Vec<Line>,
    form: Form,
    pub(super) tiles: Tiles,
    pub(super) channels_in: usize,
    pub(super) channels_out: usize,
    /// Output channels of a panel.
    pub(super) width: usize,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `[value of a tile, panel, input channel, output channel]`.
    Transformed,
    /// `[panel, input channel, value of the kernel, output channel]`.
    Plain,
}

impl Kernels {
    /// Reorders kernels of 3x3, one of so many groups; turned by half a turn where `turned`.
    pub(crate) fn new(
        set: InstructionSet,
        tiles: Tiles,
        groups: usize,
        [channels_in, channels_out]: [usize; 2],
        weights: Weights,
        turned: bool,
    ) -> Self {
        let width = set.panel(channels_out);
        let panels = channels_out.div_ceil(width);
        let form = if groups * tiles.values() * channels_in * panels * width > WIDE {
            Form::Plain
        } else {
            Form::Transformed
        };
        let mut kernels = Self {
            lines: Vec::new(),
            form,
            tiles,
            channels_in,
            channels_out,
            width,
        };
        kernels.lines = match (form, tiles) {
            (Form::Plain, _) => kernels.plain(weights, turned),
            (_, Tiles::Two) => kernels.transformed::<Two, 4, 2>(set, weights, turned),
            (_, Tiles::Four) => kernels.transformed::<Four, 6, 4>(set, weights, turned),
        };
        kernels
    }

    fn plain(&self, weights: Weights, turned: bool) -> Vec<Line> {
        let panel_len = 9 * self.channels_in * self.width;
        let len = self.panels() * panel_len;
        let write = |values: &mut [f32]| {
            let (panels, behind) = values.split_at_mut(len);
            behind.fill(0.0);
            panels
                .par_chunks_mut(panel_len)
                .enumerate()
                .for_each(|(panel, values)| {
                    let channels = self.channels(panel);
                    for (from, values) in values.chunks_exact_mut(9 * self.width).enumerate() {
                        read(weights, turned, channels.clone(), from, self.width, values);
                    }
                });
        };
        // SAFETY: `read` writes all kernels of the panels, and behind them are zeros.
        unsafe { Line::filled(len, write) }
    }

    fn transformed<T: Transform<N, M>, const N: usize, const M: usize>(
        &self,
        set: InstructionSet,
        weights: Weights,
        turned: bool,
    ) -> Vec<Line> {
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
                    channels: self.channels(panel),
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
        unsafe { Line::filled(N * N * plane, write) }
    }

    pub(super) fn panels(&self) -> usize {
        self.channels_out.div_ceil(self.width)
    }

    /// The output channels of a panel.
    fn channels(&self, panel: usize) -> Range<usize> {
        panel * self.width..self.channels_out.min((panel + 1) * self.width)
    }

    /// Distance of neighbouring planes, an odd number of cache lines: the values of a kernel, which
    /// are written together, so fall into different sets of the cache.
    fn plane(&self) -> usize {
        let lines = (self.panels() * self.channels_in * self.width).div_ceil(Line::LEN) | 1;
        lines * Line::LEN
    }

    /// Whether they are larger than the second-level cache.
    pub(super) fn is_wide(&self) -> bool {
        self.form == Form::Plain
    }

    /// Input channels after which sums are stored.
    pub(super) fn depth(&self) -> usize {
        match self.form {
            Form::Transformed => DEPTH,
            Form::Plain => DEPTH_OF_PLAIN,
        }
    }

    /// Values of scratch memory that [`part`](Self::part) needs.
    pub(super) fn scratch(&self) -> usize {
        match self.form {
            Form::Transformed => 0,
            Form::Plain => self.tiles.values() * part_plane(self.width),
        }
    }

    /// What [`part`](Self::part) reads after the part of a panel that ends with an input channel, where
    /// it transforms it: the next input channels, or those of the next panel below `end`.
    pub(super) fn ahead(&self, panel: usize, depths: &Range<usize>, end: usize) -> &[f32] {
        let of_panel = 9 * self.channels_in * self.width;
        let first = panel * of_panel + 9 * depths.end * self.width;
        let len = 9 * self.depth() * self.width;
        match self.form {
            Form::Transformed => &[],
            Form::Plain => &Line::values(&self.lines)[first..(first + len).min(end * of_panel)],
        }
    }

    /// The transformed values of a panel for no more than [`depth`](Self::depth) input channels.
    ///
    /// # Safety
    /// The instructions of `S`.
    #[inline(always)]
    pub(super) unsafe fn part<'a, S: Simd, T: Transform<N, M>, const N: usize, const M: usize>(
        &'a self,
        panel: usize,
        depths: Range<usize>,
        scratch: &'a mut [f32],
    ) -> Part<'a> {
        let (width, values) = (self.width, Line::values(&self.lines));
        assert!(self.tiles.values() == N * N && depths.end <= self.channels_in);
        let len = depths.len() * width;
        match self.form {
            Form::Transformed => {
                let first = (panel * self.channels_in + depths.start) * width;
                Part {
                    values: &values[first..(N * N - 1) * self.plane() + first + len],
                    plane: self.plane(),
                }
            }
            Form::Plain => {
                let plane = part_plane(width);
                assert!(depths.len() <= DEPTH_OF_PLAIN && scratch.len() >= N * N * plane);
                let first = 9 * (panel * self.channels_in + depths.start) * width;
                let kernels = &values[first..][..9 * len];
                for from in 0..depths.len() {
                    // SAFETY: `from` is below the number of kernels; the scratch memory holds as
                    // many in each plane.
                    unsafe {
                        transform::<S, T, N, M>(
                            kernels.as_ptr().add(9 * from * width),
                            width,
                            scratch.as_mut_ptr().add(from * width),
                            plane,
                        );
                    }
                }
                Part {
                    values: scratch,
                    plane,
                }
            }
        }
    }
}

/// Input channels after which sums are stored: the kernels of a panel stay in the first-level cache.
const DEPTH: usize = 256;
/// The same where they are transformed then: all their values stay in the second-level cache.
const DEPTH_OF_PLAIN: usize = 128;

/// Distance of neighbouring planes in scratch memory, an odd number of cache lines.
fn part_plane(width: usize) -> usize {
    ((DEPTH_OF_PLAIN * width).div_ceil(Line::LEN) | 1) * Line::LEN
}

/// Transformed kernels of a panel: for every value `[input channel, output channel]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    values: &'a [f32],
    /// Distance of neighbouring values.
    plane: usize,
}

impl Part<'_> {
    #[inline(always)]
    pub(super) fn of(&self, value: usize) -> *const f32 {
        self.values[value * self.plane..].as_ptr()
    }
}

/// Reads the kernels of an input channel and some output channels, `[value, output channel]`; zeros
/// behind the last.
fn read(
    weights: Weights,
    turned: bool,
    channels: Range<usize>,
    from: usize,
    width: usize,
    values: &mut [f32],
) {
    let count = channels.len();
    for (offset, channel) in channels.enumerate() {
        let kernel = &weights.values[channel * weights.output + from * weights.input..][..9];
        for (value, values) in values.chunks_exact_mut(width).enumerate() {
            values[offset] = kernel[if turned { 8 - value } else { value }];
        }
    }
    for values in values.chunks_exact_mut(width) {
        values[count..].fill(0.0);
    }
}

/// Transforms kernels `[value, output channel]` of so many output channels to planes that lie so far
/// apart.
///
/// # Safety
/// The instructions of `S`; `width` is a multiple of their lanes; addresses are valid for nine rows
/// of `width` and for one in each plane.
#[inline(always)]
unsafe fn transform<S: Simd, T: Transform<N, M>, const N: usize, const M: usize>(
    kernels: *const f32,
    width: usize,
    to: *mut f32,
    plane: usize,
) {
    for at in (0..width).step_by(S::LANES) {
        // SAFETY: the contract.
        unsafe {
            let mut kernel = [[S::splat(0.0); 3]; 3];
            for value in 0..9 {
                kernel[value / 3][value % 3] = S::load(kernels.add(value * width + at));
            }
            let kernel = twice::<S, 3, N>(kernel, T::of_kernel::<S>);
            for value in 0..N * N {
                S::store(to.add(value * plane + at), kernel[value / N][value % N]);
            }
        }
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
        let mut kernels = [0.0_f32; 9 * WIDEST];
        let kernels = &mut kernels[..9 * width];
        for from in 0..channels_in {
            read(weights, turned, channels.clone(), from, width, kernels);
            // SAFETY: the planes hold `channels_in * width` values from the first.
            unsafe {
                let to = output.pointer().add(first + from * width);
                transform::<S, T, N, M>(kernels.as_ptr(), width, to, plane);
            }
        }
    }
}
