//! The forward pass, given the statistics.

use crate::buffer::{Input, Output};
use crate::simd::{InstructionSet, Simd};
use crate::sweep::{Pass, Place, Rows};

/// What is done to every value: `(x - mean) * factor + shift`, one of each for every channel, then a sum and a ReLU.
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
pub fn normalize(set: InstructionSet, channels: usize, input: &[f32], affine: Affine, output: &mut [f32]) {
    assert!(channels > 0 && input.len().is_multiple_of(channels), "whole positions");
    assert_eq!(output.len(), input.len(), "output of a normalisation");
    assert!(
        affine.residual.is_none_or(|residual| residual.len() == input.len()),
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
    rows.for_each(input.len(), |part| rows.sweep::<4, _>(set, part, pass));
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
    fn check(&self, end: usize, width: usize) {
        assert!(end <= self.input.len().min(self.output.len()));
        assert!(self.residual.is_none_or(|residual| end <= residual.len()));
        assert!(width <= self.mean.len().min(self.factor.len()).min(self.shift.len()));
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const R: usize>(&mut self, place: Place) {
        let Place { at, width, column, count } = place;
        // SAFETY: the place is checked.
        unsafe {
            let mean = S::load_up_to(self.mean.as_ptr().add(column), count);
            let factor = S::load_up_to(self.factor.as_ptr().add(column), count);
            let shift = S::load_up_to(self.shift.as_ptr().add(column), count);
            for row in 0..R {
                let at = at + row * width;
                let input = S::load_up_to(self.input.pointer().add(at), count);
                let mut value = S::mul_add(S::sub(input, mean), factor, shift);
                if let Some(residual) = self.residual {
                    value = S::add(value, S::load_up_to(residual.pointer().add(at), count));
                }
                if self.relu {
                    // In this order a NaN stays one.
                    value = S::max(S::splat(0.0), value);
                }
                S::store_up_to(self.output.pointer().add(at), value, count);
            }
        }
    }
}
