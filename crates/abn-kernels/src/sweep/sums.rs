//! What a pass adds up.

use crate::buffer::Line;
use crate::simd::Simd;

use super::{Block, Rows};

/// `N` sums for each value of a row.
pub(crate) struct Sums<const N: usize> {
    rows: Rows,
    /// Length of one sum: the last vector of a row may have lanes behind its values.
    room: usize,
    lines: Vec<Line>,
}

impl<const N: usize> Sums<N> {
    pub(super) fn new(rows: Rows) -> Self {
        let room = rows.width.next_multiple_of(Line::LEN);
        Self {
            rows,
            room,
            lines: Line::zeroed_doubles(N * room),
        }
    }

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
                let sums = self.lines.as_mut_ptr().cast::<f64>();
                S::add_to(
                    sums.add(sum * self.room + block.column + v * S::LANES),
                    value,
                );
            }
        }
    }

    /// The sums of each channel, one after the other; starts again at zero.
    pub(crate) fn take(&mut self) -> [Vec<f64>; N] {
        let sums = Line::doubles_mut(&mut self.lines);
        let mut folded = [const { Vec::new() }; N];
        for (folded, sums) in folded.iter_mut().zip(sums.chunks_exact(self.room)) {
            *folded = sums[..self.rows.channels].to_vec();
            for sums in sums[..self.rows.width]
                .chunks_exact(self.rows.channels)
                .skip(1)
            {
                for (folded, sum) in folded.iter_mut().zip(sums) {
                    *folded += sum;
                }
            }
        }
        sums.fill(0.0);
        folded
    }
}
