//! A batch in portions with sums of their own, which are added up in order: so a sum over images
//! does not depend on the number of threads.

use std::ops::Range;

/// Portions, at most.
const MOST: usize = 16;
/// Values of all their sums, at most.
const VALUES: usize = 1 << 20;

/// Images that are summed together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portions {
    batch: usize,
    /// Images in each but the last.
    each: usize,
    /// Number of portions.
    pub(super) count: usize,
}

impl Portions {
    /// Cuts a batch, where the sums of a portion take so many values.
    pub(super) fn of(batch: usize, values: usize) -> Self {
        let wanted = (VALUES / values).clamp(1, MOST).min(batch);
        let each = batch.div_ceil(wanted);
        let count = batch.div_ceil(each);
        Self { batch, each, count }
    }

    /// The images of a portion.
    pub(super) fn images(self, portion: usize) -> Range<usize> {
        portion * self.each..((portion + 1) * self.each).min(self.batch)
    }
}
