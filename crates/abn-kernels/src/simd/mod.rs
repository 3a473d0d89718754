//! Vectors of `f32`.
//!
//! A kernel is written once, generic over [`Simd`], and compiled once for each instruction set. All
//! of its code is `#[inline(always)]`, so that it lands in the one function that has the
//! instructions enabled.
//!
//! Every set gives the same bits: products are fused into sums, and where lanes are added up they
//! are [`SUMMED`] in number, whatever a vector holds.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod instructions;
mod peak;
mod portable;

pub use instructions::{InstructionSet, InstructionsError};

/// Lanes of a sum over neighbouring values: those of the widest vector.
pub(crate) const SUMMED: usize = 16;

/// Asks for the cache line of an address, which may lie anywhere.
#[inline(always)]
pub(crate) fn fetch(address: *const f32) {
    // SAFETY: nothing is read.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Code to be compiled for every instruction set. Implementations are `#[inline(always)]`, all the
/// way down.
pub(crate) trait Kernel {
    type Output;
    fn run<S: Simd>(self) -> Self::Output;
}

/// One vector of `f32` and what the kernels do with it.
///
/// # Safety
/// All methods need the instructions of the set; they are called from [`Kernel::run`] alone, which
/// is reached only through [`InstructionSet::run`]. Pointers are valid for `LANES` values, or for
/// `count` where given, at any alignment.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// A vector of `LANES` values.
    type Vector: Copy;
    const LANES: usize;
    /// Rows of a register tile that is two vectors wide: the most that leaves registers for the
    /// operands.
    const TILE: usize;

    unsafe fn splat(value: f32) -> Self::Vector;
    unsafe fn load(from: *const f32) -> Self::Vector;
    unsafe fn store(to: *mut f32, value: Self::Vector);
    /// The first `count < LANES` values, then zeros.
    unsafe fn load_first(from: *const f32, count: usize) -> Self::Vector;
    /// The first `count < LANES` values.
    unsafe fn store_first(to: *mut f32, value: Self::Vector, count: usize);
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn sub(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn mul(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c` with one rounding, where the machine can.
    unsafe fn mul_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// `max(a, b)` where `b` is a number; `b` where `a` is NaN on some sets.
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `value` where `gate > 0` or NaN, zero elsewhere.
    unsafe fn keep_where_positive(value: Self::Vector, gate: Self::Vector) -> Self::Vector;
    /// Takes `value` and `index` where `value` is greater than the best one or NaN. Indices are any
    /// 32 bits.
    unsafe fn take_greater(
        best: [Self::Vector; 2],
        value: Self::Vector,
        index: Self::Vector,
    ) -> [Self::Vector; 2];
    /// `value` where the bits of `a` and `b` are the same, zero elsewhere.
    unsafe fn keep_where_same(
        value: Self::Vector,
        a: Self::Vector,
        b: Self::Vector,
    ) -> Self::Vector;
    /// Transposes 8 rows of 8 values, `from_row` and `to_row` apart.
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize);
    /// The sum of [`SUMMED`] lanes, those of as many vectors as hold them: halves are added until
    /// one value is left.
    unsafe fn sum(values: [Self::Vector; 2]) -> f32;
    /// Adds the lanes to as many doubles.
    unsafe fn add_to(sums: *mut f64, value: Self::Vector);

    /// [`load`](Self::load) where `count` is `LANES`, else [`load_first`](Self::load_first).
    #[inline(always)]
    unsafe fn load_up_to(from: *const f32, count: usize) -> Self::Vector {
        // SAFETY: the contract.
        unsafe {
            if count == Self::LANES {
                Self::load(from)
            } else {
                Self::load_first(from, count)
            }
        }
    }
    /// [`store`](Self::store) where `count` is `LANES`, else [`store_first`](Self::store_first).
    #[inline(always)]
    unsafe fn store_up_to(to: *mut f32, value: Self::Vector, count: usize) {
        // SAFETY: the contract.
        unsafe {
            if count == Self::LANES {
                Self::store(to, value)
            } else {
                Self::store_first(to, value, count)
            }
        }
    }
}
