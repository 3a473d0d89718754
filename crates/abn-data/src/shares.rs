//! The shares of a batch: what several replicas of a network compute of it, or one after the other.

use std::ops::Range;

/// Into how many shares every batch is divided, and which of them are wanted.
///
/// The shares of a batch are its images in order, in numbers that differ by one at most. Where a
/// batch has fewer images than shares, some are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    count: usize,
    own: Range<usize>,
}

impl Shares {
    /// Whole batches.
    #[must_use]
    pub fn whole() -> Self {
        Self::all_of(1)
    }

    /// All of so many shares; 0 counts as 1.
    #[must_use]
    pub fn all_of(count: usize) -> Self {
        let count = count.max(1);
        Self {
            count,
            own: 0..count,
        }
    }

    /// What the `rank`-th of `ranks` processes has to do, which share them as evenly as they can:
    /// neighbours, in the order of the ranks.
    ///
    /// # Panics
    /// There is no such rank.
    #[must_use]
    pub fn of_rank(count: usize, rank: usize, ranks: usize) -> Self {
        assert!(rank < ranks, "rank {rank} of {ranks}");
        let all = Self::all_of(count);
        Self {
            own: part(all.count, rank, ranks),
            ..all
        }
    }

    /// Shares of a batch.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The wanted ones, by their numbers.
    #[must_use]
    pub fn own(&self) -> Range<usize> {
        self.own.clone()
    }

    /// The images of a share among so many of a batch.
    pub(crate) fn images(&self, share: usize, batch: usize) -> Range<usize> {
        part(batch, share, self.count)
    }
}

/// A part of so many things.
fn part(things: usize, part: usize, parts: usize) -> Range<usize> {
    let edge = |part: usize| (part as u128 * things as u128 / parts as u128) as usize;
    edge(part)..edge(part + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_in_one_share_and_every_share_of_one_rank() {
        for (count, batch) in [(1, 7), (3, 7), (4, 8), (5, 3)] {
            let shares = Shares::all_of(count);
            let images = shares.own().flat_map(|share| shares.images(share, batch));
            assert_eq!(
                images.collect::<Vec<_>>(),
                (0..batch).collect::<Vec<_>>(),
                "{count} of {batch}"
            );
            for ranks in 1..=6 {
                let of_rank = |rank| Shares::of_rank(count, rank, ranks).own();
                let dealt: Vec<usize> = (0..ranks).flat_map(of_rank).collect();
                assert_eq!(dealt, shares.own().collect::<Vec<_>>(), "{ranks} ranks");
            }
        }
    }

    #[test]
    fn shares_are_alike() {
        let shares = Shares::all_of(4);
        let sizes = shares.own().map(|share| shares.images(share, 10).len());
        assert_eq!(sizes.collect::<Vec<_>>(), [2, 3, 2, 3]);
    }
}
