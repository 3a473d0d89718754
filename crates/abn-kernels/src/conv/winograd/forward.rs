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

/// Tiles that are multiplied together: as many as keep the transformed inputs in the second-level
/// cache.
fn together(tile: usize, channels: usize) -> usize {
    tile * (1024 / (channels * tile)).clamp(2, 4)
}

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
    let panel_len = VALUES * shape.channels_in * width;
    let panels = shape.channels_out.div_ceil(width);
    let mut lines = Line::zeroed(panels * panel_len);
    Line::values_mut(&mut lines)[..panels * panel_len]
        .par_chunks_exact_mut(panel_len)
        .enumerate()
        .for_each(|(index, panel)| {
            let channels = index * width..shape.channels_out.min((index + 1) * width);
            set.run(Kernels {
                weights,
                turned,
                channels,
                channels_in: shape.channels_in,
                width,
                panel,
            });
        });
    let kernels = &Line::values(&lines)[..panels * panel_len];
    let tiles = shape.writes.map(|outputs| outputs.div_ceil(STEP));
    let frame_width = STEP * tiles[1] + 2;
    let rows = |tile_rows: usize| STEP * tile_rows + 2;
    let tasks = Tasks::of([shape.batch, tiles[0], panels], tiles[1], |tile_rows| {
        rows(tile_rows) * frame_width * shape.channels_in
    });
    tasks.run(|images, tile_rows, panels| {
        let top = shape.first_read[0] + (STEP * tile_rows.start) as isize;
        let left = shape.first_read[1];
        let frame = Frame {
            images: images.clone(),
            rows: top..top + rows(tile_rows.len()) as isize,
            columns: left..left + frame_width as isize,
            channels: 0..shape.channels_in,
        };
        let padded_in = spread(shape.channels_in.next_multiple_of(set.lanes()));
        let together = together(set.tile(), padded_in);
        let of_inputs = Planes::of(together, padded_in);
        let of_products = Planes::of(together, width);
        let frame_len = frame.len(shape.channels_in);
        let aligned = frame_len.next_multiple_of(Line::LEN);
        with_scratch(of_inputs.len() + of_products.len() + aligned, |scratch| {
            let (transformed, scratch) = scratch.split_at_mut(of_inputs.len());
            let (products, scratch) = scratch.split_at_mut(of_products.len());
            let view = frame.view(
                input,
                shape.reads,
                shape.channels_in,
                shape.channels_in,
                scratch,
            );
            let mut places = Vec::with_capacity(images.len() * tile_rows.len() * tiles[1]);
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
            for tiles in places.chunks(together) {
                set.run(Block {
                    shape,
                    tiles,
                    view,
                    transformed,
                    of_inputs,
                    kernels,
                    panels: panels.clone(),
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

/// The transformed kernels of one panel: `[value, input channel, output channel]`.
struct Kernels<'a> {
    weights: Weights<'a>,
    turned: bool,
    channels: Range<usize>,
    channels_in: usize,
    width: usize,
    panel: &'a mut [f32],
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
            panel,
        } = self;
        assert!(width <= WIDEST && width % S::LANES == 0);
        assert_eq!(panel.len(), VALUES * channels_in * width);
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
                // SAFETY: `at + LANES <= width`, which the row of values and the panel hold.
                unsafe {
                    let mut kernel = [[S::splat(0.0); 3]; 3];
                    for (value, values) in values.iter().enumerate() {
                        kernel[value / 3][value % 3] = S::load(values.as_ptr().add(at));
                    }
                    let kernel = of_kernel::<S>(kernel);
                    for value in 0..VALUES {
                        let to = (value * channels_in + from) * width + at;
                        S::store(panel.as_mut_ptr().add(to), kernel[value / 4][value % 4]);
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
    kernels: &'a [f32],
    panels: Range<usize>,
    width: usize,
    /// `[value, tile, output channel of the panel]`.
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
        assert!(block.of_products.hold(block.tiles.len(), block.width));
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
            for panel in block.panels.clone() {
                let channels = block.width.min(shape.channels_out - panel * block.width);
                if channels > S::LANES {
                    block.panel::<S, 2>(panel, channels);
                } else {
                    block.panel::<S, 1>(panel, channels);
                }
            }
        }
    }
}

impl Block<'_> {
    /// # Safety
    /// The instructions of `S`; the tiles are transformed.
    #[inline(always)]
    unsafe fn panel<S: Simd, const V: usize>(&mut self, panel: usize, channels: usize) {
        // SAFETY: passed on.
        unsafe {
            match S::TILE {
                14 => self.products::<S, V, 14>(panel),
                6 => self.products::<S, V, 6>(panel),
                _ => self.products::<S, V, 2>(panel),
            }
            self.outputs::<S, V>(panel, channels);
        }
    }

    /// The sixteen matrix products.
    ///
    /// # Safety
    /// The instructions of `S`.
    #[inline(always)]
    unsafe fn products<S: Simd, const V: usize, const P: usize>(&mut self, panel: usize) {
        let channels = self.shape.channels_in;
        let len = VALUES * channels * self.width;
        let kernels = &self.kernels[panel * len..][..len];
        for value in 0..VALUES {
            let inputs = &self.transformed[self.of_inputs.at(value, 0)..];
            let products = &mut self.products[self.of_products.at(value, 0)..];
            for first in (0..self.tiles.len()).step_by(P) {
                let count = P.min(self.tiles.len() - first);
                // SAFETY: tiles that find room are within the buffers, whose lengths `run` has
                // checked.
                unsafe {
                    let mut from = [inputs.as_ptr(); P];
                    for (p, from) in from.iter_mut().enumerate() {
                        *from = from.add((first + p.min(count - 1)) * self.of_inputs.row);
                    }
                    let mut sums = [[S::splat(0.0); V]; P];
                    let kernel = kernels.as_ptr().add(value * channels * self.width);
                    accumulate::<S, V, P>(&mut sums, &from, 0, kernel, self.width, channels);
                    for (p, sums) in sums.iter().enumerate().take(count) {
                        for (v, &sum) in sums.iter().enumerate() {
                            let to = (first + p) * self.width + v * S::LANES;
                            S::store(products.as_mut_ptr().add(to), sum);
                        }
                    }
                }
            }
        }
    }

    /// Transforms the products back, finishes and writes the outputs.
    ///
    /// # Safety
    /// The instructions of `S`.
    #[inline(always)]
    unsafe fn outputs<S: Simd, const V: usize>(&mut self, panel: usize, channels: usize) {
        let [height, width] = self.shape.writes;
        let tail = channels - (V - 1) * S::LANES;
        let first = panel * self.width;
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
            assert!(
                image < self.shape.batch
                    && panel * self.width + channels <= self.shape.channels_out
            );
            for v in 0..V {
                // SAFETY: products are within their buffer; rows and columns are bounded by the
                // output.
                unsafe {
                    let mut products = [[S::splat(0.0); 4]; 4];
                    for value in 0..VALUES {
                        let at = self.of_products.at(value, index) + v * S::LANES;
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
