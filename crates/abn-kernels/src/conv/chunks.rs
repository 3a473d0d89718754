//! The positions of a batch, in chunks that are summed by themselves: so a sum over positions
//! depends on the shapes alone, neither on the machine nor on the number of threads.

use std::ops::Range;

/// Portions, at most.
const PORTIONS: usize = 16;
/// Values of all their sums, at most.
const VALUES: usize = 1 << 20;

/// Some rows of an image, or some whole images.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunks {
    batch: usize,
    size: [usize; 2],
    images: usize,
    rows: usize,
    /// Chunks that are added up one after the other; the sums of portions are joined at last.
    each: usize,
}

/// The positions of a chunk.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) images: Range<usize>,
    pub(super) rows: Range<usize>,
}

impl Chunks {
    /// Cuts the positions of some images, `[height, width]` each, into chunks of about `together`,
    /// and these into portions, where the sums of a portion take so many values.
    pub(super) fn of(batch: usize, size: [usize; 2], together: usize, values: usize) -> Self {
        let [height, width] = size;
        let (images, rows) = match together / (height * width) {
            0 => (1, (together / width).max(1)),
            images => (images.min(batch), height),
        };
        let mut chunks = Self {
            batch,
            size,
            images,
            rows,
            each: 1,
        };
        let portions = (VALUES / values).clamp(1, PORTIONS);
        chunks.each = chunks.count().div_ceil(portions);
        chunks
    }

    fn count(&self) -> usize {
        self.batch.div_ceil(self.images) * self.size[0].div_ceil(self.rows)
    }

    /// Portions, each of which has sums of its own.
    pub(super) fn portions(&self) -> usize {
        self.count().div_ceil(self.each)
    }

    /// Positions of a chunk, at most.
    pub(super) fn most(&self) -> usize {
        self.images * self.rows * self.size[1]
    }

    /// The chunks of a portion, in their order.
    pub(super) fn of_portion(self, portion: usize) -> impl Iterator<Item = Chunk> {
        let down = self.size[0].div_ceil(self.rows);
        let chunks = portion * self.each..((portion + 1) * self.each).min(self.count());
        chunks.map(move |index| {
            let part =
                |index: usize, step: usize, end: usize| index * step..((index + 1) * step).min(end);
            Chunk {
                images: part(index / down, self.images, self.batch),
                rows: part(index % down, self.rows, self.size[0]),
            }
        })
    }
}
