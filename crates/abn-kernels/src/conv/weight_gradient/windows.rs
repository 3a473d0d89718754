//! Kernels of several values: the inputs are read where they lie in a frame with its zeros, the
//! gradients are packed.

use crate::buffer::{Line, with_scratch};
use crate::simd::{Kernel, Simd};

use super::super::chunks::Chunk;
use super::super::forward::taps;
use super::super::outer::{add_to, outer};
use super::super::padded::{Frame, View};
use super::super::taps::spread;
use super::Task;
use super::packed::{AHEAD, fetch_all, pack_panels};

/// Adds the chunks of a task.
pub(super) fn run(task: &Task) {
    let geometry = task.geometry;
    let taps = taps(geometry);
    let [_, columns] = geometry.output();
    let span = taps.span();
    let group = task.group * geometry.group_in();
    let column = spread(geometry.group_in());
    let gradients_len =
        (task.chunks.most() * task.panels.len() * task.shape.width).next_multiple_of(Line::LEN);
    for chunk in task.chunks() {
        let top =
            (chunk.rows.start * geometry.stride[0]) as isize - geometry.padding_before[0] as isize;
        let left = -(geometry.padding_before[1] as isize);
        let rows = (chunk.rows.len() - 1) * geometry.stride[0] + span[0];
        let width = (columns - 1) * geometry.stride[1] + span[1];
        let frame = Frame {
            images: chunk.images.clone(),
            rows: top..top + rows as isize,
            columns: left..left + width as isize,
            channels: group..group + geometry.group_in(),
        };
        with_scratch(gradients_len + frame.len(column), |scratch| {
            let (gradients, scratch) = scratch.split_at_mut(gradients_len);
            let view = frame.view(
                task.input,
                geometry.input,
                geometry.channels_in,
                column,
                scratch,
            );
            task.set.run(Windows {
                task,
                chunk,
                view,
                walks: &taps.walks(view.row, view.column),
                depth: taps.depth(),
                gradients,
            });
        });
    }
}

struct Windows<'a> {
    task: &'a Task<'a>,
    chunk: Chunk,
    view: View<'a>,
    walks: &'a [usize],
    depth: usize,
    /// `[panel, position, channel of the panel]`.
    gradients: &'a mut [f32],
}

impl Kernel for Windows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let count = self.pack();
        let Task {
            geometry,
            shape,
            panels,
            first_sum,
            sums,
            ..
        } = self.task;
        assert_eq!(self.walks.len() * self.depth, shape.places);
        assert!(first_sum + panels.end * shape.places * shape.width <= sums.len());
        let [_, columns] = geometry.output();
        let last = (self.chunk.images.len() - 1) * self.view.image
            + (self.chunk.rows.len() - 1) * geometry.stride[0] * self.view.row
            + (columns - 1) * geometry.stride[1] * self.view.column;
        let reach = self.walks.iter().max().map_or(0, |walk| walk + self.depth);
        assert!(
            last + reach <= self.view.values.len(),
            "a position reads outside"
        );
        // SAFETY: the instructions are there; all addresses are checked above.
        unsafe {
            if shape.width > S::LANES {
                self.places::<S, 2>(count);
            } else {
                self.places::<S, 1>(count);
            }
        }
    }
}

impl Windows<'_> {
    /// Packs the gradients; gives the number of positions.
    #[inline(always)]
    fn pack(&mut self) -> usize {
        let Task {
            geometry, gradient, ..
        } = *self.task;
        let [height, columns] = geometry.output();
        let count = self.chunk.images.len() * self.chunk.rows.len() * columns;
        let channels = self.task.channels();
        let mut index = 0;
        for image in self.chunk.images.clone() {
            let first = (image * height + self.chunk.rows.start) * columns;
            for position in first..first + self.chunk.rows.len() * columns {
                let at = position * geometry.channels_out + channels.start;
                let ahead = AHEAD * geometry.channels_out;
                fetch_all(gradient.as_ptr().wrapping_add(at + ahead), channels.len());
                let row = &gradient[at..][..channels.len()];
                pack_panels(self.task.shape.width, row, index, count, self.gradients);
                index += 1;
            }
        }
        count
    }

    /// # Safety
    /// The instructions of `S`; so many positions are packed, and all lengths are checked.
    #[inline(always)]
    unsafe fn places<S: Simd, const V: usize>(&self, count: usize) {
        // SAFETY: passed on.
        unsafe {
            match (S::TILE, self.depth) {
                (14, depth) if depth >= 12 && depth % 8 != 0 || depth % 12 == 0 => {
                    self.tiles::<S, V, 12>(count)
                }
                (14, 8..) => self.tiles::<S, V, 8>(count),
                (6, depth) if depth >= 6 && depth % 4 != 0 || depth % 6 == 0 => {
                    self.tiles::<S, V, 6>(count)
                }
                (14 | 6, 4..) => self.tiles::<S, V, 4>(count),
                (2, 2..) => self.tiles::<S, V, 2>(count),
                _ => self.tiles::<S, V, 1>(count),
            }
        }
    }

    /// # Safety
    /// As for `places`; the depth is at least `D`.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const V: usize, const D: usize>(&self, count: usize) {
        let Task {
            geometry, shape, ..
        } = self.task;
        let [_, columns] = geometry.output();
        let width = V * S::LANES;
        let step = [
            geometry.stride[0] * self.view.row,
            geometry.stride[1] * self.view.column,
        ];
        for (index, panel) in self.task.panels.clone().enumerate() {
            let gradients = &self.gradients[index * count * width..][..count * width];
            for (walk, &first) in self.walks.iter().enumerate() {
                let mut place = 0;
                while place < self.depth {
                    // The last tile starts early and adds only what is new.
                    let start = place.min(self.depth - D);
                    let to = panel * shape.places + walk * self.depth + start;
                    // SAFETY: the addresses stay within what `run` has checked.
                    unsafe {
                        let mut sums = [[S::splat(0.0); V]; D];
                        let mut gradient = gradients.as_ptr();
                        for image in 0..self.chunk.images.len() {
                            for row in 0..self.chunk.rows.len() {
                                let at = image * self.view.image + row * step[0] + first + start;
                                let input = self.view.values.as_ptr().add(at);
                                outer::<S, V, D>(
                                    &mut sums, input, step[1], gradient, width, columns,
                                );
                                gradient = gradient.add(columns * width);
                            }
                        }
                        for (d, sums) in sums.iter().enumerate().skip(place - start) {
                            let to = self.task.first_sum + (to + d) * width;
                            add_to::<S, V>(self.task.sums.pointer().add(to), sums);
                        }
                    }
                    place = start + D;
                }
            }
        }
    }
}
