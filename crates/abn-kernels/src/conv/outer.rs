//! The register tile of a sum of outer products: some values by two vectors.

use crate::simd::Simd;

/// Adds vectors side by side to memory.
///
/// # Safety
/// The instructions of `S`; the address is valid for the vectors.
#[inline(always)]
pub(super) unsafe fn add_to<S: Simd, const V: usize>(to: *mut f32, values: &[S::Vector; V]) {
    for (v, &value) in values.iter().enumerate() {
        // SAFETY: the contract.
        unsafe {
            let to = to.add(v * S::LANES);
            S::store(to, S::add(S::load(to), value));
        }
    }
}

/// `sums[d][v] += sum over n of input[n * input_step + d] * gradient[n * gradient_step + v *
/// LANES..]`.
///
/// # Safety
/// The instructions of `S`; both addresses are valid for `count` steps, `D` values and `V` vectors.
#[inline(always)]
pub(super) unsafe fn outer<S: Simd, const V: usize, const D: usize>(
    sums: &mut [[S::Vector; V]; D],
    mut input: *const f32,
    input_step: usize,
    mut gradient: *const f32,
    gradient_step: usize,
    count: usize,
) {
    let mut local = *sums;
    // SAFETY: the contract.
    unsafe {
        for _ in 0..count {
            let mut vectors = [S::splat(0.0); V];
            for (v, vector) in vectors.iter_mut().enumerate() {
                *vector = S::load(gradient.add(v * S::LANES));
            }
            for (d, sums) in local.iter_mut().enumerate() {
                let value = S::splat(*input.add(d));
                for v in 0..V {
                    sums[v] = S::mul_add(value, vectors[v], sums[v]);
                }
            }
            input = input.wrapping_add(input_step);
            gradient = gradient.wrapping_add(gradient_step);
        }
    }
    *sums = local;
}
