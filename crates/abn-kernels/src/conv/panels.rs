//! Weights in the order in which the tiles read them.

use rayon::prelude::*;

use crate::buffer::Line;

/// Weights of one group, as panels of some output channels each: for every panel, walk and place along it
/// (column, then input channel), the weights of the panel's channels side by side, zeros behind the last.
#[derive(Debug)]
pub(crate) struct Panels {
    lines: Vec<Line>,
    /// Output channels of a panel.
    pub(crate) width: usize,
    /// Walks through the input.
    pub(crate) walks: usize,
    /// Places along a walk.
    pub(crate) depth: usize,
    /// Output channels.
    pub(crate) channels: usize,
}

impl Panels {
    /// Packs `weight(channel, walk, place)`.
    pub(crate) fn pack(
        width: usize,
        channels: usize,
        walks: usize,
        depth: usize,
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let panel = walks * depth * width;
        let len = panel * channels.div_ceil(width);
        let mut lines = Line::zeroed(len);
        Line::values_mut(&mut lines)[..len].par_chunks_mut(panel.max(1)).enumerate().for_each(
            |(index, panel)| {
                let first = index * width;
                let count = width.min(channels - first);
                for (at, values) in panel.chunks_exact_mut(width).enumerate() {
                    for (offset, value) in values[..count].iter_mut().enumerate() {
                        *value = weight(first + offset, at / depth, at % depth);
                    }
                }
            },
        );
        Self { lines, width, walks, depth, channels }
    }

    pub(crate) fn count(&self) -> usize {
        self.channels.div_ceil(self.width)
    }

    /// The values of one panel.
    pub(crate) fn panel(&self, index: usize) -> &[f32] {
        let len = self.walks * self.depth * self.width;
        &Line::values(&self.lines)[index * len..][..len]
    }
}
