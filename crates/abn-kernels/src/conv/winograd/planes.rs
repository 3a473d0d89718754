//! How transformed tiles lie in memory.

use crate::buffer::Line;

/// Planes, one for each value of a tile, of some tiles by some channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planes {
    values: usize,
    tiles: usize,
    /// Distance of neighbouring tiles.
    pub(super) row: usize,
    /// Distance of neighbouring planes, an odd number of cache lines: the values of a channel, which
    /// are written together, so fall into different sets of the cache.
    pub(super) plane: usize,
}

impl Planes {
    pub(super) fn of(values: usize, tiles: usize, row: usize) -> Self {
        let lines = (tiles * row).div_ceil(Line::LEN) | 1;
        Self {
            values,
            tiles,
            row,
            plane: lines * Line::LEN,
        }
    }

    pub(super) fn len(self) -> usize {
        self.values * self.plane
    }

    /// Whether so many values of so many tiles of so many channels find room.
    pub(super) fn hold(self, values: usize, tiles: usize, channels: usize) -> bool {
        values <= self.values && tiles <= self.tiles && channels <= self.row
    }

    /// First channel of a tile.
    pub(super) fn at(self, value: usize, tile: usize) -> usize {
        value * self.plane + tile * self.row
    }
}
