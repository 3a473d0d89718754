//! The gradient of the weight: for every kernel value, the sum over all positions of input times
//! output gradient.
//!
//! A register tile holds some values of a walk (column, then input channel, as they lie in the
//! input) by two vectors of output channels, and runs over the positions: both operands are read
//! where they lie.

use rayon::prelude::*;

use crate::buffer::{Line, with_scratch};
use crate::simd::{InstructionSet, Kernel, Simd};

use super::forward::taps;
use super::padded::{Frame, View};
use super::taps::spread;
use super::{Convolution, weight_index, winograd};

/// Gradient of the weight, given that of the output (both activations channels last).
///
/// The images are summed in fixed portions, so the result does not depend on the number of threads.
///
/// # Panics
/// A length does not fit the shapes.
pub fn weight_gradient(
    set: InstructionSet,
    geometry: &Convolution,
    input: &[f32],
    output_gradient: &[f32],
    weight_gradient: &mut [f32],
) {
    assert_eq!(input.len(), geometry.input_len(), "input of {geometry:?}");
    assert_eq!(
        output_gradient.len(),
        geometry.output_len(),
        "output of {geometry:?}"
    );
    assert_eq!(
        weight_gradient.len(),
        geometry.weight_len(),
        "weight of {geometry:?}"
    );
    if geometry.output_len() == 0 {
        return weight_gradient.fill(0.0);
    }
    if winograd::serves(geometry) {
        return winograd::weight_gradient(set, geometry, input, output_gradient, weight_gradient);
    }
    let taps = taps(geometry);
    let (depth, group_out) = (taps.depth(), geometry.group_out());
    let walks = taps.walks(0, 0).len();
    let width = set.panel(group_out);
    let panels = group_out.div_ceil(width);
    let panel_len = walks * depth * width;
    // Portions of the batch and panels are the tasks.
    let portions = (PORTIONED / geometry.weight_len())
        .clamp(1, PORTIONS)
        .min(geometry.batch);
    let portion = geometry.batch.div_ceil(portions);
    let portions = geometry.batch.div_ceil(portion);
    let sums_len = portions * geometry.groups * panels * panel_len;
    let mut lines = Line::zeroed(sums_len);
    let sums = &mut Line::values_mut(&mut lines)[..sums_len];
    let [height, columns] = geometry.output();
    let [rows_of, columns_of] = taps.span();
    let frame_width = (columns - 1) * geometry.stride[1] + columns_of;
    let frame_rows = |rows: usize| (rows - 1) * geometry.stride[0] + rows_of;
    let slab = |rows: usize| {
        frame_rows(rows) * frame_width * geometry.channels_in + rows * columns * width
    };
    let mut rows = height;
    while rows > 1 && slab(rows) > SLAB {
        rows = rows.div_ceil(2);
    }
    sums.par_chunks_exact_mut(panel_len)
        .enumerate()
        .for_each(|(task, sums)| {
            let (part, panel) = (task / panels, task % panels);
            let (part, group) = (part / geometry.groups, part % geometry.groups);
            let first = group * group_out + panel * width;
            for image in part * portion..((part + 1) * portion).min(geometry.batch) {
                for top in (0..height).step_by(rows) {
                    let lines = top..(top + rows).min(height);
                    let start =
                        (top * geometry.stride[0]) as isize - geometry.padding_before[0] as isize;
                    let left = -(geometry.padding_before[1] as isize);
                    let frame = Frame {
                        images: image..image + 1,
                        rows: start..start + frame_rows(lines.len()) as isize,
                        columns: left..left + frame_width as isize,
                    };
                    let column = spread(geometry.channels_in);
                    with_scratch(frame.len(column), |scratch| {
                        let view = frame.view(
                            input,
                            geometry.input,
                            geometry.channels_in,
                            column,
                            scratch,
                        );
                        set.run(Outer {
                            view,
                            first_input: group * geometry.group_in(),
                            step: [
                                geometry.stride[0] * view.row,
                                geometry.stride[1] * view.column,
                            ],
                            walks: &taps.walks(view.row, view.column),
                            depth,
                            gradient: &output_gradient[(image * height + lines.start)
                                * columns
                                * geometry.channels_out..]
                                [..lines.len() * columns * geometry.channels_out],
                            channels: geometry.channels_out,
                            first,
                            computed: width.min(group_out - panel * width),
                            width,
                            columns,
                            sums,
                        });
                    });
                }
            }
        });
    let sums = Line::values(&lines);
    let per_portion = geometry.groups * panels * panel_len;
    let group_weights = group_out * geometry.group_in() * geometry.kernel[0] * geometry.kernel[1];
    let channel_weights = group_weights / group_out;
    weight_gradient
        .par_chunks_exact_mut(channel_weights)
        .enumerate()
        .for_each(|(channel, gradient)| {
            let (group, channel_of) = (channel / group_out, channel % group_out);
            let panel = group * panels + channel_of / width;
            for walk in 0..walks {
                for place in 0..depth {
                    let (from, value) = taps.at(walk, place);
                    let at =
                        panel * panel_len + (walk * depth + place) * width + channel_of % width;
                    let sum = (0..portions)
                        .map(|part| sums[part * per_portion + at])
                        .sum();
                    gradient[weight_index(geometry, 0, from, value)] = sum;
                }
            }
        });
}

/// Portions of a batch with sums of their own, at most, and values of all their sums, at most.
pub(super) const PORTIONS: usize = 16;
pub(super) const PORTIONED: usize = 1 << 20;

/// Values of input and gradient that a task works on at a time.
const SLAB: usize = 64 * 1024;

/// The sum over some rows of one image, for one panel of output channels.
struct Outer<'a> {
    view: View<'a>,
    /// First input channel of the group.
    first_input: usize,
    /// Distance of neighbouring positions in the view, vertical and horizontal.
    step: [usize; 2],
    walks: &'a [usize],
    depth: usize,
    /// Output gradients of the rows.
    gradient: &'a [f32],
    /// Channels of the output.
    channels: usize,
    /// First output channel of the panel, and how many it has.
    first: usize,
    computed: usize,
    /// Room for channels in a row of the sums.
    width: usize,
    /// Positions of a row.
    columns: usize,
    /// `[walk, place, channel]`: added to.
    sums: &'a mut [f32],
}

impl Kernel for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let positions = self.gradient.len() / self.channels;
        let rows = positions / self.columns;
        let last = (rows - 1) * self.step[0] + (self.columns - 1) * self.step[1];
        let reach = self.walks.iter().max().map_or(0, |walk| walk + self.depth);
        assert!(
            self.first_input + last + reach <= self.view.values.len(),
            "a position reads outside"
        );
        assert!(self.first + self.computed <= self.channels && self.computed <= self.width);
        assert_eq!(self.sums.len(), self.walks.len() * self.depth * self.width);
        let mut outer = self;
        // SAFETY: the instructions are there, all addresses are checked above.
        unsafe {
            if outer.computed > S::LANES {
                outer.places::<S, 2>(rows)
            } else {
                outer.places::<S, 1>(rows)
            }
        }
    }
}

impl Outer<'_> {
    /// # Safety
    /// The instructions of `S`; the lengths are checked.
    #[inline(always)]
    unsafe fn places<S: Simd, const V: usize>(&mut self, rows: usize) {
        // SAFETY: passed on.
        unsafe {
            match (S::TILE, self.depth) {
                (14, depth) if depth >= 12 && depth % 8 != 0 || depth % 12 == 0 => {
                    self.tiles::<S, V, 12>(rows)
                }
                (14, 8..) => self.tiles::<S, V, 8>(rows),
                (6, depth) if depth >= 6 && depth % 4 != 0 || depth % 6 == 0 => {
                    self.tiles::<S, V, 6>(rows)
                }
                (14 | 6, 4..) => self.tiles::<S, V, 4>(rows),
                (2, 2..) => self.tiles::<S, V, 2>(rows),
                _ => self.tiles::<S, V, 1>(rows),
            }
        }
    }

    /// # Safety
    /// As for `places`; the depth is at least `D`.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const V: usize, const D: usize>(&mut self, rows: usize) {
        let tail = self.computed - (V - 1) * S::LANES;
        for (index, &walk) in self.walks.iter().enumerate() {
            let mut place = 0;
            while place < self.depth {
                // The last tile starts early and adds only what is new.
                let start = place.min(self.depth - D);
                let mut sums;
                // SAFETY: the addresses stay within what `run` has checked.
                unsafe {
                    sums = [[S::splat(0.0); V]; D];
                    let mut input = self
                        .view
                        .values
                        .as_ptr()
                        .add(self.first_input + walk + start);
                    let mut gradient = self.gradient.as_ptr().add(self.first);
                    for _ in 0..rows {
                        let (right, channels, columns) =
                            (self.step[1], self.channels, self.columns);
                        if tail == S::LANES {
                            outer::<S, V, D, true>(
                                &mut sums, input, right, gradient, channels, tail, columns,
                            );
                        } else {
                            outer::<S, V, D, false>(
                                &mut sums, input, right, gradient, channels, tail, columns,
                            );
                        }
                        input = input.wrapping_add(self.step[0]);
                        gradient = gradient.wrapping_add(self.columns * self.channels);
                    }
                    for (d, sums) in sums.iter().enumerate().skip(place - start) {
                        let to = self
                            .sums
                            .as_mut_ptr()
                            .add((index * self.depth + start + d) * self.width);
                        for (v, &sum) in sums.iter().enumerate() {
                            let to = to.add(v * S::LANES);
                            S::store(to, S::add(S::load(to), sum));
                        }
                    }
                }
                place = start + D;
            }
        }
    }
}

/// `sums[d][v] += sum over n of input[n * input_step + d] * gradient[n * gradient_step + v *
/// LANES..]`, where the last vector holds `tail` values, or all of them where `FULL`.
///
/// # Safety
/// The instructions of `S`; both addresses are valid for `count` steps, `D` values and `V` vectors.
#[inline(always)]
pub(crate) unsafe fn outer<S: Simd, const V: usize, const D: usize, const FULL: bool>(
    sums: &mut [[S::Vector; V]; D],
    mut input: *const f32,
    input_step: usize,
    mut gradient: *const f32,
    gradient_step: usize,
    tail: usize,
    count: usize,
) {
    let mut local = *sums;
    // SAFETY: the contract.
    unsafe {
        for _ in 0..count {
            let mut vectors = [S::splat(0.0); V];
            for (v, vector) in vectors.iter_mut().enumerate() {
                let from = gradient.add(v * S::LANES);
                *vector = if FULL || v + 1 < V {
                    S::load(from)
                } else {
                    S::load_first(from, tail)
                };
            }
            for (d, sums) in local.iter_mut().enumerate() {
                let value = S::splat(*input.add(d));
                for v in 0..V {
                    sums[v] = S::mul_add(value, vectors[v], sums[v]);
                }
            }
            input = input.wrapping_add(input_step);
            gradient = gradient.wrapping_add(gradient_step);
        }
    }
    *sums = local;
}
