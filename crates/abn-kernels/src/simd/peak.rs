//! What an instruction set computes at most.

use super::{InstructionSet, Kernel, Simd};

/// Sums that do not wait for each other: more than a multiply-add takes cycles by those that start
/// in one.
const SUMS: usize = 12;

impl InstructionSet {
    /// Does nothing but multiply-adds within registers, `steps` times a number of them; returns how
    /// many operations that were, two each. So one can time what a thread computes at most.
    ///
    /// # Panics
    /// The machine has no such instructions.
    pub fn multiply_add(self, steps: usize) -> usize {
        self.run(MultiplyAdd { steps })
    }
}

struct MultiplyAdd {
    steps: usize,
}

impl Kernel for MultiplyAdd {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        // SAFETY: the instructions are there.
        unsafe {
            let (a, b) = (S::splat(0.5), S::splat(1.0));
            let mut sums = [b; SUMS];
            for _ in 0..self.steps {
                for sum in &mut sums {
                    // Near 2, whatever the number of steps.
                    *sum = S::mul_add(*sum, a, b);
                }
            }
            for sum in sums {
                std::hint::black_box(S::sum([sum, sum]));
            }
        }
        2 * self.steps * SUMS * S::LANES
    }
}
