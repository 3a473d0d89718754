//! What the bins of a region take of the positions along one axis.

use super::{Grid, Region};

/// A position, and the share that it has in a bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tap {
    /// Row or column.
    pub at: usize,
    /// Its weight; those of a bin sum to 1, less what its samples outside would have.
    pub weight: f64,
}

/// The taps of all bins along one axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    taps: Vec<Tap>,
    /// Where those of each bin end.
    ends: Vec<usize>,
}

impl Axis {
    /// Rows, then columns, of a region on features of that size.
    ///
    /// # Panics
    /// A bound is not finite.
    pub fn both(grid: &Grid, region: &Region, size: [usize; 2]) -> [Self; 2] {
        let [left, top, right, bottom] = region.bounds;
        [
            Self::of(grid, [top, bottom], grid.bins[0], size[0]),
            Self::of(grid, [left, right], grid.bins[1], size[1]),
        ]
    }

    fn of(grid: &Grid, bounds: [f64; 2], bins: usize, len: usize) -> Self {
        assert!(bounds.iter().all(|bound| bound.is_finite()), "{bounds:?}");
        let half = if grid.aligned { 0.5 } else { 0.0 };
        let [start, end] = bounds.map(|bound| bound * grid.scale - half);
        let least = if grid.aligned { 0.0 } else { 1.0 };
        let bin = (end - start).max(least) / bins as f64;
        let samples = match grid.samples {
            0 => (bin.ceil() as usize).max(1),
            samples => samples,
        };
        let mut axis = Self {
            taps: Vec::new(),
            ends: Vec::with_capacity(bins),
        };
        for number in 0..bins {
            let begin = axis.taps.len();
            for sample in 0..samples {
                let place = (sample as f64 + 0.5) * bin / samples as f64;
                let place = start + number as f64 * bin + place;
                axis.sample(place, len, begin, 1.0 / samples as f64);
            }
            axis.ends.push(axis.taps.len());
        }
        axis
    }

    /// A sample at a place: its two neighbours, one at the border, none beyond.
    fn sample(&mut self, place: f64, len: usize, begin: usize, weight: f64) {
        if !(-1.0..=len as f64).contains(&place) {
            return;
        }
        let place = place.max(0.0);
        let low = (place as usize).min(len - 1);
        let beyond = if low == len - 1 {
            0.0
        } else {
            place - low as f64
        };
        let mut take = |at: usize, weight: f64| {
            if weight == 0.0 {
                return;
            }
            let known = self.taps[begin..].iter_mut().find(|tap| tap.at == at);
            match known {
                Some(tap) => tap.weight += weight,
                None => self.taps.push(Tap { at, weight }),
            }
        };
        take(low, weight * (1.0 - beyond));
        take(low + 1, weight * beyond);
    }

    /// The taps of a bin.
    pub fn of_bin(&self, bin: usize) -> &[Tap] {
        let begin = bin.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.taps[begin..self.ends[bin]]
    }

    /// The most taps that a bin has.
    pub fn most(&self) -> usize {
        (0..self.ends.len())
            .map(|bin| self.of_bin(bin).len())
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(samples: usize, aligned: bool) -> Grid {
        Grid {
            bins: [2, 2],
            samples,
            scale: 0.5,
            aligned,
        }
    }

    fn taps(axis: &Axis, bin: usize) -> Vec<(usize, f64)> {
        let taps = axis.of_bin(bin).iter();
        taps.map(|tap| (tap.at, tap.weight)).collect()
    }

    /// From 1 to 3 of 4 positions: bins of one position, samples at 1.25, 1.75, 2.25 and 2.75.
    #[test]
    fn neighbours_share_a_sample() {
        let region = Region {
            image: 0,
            bounds: [2.0, 2.0, 6.0, 6.0],
        };
        let [rows, columns] = Axis::both(&grid(2, false), &region, [4, 4]);
        assert_eq!(taps(&rows, 0), [(1, 0.5), (2, 0.5)]);
        assert_eq!(taps(&rows, 1), [(2, 0.5), (3, 0.5)]);
        assert_eq!(rows, columns);
        assert_eq!(rows.most(), 2);
    }

    /// Half a position to the left, of one sample each: 1.0 and 2.0.
    #[test]
    fn an_aligned_grid_lies_between_the_positions() {
        let region = Region {
            image: 0,
            bounds: [2.0, 2.0, 6.0, 6.0],
        };
        let [rows, _] = Axis::both(&grid(1, true), &region, [4, 4]);
        assert_eq!(taps(&rows, 0), [(1, 1.0)]);
        assert_eq!(taps(&rows, 1), [(2, 1.0)]);
    }

    /// From -4 to 0: samples at -3.5, -2.5, -1.5 are beyond, that at -0.5 is the first position.
    #[test]
    fn beyond_the_border_there_is_nothing() {
        let region = Region {
            image: 0,
            bounds: [-8.0, -8.0, 0.0, 0.0],
        };
        let [rows, _] = Axis::both(&grid(2, false), &region, [4, 4]);
        assert_eq!(taps(&rows, 0), []);
        assert_eq!(taps(&rows, 1), [(0, 0.5)]);
        let right = Region {
            image: 0,
            bounds: [7.0, 7.0, 9.0, 9.0],
        };
        // Samples at 3.75 and 4.25: the last position, and beyond.
        let [rows, _] = Axis::both(&grid(1, false), &right, [4, 4]);
        assert_eq!(taps(&rows, 0), [(3, 1.0)]);
        assert_eq!(taps(&rows, 1), []);
    }

    #[test]
    fn samples_are_as_many_as_positions_if_none_are_asked_for() {
        let region = Region {
            image: 0,
            bounds: [0.0, 0.0, 10.0, 1.0],
        };
        // 2.5 positions a bin: three samples; a row less than one high is taken as one.
        let [rows, columns] = Axis::both(&grid(0, false), &region, [8, 8]);
        let sum: f64 = columns.of_bin(0).iter().map(|tap| tap.weight).sum();
        assert!((sum - 1.0).abs() < 1e-12);
        assert_eq!(columns.of_bin(0).len(), 4);
        assert_eq!(taps(&rows, 0), [(0, 0.75), (1, 0.25)]);
    }
}
