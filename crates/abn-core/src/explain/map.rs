//! One map of one image, as numbers on the host.

use std::fmt;

use burn::serde::{Deserialize, Serialize};

/// Added to the maximum, as in the package pytorch-grad-cam: a map that spans much less stays dark.
const NO_DIVISION_BY_ZERO: f32 = 1e-7;

/// One map of one image: where the network looks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde")]
pub struct AttentionMap {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `height x width` values, row-major. In [0, 1] for the sigmoid maps of an attention branch.
    pub values: Vec<f32>,
}

impl AttentionMap {
    /// A map of `height x width` row-major values.
    ///
    /// # Errors
    /// If a side is zero or the number of values is not `height x width`.
    pub fn new(height: usize, width: usize, values: Vec<f32>) -> Result<Self, MapSizeError> {
        MapSizeError::check(height, width, values.len())?;
        Ok(Self {
            height,
            width,
            values,
        })
    }

    /// The map at another size, bilinear with half-pixel centres: PyTorch's `align_corners=False`,
    /// OpenCV's `INTER_LINEAR`. A value that is not finite spreads to the pixels between it and its
    /// neighbours.
    pub fn resize_to(&self, width: usize, height: usize) -> Self {
        let columns = taps(self.width, width);
        let mut values = Vec::with_capacity(width * height);
        for row in taps(self.height, height) {
            for column in &columns {
                let above = mix(
                    self.at(row.low, column.low),
                    self.at(row.low, column.high),
                    column.share,
                );
                let below = mix(
                    self.at(row.high, column.low),
                    self.at(row.high, column.high),
                    column.share,
                );
                values.push(mix(above, below, row.share));
            }
        }
        Self {
            height,
            width,
            values,
        }
    }

    /// The least and the greatest finite value; `None` if there is no finite value.
    pub fn extent(&self) -> Option<(f32, f32)> {
        let finite = self
            .values
            .iter()
            .copied()
            .filter(|value| value.is_finite());
        finite.fold(None, |extent, value| match extent {
            None => Some((value, value)),
            Some((low, high)) => Some((value.min(low), value.max(high))),
        })
    }

    /// The map without its negative values.
    #[must_use]
    pub fn rectified(mut self) -> Self {
        self.values
            .iter_mut()
            .for_each(|value| *value = value.max(0.0));
        self
    }

    /// The map brought to [0, 1]: minus its minimum, by its maximum. A constant map becomes zeros:
    /// it points nowhere.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        let (low, high) = self.extent().unwrap_or((0.0, 0.0));
        let scale = high - low + NO_DIVISION_BY_ZERO;
        self.values
            .iter_mut()
            .for_each(|value| *value = (*value - low) / scale);
        self
    }

    /// NaN outside, so that a map whose public fields disagree is drawn as broken and never indexed
    /// out of bounds.
    fn at(&self, row: usize, column: usize) -> f32 {
        self.values
            .get(row * self.width + column)
            .copied()
            .unwrap_or(f32::NAN)
    }
}

/// The two source pixels that make one target pixel, and the share of the second.
struct Tap {
    low: usize,
    high: usize,
    share: f32,
}

/// Taps of one axis: target pixel `i` has its centre at `(i + 0.5) * from / to - 0.5` of the
/// source, held inside it.
fn taps(from: usize, to: usize) -> Vec<Tap> {
    let last = from.saturating_sub(1);
    let step = from as f64 / to.max(1) as f64;
    (0..to)
        .map(|i| {
            let centre = ((i as f64 + 0.5) * step - 0.5).clamp(0.0, last as f64);
            let low = centre as usize;
            Tap {
                low,
                high: (low + 1).min(last),
                share: (centre - low as f64) as f32,
            }
        })
        .collect()
}

/// Linear interpolation that leaves `a` alone at share 0: `0 * NaN` of an unused neighbour would
/// spread.
fn mix(a: f32, b: f32, share: f32) -> f32 {
    if share == 0.0 {
        a
    } else {
        a * (1.0 - share) + b * share
    }
}

/// The number of values does not fit the size of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapSizeError {
    height: usize,
    width: usize,
    values: usize,
}

impl MapSizeError {
    /// Neither side may be zero, and there must be as many values as positions.
    pub(super) fn check(height: usize, width: usize, values: usize) -> Result<(), Self> {
        let fits = height > 0 && width > 0 && height.checked_mul(width) == Some(values);
        if fits {
            Ok(())
        } else {
            Err(Self {
                height,
                width,
                values,
            })
        }
    }
}

impl fmt::Display for MapSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a map of {} x {} cannot be made of {} values",
            self.height, self.width, self.values
        )
    }
}

impl std::error::Error for MapSizeError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(height: usize, width: usize, values: &[f32]) -> AttentionMap {
        AttentionMap::new(height, width, values.to_vec()).unwrap()
    }

    #[test]
    fn a_map_needs_as_many_values_as_it_has_pixels() {
        assert!(AttentionMap::new(2, 3, vec![0.0; 6]).is_ok());
        assert!(AttentionMap::new(2, 3, vec![0.0; 5]).is_err());
        assert!(AttentionMap::new(0, 3, vec![]).is_err());
        assert!(
            AttentionMap::new(usize::MAX, 2, vec![0.0; 2]).is_err(),
            "the product overflows"
        );
    }

    #[test]
    fn enlarging_two_pixels_to_four_puts_the_centres_at_minus_a_quarter_to_five_quarters() {
        // Centres -0.25, 0.25, 0.75, 1.25 of the source, the outer two held at the edge.
        assert_eq!(
            map(1, 2, &[0.0, 1.0]).resize_to(4, 1).values,
            [0.0, 0.25, 0.75, 1.0]
        );
        assert_eq!(
            map(2, 1, &[0.0, 1.0]).resize_to(1, 4).values,
            [0.0, 0.25, 0.75, 1.0]
        );
    }

    #[test]
    fn resizing_in_both_directions_is_the_product_of_the_two() {
        // torch.nn.functional.interpolate(torch.tensor([[[[0., 1.], [2., 3.]]]]), size=(3, 3),
        // mode="bilinear")
        let resized = map(2, 2, &[0.0, 1.0, 2.0, 3.0]).resize_to(3, 3);
        assert_eq!(
            resized.values,
            [0.0, 0.5, 1.0, 1.0, 1.5, 2.0, 2.0, 2.5, 3.0]
        );
    }

    #[test]
    fn halving_four_pixels_averages_neighbours() {
        assert_eq!(
            map(1, 4, &[0.0, 1.0, 2.0, 5.0]).resize_to(2, 1).values,
            [0.5, 3.5]
        );
    }

    #[test]
    fn normalizing_spreads_a_map_over_the_unit_interval() {
        assert_eq!(
            map(1, 3, &[-1.0, 0.0, 3.0]).normalized().values,
            [0.0, 0.25, 1.0]
        );
        assert_eq!(
            map(1, 3, &[-1.0, 0.5, 2.0]).rectified().normalized().values,
            [0.0, 0.25, 1.0]
        );
    }

    #[test]
    fn a_constant_map_is_normalized_to_zeros() {
        for value in [0.0, 0.7, -3.0] {
            assert_eq!(map(1, 2, &[value; 2]).normalized().values, [0.0; 2]);
        }
        assert_eq!(
            map(1, 2, &[-2.0, -1.0]).rectified().normalized().values,
            [0.0; 2]
        );
    }

    #[test]
    fn the_same_size_is_the_same_map_even_beside_nan() {
        let same = map(1, 3, &[0.2, f32::NAN, 0.7]).resize_to(3, 1);
        assert_eq!((same.values[0], same.values[2]), (0.2, 0.7));
        assert!(same.values[1].is_nan());
    }
}
