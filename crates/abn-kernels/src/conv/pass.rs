//! One pass over an image grid: the forward convolution, or one phase of the input gradient.

use crate::buffer::{Output, with_scratch};
use crate::simd::InstructionSet;

use super::gather::{Finish, Gather, Position};
use super::padded::Frame;
use super::panels::Panels;
use super::taps::Taps;
use super::tasks::Tasks;

/// A regular grid of output positions, each of which gathers inputs through the same taps.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    /// Images.
    pub(crate) batch: usize,
    /// Positions of an image.
    pub(crate) positions: [usize; 2],
    pub(crate) groups: usize,
    /// What the positions read.
    pub(crate) reads: Side,
    /// First input of the first position: outside the image where negative.
    pub(crate) first_read: [isize; 2],
    pub(crate) taps: Taps,
    /// What the positions write.
    pub(crate) writes: Side,
    /// The output of the first position.
    pub(crate) first_write: [usize; 2],
}

/// One side of a pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side {
    /// Height and width of an image.
    pub(crate) size: [usize; 2],
    /// Channels of all groups.
    pub(crate) channels: usize,
    /// Rows and columns from one position to the next.
    pub(crate) step: [usize; 2],
}

impl Pass {
    /// Computes all positions from `input` with the panels of every group.
    pub(crate) fn run(
        &self,
        set: InstructionSet,
        input: &[f32],
        panels: &[Panels],
        finish: Finish,
        output: Output,
    ) {
        let Self { reads, writes, .. } = self;
        let [height, width] = self.positions;
        let span = self.taps.span();
        let frame_width = (width - 1) * reads.step[1] + span[1];
        let rows = |rows: usize| (rows - 1) * reads.step[0] + span[0];
        let tasks = Tasks::of([self.batch, height, panels[0].count()], width, |lines| {
            let written = lines * width * writes.channels;
            // With a residual, or what the cache fetches before it is written.
            rows(lines) * frame_width * reads.channels + 2 * written
        });
        tasks.run(|images, lines, computed| {
            let top = self.first_read[0] + (lines.start * reads.step[0]) as isize;
            let left = self.first_read[1];
            let frame = Frame {
                images: images.clone(),
                rows: top..top + rows(lines.len()) as isize,
                columns: left..left + frame_width as isize,
                channels: 0..reads.channels,
            };
            let column = self.taps.column(reads.channels, reads.step);
            with_scratch(frame.len(column), |scratch| {
                let view = frame.view(input, reads.size, reads.channels, column, scratch);
                let mut positions = Vec::with_capacity(images.len() * lines.len() * width);
                for (index, image) in images.enumerate() {
                    for (line, row) in lines.clone().enumerate() {
                        let from = index * view.image + line * reads.step[0] * view.row;
                        let row = self.first_write[0] + row * writes.step[0];
                        let to =
                            (image * writes.size[0] + row) * writes.size[1] + self.first_write[1];
                        positions.extend((0..width).map(|column| Position {
                            input: from + column * reads.step[1] * view.column,
                            output: (to + column * writes.step[1]) * writes.channels,
                        }));
                    }
                }
                let walks = self.taps.walks(view.row, view.column);
                for (group, panels) in panels.iter().enumerate() {
                    set.run(Gather {
                        input: &view.values[group * (reads.channels / self.groups)..],
                        panels,
                        walks: &walks,
                        positions: &positions,
                        finish,
                        channel: group * (writes.channels / self.groups),
                        computed: computed.clone(),
                        output,
                    });
                }
            });
        });
    }
}
