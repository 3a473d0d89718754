//! The transforms of Winograd's algorithm, each of whole vectors: with d the inputs, g the kernel, m
//! the products,
//!
//! ```text
//! Y = A' [(G g G') . (B' d B)] A
//! ```

use crate::simd::Simd;

/// F(M x M, 3 x 3): M x M outputs from N x N inputs, N = M + 2. Every function transforms one row or
/// column.
///
/// # Safety
/// All functions need the instructions of `S`.
pub(crate) trait Transform<const N: usize, const M: usize>: Copy + Send + Sync {
    /// B' d.
    unsafe fn of_input<S: Simd>(d: [S::Vector; N]) -> [S::Vector; N];
    /// G g.
    unsafe fn of_kernel<S: Simd>(g: [S::Vector; 3]) -> [S::Vector; N];
    /// A' m.
    unsafe fn to_output<S: Simd>(m: [S::Vector; N]) -> [S::Vector; M];
}

/// A transform of the columns, then of the rows: `T x T'`.
///
/// # Safety
/// That of the transform.
#[inline(always)]
pub(super) unsafe fn twice<S: Simd, const I: usize, const O: usize>(
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
