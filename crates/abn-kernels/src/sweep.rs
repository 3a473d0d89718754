//! Passes over channels-last values with a few constants or sums for each channel.
//!
//! Values are taken as rows of some whole positions, so that 3 or 16 channels fill vectors and overlap their
//! additions like 512 do. A step takes one vector from the same column of several neighbouring rows: it loads the
//! constants of the column once and adds to its sums once.

use std::ops::{Deref, Range};

use rayon::prelude::*;

use crate::buffer::Line;
use crate::simd::{InstructionSet, Kernel, Simd};

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

    /// One value for each channel, repeated along a row.
    pub(crate) fn repeat(self, values: &[f32]) -> Constants {
        assert_eq!(values.len(), self.channels, "one value for each channel");
        let mut lines = Line::zeroed(self.width);
        for row in Line::values_mut(&mut lines)[..self.width].chunks_exact_mut(self.channels) {
            row.copy_from_slice(values);
        }
        Constants(lines)
    }

    /// Zeros to add up rows in.
    pub(crate) fn sums(self) -> Vec<Line> {
        Line::zeroed_doubles(Self::room(self.width))
    }

    /// Sums that a row of `width` values needs: the last vector may have room behind.
    pub(crate) fn room(width: usize) -> usize {
        width.next_multiple_of(Line::LEN)
    }

    /// The sum of each channel from those of a row.
    pub(crate) fn fold(self, sums: &[Line]) -> Vec<f64> {
        let mut folded = vec![0.0; self.channels];
        for sums in Line::doubles(sums)[..self.width].chunks_exact(self.channels) {
            for (folded, sum) in folded.iter_mut().zip(sums) {
                *folded += sum;
            }
        }
        folded
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

    /// Walks over a range of values, `R` rows at a time.
    ///
    /// # Panics
    /// The values or constants of the pass do not reach that far.
    pub(crate) fn sweep<const R: usize, P: Pass>(self, set: InstructionSet, range: Range<usize>, pass: P) {
        pass.check(range.end, self.width);
        set.run(Walk::<P, R> { pass, range, width: self.width });
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

/// What happens to the values of a pass.
pub(crate) trait Pass {
    /// # Panics
    /// Some slice ends before `end` or some row of constants or sums before `width`.
    fn check(&self, end: usize, width: usize);

    /// Treats one vector in each of `R` rows. Loops over rows are unrolled.
    ///
    /// # Safety
    /// The instructions of `S`, and [`check`](Self::check) has accepted the place's rows.
    unsafe fn step<S: Simd, const R: usize>(&mut self, place: Place);
}

/// A vector in some rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Index of the vector in the first row, among all values.
    pub(crate) at: usize,
    /// From row to row.
    pub(crate) width: usize,
    /// Index of the vector in its row.
    pub(crate) column: usize,
    /// Values of the vector, at most `LANES`.
    pub(crate) count: usize,
}

struct Walk<P, const R: usize> {
    pass: P,
    range: Range<usize>,
    width: usize,
}

impl<P: Pass, const R: usize> Kernel for Walk<P, R> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let Self { range: Range { start: mut at, end }, width, .. } = self;
        // SAFETY: `sweep` has checked the range, and the rows lie in it.
        unsafe {
            while end - at >= R * width {
                self.columns::<S, R>(at, width);
                at += R * width;
            }
            while at < end {
                let width = width.min(end - at);
                self.columns::<S, 1>(at, width);
                at += width;
            }
        }
    }
}

impl<P: Pass, const R: usize> Walk<P, R> {
    /// # Safety
    /// Rows of `width` values from `at` on are checked.
    #[inline(always)]
    unsafe fn columns<S: Simd, const N: usize>(&mut self, at: usize, width: usize) {
        let mut column = 0;
        // SAFETY: the contract.
        unsafe {
            while column + S::LANES <= width {
                self.pass.step::<S, N>(Place { at: at + column, width, column, count: S::LANES });
                column += S::LANES;
            }
            if column < width {
                self.pass.step::<S, N>(Place { at: at + column, width, column, count: width - column });
            }
        }
    }
}
