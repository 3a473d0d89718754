//! The gradient of the kernel: F(3x3, 2x2) on the transformed inputs of the forward pass.

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::{Line, with_scratch};
use crate::simd::{InstructionSet, Kernel, Simd};

use super::super::Convolution;
use super::super::outer::outer;
use super::super::padded::{Frame, View};
use super::super::portions::Portions;
use super::super::taps::spread;
use super::forward::{Tile, transform_tiles};
use super::transform::{of_gradient, to_kernel};
use super::{STEP, VALUES};

/// Tiles that are summed together, before the sums go to memory.
const TOGETHER: usize = 32;

/// As [`super::super::weight_gradient`], for what [`super::serves`].
pub(crate) fn weight_gradient(
    set: InstructionSet,
    geometry: &Convolution,
    input: &[f32],
    output_gradient: &[f32],
    weight_gradient: &mut [f32],
) {
    let Convolution {
        batch,
        channels_in,
        channels_out,
        ..
    } = *geometry;
    let width = set.panel(channels_out);
    let panels = channels_out.div_ceil(width);
    let sums_len = VALUES * channels_in * width;
    let cut = Portions::of(batch, panels * sums_len);
    let portions = cut.count;
    let mut lines = Line::zeroed(portions * panels * sums_len);
    let sums = &mut Line::values_mut(&mut lines)[..portions * panels * sums_len];
    // Which panels share a task, and thereby the transformed inputs, changes no sum.
    let shared = (portions * panels / (4 * rayon::current_num_threads())).clamp(1, panels);
    let per_portion = sums.par_chunks_exact_mut(panels * sums_len).enumerate();
    per_portion.for_each(|(part, sums)| {
        let images = cut.images(part);
        sums.par_chunks_mut(shared * sums_len)
            .enumerate()
            .for_each(|(index, sums)| {
                let task = Task {
                    geometry,
                    input,
                    gradient: output_gradient,
                    images: images.clone(),
                    first_panel: index * shared,
                    width,
                };
                task.run(set, sums);
            });
    });
    let sums = &Line::values(&lines)[..portions * panels * sums_len];
    weight_gradient
        .par_chunks_mut(width * channels_in * 9)
        .enumerate()
        .for_each(|(panel, gradient)| {
            set.run(Finish {
                sums,
                portions,
                panels,
                panel,
                channels_in,
                width,
                gradient,
            });
        });
}

struct Task<'a> {
    geometry: &'a Convolution,
    input: &'a [f32],
    gradient: &'a [f32],
    images: Range<usize>,
    first_panel: usize,
    width: usize,
}

impl Task<'_> {
    /// Adds the images' sums, `[panel, value, input channel, output channel]`.
    fn run(&self, set: InstructionSet, sums: &mut [f32]) {
        let geometry = self.geometry;
        let outputs = geometry.output();
        let tiles = outputs.map(|outputs| outputs.div_ceil(STEP));
        let padded_in = spread(geometry.channels_in.next_multiple_of(set.lanes()));
        let inputs_len = VALUES * TOGETHER * padded_in;
        let gradients_len = VALUES * TOGETHER * self.width;
        // As many tile rows as give one block.
        let rows = TOGETHER.div_ceil(tiles[1]).min(tiles[0]);
        for image in self.images.clone() {
            for first_row in (0..tiles[0]).step_by(rows) {
                let tile_rows = first_row..(first_row + rows).min(tiles[0]);
                let top = (STEP * tile_rows.start) as isize - geometry.padding_before[0] as isize;
                let left = -(geometry.padding_before[1] as isize);
                let frame = Frame {
                    images: image..image + 1,
                    rows: top..top + (STEP * tile_rows.len() + 2) as isize,
                    columns: left..left + (STEP * tiles[1] + 2) as isize,
                };
                let frame_len = frame.len(geometry.channels_in).next_multiple_of(Line::LEN);
                with_scratch(inputs_len + gradients_len + frame_len, |scratch| {
                    let (inputs, scratch) = scratch.split_at_mut(inputs_len);
                    let (gradients, scratch) = scratch.split_at_mut(gradients_len);
                    let view = frame.view(
                        self.input,
                        geometry.input,
                        geometry.channels_in,
                        geometry.channels_in,
                        scratch,
                    );
                    let mut places = Vec::with_capacity(tile_rows.len() * tiles[1]);
                    for (line, row) in tile_rows.clone().enumerate() {
                        places.extend((0..tiles[1]).map(|column| Tile {
                            input: STEP * line * view.row + STEP * column * view.column,
                            image,
                            row: STEP * row,
                            column: STEP * column,
                        }));
                    }
                    for tiles in places.chunks(TOGETHER) {
                        set.run(Block {
                            task: self,
                            outputs,
                            tiles,
                            view,
                            inputs,
                            padded_in,
                            gradients,
                            sums,
                        });
                    }
                });
            }
        }
    }
}

/// Some tiles of one image.
struct Block<'a> {
    task: &'a Task<'a>,
    outputs: [usize; 2],
    tiles: &'a [Tile],
    view: View<'a>,
    /// `[value, tile, input channel]`.
    inputs: &'a mut [f32],
    padded_in: usize,
    /// `[value, tile, output channel of a panel]`.
    gradients: &'a mut [f32],
    sums: &'a mut [f32],
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let mut block = self;
        let (channels, width) = (block.task.geometry.channels_in, block.task.width);
        assert!(block.tiles.len() <= TOGETHER && width % S::LANES == 0);
        assert_eq!(block.inputs.len(), VALUES * TOGETHER * block.padded_in);
        assert_eq!(block.gradients.len(), VALUES * TOGETHER * width);
        assert!(block.sums.len().is_multiple_of(VALUES * channels * width));
        // SAFETY: the instructions are there; the lengths are checked here and in the parts.
        unsafe {
            transform_tiles::<S>(
                &block.view,
                channels,
                block.tiles,
                TOGETHER,
                block.padded_in,
                block.inputs,
            );
            for index in 0..block.sums.len() / (VALUES * channels * width) {
                block.transform_gradients::<S>(block.task.first_panel + index);
                if width > S::LANES {
                    block.products::<S, 2>(index)
                } else {
                    block.products::<S, 1>(index)
                }
            }
        }
    }
}

impl Block<'_> {
    /// Transforms the gradients of a panel; zeros behind the last output and channel.
    ///
    /// # Safety
    /// The instructions of `S`.
    #[inline(always)]
    unsafe fn transform_gradients<S: Simd>(&mut self, panel: usize) {
        let Task {
            geometry,
            gradient,
            width,
            ..
        } = self.task;
        let channels = geometry.channels_out;
        assert_eq!(
            gradient.len(),
            geometry.batch * self.outputs[0] * self.outputs[1] * channels
        );
        for (
            index,
            &Tile {
                image, row, column, ..
            },
        ) in self.tiles.iter().enumerate()
        {
            assert!(image < geometry.batch);
            for at in (0..*width).step_by(S::LANES) {
                let first = panel * width + at;
                // SAFETY: rows, columns and channels outside are left out; the target's length is
                // checked.
                unsafe {
                    let mut gradients = [[S::splat(0.0); 2]; 2];
                    for (down, gradients) in gradients.iter_mut().enumerate() {
                        for (right, value) in gradients.iter_mut().enumerate() {
                            let (row, column) = (row + down, column + right);
                            if row >= self.outputs[0]
                                || column >= self.outputs[1]
                                || first >= channels
                            {
                                continue;
                            }
                            let position =
                                (image * self.outputs[0] + row) * self.outputs[1] + column;
                            let from = gradient.as_ptr().add(position * channels + first);
                            let count = channels - first;
                            *value = if count < S::LANES {
                                S::load_first(from, count)
                            } else {
                                S::load(from)
                            };
                        }
                    }
                    let gradients = of_gradient::<S>(gradients);
                    for value in 0..VALUES {
                        let to = (value * TOGETHER + index) * width + at;
                        S::store(
                            self.gradients.as_mut_ptr().add(to),
                            gradients[value / 4][value % 4],
                        );
                    }
                }
            }
        }
    }

    /// # Safety
    /// The instructions of `S`; inputs and gradients are transformed.
    #[inline(always)]
    unsafe fn products<S: Simd, const V: usize>(&mut self, panel: usize) {
        // SAFETY: passed on; there are at least sixteen input channels.
        unsafe {
            match (S::TILE, self.task.geometry.channels_in) {
                (14, channels) if channels % 12 == 0 => self.outer::<S, V, 12>(panel),
                (14, _) => self.outer::<S, V, 8>(panel),
                (6, channels) if channels % 6 == 0 => self.outer::<S, V, 6>(panel),
                (6, _) => self.outer::<S, V, 4>(panel),
                _ => self.outer::<S, V, 2>(panel),
            }
        }
    }

    /// The sixteen outer products, added to the sums.
    ///
    /// # Safety
    /// As for `products`.
    #[inline(always)]
    unsafe fn outer<S: Simd, const V: usize, const D: usize>(&mut self, panel: usize) {
        let (channels, width) = (self.task.geometry.channels_in, self.task.width);
        assert!(channels >= D && width == V * S::LANES);
        for value in 0..VALUES {
            let mut at = 0;
            while at < channels {
                // The last tile starts early and adds only what is new.
                let start = at.min(channels - D);
                // SAFETY: at most `TOGETHER` tiles and `channels` rows of `width`, as long as the
                // buffers are.
                unsafe {
                    let mut sums = [[S::splat(0.0); V]; D];
                    let inputs = self
                        .inputs
                        .as_ptr()
                        .add(value * TOGETHER * self.padded_in + start);
                    let gradients = self.gradients.as_ptr().add(value * TOGETHER * width);
                    let count = self.tiles.len();
                    outer::<S, V, D, true>(
                        &mut sums,
                        inputs,
                        self.padded_in,
                        gradients,
                        width,
                        0,
                        count,
                    );
                    for (d, sums) in sums.iter().enumerate().skip(at - start) {
                        let to = ((panel * VALUES + value) * channels + start + d) * width;
                        for (v, &sum) in sums.iter().enumerate() {
                            let to = self.sums.as_mut_ptr().add(to + v * S::LANES);
                            S::store(to, S::add(S::load(to), sum));
                        }
                    }
                }
                at = start + D;
            }
        }
    }
}

/// Adds the portions of a panel and transforms the sums to the gradient of its kernels.
struct Finish<'a> {
    sums: &'a [f32],
    portions: usize,
    panels: usize,
    panel: usize,
    channels_in: usize,
    width: usize,
    gradient: &'a mut [f32],
}

/// Room for the widest vector.
const WIDEST: usize = 16;

impl Kernel for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self {
            sums,
            portions,
            panels,
            panel,
            channels_in,
            width,
            gradient,
        } = self;
        assert_eq!(sums.len(), portions * panels * VALUES * channels_in * width);
        assert!(panel < panels && S::LANES <= WIDEST);
        let channels = gradient.len() / (channels_in * 9);
        for from in 0..channels_in {
            for at in (0..channels).step_by(S::LANES) {
                let mut values = [[0.0_f32; WIDEST]; 9];
                // SAFETY: indices below the length that is checked above; `values` holds a whole
                // vector.
                unsafe {
                    let mut totals = [[S::splat(0.0); 4]; 4];
                    for part in 0..portions {
                        for value in 0..VALUES {
                            let index =
                                ((part * panels + panel) * VALUES + value) * channels_in + from;
                            let sum = S::load(sums.as_ptr().add(index * width + at));
                            let total = &mut totals[value / 4][value % 4];
                            *total = S::add(*total, sum);
                        }
                    }
                    let kernel = to_kernel::<S>(totals);
                    for (value, values) in values.iter_mut().enumerate() {
                        S::store(values.as_mut_ptr(), kernel[value / 3][value % 3]);
                    }
                }
                for offset in 0..S::LANES.min(channels - at) {
                    let to = &mut gradient[((at + offset) * channels_in + from) * 9..][..9];
                    for (to, values) in to.iter_mut().zip(&values) {
                        *to = values[offset];
                    }
                }
            }
        }
    }
}
