//! The forward pass over some channels of wider features.

use super::Affine;
use crate::simd::{Kernel, Simd};

impl Affine<'_> {
    /// # Panics
    /// It is not one of some channels out of `width`, of which there are `len` values.
    pub(crate) fn check_part(&self, width: usize, len: usize) {
        let channels = self.factor.len();
        assert!(
            (1..=width).contains(&channels) && len.is_multiple_of(width),
            "{channels} channels of {width}"
        );
        for each in [self.mean, self.shift] {
            assert_eq!(each.len(), channels, "one value for each channel");
        }
        assert!(self.residual.is_none(), "a part has no residual");
    }
}

/// [`normalize`](super::normalize) of the first channels of some positions, each of which has
/// `width`; they are written `column` values apart, and what lies between stays.
pub(crate) struct Part<'a> {
    pub(crate) width: usize,
    pub(crate) input: &'a [f32],
    pub(crate) affine: Affine<'a>,
    pub(crate) column: usize,
    pub(crate) output: &'a mut [f32],
}

impl Kernel for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Affine {
            mean,
            factor,
            shift,
            relu,
            ..
        } = self.affine;
        let channels = factor.len();
        let rows = self.output.chunks_mut(self.column);
        for (output, input) in rows.zip(self.input.chunks_exact(self.width)) {
            for at in (0..channels).step_by(S::LANES) {
                let count = S::LANES.min(channels - at);
                let load = |values: &[f32]| {
                    let values = &values[at..][..count];
                    // SAFETY: so many values are there; the instructions are `S`'s.
                    unsafe { S::load_up_to(values.as_ptr(), count) }
                };
                let (value, mean, factor, shift) =
                    (load(input), load(mean), load(factor), load(shift));
                let to = &mut output[at..][..count];
                // SAFETY: the same.
                unsafe {
                    let mut value = S::mul_add(S::sub(value, mean), factor, shift);
                    if relu {
                        // In this order a NaN stays one.
                        value = S::max(S::splat(0.0), value);
                    }
                    S::store_up_to(to.as_mut_ptr(), value, count);
                }
            }
        }
    }
}
