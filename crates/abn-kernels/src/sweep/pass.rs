//! What happens in a pass, and in which order.

use std::ops::Range;

use crate::buffer::{Input, Output};
use crate::simd::{Kernel, Simd, fetch};

/// Rows that are added in single precision, at most.
pub(crate) const RUN: usize = 16;

/// What happens to the values of a pass.
pub(crate) trait Pass {
    /// Rows of a step, where several steps make a row. With one, memory is read in its order; with
    /// more, there is less to do for the columns.
    const ROWS: usize;

    /// # Panics
    /// Some slice ends before `end` or some row of constants or sums before `width`.
    fn check(&self, end: usize, width: usize);

    /// Treats `V` vectors side by side in some rows. All that belongs to the columns stays in
    /// registers meanwhile.
    ///
    /// # Safety
    /// The instructions of `S`, and [`check`](Self::check) has accepted the rows of the block.
    unsafe fn step<S: Simd, const V: usize>(&mut self, block: Block);
}

/// Some columns of some rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    /// Index of the first value among all.
    at: usize,
    /// Distance from row to row.
    width: usize,
    pub(crate) rows: usize,
    /// Index of the first value in its row.
    pub(crate) column: usize,
    /// Values of each vector, fewer than `LANES` only where the vector is the only one.
    count: usize,
    /// Index of as many values that come later, to be fetched meanwhile. They are in the order of
    /// memory, in which the blocks of wide rows are not, and memory gives about twice as much in
    /// its order.
    next: usize,
}

impl Block {
    /// The constants of the columns.
    ///
    /// # Safety
    /// The instructions of `S`; the block is checked.
    #[inline(always)]
    pub(crate) unsafe fn constants<S: Simd, const V: usize>(
        &self,
        constants: &[f32],
    ) -> [S::Vector; V] {
        // SAFETY: the contract.
        unsafe { self.load::<S, V>(constants.as_ptr().add(self.column)) }
    }

    /// The vectors of a row.
    ///
    /// # Safety
    /// The same.
    #[inline(always)]
    pub(crate) unsafe fn read<S: Simd, const V: usize>(
        &self,
        input: Input,
        row: usize,
    ) -> [S::Vector; V] {
        if self.width > V * S::LANES {
            for v in 0..V {
                fetch(
                    input
                        .pointer()
                        .wrapping_add(self.next + (row * V + v) * S::LANES),
                );
            }
        }
        // SAFETY: the contract.
        unsafe { self.load::<S, V>(input.pointer().add(self.at + row * self.width)) }
    }

    /// Writes the vectors of a row.
    ///
    /// # Safety
    /// The same, and nobody else uses these values meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn write<S: Simd, const V: usize>(
        &self,
        output: Output,
        row: usize,
        values: [S::Vector; V],
    ) {
        for (v, value) in values.into_iter().enumerate() {
            // SAFETY: the contract.
            unsafe {
                let to = output
                    .pointer()
                    .add(self.at + row * self.width + v * S::LANES);
                S::store_up_to(to, value, self.count);
            }
        }
    }

    /// # Safety
    /// The instructions of `S`; the address is valid for the vectors.
    #[inline(always)]
    unsafe fn load<S: Simd, const V: usize>(&self, from: *const f32) -> [S::Vector; V] {
        // SAFETY: the contract.
        unsafe {
            let mut vectors = [S::splat(0.0); V];
            for (v, vector) in vectors.iter_mut().enumerate() {
                *vector = S::load_up_to(from.add(v * S::LANES), self.count);
            }
            vectors
        }
    }
}

/// A pass over a range of values, in rows of `width`.
pub(super) struct Walk<P> {
    pub(super) pass: P,
    pub(super) range: Range<usize>,
    pub(super) width: usize,
}

impl<P: Pass> Kernel for Walk<P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let Self {
            range: Range { start: mut at, end },
            width,
            ..
        } = self;
        // SAFETY: `sweep` has checked the range, and the rows lie in it.
        unsafe {
            while end - at >= width {
                let together = if width > 8 * S::LANES { P::ROWS } else { RUN };
                let rows = ((end - at) / width).min(together);
                self.columns::<S>(at, rows, width);
                at += rows * width;
            }
            if at < end {
                self.columns::<S>(at, 1, end - at);
            }
        }
    }
}

impl<P: Pass> Walk<P> {
    /// # Safety
    /// Rows of `end` values from `at` on are checked.
    #[inline(always)]
    unsafe fn columns<S: Simd>(&mut self, at: usize, rows: usize, end: usize) {
        let width = self.width;
        let next = at + rows * width;
        let block = |column: usize, count: usize| Block {
            at: at + column,
            width,
            rows,
            column,
            count,
            next: next + rows * column,
        };
        let mut column = 0;
        // SAFETY: the contract.
        unsafe {
            // As many as leave registers for two sums of each.
            while S::LANES == 16 && column + 8 * S::LANES <= end {
                self.pass.step::<S, 8>(block(column, S::LANES));
                column += 8 * S::LANES;
            }
            while column + 4 * S::LANES <= end {
                self.pass.step::<S, 4>(block(column, S::LANES));
                column += 4 * S::LANES;
            }
            while column + S::LANES <= end {
                self.pass.step::<S, 1>(block(column, S::LANES));
                column += S::LANES;
            }
            if column < end {
                self.pass.step::<S, 1>(block(column, end - column));
            }
        }
    }
}
