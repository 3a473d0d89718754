//! The gradient of the features from that of the regions.

use rayon::prelude::*;

use super::{Axis, Features, Grid, Region};
use crate::simd::{InstructionSet, Kernel, Simd};

/// Rows of a part, each of which goes through all regions of its image.
const ROWS: usize = 8;

/// The gradient of the features; regions get none. Every position adds up the regions in their
/// order, whatever the threads.
///
/// # Panics
/// As for [`align`](super::align).
pub fn align_backward(
    set: InstructionSet,
    grid: &Grid,
    features: &Features,
    regions: &[Region],
    gradient: &[f32],
    input_gradient: &mut [f32],
) {
    features.check(regions, input_gradient.len());
    let of_region = grid.bins[0] * grid.bins[1] * features.channels;
    assert_eq!(gradient.len(), regions.len() * of_region, "of {grid:?}");
    let [height, width] = features.size;
    let axes = regions.par_iter();
    let axes: Vec<[Axis; 2]> = axes
        .map(|region| Axis::both(grid, region, features.size))
        .collect();
    let row = width * features.channels;
    let images = input_gradient.par_chunks_mut((height * row).max(1));
    images.enumerate().for_each(|(image, of_image)| {
        let parts = of_image.par_chunks_mut((ROWS * row).max(1));
        parts.enumerate().for_each(|(part, rows)| {
            rows.fill(0.0);
            set.run(Scatter {
                grid,
                regions,
                axes: &axes,
                image,
                first: part * ROWS,
                channels: features.channels,
                row,
                gradient,
                rows,
            });
        });
    });
}

/// Some rows of an image.
struct Scatter<'a> {
    grid: &'a Grid,
    regions: &'a [Region],
    axes: &'a [[Axis; 2]],
    image: usize,
    /// The first row.
    first: usize,
    channels: usize,
    /// Values of a row.
    row: usize,
    gradient: &'a [f32],
    rows: &'a mut [f32],
}

impl Kernel for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let [height, width] = self.grid.bins;
        let own = self.first..self.first + self.rows.len() / self.row.max(1);
        for (number, (region, [rows, columns])) in self.regions.iter().zip(self.axes).enumerate() {
            if region.image != self.image {
                continue;
            }
            for bin_row in 0..height {
                for row in rows.of_bin(bin_row) {
                    if !own.contains(&row.at) {
                        continue;
                    }
                    for bin_column in 0..width {
                        let bin = (number * height + bin_row) * width + bin_column;
                        for column in columns.of_bin(bin_column) {
                            let weight = (row.weight * column.weight) as f32;
                            let at = (row.at - self.first) * self.row + column.at * self.channels;
                            // SAFETY: the row is one of the part's, and the bin of the gradient.
                            unsafe { self.add::<S>(weight, bin * self.channels, at) }
                        }
                    }
                }
            }
        }
    }
}

impl Scatter<'_> {
    /// Adds the weighted channels of a bin to those of a position.
    ///
    /// # Safety
    /// The instructions of `S`; both places have all channels.
    #[inline(always)]
    unsafe fn add<S: Simd>(&mut self, weight: f32, bin: usize, position: usize) {
        // SAFETY: the contract.
        unsafe {
            let weight = S::splat(weight);
            let from = self.gradient.as_ptr().add(bin);
            let to = self.rows.as_mut_ptr().add(position);
            let mut channel = 0;
            while channel < self.channels {
                let count = S::LANES.min(self.channels - channel);
                let sum = S::load_up_to(to.add(channel), count);
                let values = S::load_up_to(from.add(channel), count);
                let sum = S::mul_add(weight, values, sum);
                S::store_up_to(to.add(channel), sum, count);
                channel += count;
            }
        }
    }
}
