//! F(4x4, 3x3), by the points 0, a, -a, b, -b and infinity with a = sqrt(1/2) and b = sqrt(2), which
//! round less than the usual 1 and 2: see Alam, Anderson, Barabasz & Gregg, Winograd Convolution for
//! Deep Neural Networks: Efficient Point Selection (2022).
//!
//! ```text
//! B' = |1   0  -5/2  0    1  0|   G = |1     0    0   |   A' = |1 1    1    1   1   0|
//!      |0  -2a -2    a    1  0|       |-2/3 -2a/3 -1/3|        |0 a   -a    b  -b   0|
//!      |0   2a -2   -a    1  0|       |-2/3  2a/3 -1/3|        |0 1/2  1/2  2   2   0|
//!      |0  -a  -1/2  b    1  0|       |1/6   b/6   1/3|        |0 a/2 -a/2  2b -2b  1|
//!      |0   a  -1/2 -b    1  0|       |1/6  -b/6   1/3|
//!      |0   1   0   -5/2  0  1|       |0     0    1   |
//! ```

use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

use crate::simd::Simd;

use super::transform::Transform;

/// Thirty-six multiplications for sixteen outputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Four;

impl Transform<6, 4> for Four {
    #[inline(always)]
    unsafe fn of_input<S: Simd>(d: [S::Vector; 6]) -> [S::Vector; 6] {
        // SAFETY: the contract.
        unsafe {
            let even = S::mul_add(S::splat(-2.0), d[2], d[4]);
            let odd = S::mul(S::splat(A), S::mul_add(S::splat(-2.0), d[1], d[3]));
            let [of_a, of_minus_a] = [S::add(even, odd), S::sub(even, odd)];
            let even = S::mul_add(S::splat(-0.5), d[2], d[4]);
            let odd = S::mul(S::splat(B), S::mul_add(S::splat(-0.5), d[1], d[3]));
            let [of_b, of_minus_b] = [S::add(even, odd), S::sub(even, odd)];
            let first = S::add(S::mul_add(S::splat(-2.5), d[2], d[0]), d[4]);
            let last = S::add(S::mul_add(S::splat(-2.5), d[3], d[1]), d[5]);
            [first, of_a, of_minus_a, of_b, of_minus_b, last]
        }
    }

    #[inline(always)]
    unsafe fn of_kernel<S: Simd>(g: [S::Vector; 3]) -> [S::Vector; 6] {
        // SAFETY: the contract.
        unsafe {
            let even = S::mul_add(S::splat(0.5), g[2], g[0]);
            let even = S::mul(S::splat(-2.0 / 3.0), even);
            let odd = S::mul(S::splat(-2.0 / 3.0 * A), g[1]);
            let [of_a, of_minus_a] = [S::add(even, odd), S::sub(even, odd)];
            let even = S::mul_add(S::splat(2.0), g[2], g[0]);
            let even = S::mul(S::splat(1.0 / 6.0), even);
            let odd = S::mul(S::splat(1.0 / 6.0 * B), g[1]);
            let [of_b, of_minus_b] = [S::add(even, odd), S::sub(even, odd)];
            [g[0], of_a, of_minus_a, of_b, of_minus_b, g[2]]
        }
    }

    #[inline(always)]
    unsafe fn to_output<S: Simd>(m: [S::Vector; 6]) -> [S::Vector; 4] {
        // SAFETY: the contract.
        unsafe {
            let [even_a, odd_a] = [S::add(m[1], m[2]), S::sub(m[1], m[2])];
            let [even_b, odd_b] = [S::add(m[3], m[4]), S::sub(m[3], m[4])];
            let cubes = S::mul_add(S::splat(0.5 * A), odd_a, m[5]);
            [
                S::add(m[0], S::add(even_a, even_b)),
                S::mul_add(S::splat(A), odd_a, S::mul(S::splat(B), odd_b)),
                S::mul_add(S::splat(0.5), even_a, S::mul(S::splat(2.0), even_b)),
                S::mul_add(S::splat(2.0 * B), odd_b, cubes),
            ]
        }
    }
}
