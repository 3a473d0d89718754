//! Kernels of one value: a product of two matrices, of which both are packed.

use std::ops::Range;

use crate::buffer::{Line, with_scratch};
use crate::simd::{Kernel, Simd};

use super::super::chunks::Chunk;
use super::super::outer::{add_to, outer};
use super::Task;
use super::packed::{AHEAD, fetch_all, pack, pack_panels};

/// Input channels of a task: a whole number of every set's tiles.
pub(super) const PLACES: usize = 336;

/// Adds the chunks of a task for some input channels.
pub(super) fn run(task: &Task, places: Range<usize>) {
    let tiles = places.len().next_multiple_of(task.set.tile());
    let most = task.chunks.most();
    let inputs_len = (most * tiles).next_multiple_of(Line::LEN);
    let gradients_len = most * task.panels.len() * task.shape.width;
    with_scratch(inputs_len + gradients_len, |scratch| {
        let (inputs, gradients) = scratch.split_at_mut(inputs_len);
        for chunk in task.chunks() {
            task.set.run(Pointwise {
                task,
                chunk,
                places: places.clone(),
                inputs,
                gradients,
            });
        }
    });
}

struct Pointwise<'a> {
    task: &'a Task<'a>,
    chunk: Chunk,
    /// Input channels of the group.
    places: Range<usize>,
    /// `[tile, position, channel of the tile]`.
    inputs: &'a mut [f32],
    /// `[panel, position, channel of the panel]`.
    gradients: &'a mut [f32],
}

impl Kernel for Pointwise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        match S::TILE {
            14 => self.tiles::<S, 14>(),
            6 => self.tiles::<S, 6>(),
            _ => self.tiles::<S, 2>(),
        }
    }
}

impl Pointwise<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const D: usize>(mut self) {
        let count = self.pack::<D>();
        let Task { shape, panels, .. } = self.task;
        let end = self.task.first_sum + panels.end * shape.places * shape.width;
        assert!(self.places.end <= shape.places && end <= self.task.sums.len());
        // SAFETY: the instructions are there, and the sums, as asserted.
        unsafe {
            if shape.width > S::LANES {
                self.products::<S, 2, D>(count);
            } else {
                self.products::<S, 1, D>(count);
            }
        }
    }

    /// Packs inputs and gradients; gives the number of positions.
    #[inline(always)]
    fn pack<const D: usize>(&mut self) -> usize {
        let Task {
            geometry,
            input,
            gradient,
            ..
        } = *self.task;
        let [height, columns] = geometry.output();
        let count = self.chunk.images.len() * self.chunk.rows.len() * columns;
        let places = self.task.group * geometry.group_in() + self.places.start;
        let channels = self.task.channels();
        let step = geometry.stride[1] * geometry.channels_in;
        let mut index = 0;
        for image in self.chunk.images.clone() {
            for row in self.chunk.rows.clone() {
                let line = image * geometry.input[0] + row * geometry.stride[0];
                let mut from = line * geometry.input[1] * geometry.channels_in + places;
                let line = image * height + row;
                let mut to = line * columns * geometry.channels_out + channels.start;
                for _ in 0..columns {
                    let ahead = input.as_ptr().wrapping_add(from + AHEAD * step);
                    fetch_all(ahead, self.places.len());
                    let ahead = AHEAD * geometry.channels_out;
                    fetch_all(gradient.as_ptr().wrapping_add(to + ahead), channels.len());
                    let row = &input[from..][..self.places.len()];
                    pack::<D>(row, index, count, self.inputs);
                    let row = &gradient[to..][..channels.len()];
                    pack_panels(self.task.shape.width, row, index, count, self.gradients);
                    index += 1;
                    from += step;
                    to += geometry.channels_out;
                }
            }
        }
        count
    }

    /// # Safety
    /// The instructions of `S`; so many positions are packed, and the sums are there.
    #[inline(always)]
    unsafe fn products<S: Simd, const V: usize, const D: usize>(&self, count: usize) {
        let width = V * S::LANES;
        for (index, panel) in self.task.panels.clone().enumerate() {
            let gradients = &self.gradients[index * count * width..][..count * width];
            for (tile, place) in self.places.clone().step_by(D).enumerate() {
                let inputs = &self.inputs[tile * count * D..][..count * D];
                let to = self.task.first_sum + (panel * self.task.shape.places + place) * width;
                // SAFETY: both operands are as long as cut above; the sums by the contract.
                unsafe {
                    let mut sums = [[S::splat(0.0); V]; D];
                    outer::<S, V, D>(
                        &mut sums,
                        inputs.as_ptr(),
                        D,
                        gradients.as_ptr(),
                        width,
                        count,
                    );
                    for (d, sums) in sums.iter().enumerate().take(self.places.end - place) {
                        add_to::<S, V>(self.task.sums.pointer().add(to + d * width), sums);
                    }
                }
            }
        }
    }
}
