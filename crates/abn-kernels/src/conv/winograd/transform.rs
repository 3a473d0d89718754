//! The transforms, each of whole vectors: with d the inputs, g the kernel, m the products,
//!
//! ```text
//! Y = A' [(G g G') . (B' d B)] A
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

/// B' d.
///
/// # Safety
/// The instructions of `S`, as for all functions here.
#[inline(always)]
unsafe fn of_input_once<S: Simd>(d: [S::Vector; 4]) -> [S::Vector; 4] {
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

/// B' d B.
///
/// # Safety
/// The instructions of `S`.
#[inline(always)]
pub(super) unsafe fn of_input<S: Simd>(d: [[S::Vector; 4]; 4]) -> [[S::Vector; 4]; 4] {
    // SAFETY: the contract.
    unsafe { twice::<S, 4, 4>(d, of_input_once::<S>) }
}

/// G g, for the middle rows half of the sum and of the difference.
///
/// # Safety
/// The instructions of `S`.
#[inline(always)]
unsafe fn of_kernel_once<S: Simd>(g: [S::Vector; 3]) -> [S::Vector; 4] {
    // SAFETY: the contract.
    unsafe {
        let half = S::splat(0.5);
        let outer = S::mul(half, S::add(g[0], g[2]));
        let inner = S::mul(half, g[1]);
        [g[0], S::add(outer, inner), S::sub(outer, inner), g[2]]
    }
}

/// G g G'.
///
/// # Safety
/// The instructions of `S`.
#[inline(always)]
pub(super) unsafe fn of_kernel<S: Simd>(g: [[S::Vector; 3]; 3]) -> [[S::Vector; 4]; 4] {
    // SAFETY: the contract.
    unsafe { twice::<S, 3, 4>(g, of_kernel_once::<S>) }
}

/// A' m.
///
/// # Safety
/// The instructions of `S`.
#[inline(always)]
unsafe fn to_output_once<S: Simd>(m: [S::Vector; 4]) -> [S::Vector; 2] {
    // SAFETY: the contract.
    unsafe {
        [
            S::add(m[0], S::add(m[1], m[2])),
            S::sub(S::sub(m[1], m[2]), m[3]),
        ]
    }
}

/// A' m A.
///
/// # Safety
/// The instructions of `S`.
#[inline(always)]
pub(super) unsafe fn to_output<S: Simd>(m: [[S::Vector; 4]; 4]) -> [[S::Vector; 2]; 2] {
    // SAFETY: the contract.
    unsafe { twice::<S, 4, 2>(m, to_output_once::<S>) }
}

/// Q y.
///
/// # Safety
/// The instructions of `S`.
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

/// A transform of the columns, then of the rows: `T x T'`.
///
/// # Safety
/// That of the transform.
#[inline(always)]
unsafe fn twice<S: Simd, const I: usize, const O: usize>(
    x: [[S::Vector; I]; I],
    transform: unsafe fn([S::Vector; I]) -> [S::Vector; O],
) -> [[S::Vector; O]; O] {
    // SAFETY: the contract.
    unsafe {
        let zero = S::splat(0.0);
        let mut columns = [[zero; I]; O];
        for j in 0..I {
            let mut column = [zero; I];
            for i in 0..I {
                column[i] = x[i][j];
            }
            let column = transform(column);
            for o in 0..O {
                columns[o][j] = column[o];
            }
        }
        let mut result = [[zero; O]; O];
        for o in 0..O {
            result[o] = transform(columns[o]);
        }
        result
    }
}
