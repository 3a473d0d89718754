//! Passes over channels-last values with a few constants or sums for each channel.
//!
//! Values are taken as rows of some whole positions, so that 3 or 16 channels fill vectors and overlap their
//! additions like 512 do. A step takes the same columns of some neighbouring rows: it loads their constants once
//! and adds to their sums once.

use std::ops::{Deref, Range};

use rayon::prelude::*;

use crate::buffer::{Input, Line, Output};
use crate::simd::{InstructionSet, Kernel, Simd, fetch};

/// Values that a row has at least.
const WIDTH: usize = 128;

/// Values that a part has at least: much to do compared with handing it to a thread.
const PART: usize = 32 * 1024;

/// Parts of a reduction at most, and rows of each at least: so little remains to be joined.
const REDUCED_PARTS: usize = 64;
const REDUCED_ROWS: usize = 64;

/// How a pass walks over its values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    channels: usize,
    width: usize,
}

impl Rows {
    pub(crate) fn of(channels: usize) -> Self {
        Self { channels, width: channels * WIDTH.div_ceil(channels) }
    }

    /// Values of a row.
    pub(crate) fn width(self) -> usize {
        self.width
    }

    /// One value for each channel, repeated along a row.
    pub(crate) fn repeat(self, values: &[f32]) -> Constants {
        assert_eq!(values.len(), self.channels, "one value for each channel");
        let mut lines = Line::zeroed(self.width);
        for row in Line::values_mut(&mut lines)[..self.width].chunks_exact_mut(self.channels) {
            row.copy_from_slice(values);
        }
        Constants(lines)
    }

    /// `N` sums for each value of a row, still zero.
    pub(crate) fn sums<const N: usize>(self) -> Sums<N> {
        let room = self.width.next_multiple_of(Line::LEN);
        Sums { rows: self, room, lines: Line::zeroed_doubles(N * room) }
    }

    /// Calls `task` with every part of `len` values, on all threads.
    pub(crate) fn for_each(self, len: usize, task: impl Fn(Range<usize>) + Sync) {
        self.parts(len, PART.div_ceil(self.width), task);
    }

    /// The results for the parts of `len` values, few and in order. Lengths alone decide where the values are cut.
    pub(crate) fn map<T: Send>(self, len: usize, task: impl Fn(Range<usize>) -> T + Sync) -> Vec<T> {
        let least = PART.div_ceil(self.width).max(REDUCED_ROWS);
        self.parts(len, least.max(len.div_ceil(self.width).div_ceil(REDUCED_PARTS)), task)
    }

    fn parts<T: Send>(self, len: usize, rows: usize, task: impl Fn(Range<usize>) -> T + Sync) -> Vec<T> {
        let part = rows * self.width;
        let task = |index: usize| task(index * part..((index + 1) * part).min(len));
        match len.div_ceil(part) {
            // Not worth waking anybody.
            count @ 0..=1 => (0..count).map(task).collect(),
            count => (0..count).into_par_iter().map(task).collect(),
        }
    }

    /// Values of the first rows, one in `share` of all, but so many that their mean means something.
    pub(crate) fn head(self, len: usize, share: usize) -> usize {
        (len / share).next_multiple_of(self.width).max(16 * self.width).min(len)
    }

    /// Walks over a range of values.
    ///
    /// # Panics
    /// The values or constants of the pass do not reach that far.
    pub(crate) fn sweep<P: Pass>(self, set: InstructionSet, range: Range<usize>, pass: P) {
        pass.check(range.end, self.width);
        set.run(Walk { pass, range, width: self.width });
    }
}

/// The constants of a row.
pub(crate) struct Constants(Vec<Line>);

impl Deref for Constants {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        Line::values(&self.0)
    }
}

/// `N` sums for each value of a row.
pub(crate) struct Sums<const N: usize> {
    rows: Rows,
    /// Of one sum: the last vector of a row may have lanes behind its values.
    room: usize,
    lines: Vec<Line>,
}

impl<const N: usize> Sums<N> {
    /// Width of the rows.
    pub(crate) fn width(&self) -> usize {
        self.rows.width
    }

    /// Adds vectors side by side to one sum.
    ///
    /// # Safety
    /// The instructions of `S`; `sum < N`; the block is checked.
    #[inline(always)]
    pub(crate) unsafe fn add<S: Simd, const V: usize>(
        &mut self,
        sum: usize,
        block: Block,
        values: [S::Vector; V],
    ) {
        for (v, value) in values.into_iter().enumerate() {
            // SAFETY: there is room for whole vectors.
            unsafe {
                let sums =
                    self.lines.as_mut_ptr().cast::<f64>().add(sum * self.room + block.column + v * S::LANES);
                S::add_to(sums, value);
            }
        }
    }

    /// The sums of each channel, one after the other; starts again at zero.
    pub(crate) fn take(&mut self) -> [Vec<f64>; N] {
        let sums = Line::doubles_mut(&mut self.lines);
        let mut folded = [const { Vec::new() }; N];
        for (folded, sums) in folded.iter_mut().zip(sums.chunks_exact(self.room)) {
            *folded = sums[..self.rows.channels].to_vec();
            for sums in sums[..self.rows.width].chunks_exact(self.rows.channels).skip(1) {
                for (folded, sum) in folded.iter_mut().zip(sums) {
                    *folded += sum;
                }
            }
        }
        sums.fill(0.0);
        folded
    }
}

/// What happens to the values of a pass.
pub(crate) trait Pass {
    /// Rows of a step, where several steps make a row. With one, memory is read in its order; with more, there is
    /// less to do for the columns.
    const ROWS: usize;

    /// # Panics
    /// Some slice ends before `end` or some row of constants or sums before `width`.
    fn check(&self, end: usize, width: usize);

    /// Treats `V` vectors side by side in some rows. All that belongs to the columns stays in registers meanwhile.
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
    /// From row to row.
    width: usize,
    pub(crate) rows: usize,
    /// Index of the first value in its row.
    pub(crate) column: usize,
    /// Values of each vector, fewer than `LANES` only where the vector is the only one.
    count: usize,
    /// Index of as many values that come later, to be fetched meanwhile: in the order in which they lie in memory, which is
    /// faster than the order in which blocks of wide rows are read.
    next: usize,
}

impl Block {
    /// The constants of the columns.
    ///
    /// # Safety
    /// The instructions of `S`; the block is checked.
    #[inline(always)]
    pub(crate) unsafe fn constants<S: Simd, const V: usize>(&self, constants: &[f32]) -> [S::Vector; V] {
        // SAFETY: the contract.
        unsafe { self.load::<S, V>(constants.as_ptr().add(self.column)) }
    }

    /// The vectors of a row.
    ///
    /// # Safety
    /// The same.
    #[inline(always)]
    pub(crate) unsafe fn read<S: Simd, const V: usize>(&self, input: Input, row: usize) -> [S::Vector; V] {
        for v in 0..if self.width > V * S::LANES { V } else { 0 } {
            fetch(input.pointer().wrapping_add(self.next + (row * V + v) * S::LANES));
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
                let to = output.pointer().add(self.at + row * self.width + v * S::LANES);
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

struct Walk<P> {
    pass: P,
    range: Range<usize>,
    width: usize,
}

/// Rows that are added in single precision, at most.
pub(crate) const RUN: usize = 16;

impl<P: Pass> Kernel for Walk<P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let Self { range: Range { start: mut at, end }, width, .. } = self;
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
