//! Which kernel values a position meets, and where it finds their inputs.

use crate::buffer::Line;
use crate::simd::InstructionSet;

use super::panels::{Panels, Weights};

/// Channels after which a position falls into one of eight groups of the cache's 64 sets.
const ALIASED: usize = 128;

/// Whether so many channels make the positions of a tile fall into the same few sets of the
/// first-level cache, which then holds fewer of them than a tile has.
fn aliases(channels: usize) -> bool {
    channels.is_multiple_of(ALIASED)
}

/// Distance of neighbouring positions with so many channels in memory that can be chosen freely.
pub(crate) fn spread(channels: usize) -> usize {
    if aliases(channels) {
        channels + Line::LEN
    } else {
        channels
    }
}

/// A row or a column of the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tap {
    /// Its index in the kernel.
    pub(crate) index: usize,
    /// Rows or columns from the first input of the position.
    pub(crate) offset: usize,
}

/// The kernel values that some positions meet: every row with every column.
#[derive(Debug, Clone)]
pub(crate) struct Taps {
    rows: Vec<Tap>,
    columns: Vec<Tap>,
    channels: usize,
    /// Columns and channels lie side by side in the input, so that a kernel row is walked in one
    /// go.
    joined: bool,
}

impl Taps {
    /// Rows and columns by rising offset, over `channels` input channels of a group out of all
    /// `groups`.
    pub(crate) fn new([rows, columns]: [Vec<Tap>; 2], channels: usize, groups: usize) -> Self {
        let adjacent = columns
            .windows(2)
            .all(|pair| pair[0].offset + 1 == pair[1].offset);
        let joined = columns.len() == 1 || (groups == 1 && adjacent && !aliases(channels));
        Self {
            rows,
            columns,
            channels,
            joined,
        }
    }

    /// Distance of neighbouring positions that are `step` apart in an input with so many channels:
    /// that of the input itself, or a wider one to copy it to. Where no two positions read the same
    /// input, a copy costs more than it saves, until all positions fall into one set.
    pub(crate) fn column(&self, channels: usize, step: [usize; 2]) -> usize {
        let reads_once = self.rows.len() * self.columns.len() <= step[0] * step[1];
        if reads_once && !(step[1] * channels).is_multiple_of(8 * ALIASED) {
            channels
        } else {
            spread(channels)
        }
    }

    /// Rows and columns of the input that a position spans.
    pub(crate) fn span(&self) -> [usize; 2] {
        [&self.rows, &self.columns].map(|taps| taps.last().map_or(0, |tap| tap.offset + 1))
    }

    /// Values of a walk.
    pub(crate) fn depth(&self) -> usize {
        if self.joined {
            self.columns.len() * self.channels
        } else {
            self.channels
        }
    }

    /// Input channel and kernel value at a place of a walk.
    pub(crate) fn at(&self, walk: usize, place: usize) -> (usize, [usize; 2]) {
        let (row, column) = if self.joined {
            (walk, place / self.channels)
        } else {
            (walk / self.columns.len(), walk % self.columns.len())
        };
        (
            place % self.channels,
            [self.rows[row].index, self.columns[column].index],
        )
    }

    /// Start of every walk, from the first input of the position.
    pub(crate) fn walks(&self, row: usize, column: usize) -> Vec<usize> {
        let columns = if self.joined {
            &self.columns[..1]
        } else {
            &self.columns[..]
        };
        let walks = self.rows.iter().flat_map(|down| {
            columns
                .iter()
                .map(move |right| down.offset * row + right.offset * column)
        });
        walks.collect()
    }

    /// Packs the weights of a group whose kernels have `columns` columns.
    pub(crate) fn pack(
        &self,
        set: InstructionSet,
        channels_out: usize,
        columns: usize,
        weights: Weights,
    ) -> Panels {
        let walks = self.rows.len() * if self.joined { 1 } else { self.columns.len() };
        let places = (0..walks).flat_map(|walk| (0..self.depth()).map(move |place| (walk, place)));
        let offsets: Vec<usize> = places
            .map(|(walk, place)| {
                let (from, [row, column]) = self.at(walk, place);
                from * weights.input + row * columns + column
            })
            .collect();
        Panels::pack(
            set.panel(channels_out),
            channels_out,
            walks,
            &offsets,
            weights,
        )
    }
}
