//! Forward pass and input gradient: the latter is the former of the turned kernel.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::{Line, Output, with_scratch};
use crate::simd::{InstructionSet, Kernel, Simd, fetch};

use super::super::gather::{FEW, Finish, accumulate, load, scaled, store};
use super::super::padded::{Frame, View};
use super::super::taps::spread;
use super::super::tasks::Tasks;
use super::Tiles;
use super::four::Four;
use super::kernels::Kernels;
use super::planes::Planes;
use super::transform::{Transform, twice};
use super::two::Two;

/// A convolution of 3x3 by stride 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Winograd {
    pub(crate) batch: usize,
    /// Height and width of what is read.
    pub(crate) reads: [usize; 2],
    /// Row and column of the first value under the first output's kernel; outside where negative.
    pub(crate) first_read: [isize; 2],
    /// Height and width of what is written.
    pub(crate) writes: [usize; 2],
}

/// Tiles of `step` x `step` outputs that are multiplied together: enough to be worth reading the
/// kernels of all channels once more, and transforming them where they are wide, yet few where they
/// stay in the second-level cache.
fn together(tile: usize, channels: usize, step: usize, wide: bool) -> usize {
    let least = if wide { 64 } else { 4 * tile };
    (channels / (2 * step)).clamp(least, 160)
}

/// Convolves `input` with the kernels of each group, which are alike, into `output`.
pub(crate) fn pass(
    set: InstructionSet,
    shape: &Winograd,
    kernels: &[Kernels],
    input: &[f32],
    finish: Finish,
    output: Output,
) {
    kernels
        .par_iter()
        .enumerate()
        .for_each(|(group, of_group)| {
            let pass = Pass {
                shape,
                kernels: of_group,
                group,
                groups: kernels.len(),
                input,
                finish,
                output,
            };
            match of_group.tiles {
                Tiles::Two => pass.run::<Two, 4, 2>(set),
                Tiles::Four => pass.run::<Four, 6, 4>(set),
            }
        });
}

#[derive(Clone, Copy)]
struct Pass<'a> {
    shape: &'a Winograd,
    /// Those of the group.
    kernels: &'a Kernels,
    group: usize,
    groups: usize,
    input: &'a [f32],
    finish: Finish<'a>,
    output: Output<'a>,
}

impl Pass<'_> {
    fn run<T: Transform<N, M>, const N: usize, const M: usize>(self, set: InstructionSet) {
        let Self { shape, kernels, .. } = self;
        let (channels, panels) = (kernels.channels_in, kernels.panels());
        let tiles = shape.writes.map(|outputs| outputs.div_ceil(M));
        let frame_width = M * tiles[1] + 2;
        let rows = |tile_rows: usize| M * tile_rows + 2;
        let total = [shape.batch, tiles[0], panels];
        let padded_in = spread(channels.next_multiple_of(set.lanes()));
        let together = together(set.tile(), channels, M, kernels.is_wide());
        let tasks = if kernels.is_wide() {
            Tasks::of_wide(total, self.groups, tiles[1], together)
        } else {
            Tasks::of(total, tiles[1], |tile_rows| {
                rows(tile_rows) * frame_width * channels
            })
        };
        tasks.run(|images, tile_rows, computed| {
            let top = shape.first_read[0] + (M * tile_rows.start) as isize;
            let left = shape.first_read[1];
            let frame = Frame {
                images: images.clone(),
                rows: top..top + rows(tile_rows.len()) as isize,
                columns: left..left + frame_width as isize,
                channels: self.group * channels..(self.group + 1) * channels,
            };
            // Blocks of about the same size.
            let count = images.len() * tile_rows.len() * tiles[1];
            let block = count
                .div_ceil(count.div_ceil(together.next_multiple_of(set.tile())))
                .next_multiple_of(set.tile());
            let of_inputs = Planes::of(N * N, block, padded_in);
            let of_products = Planes::of(N * N, block, kernels.width);
            let parts = [of_inputs.len(), of_products.len(), kernels.scratch()];
            let frame_len = frame.len(channels).next_multiple_of(Line::LEN);
            with_scratch(parts.iter().sum::<usize>() + frame_len, |scratch| {
                let (transformed, scratch) = scratch.split_at_mut(parts[0]);
                let (products, scratch) = scratch.split_at_mut(parts[1]);
                let (of_kernels, scratch) = scratch.split_at_mut(parts[2]);
                let all = self.groups * channels;
                let view = frame.view(self.input, shape.reads, all, channels, scratch);
                let places = Tile::all(M, &view, images, tile_rows, tiles[1]);
                for tiles in places.chunks(block) {
                    set.run(Block {
                        pass: self,
                        tiles,
                        view,
                        transformed,
                        of_inputs,
                        panels: computed.clone(),
                        products,
                        of_products,
                        of_kernels,
                        transforms: PhantomData::<T>,
                    });
                }
            });
        });
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

impl Tile {
    /// Those of some rows of tiles of some images, `step` values apart; the view begins with them.
    pub(super) fn all(
        step: usize,
        view: &View,
        images: Range<usize>,
        rows: Range<usize>,
        columns: usize,
    ) -> Vec<Self> {
        let mut tiles = Vec::with_capacity(images.len() * rows.len() * columns);
        for (index, image) in images.enumerate() {
            for (line, row) in rows.clone().enumerate() {
                let from = index * view.image + step * line * view.row;
                tiles.extend((0..columns).map(|column| Self {
                    input: from + step * column * view.column,
                    image,
                    row: step * row,
                    column: step * column,
                }));
            }
        }
        tiles
    }
}

/// Some tiles of a task, from input to output.
struct Block<'a, T, const N: usize, const M: usize> {
    pass: Pass<'a>,
    tiles: &'a [Tile],
    view: View<'a>,
    /// `[value, tile, input channel]`.
    transformed: &'a mut [f32],
    of_inputs: Planes,
    panels: Range<usize>,
    /// `[value, tile, output channel of a panel]`.
    products: &'a mut [f32],
    of_products: Planes,
    /// Transformed kernels, where they are not kept.
    of_kernels: &'a mut [f32],
    /// The transforms.
    transforms: PhantomData<T>,
}

impl<T: Transform<N, M>, const N: usize, const M: usize> Kernel for Block<'_, T, N, M> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let Pass {
            shape,
            kernels,
            groups,
            output,
            ..
        } = self.pass;
        assert!(
            self.of_products
                .hold(N * N, self.tiles.len(), kernels.width)
        );
        assert_eq!(self.transformed.len(), self.of_inputs.len());
        assert_eq!(self.products.len(), self.of_products.len());
        assert_eq!(
            output.len(),
            shape.batch * shape.writes[0] * shape.writes[1] * groups * kernels.channels_out
        );
        // SAFETY: the instructions are there; what is addressed is checked here and in the parts.
        unsafe {
            transform_tiles::<S, T, N, M>(
                &self.view,
                kernels.channels_in,
                self.tiles,
                self.of_inputs,
                self.transformed,
            );
            if kernels.width > S::LANES {
                self.channels::<S, 2>();
            } else {
                self.channels::<S, 1>();
            }
        }
    }
}

impl<T: Transform<N, M>, const N: usize, const M: usize> Block<'_, T, N, M> {
    /// # Safety
    /// The instructions of `S`; the tiles are transformed.
    #[inline(always)]
    unsafe fn channels<S: Simd, const V: usize>(&mut self) {
        // SAFETY: passed on.
        unsafe {
            for panel in self.panels.clone() {
                match S::TILE {
                    14 => self.products::<S, V, 14>(panel),
                    6 => self.products::<S, V, 6>(panel),
                    _ => self.products::<S, V, 2>(panel),
                }
                self.outputs::<S, V>(panel);
            }
        }
    }

    /// The matrix products of a panel, one for each value.
    ///
    /// # Safety
    /// The instructions of `S`; the tiles are transformed.
    #[inline(always)]
    unsafe fn products<S: Simd, const V: usize, const P: usize>(&mut self, panel: usize) {
        let kernels = self.pass.kernels;
        let (channels, width) = (kernels.channels_in, V * S::LANES);
        assert_eq!(width, kernels.width);
        let sums = Sums {
            inputs: self.transformed,
            of_inputs: self.of_inputs,
            sums: Output::new(self.products),
            of_sums: self.of_products,
        };
        let tiles = self.tiles.len();
        for depth in (0..channels).step_by(kernels.depth()) {
            let depths = depth..channels.min(depth + kernels.depth());
            // SAFETY: the instructions of `S`; tiles find room in the buffers, whose lengths `run`
            // has checked, and so do the channels of the panel.
            unsafe {
                let part = kernels.part::<S, T, N, M>(panel, depths.clone(), self.of_kernels);
                // On its way meanwhile, a share with each of the sums.
                let ahead = kernels.ahead(panel, &depths, self.panels.end);
                let mut ahead =
                    ahead.chunks(ahead.len().div_ceil(N * N * tiles.div_ceil(P)).max(1));
                for value in 0..N * N {
                    for first in (0..tiles).step_by(P) {
                        let (tiles, depths) = (first..tiles.min(first + P), depths.clone());
                        let ahead = ahead.next().unwrap_or(&[]);
                        if P > FEW && tiles.len() <= FEW {
                            sums.add::<S, V, FEW>(value, tiles, depths, part.of(value), ahead);
                        } else {
                            sums.add::<S, V, P>(value, tiles, depths, part.of(value), ahead);
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
    unsafe fn outputs<S: Simd, const V: usize>(&self, panel: usize) {
        let width = self.pass.kernels.width;
        let channels = width.min(self.pass.kernels.channels_out - panel * width);
        if V == 2 && channels <= S::LANES {
            // SAFETY: passed on: the second vector has no channels.
            return unsafe { self.vectors::<S, 1>(panel, channels) };
        }
        // SAFETY: passed on.
        unsafe { self.vectors::<S, V>(panel, channels) }
    }

    /// # Safety
    /// As for `outputs`.
    #[inline(always)]
    unsafe fn vectors<S: Simd, const V: usize>(&self, panel: usize, channels: usize) {
        let Pass {
            shape,
            kernels,
            group,
            groups,
            finish,
            output,
            ..
        } = self.pass;
        let in_group = panel * kernels.width;
        let first = group * kernels.channels_out + in_group;
        let all = groups * kernels.channels_out;
        let [height, width] = shape.writes;
        let tail = channels - (V - 1) * S::LANES;
        let channels_of = |values: &[f32]| values[first..first + channels].as_ptr();
        let of_channels = [finish.mean, finish.factor, finish.bias];
        let of_channels = of_channels.map(|values| values.map(channels_of));
        let residual = finish.residual.map(|residual| {
            assert_eq!(residual.len(), output.len());
            residual.as_ptr()
        });
        let to = output.at(0);
        for (
            index,
            &Tile {
                image, row, column, ..
            },
        ) in self.tiles.iter().enumerate()
        {
            assert!(image < shape.batch && in_group + channels <= kernels.channels_out);
            for v in 0..V {
                // SAFETY: products are within their buffer; rows and columns are bounded by the
                // output.
                unsafe {
                    let mut products = [[S::splat(0.0); N]; N];
                    for value in 0..N * N {
                        let at = self.of_products.at(value, index) + v * S::LANES;
                        products[value / N][value % N] = S::load(self.products.as_ptr().add(at));
                    }
                    let sums = twice::<S, N, M>(products, T::to_output::<S>);
                    for (down, sums) in sums.iter().enumerate() {
                        for (right, &sum) in sums.iter().enumerate() {
                            if row + down >= height || column + right >= width {
                                continue;
                            }
                            let position = image * height + row + down;
                            let at = (position * width + column + right) * all + first;
                            let vector = |from: *const f32| load::<S, V>(from, v, tail);
                            let [mean, factor, bias] = of_channels.map(|from| from.map(vector));
                            let mut sum = scaled::<S>(sum, mean, factor, bias);
                            if let Some(residual) = residual {
                                sum = S::add(sum, load::<S, V>(residual.add(at), v, tail));
                            }
                            if finish.relu {
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

/// The products of a panel while they are summed over the input channels.
#[derive(Clone, Copy)]
struct Sums<'a> {
    inputs: &'a [f32],
    of_inputs: Planes,
    sums: Output<'a>,
    of_sums: Planes,
}

impl Sums<'_> {
    /// Adds the products of some input channels to those of the channels before, for at most `P`
    /// tiles.
    ///
    /// # Safety
    /// The instructions of `S`; the planes hold these tiles, all channels and the panel, and the
    /// buffers are as long; `kernels` has a row of the panel for each of the input channels.
    #[inline(always)]
    unsafe fn add<S: Simd, const V: usize, const P: usize>(
        &self,
        value: usize,
        tiles: Range<usize>,
        depths: Range<usize>,
        kernels: *const f32,
        ahead: &[f32],
    ) {
        // SAFETY: the contract.
        unsafe {
            let mut inputs = [self.inputs.as_ptr(); P];
            for (p, inputs) in inputs.iter_mut().enumerate() {
                let tile = tiles.start + p.min(tiles.len() - 1);
                *inputs = inputs.add(self.of_inputs.at(value, tile));
            }
            let at = |p: usize, v: usize| {
                let at = self.of_sums.at(value, tiles.start + p) + v * S::LANES;
                self.sums.pointer().add(at)
            };
            let mut sums = [[S::splat(0.0); V]; P];
            if depths.start > 0 {
                for (p, sums) in sums.iter_mut().enumerate().take(tiles.len()) {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = S::load(at(p, v));
                    }
                }
            }
            let (offset, width, count) = (depths.start, V * S::LANES, depths.len());
            let nothing = None::<fn(usize)>;
            for line in ahead.chunks(Line::LEN) {
                fetch(line.as_ptr());
            }
            accumulate::<S, V, P>(&mut sums, &inputs, offset, kernels, width, count, nothing);
            for (p, sums) in sums.iter().enumerate().take(tiles.len()) {
                for (v, &sum) in sums.iter().enumerate() {
                    S::store(at(p, v), sum);
                }
            }
        }
    }
}

/// Transforms NxN inputs of every tile to `[value, tile, channel]`, zeros behind the last channel.
///
/// # Safety
/// The instructions of `S`; `transformed` is as long as its planes.
#[inline(always)]
pub(super) unsafe fn transform_tiles<
    S: Simd,
    T: Transform<N, M>,
    const N: usize,
    const M: usize,
>(
    view: &View,
    channels: usize,
    tiles: &[Tile],
    planes: Planes,
    transformed: &mut [f32],
) {
    assert!(planes.hold(N * N, tiles.len(), channels.next_multiple_of(S::LANES)));
    assert_eq!(transformed.len(), planes.len());
    let reach = (N - 1) * (view.row + view.column) + channels;
    for (index, &Tile { input: first, .. }) in tiles.iter().enumerate() {
        assert!(first + reach <= view.values.len(), "a tile reads outside");
        for at in (0..channels).step_by(S::LANES) {
            let count = channels - at;
            // SAFETY: the reach is checked; `transformed` by the contract.
            unsafe {
                let mut inputs = [[S::splat(0.0); N]; N];
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
                let inputs = twice::<S, N, N>(inputs, T::of_input::<S>);
                for value in 0..N * N {
                    let to = planes.at(value, index) + at;
                    S::store(
                        transformed.as_mut_ptr().add(to),
                        inputs[value / N][value % N],
                    );
                }
            }
        }
    }
}
