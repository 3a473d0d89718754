//! AVX-512 F: 32 registers of 16 values.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "every method is an instruction under the contract of the trait, which its block would only repeat"
)]

use std::arch::x86_64::*;

use super::{Kernel, Simd, avx2};

/// # Safety
/// The machine has AVX-512 F, AVX2 and FMA.
#[target_feature(enable = "avx512f,avx2,fma")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

#[derive(Clone, Copy)]
pub(super) struct Avx512;

fn first(count: usize) -> __mmask16 {
    (1 << count) - 1
}

impl Simd for Avx512 {
    type Vector = __m512;
    const LANES: usize = 16;
    const TILE: usize = 14;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        _mm512_set1_ps(value)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        _mm512_loadu_ps(from)
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m512) {
        _mm512_storeu_ps(to, value)
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> __m512 {
        _mm512_maskz_loadu_ps(first(count), from)
    }
    #[inline(always)]
    unsafe fn store_first(to: *mut f32, value: __m512, count: usize) {
        _mm512_mask_storeu_ps(to, first(count), value)
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        _mm512_add_ps(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        _mm512_sub_ps(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        _mm512_mul_ps(a, b)
    }
    #[inline(always)]
    unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        _mm512_fmadd_ps(a, b, c)
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        _mm512_max_ps(a, b)
    }
    #[inline(always)]
    unsafe fn keep_where_positive(value: __m512, gate: __m512) -> __m512 {
        let positive = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(gate, _mm512_setzero_ps());
        _mm512_maskz_mov_ps(positive, value)
    }
    #[inline(always)]
    unsafe fn take_greater([best, at]: [__m512; 2], value: __m512, index: __m512) -> [__m512; 2] {
        let greater = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(value, best)
            | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(value, value);
        [
            _mm512_mask_mov_ps(best, greater, value),
            _mm512_mask_mov_ps(at, greater, index),
        ]
    }
    #[inline(always)]
    unsafe fn keep_where_same(value: __m512, a: __m512, b: __m512) -> __m512 {
        let same = _mm512_cmpeq_epi32_mask(_mm512_castps_si512(a), _mm512_castps_si512(b));
        _mm512_maskz_mov_ps(same, value)
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        super::avx2::transpose(from, from_row, to, to_row)
    }
    #[inline(always)]
    unsafe fn sum([value, _]: [__m512; 2]) -> f32 {
        let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(value));
        avx2::sum(_mm256_add_ps(
            _mm512_castps512_ps256(value),
            _mm256_castpd_ps(high),
        ))
    }
    #[inline(always)]
    unsafe fn add_to(sums: *mut f64, value: __m512) {
        let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(value)));
        for (half, value) in [_mm512_castps512_ps256(value), high]
            .into_iter()
            .enumerate()
        {
            let sums = sums.add(8 * half);
            _mm512_storeu_pd(
                sums,
                _mm512_add_pd(_mm512_loadu_pd(sums), _mm512_cvtps_pd(value)),
            );
        }
    }
}
