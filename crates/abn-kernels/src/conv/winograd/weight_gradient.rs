//! The gradient of the kernel: F(3x3, 2x2) on the transformed inputs of the forward pass.

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::{Line, Output, with_scratch};
use crate::simd::{InstructionSet, Kernel, Simd};

use super::super::Convolution;
use super::super::chunks::{Chunk, Chunks};
use super::super::outer::{add_to, outer};
use super::super::padded::{Frame, View};
use super::super::taps::spread;
use super::forward::{Tile, transform_tiles};
use super::planes::Planes;
use super::two::{Two, of_gradient, to_kernel};

/// Values of a transformed tile.
const VALUES: usize = 16;

/// Rows and columns that neighbouring tiles lie apart, and the outputs of a tile.
const STEP: usize = 2;

/// Tiles that are summed together, before the sums go to memory.
const TOGETHER: usize = 64;

/// Input and output channels of a task, at most about: their sums stay in the second-level cache
/// for all tiles of a portion.
const CHANNELS: usize = 128;
const SHARED: usize = 64;

/// As [`super::super::weight_gradient`], for what tiles of [`Two`](super::Tiles::Two) serve.
pub(crate) fn weight_gradient(
    set: InstructionSet,
    geometry: &Convolution,
    input: &[f32],
    output_gradient: &[f32],
    weight_gradient: &mut [f32],
) {
    let (channels_in, channels_out) = (geometry.group_in(), geometry.group_out());
    let groups = geometry.groups;
    let width = set.panel(channels_out);
    let panels = channels_out.div_ceil(width);
    let of_group = panels * VALUES * channels_in * width;
    let tiles = geometry.output().map(|outputs| outputs.div_ceil(STEP));
    let values = groups * VALUES * channels_in * channels_out;
    let chunks = Chunks::of(geometry.batch, tiles, TOGETHER, values);
    let portions = chunks.portions();
    let mut lines = Line::zeroed_by_all(portions * groups * of_group);
    let sums = Output::new(Line::values_mut(&mut lines));
    let blocks = channels_in.div_ceil(CHANNELS);
    let block = channels_in.div_ceil(blocks).next_multiple_of(8);
    // Which panels share a task, and thereby the transformed inputs, changes no sum.
    let wanted = 4 * rayon::current_num_threads();
    let most = (SHARED / width).min(panels);
    let shared = (portions * groups * blocks * panels / wanted).clamp(1, most);
    let sharing = panels.div_ceil(shared);
    (0..portions * groups * blocks * sharing)
        .into_par_iter()
        .for_each(|task| {
            let part =
                |index: usize, step: usize, end: usize| index * step..((index + 1) * step).min(end);
            let (task, of_panels) = (task / sharing, task % sharing);
            let (task, of_channels) = (task / blocks, task % blocks);
            let (portion, group) = (task / groups, task % groups);
            let task = Task {
                geometry,
                input,
                gradient: output_gradient,
                group,
                channels: part(of_channels, block, channels_in),
                panels: part(of_panels, shared, panels),
                width,
                first_sum: task * of_group,
                sums,
            };
            for chunk in chunks.of_portion(portion) {
                task.run(set, tiles, chunk);
            }
        });
    let sums = &Line::values(&lines)[..portions * groups * of_group];
    weight_gradient
        .par_chunks_mut(channels_out * channels_in * 9)
        .enumerate()
        .for_each(|(group, gradient)| {
            gradient
                .par_chunks_mut(width * channels_in * 9)
                .enumerate()
                .for_each(|(panel, gradient)| {
                    set.run(Finish {
                        sums,
                        portions,
                        panels: groups * panels,
                        panel: group * panels + panel,
                        channels_in,
                        width,
                        gradient,
                    });
                });
        });
}

struct Task<'a> {
    geometry: &'a Convolution,
    input: &'a [f32],
    gradient: &'a [f32],
    group: usize,
    /// Input channels of the group.
    channels: Range<usize>,
    /// Output channels of the group.
    panels: Range<usize>,
    width: usize,
    /// Those of the group in the portion start here, `[panel, value, input channel, output
    /// channel]`.
    first_sum: usize,
    /// Added to; nobody else uses those of these panels and input channels meanwhile.
    sums: Output<'a>,
}

impl Task<'_> {
    /// Adds the sums of some tiles.
    fn run(&self, set: InstructionSet, tiles: [usize; 2], chunk: Chunk) {
        let geometry = self.geometry;
        let count = self.channels.len();
        let padded_in = spread(count.next_multiple_of(set.lanes()));
        let of_inputs = Planes::of(VALUES, TOGETHER, padded_in);
        let of_gradients = Planes::of(VALUES, TOGETHER, self.width);
        let top = (STEP * chunk.rows.start) as isize - geometry.padding_before[0] as isize;
        let left = -(geometry.padding_before[1] as isize);
        let first = self.group * geometry.group_in();
        let frame = Frame {
            images: chunk.images.clone(),
            rows: top..top + (STEP * chunk.rows.len() + 2) as isize,
            columns: left..left + (STEP * tiles[1] + 2) as isize,
            channels: first + self.channels.start..first + self.channels.end,
        };
        let frame_len = frame.len(count).next_multiple_of(Line::LEN);
        with_scratch(
            of_inputs.len() + of_gradients.len() + frame_len,
            |scratch| {
                let (inputs, scratch) = scratch.split_at_mut(of_inputs.len());
                let (gradients, scratch) = scratch.split_at_mut(of_gradients.len());
                let view = frame.view(
                    self.input,
                    geometry.input,
                    geometry.channels_in,
                    count,
                    scratch,
                );
                let places = Tile::all(STEP, &view, chunk.images, chunk.rows, tiles[1]);
                for tiles in places.chunks(TOGETHER) {
                    set.run(Block {
                        task: self,
                        outputs: geometry.output(),
                        tiles,
                        view,
                        inputs,
                        of_inputs,
                        gradients,
                        of_gradients,
                    });
                }
            },
        );
    }
}

/// Some tiles.
struct Block<'a> {
    task: &'a Task<'a>,
    outputs: [usize; 2],
    tiles: &'a [Tile],
    view: View<'a>,
    /// `[value, tile, input channel]`.
    inputs: &'a mut [f32],
    of_inputs: Planes,
    /// `[value, tile, output channel of a panel]`.
    gradients: &'a mut [f32],
    of_gradients: Planes,
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let mut block = self;
        let Task {
            geometry,
            channels,
            panels,
            width,
            first_sum,
            sums,
            ..
        } = block.task;
        let width = *width;
        assert!(block.of_gradients.hold(VALUES, block.tiles.len(), width) && width % S::LANES == 0);
        assert_eq!(block.inputs.len(), block.of_inputs.len());
        assert_eq!(block.gradients.len(), block.of_gradients.len());
        let end = first_sum + panels.end * VALUES * geometry.group_in() * width;
        assert!(end <= sums.len() && channels.end <= geometry.group_in());
        // SAFETY: the instructions are there; the lengths are checked here and in the parts.
        unsafe {
            transform_tiles::<S, Two, 4, 2>(
                &block.view,
                channels.len(),
                block.tiles,
                block.of_inputs,
                block.inputs,
            );
            for panel in panels.clone() {
                block.transform_gradients::<S>(panel);
                if width > S::LANES {
                    block.products::<S, 2>(panel)
                } else {
                    block.products::<S, 1>(panel)
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
            group,
            width,
            ..
        } = self.task;
        let (channels, of_group) = (geometry.channels_out, geometry.group_out());
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
                                || first >= of_group
                            {
                                continue;
                            }
                            let position =
                                (image * self.outputs[0] + row) * self.outputs[1] + column;
                            let from = position * channels + group * of_group + first;
                            let from = gradient.as_ptr().add(from);
                            let count = of_group - first;
                            *value = if count < S::LANES {
                                S::load_first(from, count)
                            } else {
                                S::load(from)
                            };
                        }
                    }
                    let gradients = of_gradient::<S>(gradients);
                    for value in 0..VALUES {
                        let to = self.of_gradients.at(value, index) + at;
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
        // SAFETY: passed on.
        unsafe {
            match (S::TILE, self.task.channels.len()) {
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
        let (channels, width) = (self.task.channels.len(), self.task.width);
        assert!(channels >= D && width == V * S::LANES);
        let all = self.task.geometry.group_in();
        for value in 0..VALUES {
            let mut at = 0;
            while at < channels {
                // The last tile starts early and adds only what is new.
                let start = at.min(channels - D);
                // SAFETY: the tiles that find room and `channels` rows of `width`, as long as the
                // buffers are.
                unsafe {
                    let mut sums = [[S::splat(0.0); V]; D];
                    let inputs = self
                        .inputs
                        .as_ptr()
                        .add(self.of_inputs.at(value, 0) + start);
                    let gradients = self.gradients.as_ptr().add(self.of_gradients.at(value, 0));
                    let count = self.tiles.len();
                    outer::<S, V, D>(
                        &mut sums,
                        inputs,
                        self.of_inputs.row,
                        gradients,
                        width,
                        count,
                    );
                    for (d, sums) in sums.iter().enumerate().skip(at - start) {
                        let row = self.task.channels.start + start + d;
                        let to = ((panel * VALUES + value) * all + row) * width;
                        let to = self.task.first_sum + to;
                        add_to::<S, V>(self.task.sums.pointer().add(to), sums);
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
