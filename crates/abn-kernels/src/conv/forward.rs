//! The forward pass of a convolution.

use std::ops::Range;

use crate::buffer::{Output, with_scratch};
use crate::simd::InstructionSet;

use super::gather::{Finish, Gather, Position};
use super::padded::Frame;
use super::panels::Panels;
use super::tasks::Tasks;
use super::Convolution;

/// Convolves `input` (channels last) with `weight` (output channel, input channel of the group, row, column) into
/// `output` (channels last), and finishes every value.
///
/// # Panics
/// A length does not fit the shapes.
pub fn forward(
    set: InstructionSet,
    geometry: &Convolution,
    input: &[f32],
    weight: &[f32],
    finish: Finish,
    output: &mut [f32],
) {
    assert_eq!(input.len(), geometry.input_len(), "input of {geometry:?}");
    assert_eq!(weight.len(), geometry.weight_len(), "weight of {geometry:?}");
    assert_eq!(output.len(), geometry.output_len(), "output of {geometry:?}");
    assert!(finish.bias.is_none_or(|bias| bias.len() == geometry.channels_out), "bias of {geometry:?}");
    assert!(finish.residual.is_none_or(|residual| residual.len() == output.len()), "residual of {geometry:?}");
    let [height, width] = geometry.output();
    let output = Output::new(output);
    let rows = KernelRows::of(geometry);
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let packed: Vec<Panels> = (0..geometry.groups)
        .map(|group| {
            let weight = &weight[group * group_out * group_in * rows.kernel[0] * rows.kernel[1]..];
            rows.pack(set, group_in, group_out, |channel, from, [row, column]| {
                weight[((channel * group_in + from) * rows.kernel[0] + row) * rows.kernel[1] + column]
            })
        })
        .collect();
    let row_len = (geometry.input[1] + geometry.padding_before[1] + geometry.padding_after[1])
        * geometry.channels_in;
    let tasks = Tasks::of(geometry.batch, height, packed[0].count(), |rows| {
        ((rows - 1) * geometry.stride[0] + geometry.span(0)) * row_len
    }, width);
    tasks.run(|images: Range<usize>, lines: Range<usize>, panels: Range<usize>| {
        let frame = Frame::of_outputs(geometry, images.clone(), lines.clone());
        with_scratch(frame.len(geometry.channels_in), |scratch| {
            let view = frame.view(input, geometry.input, geometry.channels_in, scratch);
            let mut positions = Vec::with_capacity(images.len() * lines.len() * width);
            for (index, image) in images.enumerate() {
                for (line, row) in lines.clone().enumerate() {
                    let from = index * view.image + line * geometry.stride[0] * view.row;
                    let to = (image * height + row) * width;
                    positions.extend((0..width).map(|column| Position {
                        input: from + column * geometry.stride[1] * view.column,
                        output: (to + column) * geometry.channels_out,
                    }));
                }
            }
            let offsets = rows.offsets(geometry.dilation, view.row, view.column);
            for (group, packed) in packed.iter().enumerate() {
                let channel = group * group_out;
                set.run(Gather {
                    input: &view.values[group * group_in..],
                    panels: packed,
                    rows: &offsets,
                    positions: &positions,
                    finish,
                    channel,
                    computed: panels.clone(),
                    output,
                });
            }
        });
    });
}

/// How a kernel is cut into rows whose values lie side by side in the input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KernelRows {
    kernel: [usize; 2],
    /// Columns and channels are contiguous: one row for each kernel row, else one for each kernel value.
    joined: bool,
}

impl KernelRows {
    pub(crate) fn of(geometry: &Convolution) -> Self {
        Self::new(geometry.kernel, geometry.groups == 1 && geometry.dilation[1] == 1)
    }

    pub(crate) fn new(kernel: [usize; 2], joined: bool) -> Self {
        Self { kernel, joined: joined || kernel[1] == 1 }
    }

    /// Packs `weight(output channel, input channel, [row, column])` of a group.
    pub(crate) fn pack(
        &self,
        set: InstructionSet,
        channels_in: usize,
        channels_out: usize,
        weight: impl Fn(usize, usize, [usize; 2]) -> f32 + Sync,
    ) -> Panels {
        let lanes = set.lanes();
        let width = if channels_out > lanes { 2 * lanes } else { lanes };
        let [height, columns] = self.kernel;
        if self.joined {
            Panels::pack(width, channels_out, height, columns * channels_in, |channel, row, at| {
                weight(channel, at % channels_in, [row, at / channels_in])
            })
        } else {
            Panels::pack(width, channels_out, height * columns, channels_in, |channel, row, at| {
                weight(channel, at, [row / columns, row % columns])
            })
        }
    }

    /// Offset of each row from the first value under the kernel.
    pub(crate) fn offsets(&self, dilation: [usize; 2], row: usize, column: usize) -> Vec<usize> {
        let [height, columns] = self.kernel;
        let columns = if self.joined { 1 } else { columns };
        (0..height * columns)
            .map(|at| at / columns * dilation[0] * row + at % columns * dilation[1] * column)
            .collect()
    }
}
