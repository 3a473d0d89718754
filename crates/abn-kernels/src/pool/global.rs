//! Means and maxima of whole images, `[batch, positions, channels]` to `[batch, channels]`.

use rayon::prelude::*;

use crate::buffer::{Buffers, Input, Output};
use crate::simd::{InstructionSet, Simd};
use crate::sweep::{Block, Pass, RUN, Rows, Sums};

use super::{Windows, maximum};

/// Images of whole positions.
fn images(channels: usize, positions: usize, len: usize) -> usize {
    let image = channels * positions;
    assert!(
        image > 0 && len.is_multiple_of(image),
        "whole images of {positions} positions, {channels} channels"
    );
    len / image
}

/// The mean of every channel over the positions.
///
/// # Panics
/// `input` holds no whole images.
pub fn global_average(
    set: InstructionSet,
    channels: usize,
    positions: usize,
    input: &[f32],
) -> Vec<f32> {
    let (batch, rows) = (images(channels, positions, input.len()), Rows::of(channels));
    let image = channels * positions;
    let average = |index: usize| {
        let mut sums = rows.sums();
        let pass = Total {
            input: Input::new(input),
            sums: &mut sums,
        };
        rows.sweep(set, index * image..(index + 1) * image, pass);
        let [sums] = sums.take();
        sums.into_iter()
            .map(|sum| (sum / positions as f64) as f32)
            .collect::<Vec<_>>()
    };
    (0..batch).into_par_iter().flat_map_iter(average).collect()
}

struct Total<'a> {
    input: Input<'a>,
    sums: &'a mut Sums<1>,
}

impl Pass for Total<'_> {
    const ROWS: usize = RUN;

    fn check(&self, end: usize, width: usize) {
        assert!(end <= self.input.len() && width <= self.sums.width());
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const V: usize>(&mut self, block: Block) {
        // SAFETY: the block is checked.
        unsafe {
            let mut sums = [S::splat(0.0); V];
            for row in 0..block.rows {
                let values = block.read::<S, V>(self.input, row);
                for v in 0..V {
                    sums[v] = S::add(sums[v], values[v]);
                }
            }
            self.sums.add::<S, V>(0, block, sums);
        }
    }
}

/// Values `[batch, channels]` at every position of the output: what a mean's gradient is, divided by
/// the positions.
///
/// # Panics
/// Lengths do not fit.
pub fn spread(channels: usize, positions: usize, values: &[f32], output: &mut [f32]) {
    let batch = images(channels, positions, output.len());
    assert_eq!(values.len(), batch * channels, "values of images");
    let rows = Rows::of(channels);
    let images = output.par_chunks_exact_mut(channels * positions);
    images
        .zip(values.par_chunks_exact(channels))
        .for_each(|(image, values)| {
            let row = &rows.repeat(values)[..rows.width()];
            for target in image.chunks_mut(row.len()) {
                target.copy_from_slice(&row[..target.len()]);
            }
        });
}

/// Adds values `[batch, channels]` at every position.
///
/// # Panics
/// Lengths do not fit.
pub fn add_spread(
    set: InstructionSet,
    channels: usize,
    positions: usize,
    features: Buffers,
    values: &[f32],
) {
    let (input, output) = features.split();
    let batch = images(channels, positions, input.len());
    assert_eq!(output.len(), input.len(), "sums of images");
    assert_eq!(values.len(), batch * channels, "values of images");
    let (rows, image) = (Rows::of(channels), channels * positions);
    values
        .par_chunks_exact(channels)
        .enumerate()
        .for_each(|(index, values)| {
            let shifts = &rows.repeat(values);
            let shift = Shift {
                input,
                shifts,
                output,
            };
            rows.sweep(set, index * image..(index + 1) * image, shift);
        });
}

struct Shift<'a> {
    input: Input<'a>,
    shifts: &'a [f32],
    output: Output<'a>,
}

impl Pass for Shift<'_> {
    const ROWS: usize = 1;

    fn check(&self, end: usize, width: usize) {
        assert!(end <= self.input.len().min(self.output.len()) && width <= self.shifts.len());
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const V: usize>(&mut self, block: Block) {
        // SAFETY: the block is checked. In place, values are read before their index is written.
        unsafe {
            let shifts = block.constants::<S, V>(self.shifts);
            for row in 0..block.rows {
                let mut values = block.read::<S, V>(self.input, row);
                for v in 0..V {
                    values[v] = S::add(values[v], shifts[v]);
                }
                block.write::<S, V>(self.output, row, values);
            }
        }
    }
}

/// The maximum of every channel over the positions, and the first position that has it; NaN wins.
///
/// # Panics
/// `input` holds no whole images.
pub fn global_maximum(
    set: InstructionSet,
    channels: usize,
    positions: usize,
    input: &[f32],
) -> (Vec<f32>, Vec<i32>) {
    let batch = images(channels, positions, input.len());
    let (mut values, mut indices) = (vec![0.0; batch * channels], vec![0; batch * channels]);
    let windows = Windows {
        batch,
        channels,
        input: [positions, 1],
        kernel: [positions, 1],
        stride: [1, 1],
        padding: [0, 0],
    };
    maximum(set, &windows, input, &mut values, Some(&mut indices));
    (values, indices)
}

/// The gradient of the input, which only the maxima have, from theirs.
///
/// # Panics
/// Lengths do not fit, or an index is no position.
pub fn global_maximum_backward(
    channels: usize,
    positions: usize,
    gradient: &[f32],
    indices: &[i32],
    input_gradient: &mut [f32],
) {
    let batch = images(channels, positions, input_gradient.len());
    assert_eq!(
        gradient.len(),
        batch * channels,
        "gradient of a global maximum"
    );
    assert_eq!(
        indices.len(),
        batch * channels,
        "indices of a global maximum"
    );
    let images = input_gradient.par_chunks_exact_mut(channels * positions);
    let pairs = gradient
        .par_chunks_exact(channels)
        .zip(indices.par_chunks_exact(channels));
    images.zip(pairs).for_each(|(image, (gradient, indices))| {
        image.fill(0.0);
        for (channel, (&gradient, &index)) in gradient.iter().zip(indices).enumerate() {
            image[index as usize * channels + channel] = gradient;
        }
    });
}
