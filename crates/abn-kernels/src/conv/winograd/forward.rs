//! Forward pass and input gradient: the latter is the former of the turned kernel.

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::{Line, Output, with_scratch};
use crate::simd::{InstructionSet, Kernel, Simd};

use super::super::gather::{Finish, accumulate, load, store};
use super::super::padded::{Frame, View};
use super::super::panels::Weights;
use super::super::taps::spread;
use super::super::tasks::Tasks;
use super::planes::Planes;
use super::transform::{of_input, of_kernel, to_output};
use super::{STEP, VALUES};

/// A convolution of 3x3 by stride 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Winograd {
    pub(crate) batch: usize,
    /// Height and width of what is read.
    pub(crate) reads: [usize; 2],
    pub(crate) channels_in: usize,
    /// Row and column of the first value under the first output's kernel; outside where negative.
    pub(crate) first_read: [isize; 2],
    /// Height and width of what is written.
    pub(crate) writes: [usize; 2],
    pub(crate) channels_out: usize,
}

/// Tiles that are multiplied together: enough to be worth reading the kernels of all channels once
/// more, yet few where the kernels stay in the second-level cache.
fn together(tile: usize, channels: usize) -> usize {
    (channels / 4).clamp(4 * tile, 160).next_multiple_of(tile)
}

/// Values of all transformed kernels from which they are larger than the second-level cache.
const WIDE: usize = 1 << 20;

/// Input channels after which sums are stored: the kernels of a panel stay in the first-level cache.
const DEPTH: usize = 256;

/// Convolves `input` with kernels of 3x3, turned by half a turn where `turned`, into `output`.
pub(crate) fn pass(
    set: InstructionSet,
    shape: &Winograd,
    input: &[f32],
    weights: Weights,
    turned: bool,
    finish: Finish,
    output: Output,
) {
    let width = set.panel(shape.channels_out);
    let panel_len = shape.channels_in * width;
    let panels = shape.channels_out.div_ceil(width);
    let kernels_len = VALUES * panels * panel_len;
    let mut lines = Line::zeroed(kernels_len);
    let kernels = Output::new(&mut Line::values_mut(&mut lines)[..kernels_len]);
    (0..panels).into_par_iter().for_each(|panel| {
        set.run(Kernels {
            weights,
            turned,
            channels: panel * width..shape.channels_out.min((panel + 1) * width),
            channels_in: shape.channels_in,
            width,
            first: panel * panel_len,
            plane: panels * panel_len,
            kernels,
        });
    });
    let kernels = &Line::values(&lines)[..kernels_len];
    let tiles = shape.writes.map(|outputs| outputs.div_ceil(STEP));
    let frame_width = STEP * tiles[1] + 2;
    let rows = |tile_rows: usize| STEP * tile_rows + 2;
    let total = [shape.batch, tiles[0], panels];
    let padded_in = spread(shape.channels_in.next_multiple_of(set.lanes()));
    let together = together(set.tile(), shape.channels_in);
    let tasks = if kernels_len > WIDE {
        Tasks::of_wide(total, tiles[1], together)
    } else {
        Tasks::of(total, tiles[1], |tile_rows| {
            rows(tile_rows) * frame_width * shape.channels_in
        })
    };
    tasks.run(|images, tile_rows, computed| {
        let top = shape.first_read[0] + (STEP * tile_rows.start) as isize;
        let left = shape.first_read[1];
        let frame = Frame {
            images: images.clone(),
            rows: top..top + rows(tile_rows.len()) as isize,
            columns: left..left + frame_width as isize,
            channels: 0..shape.channels_in,
        };
        // Blocks of about the same size.
        let count = images.len() * tile_rows.len() * tiles[1];
        let block = count
            .div_ceil(count.div_ceil(together))
            .next_multiple_of(set.tile());
        let of_inputs = Planes::of(block, padded_in);
        let of_products = Planes::of(block, computed.len() * width);
        let frame_len = frame.len(shape.channels_in).next_multiple_of(Line::LEN);
        with_scratch(of_inputs.len() + of_products.len() + frame_len, |scratch| {
            let (transformed, scratch) = scratch.split_at_mut(of_inputs.len());
            let (products, scratch) = scratch.split_at_mut(of_products.len());
            let view = frame.view(
                input,
                shape.reads,
                shape.channels_in,
                shape.channels_in,
                scratch,
            );
            let mut places = Vec::with_capacity(count);
            for (index, image) in images.enumerate() {
                for (line, row) in tile_rows.clone().enumerate() {
                    let from = index * view.image + STEP * line * view.row;
                    places.extend((0..tiles[1]).map(|column| Tile {
                        input: from + STEP * column * view.column,
                        image,
                        row: STEP * row,
                        column: STEP * column,
                    }));
                }
            }
            for tiles in places.chunks(block) {
                set.run(Block {
                    shape,
                    tiles,
                    view,
                    transformed,
                    of_inputs,
                    kernels,
                    panels: computed.clone(),
                    width,
                    products,
                    of_products,
                    finish,
                    output,
                });
            }
        });
    });
}

/// The transformed kernels of one panel, `[input channel, output channel]` in each of sixteen
/// planes.
struct Kernels<'a> {
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
    kernels: Output<'a>,
}

/// Room for the widest panel.
const WIDEST: usize = 32;

impl Kernel for Kernels<'_> {
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
            kernels,
        } = self;
        assert!(width <= WIDEST && width % S::LANES == 0);
        assert!(first + channels_in * width <= plane && VALUES * plane <= kernels.len());
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
                    let kernel = of_kernel::<S>(kernel);
                    for value in 0..VALUES {
                        let to = value * plane + first + from * width + at;
                        S::store(kernels.pointer().add(to), kernel[value / 4][value % 4]);
                    }
                }
            }
        }
    }
}

/// Where a tile reads and writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    /// Its first input in the view.
    pub(super) input: usize,
    /// Its first output.
    pub(super) image: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

/// Some tiles of a task, from input to output.
struct Block<'a> {
    shape: &'a Winograd,
    tiles: &'a [Tile],
    view: View<'a>,
    /// `[value, tile, input channel]`.
    transformed: &'a mut [f32],
    of_inputs: Planes,
    /// `[value, panel, input channel, output channel of the panel]`.
    kernels: &'a [f32],
    panels: Range<usize>,
    width: usize,
    /// `[value, tile, output channel of the panels]`.
    products: &'a mut [f32],
    of_products: Planes,
    finish: Finish<'a>,
    output: Output<'a>,
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let mut block = self;
        let shape = block.shape;
        let channels = block.panels.len() * block.width;
        assert!(block.of_products.hold(block.tiles.len(), channels));
        assert_eq!(block.transformed.len(), block.of_inputs.len());
        assert_eq!(block.products.len(), block.of_products.len());
        assert_eq!(
            block.output.len(),
            shape.batch * shape.writes[0] * shape.writes[1] * shape.channels_out
        );
        // SAFETY: the instructions are there; what is addressed is checked here and in the parts.
        unsafe {
            transform_tiles::<S>(
                &block.view,
                shape.channels_in,
                block.tiles,
                block.of_inputs,
                block.transformed,
            );
            if block.width > S::LANES {
                block.channels::<S, 2>();
            } else {
                block.channels::<S, 1>();
            }
        }
    }
}

impl Block<'_> {
    /// # Safety
    /// The instructions of `S`; the tiles are transformed.
    #[inline(always)]
    unsafe fn channels<S: Simd, const V: usize>(&mut self) {
        // SAFETY: passed on.
        unsafe {
            match S::TILE {
                14 => self.products::<S, V, 14>(),
                6 => self.products::<S, V, 6>(),
                _ => self.products::<S, V, 2>(),
            }
            for index in 0..self.panels.len() {
                self.outputs::<S, V>(index);
            }
        }
    }

    /// The sixteen matrix products.
    ///
    /// # Safety
    /// The instructions of `S`; the tiles are transformed.
    #[inline(always)]
    unsafe fn products<S: Simd, const V: usize, const P: usize>(&mut self) {
        let (channels, width) = (self.shape.channels_in, V * S::LANES);
        let panels = self.shape.channels_out.div_ceil(width);
        for value in 0..VALUES {
            for (index, panel) in self.panels.clone().enumerate() {
                let kernels = &self.kernels[(value * panels + panel) * channels * width..];
                let kernels = &kernels[..channels * width];
                for depth in (0..channels).step_by(DEPTH) {
                    let count = DEPTH.min(channels - depth);
                    for first in (0..self.tiles.len()).step_by(P) {
                        let rows = P.min(self.tiles.len() - first);
                        // SAFETY: tiles that find room are within the buffers, whose lengths `run`
                        // has checked, and so are the channels of the panels.
                        unsafe {
                            let inputs = self.transformed.as_ptr();
                            let mut from = [inputs; P];
                            for (p, from) in from.iter_mut().enumerate() {
                                let tile = first + p.min(rows - 1);
                                *from = from.add(self.of_inputs.at(value, tile));
                            }
                            let products = self.products.as_mut_ptr().add(index * width);
                            let at = |p: usize, v: usize| {
                                self.of_products.at(value, first + p) + v * S::LANES
                            };
                            let mut sums = [[S::splat(0.0); V]; P];
                            if depth > 0 {
                                for (p, sums) in sums.iter_mut().enumerate().take(rows) {
                                    for (v, sum) in sums.iter_mut().enumerate() {
                                        *sum = S::load(products.add(at(p, v)));
                                    }
                                }
                            }
                            let kernel = kernels.as_ptr().add(depth * width);
                            accumulate::<S, V, P>(&mut sums, &from, depth, kernel, width, count);
                            for (p, sums) in sums.iter().enumerate().take(rows) {
                                for (v, &sum) in sums.iter().enumerate() {
                                    S::store(products.add(at(p, v)), sum);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Transforms the products of a panel back, finishes and writes the outputs.
    ///
    /// # Safety
    /// The instructions of `S`; the products are there.
    #[inline(always)]
    unsafe fn outputs<S: Simd, const V: usize>(&self, index: usize) {
        let panel = self.panels.start + index;
        let channels = self.width.min(self.shape.channels_out - panel * self.width);
        if V == 2 && channels <= S::LANES {
            // SAFETY: passed on: the second vector has no channels.
            return unsafe { self.vectors::<S, 1>(index, channels) };
        }
        // SAFETY: passed on.
        unsafe { self.vectors::<S, V>(index, channels) }
    }

    /// # Safety
    /// As for `outputs`.
    #[inline(always)]
    unsafe fn vectors<S: Simd, const V: usize>(&self, panel: usize, channels: usize) {
        let first = (self.panels.start + panel) * self.width;
        let [height, width] = self.shape.writes;
        let tail = channels - (V - 1) * S::LANES;
        let factor = self
            .finish
            .factor
            .map(|factor| factor[first..first + channels].as_ptr());
        let bias = self
            .finish
            .bias
            .map(|bias| bias[first..first + channels].as_ptr());
        let residual = self.finish.residual.map(|residual| {
            assert_eq!(residual.len(), self.output.len());
            residual.as_ptr()
        });
        let to = self.output.at(0);
        for (
            index,
            &Tile {
                image, row, column, ..
            },
        ) in self.tiles.iter().enumerate()
        {
            assert!(image < self.shape.batch && first + channels <= self.shape.channels_out);
            for v in 0..V {
                // SAFETY: products are within their buffer; rows and columns are bounded by the
                // output.
                unsafe {
                    let mut products = [[S::splat(0.0); 4]; 4];
                    for value in 0..VALUES {
                        let at =
                            self.of_products.at(value, index) + panel * self.width + v * S::LANES;
                        products[value / 4][value % 4] = S::load(self.products.as_ptr().add(at));
                    }
                    let sums = to_output::<S>(products);
                    for (down, sums) in sums.iter().enumerate() {
                        for (right, &sum) in sums.iter().enumerate() {
                            if row + down >= height || column + right >= width {
                                continue;
                            }
                            let position = image * height + row + down;
                            let at = (position * width + column + right) * self.shape.channels_out
                                + first;
                            let mut sum = sum;
                            if let Some(factor) = factor {
                                sum = S::mul(sum, load::<S, V>(factor, v, tail));
                            }
                            if let Some(bias) = bias {
                                sum = S::add(sum, load::<S, V>(bias, v, tail));
                            }
                            if let Some(residual) = residual {
                                sum = S::add(sum, load::<S, V>(residual.add(at), v, tail));
                            }
                            if self.finish.relu {
                                sum = S::max(S::splat(0.0), sum);
                            }
                            store::<S, V>(to.add(at), v, tail, sum);
                        }
                    }
                }
            }
        }
    }
}

/// Transforms 4x4 inputs of every tile to `[value, tile, channel]`, zeros behind the last channel.
///
/// # Safety
/// The instructions of `S`; `transformed` is as long as its planes.
#[inline(always)]
pub(super) unsafe fn transform_tiles<S: Simd>(
    view: &View,
    channels: usize,
    tiles: &[Tile],
    planes: Planes,
    transformed: &mut [f32],
) {
    assert!(planes.hold(tiles.len(), channels.next_multiple_of(S::LANES)));
    assert_eq!(transformed.len(), planes.len());
    let reach = 3 * view.row + 3 * view.column + channels;
    for (index, &Tile { input: first, .. }) in tiles.iter().enumerate() {
        assert!(first + reach <= view.values.len(), "a tile reads outside");
        for at in (0..channels).step_by(S::LANES) {
            let count = channels - at;
            // SAFETY: the reach is checked; `transformed` by the contract.
            unsafe {
                let mut inputs = [[S::splat(0.0); 4]; 4];
                for (row, inputs) in inputs.iter_mut().enumerate() {
                    for (column, input) in inputs.iter_mut().enumerate() {
                        let from = first + row * view.row + column * view.column + at;
                        let from = view.values.as_ptr().add(from);
                        *input = if count < S::LANES {
                            S::load_first(from, count)
                        } else {
                            S::load(from)
                        };
                    }
                }
                let inputs = of_input::<S>(inputs);
                for value in 0..VALUES {
                    let to = planes.at(value, index) + at;
                    S::store(
                        transformed.as_mut_ptr().add(to),
                        inputs[value / 4][value % 4],
                    );
                }
            }
        }
    }
}
