//! The forward pass, given the statistics.

use crate::buffer::{Input, Output};
use crate::simd::{InstructionSet, Simd};
use crate::sweep::{Block, Pass, Rows};

/// What is done to every value: `(x - mean) * factor + shift`, one of each for every channel, then
/// a sum and a ReLU.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a> {
    /// Subtracted first, so that no digits are lost where it is large.
    pub mean: &'a [f32],
    /// `gamma / sqrt(variance + epsilon)`.
    pub factor: &'a [f32],
    /// `beta`.
    pub shift: &'a [f32],
    /// Added to the values: as many as those.
    pub residual: Option<&'a [f32]>,
    /// Negative values become zero at last; NaN stays.
    pub relu: bool,
}

/// `output = relu((input - mean) * factor + shift + residual)`, all `[positions, channels]`.
///
/// # Panics
/// Lengths differ, or the values are no whole positions.
pub fn normalize(
    set: InstructionSet,
    channels: usize,
    input: &[f32],
    affine: Affine,
    output: &mut [f32],
) {
    assert!(
        channels > 0 && input.len().is_multiple_of(channels),
        "whole positions"
    );
    assert_eq!(output.len(), input.len(), "output of a normalisation");
    assert!(
        affine
            .residual
            .is_none_or(|residual| residual.len() == input.len()),
        "residual of a normalisation"
    );
    let rows = Rows::of(channels);
    let pass = Normalize {
        input: Input::new(input),
        mean: &rows.repeat(affine.mean),
        factor: &rows.repeat(affine.factor),
        shift: &rows.repeat(affine.shift),
        residual: affine.residual.map(Input::new),
        relu: affine.relu,
        output: Output::new(output),
    };
    rows.for_each(input.len(), |part| rows.sweep(set, part, pass));
}

#[derive(Clone, Copy)]
struct Normalize<'a> {
    input: Input<'a>,
    mean: &'a [f32],
    factor: &'a [f32],
    shift: &'a [f32],
    residual: Option<Input<'a>>,
    relu: bool,
    output: Output<'a>,
}

impl Pass for Normalize<'_> {
    const ROWS: usize = 1;

    fn check(&self, end: usize, width: usize) {
        assert!(end <= self.input.len().min(self.output.len()));
        assert!(self.residual.is_none_or(|residual| end <= residual.len()));
        assert!(width <= self.mean.len().min(self.factor.len()).min(self.shift.len()));
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const V: usize>(&mut self, block: Block) {
        // SAFETY: the block is checked.
        unsafe {
            let mean = block.constants::<S, V>(self.mean);
            let factor = block.constants::<S, V>(self.factor);
            let shift = block.constants::<S, V>(self.shift);
            for row in 0..block.rows {
                let mut values = block.read::<S, V>(self.input, row);
                for v in 0..V {
                    values[v] = S::mul_add(S::sub(values[v], mean[v]), factor[v], shift[v]);
                }
                if let Some(residual) = self.residual {
                    let residual = block.read::<S, V>(residual, row);
                    for v in 0..V {
                        values[v] = S::add(values[v], residual[v]);
                    }
                }
                if self.relu {
                    for value in &mut values {
                        // In this order a NaN stays one.
                        *value = S::max(S::splat(0.0), *value);
                    }
                }
                block.write::<S, V>(self.output, row, values);
            }
        }
    }
}
