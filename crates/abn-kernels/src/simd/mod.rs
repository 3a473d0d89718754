//! Vectors of `f32` and the choice of the instruction set at run time.
//!
//! A kernel is written once, generic over [`Simd`], and compiled once for each instruction set. All
//! of its code is `#[inline(always)]`, so that it lands in the one function that has the
//! instructions enabled.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use portable::Portable;

/// The instruction sets that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    /// Eight lanes of whatever the compiler's target has: SSE2 on x86-64, NEON on AArch64.
    Portable,
    /// AVX2 with fused multiply-add, on x86-64.
    Avx2,
    /// AVX-512 F, on x86-64.
    Avx512,
}

impl InstructionSet {
    /// The best of this machine, found out once.
    pub fn best() -> Self {
        static BEST: std::sync::OnceLock<InstructionSet> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| {
            *Self::available()
                .last()
                .expect("the portable set is always there")
        })
    }

    /// All of this machine, the best last.
    pub fn available() -> Vec<Self> {
        [Self::Portable, Self::Avx2, Self::Avx512]
            .into_iter()
            .filter(|set| set.is_available())
            .collect()
    }

    /// Values of a vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Portable | Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// Rows of a register tile.
    pub(crate) fn tile(self) -> usize {
        match self {
            Self::Portable => 2,
            Self::Avx2 => 6,
            Self::Avx512 => 14,
        }
    }

    /// Output channels of a panel of weights: two vectors, or one where that holds all.
    pub(crate) fn panel(self, channels: usize) -> usize {
        if channels > self.lanes() {
            2 * self.lanes()
        } else {
            self.lanes()
        }
    }

    fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Portable => true,
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Avx512 => is_x86_feature_detected!("avx512f") && Self::Avx2.is_available(),
        }
        #[cfg(not(target_arch = "x86_64"))]
        matches!(self, Self::Portable)
    }

    /// Runs a kernel with these instructions.
    ///
    /// # Panics
    /// The machine lacks them.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        assert!(self.is_available(), "this machine has no {self:?}");
        match self {
            Self::Portable => kernel.run::<Portable>(),
            // SAFETY: the machine has the instructions, as asserted above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2::run(kernel) },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { avx512::run(kernel) },
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => unreachable!("not available"),
        }
    }
}

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
    /// `a * b + c`.
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
    /// The sum of the lanes.
    unsafe fn sum(value: Self::Vector) -> f32;
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
