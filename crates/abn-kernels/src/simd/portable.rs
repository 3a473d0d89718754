//! Vectors in plain Rust, for the compiler to make instructions of.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "every method is an instruction under the contract of the trait, which its block would only repeat"
)]

#[cfg(target_arch = "x86_64")]
use super::Kernel;
use super::{SUMMED, Simd};

/// With or without fused multiply-add, which the standard library computes slowly where the machine
/// lacks it.
#[derive(Clone, Copy)]
pub(super) struct Portable<const LANES: usize, const FUSED: bool>;

/// # Safety
/// The machine has fused multiply-add.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "fma")]
pub(super) unsafe fn run_fused<K: Kernel, const LANES: usize>(kernel: K) -> K::Output {
    kernel.run::<Portable<LANES, true>>()
}

#[inline(always)]
fn each<const LANES: usize>(function: impl Fn(usize) -> f32) -> [f32; LANES] {
    std::array::from_fn(function)
}

impl<const LANES: usize, const FUSED: bool> Simd for Portable<LANES, FUSED> {
    type Vector = [f32; LANES];
    const LANES: usize = LANES;
    const TILE: usize = match (LANES, FUSED) {
        (16, _) => 14,
        (_, true) => 6,
        (_, false) => 2,
    };

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; LANES] {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; LANES] {
        from.cast::<[f32; LANES]>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: [f32; LANES]) {
        to.cast::<[f32; LANES]>().write_unaligned(value)
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> [f32; LANES] {
        each(|lane| {
            if lane < count {
                from.add(lane).read()
            } else {
                0.0
            }
        })
    }
    #[inline(always)]
    unsafe fn store_first(to: *mut f32, value: [f32; LANES], count: usize) {
        for (lane, value) in value.into_iter().take(count).enumerate() {
            to.add(lane).write(value)
        }
    }
    #[inline(always)]
    unsafe fn add(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        each(|lane| a[lane] + b[lane])
    }
    #[inline(always)]
    unsafe fn sub(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        each(|lane| a[lane] - b[lane])
    }
    #[inline(always)]
    unsafe fn mul(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        each(|lane| a[lane] * b[lane])
    }
    #[inline(always)]
    unsafe fn mul_add(a: [f32; LANES], b: [f32; LANES], c: [f32; LANES]) -> [f32; LANES] {
        if FUSED {
            each(|lane| a[lane].mul_add(b[lane], c[lane]))
        } else {
            each(|lane| a[lane] * b[lane] + c[lane])
        }
    }
    #[inline(always)]
    unsafe fn max(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        each(|lane| if a[lane] > b[lane] { a[lane] } else { b[lane] })
    }
    #[inline(always)]
    unsafe fn keep_where_positive(value: [f32; LANES], gate: [f32; LANES]) -> [f32; LANES] {
        each(|lane| if gate[lane] <= 0.0 { 0.0 } else { value[lane] })
    }
    #[inline(always)]
    unsafe fn take_greater(
        [best, at]: [[f32; LANES]; 2],
        value: [f32; LANES],
        index: [f32; LANES],
    ) -> [[f32; LANES]; 2] {
        let greater: [bool; LANES] =
            std::array::from_fn(|lane| value[lane] > best[lane] || value[lane].is_nan());
        [
            each(|lane| {
                if greater[lane] {
                    value[lane]
                } else {
                    best[lane]
                }
            }),
            each(|lane| if greater[lane] { index[lane] } else { at[lane] }),
        ]
    }
    #[inline(always)]
    unsafe fn keep_where_same(
        value: [f32; LANES],
        a: [f32; LANES],
        b: [f32; LANES],
    ) -> [f32; LANES] {
        each(|lane| {
            if a[lane].to_bits() == b[lane].to_bits() {
                value[lane]
            } else {
                0.0
            }
        })
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        for row in 0..8 {
            for column in 0..8 {
                to.add(column * to_row + row)
                    .write(from.add(row * from_row + column).read());
            }
        }
    }
    #[inline(always)]
    unsafe fn sum([first, second]: [[f32; LANES]; 2]) -> f32 {
        let mut lanes = [0.0; SUMMED];
        lanes[..LANES].copy_from_slice(&first);
        if LANES < SUMMED {
            lanes[LANES..2 * LANES].copy_from_slice(&second);
        }
        let mut count = SUMMED;
        while count > 1 {
            count /= 2;
            for lane in 0..count {
                lanes[lane] += lanes[lane + count];
            }
        }
        lanes[0]
    }
    #[inline(always)]
    unsafe fn add_to(sums: *mut f64, value: [f32; LANES]) {
        for (lane, value) in value.into_iter().enumerate() {
            *sums.add(lane) += f64::from(value)
        }
    }
}
