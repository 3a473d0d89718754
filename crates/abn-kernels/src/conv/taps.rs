//! Which kernel values a position meets, and where it finds their inputs.

use crate::simd::InstructionSet;

use super::panels::Panels;

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
    /// Columns and channels lie side by side in the input, so that a kernel row is walked in one go.
    joined: bool,
}

impl Taps {
    /// Rows and columns by rising offset, over `channels` input channels of a group out of all `groups`.
    pub(crate) fn new([rows, columns]: [Vec<Tap>; 2], channels: usize, groups: usize) -> Self {
        let adjacent = columns.windows(2).all(|pair| pair[0].offset + 1 == pair[1].offset);
        let joined = columns.len() == 1 || (groups == 1 && adjacent);
        Self { rows, columns, channels, joined }
    }

    /// Rows and columns of the input that a position spans.
    pub(crate) fn span(&self) -> [usize; 2] {
        [&self.rows, &self.columns].map(|taps| taps.last().map_or(0, |tap| tap.offset + 1))
    }

    /// Values of a walk.
    pub(crate) fn depth(&self) -> usize {
        if self.joined { self.columns.len() * self.channels } else { self.channels }
    }

    /// Input channel and kernel value at a place of a walk.
    pub(crate) fn at(&self, walk: usize, place: usize) -> (usize, [usize; 2]) {
        let (row, column) = if self.joined {
            (walk, place / self.channels)
        } else {
            (walk / self.columns.len(), walk % self.columns.len())
        };
        (place % self.channels, [self.rows[row].index, self.columns[column].index])
    }

    /// Start of every walk, from the first input of the position.
    pub(crate) fn walks(&self, row: usize, column: usize) -> Vec<usize> {
        let columns = if self.joined { &self.columns[..1] } else { &self.columns[..] };
        let walks = self
            .rows
            .iter()
            .flat_map(|down| columns.iter().map(move |right| down.offset * row + right.offset * column));
        walks.collect()
    }

    /// Packs `weight(output channel, input channel, [row, column])` of a group.
    pub(crate) fn pack(
        &self,
        set: InstructionSet,
        channels_out: usize,
        weight: impl Fn(usize, usize, [usize; 2]) -> f32 + Sync,
    ) -> Panels {
        let walks = self.rows.len() * if self.joined { 1 } else { self.columns.len() };
        Panels::pack(set.panel(channels_out), channels_out, walks, self.depth(), |channel, walk, place| {
            let (from, value) = self.at(walk, place);
            weight(channel, from, value)
        })
    }
}
