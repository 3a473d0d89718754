//! F(2x2, 3x3), by the points 0, 1, -1 and infinity:
//!
//! ```text
//! B' = |1  0 -1  0|   G = |1    0    0  |   A' = |1 1  1  0|
//!      |0  1  1  0|       |1/2  1/2  1/2|        |0 1 -1 -1|
//!      |0 -1  1  0|       |1/2 -1/2  1/2|
//!      |0  1  0 -1|       |0    0    1  |
//! ```
//!
//! and for the gradient of the kernel, F(3x3, 2x2) on the same transformed inputs, the gradient y
//! of the output in the part of the kernel: dg = P' [(Q y Q') . (B' d B)] P with
//!
//! ```text
//! Q = |1    0  |   P' = |1 1  1  0|
//!     |1/2  1/2|        |0 1 -1  0|
//!     |1/2 -1/2|        |0 1  1 -1|
//!     |0    1  |
//! ```

use crate::simd::Simd;

use super::transform::{Transform, twice};

/// Sixteen multiplications for four outputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Two;

impl Transform<4, 2> for Two {
    #[inline(always)]
    unsafe fn of_input<S: Simd>(d: [S::Vector; 4]) -> [S::Vector; 4] {
        // SAFETY: the contract.
        unsafe {
            [
                S::sub(d[0], d[2]),
                S::add(d[1], d[2]),
                S::sub(d[2], d[1]),
                S::sub(d[1], d[3]),
            ]
        }
    }

    /// For the middle rows half of the sum and of the difference.
    #[inline(always)]
    unsafe fn of_kernel<S: Simd>(g: [S::Vector; 3]) -> [S::Vector; 4] {
        // SAFETY: the contract.
        unsafe {
            let half = S::splat(0.5);
            let outer = S::mul(half, S::add(g[0], g[2]));
            let inner = S::mul(half, g[1]);
            [g[0], S::add(outer, inner), S::sub(outer, inner), g[2]]
        }
    }

    #[inline(always)]
    unsafe fn to_output<S: Simd>(m: [S::Vector; 4]) -> [S::Vector; 2] {
        // SAFETY: the contract.
        unsafe {
            [
                S::add(m[0], S::add(m[1], m[2])),
                S::sub(S::sub(m[1], m[2]), m[3]),
            ]
        }
    }
}

/// Q y.
///
/// # Safety
/// The instructions of `S`, as for all functions here.
#[inline(always)]
unsafe fn of_gradient_once<S: Simd>(y: [S::Vector; 2]) -> [S::Vector; 4] {
    // SAFETY: the contract.
    unsafe {
        let half = S::splat(0.5);
        let (first, second) = (S::mul(half, y[0]), S::mul(half, y[1]));
        [y[0], S::add(first, second), S::sub(first, second), y[1]]
    }
}

/// Q y Q'.
///
/// # Safety
/// The instructions of `S`.
#[inline(always)]
pub(super) unsafe fn of_gradient<S: Simd>(y: [[S::Vector; 2]; 2]) -> [[S::Vector; 4]; 4] {
    // SAFETY: the contract.
    unsafe { twice::<S, 2, 4>(y, of_gradient_once::<S>) }
}

/// P' m.
///
/// # Safety
/// The instructions of `S`.
#[inline(always)]
unsafe fn to_kernel_once<S: Simd>(m: [S::Vector; 4]) -> [S::Vector; 3] {
    // SAFETY: the contract.
    unsafe {
        let sum = S::add(m[1], m[2]);
        [S::add(m[0], sum), S::sub(m[1], m[2]), S::sub(sum, m[3])]
    }
}

/// P' m P.
///
/// # Safety
/// The instructions of `S`.
#[inline(always)]
pub(super) unsafe fn to_kernel<S: Simd>(m: [[S::Vector; 4]; 4]) -> [[S::Vector; 3]; 3] {
    // SAFETY: the contract.
    unsafe { twice::<S, 4, 3>(m, to_kernel_once::<S>) }
}
