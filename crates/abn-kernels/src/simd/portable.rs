//! Eight lanes in plain Rust, for the compiler to vectorise.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "every method is an instruction under the contract of the trait, which its block would only repeat"
)]

use super::Simd;

#[derive(Clone, Copy)]
pub(super) struct Portable;

const LANES: usize = 8;

type Vector = [f32; LANES];

#[inline(always)]
fn each(function: impl Fn(usize) -> f32) -> Vector {
    std::array::from_fn(function)
}

impl Simd for Portable {
    type Vector = Vector;
    const LANES: usize = LANES;
    const TILE: usize = 2;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Vector {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Vector {
        from.cast::<Vector>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Vector) {
        to.cast::<Vector>().write_unaligned(value)
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Vector {
        each(|lane| {
            if lane < count {
                from.add(lane).read()
            } else {
                0.0
            }
        })
    }
    #[inline(always)]
    unsafe fn store_first(to: *mut f32, value: Vector, count: usize) {
        for (lane, value) in value.into_iter().take(count).enumerate() {
            to.add(lane).write(value)
        }
    }
    #[inline(always)]
    unsafe fn add(a: Vector, b: Vector) -> Vector {
        each(|lane| a[lane] + b[lane])
    }
    #[inline(always)]
    unsafe fn sub(a: Vector, b: Vector) -> Vector {
        each(|lane| a[lane] - b[lane])
    }
    #[inline(always)]
    unsafe fn mul(a: Vector, b: Vector) -> Vector {
        each(|lane| a[lane] * b[lane])
    }
    #[inline(always)]
    unsafe fn mul_add(a: Vector, b: Vector, c: Vector) -> Vector {
        // Fused only where it is an instruction: elsewhere it would be a call for every value.
        if cfg!(target_arch = "aarch64") {
            each(|lane| a[lane].mul_add(b[lane], c[lane]))
        } else {
            each(|lane| a[lane] * b[lane] + c[lane])
        }
    }
    #[inline(always)]
    unsafe fn max(a: Vector, b: Vector) -> Vector {
        each(|lane| if a[lane] > b[lane] { a[lane] } else { b[lane] })
    }
    #[inline(always)]
    unsafe fn keep_where_positive(value: Vector, gate: Vector) -> Vector {
        each(|lane| if gate[lane] <= 0.0 { 0.0 } else { value[lane] })
    }
    #[inline(always)]
    unsafe fn take_greater([best, at]: [Vector; 2], value: Vector, index: Vector) -> [Vector; 2] {
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
    unsafe fn keep_where_same(value: Vector, a: Vector, b: Vector) -> Vector {
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
        let mut rows = [[0.0; LANES]; LANES];
        for (index, row) in rows.iter_mut().enumerate() {
            *row = Self::load(from.add(index * from_row));
        }
        for column in 0..LANES {
            let mut values = [0.0; LANES];
            for (value, row) in values.iter_mut().zip(&rows) {
                *value = row[column];
            }
            Self::store(to.add(column * to_row), values)
        }
    }
    #[inline(always)]
    unsafe fn sum(value: Vector) -> f32 {
        let [a, b, c, d, e, f, g, h] = value;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
    #[inline(always)]
    unsafe fn add_to(sums: *mut f64, value: Vector) {
        for (lane, value) in value.into_iter().enumerate() {
            *sums.add(lane) += f64::from(value)
        }
    }
}
