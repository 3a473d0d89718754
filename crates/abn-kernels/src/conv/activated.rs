//! A 1x1 convolution of features behind a batch norm and a ReLU, as DenseNet has them: what is
//! normalised is never written to memory, only a few positions at a time to a cache.

use rayon::prelude::*;

use crate::buffer::{Output, with_scratch};
use crate::norm::{Affine, Part};
use crate::simd::InstructionSet;

use super::gather::{Finish, Gather, Position};
use super::panels::Panels;
use super::taps::spread;
use super::tasks::PER_THREAD;

/// Values that a task reads and writes at most: they stay in the second-level cache for all output
/// channels.
const VALUES: usize = 128 * 1024;
/// Positions of a task are a multiple of it, and so whole tiles of every instruction set.
const TOGETHER: usize = 84;

/// Convolves the first channels of `input` `[positions, width]` after `before` with the panels of a
/// 1x1 kernel; `output` is `[positions, output channels]`.
pub(super) fn convolve(
    set: InstructionSet,
    panels: &Panels,
    [width, positions]: [usize; 2],
    input: &[f32],
    before: Affine,
    finish: Finish,
    output: Output,
) {
    let outputs = panels.channels;
    let column = spread(panels.depth);
    let together = (VALUES / (column + outputs))
        .min(positions.div_ceil(PER_THREAD * rayon::current_num_threads()))
        .next_multiple_of(TOGETHER);
    let task = |first: usize| {
        let count = together.min(positions - first);
        with_scratch(count * column, |activated| {
            set.run(Part {
                width,
                input: &input[first * width..][..count * width],
                affine: before,
                column,
                output: activated,
            });
            let place = |index| Position {
                input: index * column,
                output: (first + index) * outputs,
            };
            let positions: Vec<Position> = (0..count).map(place).collect();
            set.run(Gather {
                input: activated,
                panels,
                walks: &[0],
                positions: &positions,
                finish,
                channel: 0,
                computed: 0..panels.count(),
                output,
            });
        });
    };
    let tasks = positions.div_ceil(together);
    (0..tasks)
        .into_par_iter()
        .for_each(|index| task(index * together));
}
