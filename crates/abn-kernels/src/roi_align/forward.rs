//! The features of regions.

use rayon::prelude::*;

use super::{Axis, Features, Grid, Region};
use crate::simd::{InstructionSet, Kernel, Simd};

/// The features of each region, `[regions, rows of bins, columns of bins, channels]`.
///
/// # Panics
/// A length does not fit, a bound is not finite, or a region is of no image.
pub fn align(
    set: InstructionSet,
    grid: &Grid,
    features: &Features,
    regions: &[Region],
    input: &[f32],
    output: &mut [f32],
) {
    features.check(regions, input.len());
    let of_region = grid.bins[0] * grid.bins[1] * features.channels;
    assert_eq!(output.len(), regions.len() * of_region, "of {grid:?}");
    let outputs = output.par_chunks_mut(of_region.max(1));
    outputs.zip(regions).for_each(|(output, region)| {
        let [rows, columns] = Axis::both(grid, region, features.size);
        let of_image = features.of_image();
        set.run(Align {
            bins: grid.bins,
            rows,
            columns,
            width: features.size[1],
            channels: features.channels,
            input: &input[region.image * of_image..][..of_image],
            output,
        });
    });
}

/// One region.
struct Align<'a> {
    bins: [usize; 2],
    rows: Axis,
    columns: Axis,
    width: usize,
    channels: usize,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Kernel for Align<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        for row in 0..self.bins[0] {
            for column in 0..self.bins[1] {
                let mut channel = 0;
                // SAFETY: the channels are those of a position and of a bin.
                unsafe {
                    while channel + 4 * S::LANES <= self.channels {
                        self.bin::<S, 4>(row, column, channel, S::LANES);
                        channel += 4 * S::LANES;
                    }
                    while channel < self.channels {
                        let count = S::LANES.min(self.channels - channel);
                        self.bin::<S, 1>(row, column, channel, count);
                        channel += count;
                    }
                }
            }
        }
    }
}

impl Align<'_> {
    /// `V` vectors of channels of a bin, of `count` values each.
    ///
    /// # Safety
    /// The instructions of `S`; the channels from `channel` on are there, and `count` is fewer than
    /// `LANES` only where `V` is 1.
    #[inline(always)]
    unsafe fn bin<S: Simd, const V: usize>(
        &mut self,
        row: usize,
        column: usize,
        channel: usize,
        count: usize,
    ) {
        // SAFETY: taps lie in the image, and the bin in the output.
        unsafe {
            let mut sums = [S::splat(0.0); V];
            for row in self.rows.of_bin(row) {
                for column in self.columns.of_bin(column) {
                    let weight = S::splat((row.weight * column.weight) as f32);
                    let position = row.at * self.width + column.at;
                    let from = self.input.as_ptr().add(position * self.channels + channel);
                    for (v, sum) in sums.iter_mut().enumerate() {
                        let values = S::load_up_to(from.add(v * S::LANES), count);
                        *sum = S::mul_add(weight, values, *sum);
                    }
                }
            }
            let bin = row * self.bins[1] + column;
            let to = self.output.as_mut_ptr().add(bin * self.channels + channel);
            for (v, sum) in sums.into_iter().enumerate() {
                S::store_up_to(to.add(v * S::LANES), sum, count);
            }
        }
    }
}
