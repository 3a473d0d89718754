//! Weights in the order in which the tiles read them.

use rayon::prelude::*;

use crate::buffer::Line;

/// Weights where they lie: distances of neighbouring output and input channels; the values of a
/// kernel lie side by side, row by row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) output: usize,
    pub(crate) input: usize,
}

/// Weights of one group, as panels of some output channels each: for every panel, walk and place
/// along it (column, then input channel), the weights of the panel's channels side by side, zeros
/// behind the last.
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
    /// Packs the weights of `channels` output channels; `offsets` has the place of each weight of
    /// the first one, walk by walk.
    pub(crate) fn pack(
        width: usize,
        channels: usize,
        walks: usize,
        offsets: &[usize],
        weights: Weights,
    ) -> Self {
        /// Places whose lines of the panel stay in the first-level cache while all channels are
        /// written.
        const BLOCK: usize = 16;
        let depth = offsets.len() / walks.max(1);
        let panel = offsets.len() * width;
        let len = panel * channels.div_ceil(width);
        let pack = |index: usize, panel: &mut [f32]| {
            let first = index * width;
            let count = width.min(channels - first);
            if count < width {
                panel.fill(0.0);
            }
            if weights.output == 1 {
                for (values, &offset) in panel.chunks_exact_mut(width).zip(offsets) {
                    let weights = &weights.values[offset + first..][..count];
                    values[..count].copy_from_slice(weights);
                }
                return;
            }
            for (offsets, panel) in offsets.chunks(BLOCK).zip(panel.chunks_mut(BLOCK * width)) {
                for channel in first..first + count {
                    let weights = &weights.values[channel * weights.output..];
                    for (values, &offset) in panel.chunks_exact_mut(width).zip(offsets) {
                        values[channel - first] = weights[offset];
                    }
                }
            }
        };
        // SAFETY: every value of a panel is that of a channel, or zero where there are fewer.
        let lines = unsafe {
            Line::filled(len, |values| {
                let (panels, behind) = values.split_at_mut(len);
                behind.fill(0.0);
                panels
                    .par_chunks_mut(panel.max(1))
                    .enumerate()
                    .for_each(|(index, panel)| pack(index, panel));
            })
        };
        Self {
            lines,
            width,
            walks,
            depth,
            channels,
        }
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
