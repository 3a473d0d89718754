//! AVX2 with FMA: 16 registers of 8 values.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "every method is an instruction under the contract of the trait, which its block would only repeat"
)]

use std::arch::x86_64::*;

use super::{Kernel, Simd};

/// # Safety
/// The machine has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

#[derive(Clone, Copy)]
pub(super) struct Avx2;

/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn first(count: usize) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
}

/// Transposes 8 rows of 8 values.
///
/// # Safety
/// The machine has AVX2; the addresses are valid for the rows.
#[inline(always)]
pub(super) unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    let mut rows = [_mm256_setzero_ps(); 8];
    for half in 0..4 {
        // The left half of row `half` beside that of row `half + 4`, then the right halves.
        let (upper, lower) = (from.add(half * from_row), from.add((half + 4) * from_row));
        for side in 0..2 {
            let left = _mm256_castps128_ps256(_mm_loadu_ps(upper.add(4 * side)));
            rows[half + 4 * side] =
                _mm256_insertf128_ps::<1>(left, _mm_loadu_ps(lower.add(4 * side)));
        }
    }
    for side in 0..2 {
        let [a, b, c, d] = [
            rows[4 * side],
            rows[4 * side + 1],
            rows[4 * side + 2],
            rows[4 * side + 3],
        ];
        let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
        let to = to.add(4 * side * to_row);
        _mm256_storeu_ps(to, _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd));
        _mm256_storeu_ps(to.add(to_row), _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd));
        let (ab, cd) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
        _mm256_storeu_ps(
            to.add(2 * to_row),
            _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd),
        );
        _mm256_storeu_ps(
            to.add(3 * to_row),
            _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd),
        );
    }
}

/// The sum of eight lanes: halves are added until one value is left.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
pub(super) unsafe fn sum(value: __m256) -> f32 {
    let sum = _mm_add_ps(
        _mm256_castps256_ps128(value),
        _mm256_extractf128_ps::<1>(value),
    );
    let sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)))
}

impl Simd for Avx2 {
    type Vector = __m256;
    const LANES: usize = 8;
    const TILE: usize = 6;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m256 {
        _mm256_set1_ps(value)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        _mm256_loadu_ps(from)
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m256) {
        _mm256_storeu_ps(to, value)
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> __m256 {
        _mm256_maskload_ps(from, first(count))
    }
    #[inline(always)]
    unsafe fn store_first(to: *mut f32, value: __m256, count: usize) {
        _mm256_maskstore_ps(to, first(count), value)
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        _mm256_add_ps(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        _mm256_sub_ps(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        _mm256_mul_ps(a, b)
    }
    #[inline(always)]
    unsafe fn mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
        _mm256_fmadd_ps(a, b, c)
    }
    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        _mm256_max_ps(a, b)
    }
    #[inline(always)]
    unsafe fn keep_where_positive(value: __m256, gate: __m256) -> __m256 {
        _mm256_and_ps(
            _mm256_cmp_ps::<_CMP_NLE_UQ>(gate, _mm256_setzero_ps()),
            value,
        )
    }
    #[inline(always)]
    unsafe fn take_greater([best, at]: [__m256; 2], value: __m256, index: __m256) -> [__m256; 2] {
        let greater = _mm256_or_ps(
            _mm256_cmp_ps::<_CMP_GT_OQ>(value, best),
            _mm256_cmp_ps::<_CMP_UNORD_Q>(value, value),
        );
        [
            _mm256_blendv_ps(best, value, greater),
            _mm256_blendv_ps(at, index, greater),
        ]
    }
    #[inline(always)]
    unsafe fn keep_where_same(value: __m256, a: __m256, b: __m256) -> __m256 {
        let same = _mm256_cmpeq_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b));
        _mm256_and_ps(_mm256_castsi256_ps(same), value)
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        transpose(from, from_row, to, to_row)
    }
    #[inline(always)]
    unsafe fn sum([first, second]: [__m256; 2]) -> f32 {
        sum(_mm256_add_ps(first, second))
    }
    #[inline(always)]
    unsafe fn add_to(sums: *mut f64, value: __m256) {
        for (half, value) in [
            _mm256_castps256_ps128(value),
            _mm256_extractf128_ps::<1>(value),
        ]
        .into_iter()
        .enumerate()
        {
            let sums = sums.add(4 * half);
            _mm256_storeu_pd(
                sums,
                _mm256_add_pd(_mm256_loadu_pd(sums), _mm256_cvtps_pd(value)),
            );
        }
    }
}
