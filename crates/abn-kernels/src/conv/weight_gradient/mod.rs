//! The gradient of the weight: for every kernel value, the sum over all positions of input times
//! output gradient.
//!
//! Every task has some places of the kernel (row, column, input channel) by some panels of output
//! channels, and runs over the chunks of a portion of the positions. What it reads of a chunk is
//! packed first, so that a register tile walks through memory in its order.

mod packed;
mod pointwise;
mod windows;

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::{Line, Output};
use crate::simd::InstructionSet;

use super::chunks::{Chunk, Chunks};
use super::{Convolution, winograd};

/// Input channels of a group from which it pays to pack what the positions of a kernel of one value
/// read.
const MANY: usize = 16;

/// Positions of a chunk, about: their values of a panel stay in the first-level cache.
const POSITIONS: usize = 256;

/// Gradient of the weight, given that of the output (both activations channels last).
///
/// The positions are summed in fixed chunks, so the result depends on the shapes alone.
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
    if winograd::Tiles::Two.serves_gradients(geometry) {
        return winograd::weight_gradient(set, geometry, input, output_gradient, weight_gradient);
    }
    let values = geometry.kernel[0] * geometry.kernel[1];
    let order = Order {
        output: geometry.group_in() * values,
        input: values,
    };
    weight_sums(
        set,
        geometry,
        input,
        output_gradient,
        order,
        weight_gradient,
    );
}

/// Distances of neighbouring output and input channels in a gradient of weights; the values of a
/// kernel lie side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) output: usize,
    pub(crate) input: usize,
}

/// The sums over the positions, in that order.
pub(crate) fn weight_sums(
    set: InstructionSet,
    geometry: &Convolution,
    input: &[f32],
    output_gradient: &[f32],
    order: Order,
    weight_gradient: &mut [f32],
) {
    let pointwise = geometry.kernel == [1, 1]
        && [geometry.padding_before, geometry.padding_after] == [[0, 0]; 2]
        && geometry.group_in() >= MANY;
    let shape = Shape::of(set, geometry);
    let chunks = Chunks::of(
        geometry.batch,
        geometry.output(),
        POSITIONS,
        geometry.weight_len(),
    );
    let portions = chunks.portions();
    let mut lines = Line::zeroed_by_all(portions * geometry.groups * shape.of_group());
    let sums = Output::new(Line::values_mut(&mut lines));
    let of_places = if pointwise {
        shape.places.div_ceil(pointwise::PLACES)
    } else {
        1
    };
    let together = shape.together(portions * geometry.groups * of_places);
    let blocks = [of_places, shape.panels.div_ceil(together)];
    let tasks = portions * geometry.groups * blocks[0] * blocks[1];
    (0..tasks).into_par_iter().for_each(|task| {
        let part =
            |index: usize, step: usize, end: usize| index * step..((index + 1) * step).min(end);
        let (task, of_places) = (task / blocks[0], task % blocks[0]);
        let (task, of_panels) = (task / blocks[1], task % blocks[1]);
        let (portion, group) = (task / geometry.groups, task % geometry.groups);
        let task = Task {
            set,
            geometry,
            shape,
            chunks,
            input,
            gradient: output_gradient,
            portion,
            group,
            panels: part(of_panels, together, shape.panels),
            first_sum: (portion * geometry.groups + group) * shape.of_group(),
            sums,
        };
        if pointwise {
            pointwise::run(&task, part(of_places, pointwise::PLACES, shape.places));
        } else {
            windows::run(&task);
        }
    });
    let join = Join {
        geometry,
        shape,
        portions,
        sums: Line::values(&lines),
        order,
    };
    join.run(Output::new(weight_gradient));
}

/// The sums of a group, `[panel, place, channel of the panel]`.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// Kernel values by input channels.
    places: usize,
    /// Output channels of a panel.
    width: usize,
    panels: usize,
}

impl Shape {
    /// Output channels whose gradients a task packs, about: with the patches they stay in the
    /// second-level cache.
    const CHANNELS: usize = 256;

    fn of(set: InstructionSet, geometry: &Convolution) -> Self {
        let width = set.panel(geometry.group_out());
        Self {
            places: geometry.kernel[0] * geometry.kernel[1] * geometry.group_in(),
            width,
            panels: geometry.group_out().div_ceil(width),
        }
    }

    fn of_group(self) -> usize {
        self.panels * self.places * self.width
    }

    /// Panels of a task, where there are so many tasks for each: so many that every thread has two
    /// tasks at least. Which panels share a task, and thereby what is packed, changes no sum.
    fn together(self, tasks: usize) -> usize {
        let most = (Self::CHANNELS / self.width).min(self.panels);
        let wanted = 2 * rayon::current_num_threads();
        (tasks * self.panels / wanted).clamp(1, most)
    }
}

/// Some panels of a group, summed over a portion of the positions.
struct Task<'a> {
    set: InstructionSet,
    geometry: &'a Convolution,
    shape: Shape,
    chunks: Chunks,
    input: &'a [f32],
    gradient: &'a [f32],
    portion: usize,
    group: usize,
    panels: Range<usize>,
    /// The first sum of the group in the portion.
    first_sum: usize,
    /// Added to; nobody else uses those of these panels and places meanwhile.
    sums: Output<'a>,
}

impl Task<'_> {
    fn chunks(&self) -> impl Iterator<Item = Chunk> {
        self.chunks.of_portion(self.portion)
    }

    /// The output channels of the panels, among those of all groups.
    fn channels(&self) -> Range<usize> {
        let first = self.group * self.geometry.group_out();
        let width = self.shape.width;
        let end = (self.panels.end * width).min(self.geometry.group_out());
        first + self.panels.start * width..first + end
    }
}

/// Adds the sums of all portions, in their order, as the gradient of the weight.
struct Join<'a> {
    geometry: &'a Convolution,
    shape: Shape,
    portions: usize,
    sums: &'a [f32],
    order: Order,
}

impl Join<'_> {
    /// Places that are joined at a time.
    const PLACES: usize = 16;

    fn run(&self, gradient: Output) {
        assert_eq!(gradient.len(), self.geometry.weight_len());
        let panels = self.geometry.groups * self.shape.panels;
        (0..panels)
            .into_par_iter()
            .for_each(|panel| self.panel(panel, gradient));
    }

    /// Adds and writes the sums of a panel.
    fn panel(&self, panel: usize, gradient: Output) {
        let (geometry, shape) = (self.geometry, self.shape);
        let (group, panel) = (panel / shape.panels, panel % shape.panels);
        let first = group * shape.of_group() + panel * shape.places * shape.width;
        let of_portion = geometry.groups * shape.of_group();
        let channels = panel * shape.width..((panel + 1) * shape.width).min(geometry.group_out());
        // Some places at a time: what is read and what is written stays in the first-level cache.
        for start in (0..shape.places).step_by(Self::PLACES) {
            let count = Self::PLACES.min(shape.places - start);
            let mut offsets = [0; Self::PLACES];
            for (place, offset) in (start..start + count).zip(&mut offsets) {
                let (value, from) = (place / geometry.group_in(), place % geometry.group_in());
                *offset = from * self.order.input + value;
            }
            for (index, channel) in channels.clone().enumerate() {
                let channel = group * geometry.group_out() + channel;
                for (place, offset) in offsets.iter().enumerate().take(count) {
                    let sum = first + (start + place) * shape.width + index;
                    let parts = (0..self.portions).map(|part| self.sums[part * of_portion + sum]);
                    let at = channel * self.order.output + offset;
                    assert!(at < gradient.len());
                    // SAFETY: inside, and no other channel, input channel and value has this index.
                    unsafe { gradient.pointer().add(at).write(parts.sum()) };
                }
            }
        }
    }
}
