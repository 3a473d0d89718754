//! A visit to every position of every image.

use std::ops::Range;

use rayon::prelude::*;

use crate::simd::{InstructionSet, Kernel, Simd};

/// What happens at a position.
pub(super) trait Visit: Sync {
    /// Computes `V` vectors of channels at a place.
    ///
    /// # Safety
    /// The instructions of `S`; the place lies in the images that the visitor was made for, and is
    /// visited once.
    unsafe fn visit<S: Simd, const V: usize>(&self, place: Place);
}

/// Some channels of a position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) image: usize,
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) channel: usize,
    /// Values of each vector, fewer than `LANES` only where the vector is the only one.
    pub(super) count: usize,
}

/// Values of a part.
const PART: usize = 32 * 1024;

/// Visits all positions of `batch` images on all threads.
///
/// # Safety
/// The visitor was made for images of that size.
pub(super) unsafe fn walk(
    set: InstructionSet,
    batch: usize,
    [height, width]: [usize; 2],
    channels: usize,
    visitor: &impl Visit,
) {
    let step = (PART / (width * channels).max(1)).clamp(1, height.max(1));
    let parts = height.div_ceil(step);
    (0..batch * parts).into_par_iter().for_each(|index| {
        let start = index % parts * step;
        let rows = start..(start + step).min(height);
        set.run(Walk {
            visitor,
            image: index / parts,
            rows,
            width,
            channels,
        });
    });
}

struct Walk<'a, V> {
    visitor: &'a V,
    image: usize,
    rows: Range<usize>,
    width: usize,
    channels: usize,
}

impl<T: Visit> Kernel for Walk<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self {
            visitor,
            image,
            channels,
            ..
        } = self;
        for row in self.rows {
            for column in 0..self.width {
                let place = |channel: usize, count: usize| Place {
                    image,
                    row,
                    column,
                    channel,
                    count,
                };
                let mut channel = 0;
                // SAFETY: the contract of `walk`.
                unsafe {
                    while channel + 4 * S::LANES <= channels {
                        visitor.visit::<S, 4>(place(channel, S::LANES));
                        channel += 4 * S::LANES;
                    }
                    while channel + S::LANES <= channels {
                        visitor.visit::<S, 1>(place(channel, S::LANES));
                        channel += S::LANES;
                    }
                    if channel < channels {
                        visitor.visit::<S, 1>(place(channel, channels - channel));
                    }
                }
            }
        }
    }
}

impl Place {
    /// The vectors of the same channels at another position.
    ///
    /// # Safety
    /// The instructions of `S`; `position` lies in the images at `values`.
    #[inline(always)]
    pub(super) unsafe fn load<S: Simd, const V: usize>(
        &self,
        values: *const f32,
        position: usize,
        channels: usize,
    ) -> [S::Vector; V] {
        // SAFETY: the contract.
        unsafe {
            let from = values.add(position * channels + self.channel);
            let mut vectors = [S::splat(0.0); V];
            for (v, vector) in vectors.iter_mut().enumerate() {
                *vector = S::load_up_to(from.add(v * S::LANES), self.count);
            }
            vectors
        }
    }

    /// Writes vectors of these channels.
    ///
    /// # Safety
    /// The same.
    #[inline(always)]
    pub(super) unsafe fn store<S: Simd, const V: usize>(
        &self,
        values: *mut f32,
        position: usize,
        channels: usize,
        vectors: [S::Vector; V],
    ) {
        // SAFETY: the contract.
        unsafe {
            let to = values.add(position * channels + self.channel);
            for (v, vector) in vectors.into_iter().enumerate() {
                S::store_up_to(to.add(v * S::LANES), vector, self.count);
            }
        }
    }
}
