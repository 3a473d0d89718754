//! The gradient of the weight: for every kernel value, the sum over all positions of input times
//! output gradient.

use rayon::prelude::*;

use crate::buffer::{Line, with_scratch};
use crate::simd::InstructionSet;

use super::forward::taps;
use super::outer::Outer;
use super::padded::Frame;
use super::portions::Portions;
use super::taps::spread;
use super::{Convolution, weight_index, winograd};

/// Values of input and gradient that a task works on at a time.
const SLAB: usize = 64 * 1024;

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
    let portions = Portions::of(geometry.batch, geometry.weight_len());
    let sums_len = portions.count * geometry.groups * panels * panel_len;
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
            for image in portions.images(part) {
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
                    let sum = (0..portions.count)
                        .map(|part| sums[part * per_portion + at])
                        .sum();
                    gradient[weight_index(geometry, 0, from, value)] = sum;
                }
            }
        });
}
