//! Passes over channels-last values with a few constants or sums for each channel.
//!
//! Values are taken as rows of some whole positions, so that 3 or 16 channels fill vectors and
//! overlap their additions like 512 do. A step takes the same columns of some neighbouring rows: it
//! loads their constants once and adds to their sums once.

mod pass;
mod sums;

pub(crate) use pass::{Block, Pass, RUN};
pub(crate) use sums::Sums;

use std::ops::{Deref, Range};

use rayon::prelude::*;

use crate::buffer::Line;
use crate::simd::InstructionSet;

use pass::Walk;

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
        Self {
            channels,
            width: channels * WIDTH.div_ceil(channels),
        }
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
        Sums::new(self)
    }

    /// Calls `task` with every part of `len` values, on all threads.
    pub(crate) fn for_each(self, len: usize, task: impl Fn(Range<usize>) + Sync) {
        self.parts(len, PART.div_ceil(self.width), task);
    }

    /// The results for the parts of `len` values, few and in order. Lengths alone decide where the
    /// values are cut.
    pub(crate) fn map<T: Send>(
        self,
        len: usize,
        task: impl Fn(Range<usize>) -> T + Sync,
    ) -> Vec<T> {
        let least = PART.div_ceil(self.width).max(REDUCED_ROWS);
        self.parts(
            len,
            least.max(len.div_ceil(self.width).div_ceil(REDUCED_PARTS)),
            task,
        )
    }

    fn parts<T: Send>(
        self,
        len: usize,
        rows: usize,
        task: impl Fn(Range<usize>) -> T + Sync,
    ) -> Vec<T> {
        let part = rows * self.width;
        let task = |index: usize| task(index * part..((index + 1) * part).min(len));
        match len.div_ceil(part) {
            // Not worth waking anybody.
            count @ 0..=1 => (0..count).map(task).collect(),
            count => (0..count).into_par_iter().map(task).collect(),
        }
    }

    /// Values of the first rows, one in `share` of all, but so many that their mean means
    /// something.
    pub(crate) fn head(self, len: usize, share: usize) -> usize {
        (len / share)
            .next_multiple_of(self.width)
            .max(16 * self.width)
            .min(len)
    }

    /// Walks over a range of values.
    ///
    /// # Panics
    /// The values or constants of the pass do not reach that far.
    pub(crate) fn sweep<P: Pass>(self, set: InstructionSet, range: Range<usize>, pass: P) {
        pass.check(range.end, self.width);
        set.run(Walk {
            pass,
            range,
            width: self.width,
        });
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
