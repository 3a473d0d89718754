//! RoIAlign: the features of regions, each on a grid of the same size.

use burn::tensor::{Int, Tensor, TensorData};

#[cfg(feature = "flex")]
use super::flex;
use crate::roi_align::{Axis, Grid, Region};

/// Values of a part where other backends gather them: their memory is that of a part.
const PART: usize = 1 << 24;

/// The features of each region, sampled bilinearly: [`Grid`] says how. Regions get no gradient.
///
/// # Shapes
/// `features` `[B, C, H, W]` to `[regions, C, rows of bins, columns of bins]`.
///
/// # Panics
/// A region is of no image of the batch, or a bound is not finite.
pub fn roi_align(features: Tensor<4>, regions: &[Region], grid: Grid) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::serves(&features) {
        return flex::roi_align::roi_align(features, regions, grid);
    }
    gathered(features, regions, grid)
}

/// By gathering the positions that each bin takes: on any backend, in any precision.
fn gathered(features: Tensor<4>, regions: &[Region], grid: Grid) -> Tensor<4> {
    let [batch, channels, height, width] = features.dims();
    let [rows, columns] = grid.bins;
    let positions = features
        .permute([0, 2, 3, 1])
        .reshape([batch * height * width, channels]);
    let axes: Vec<[Axis; 2]> = regions
        .iter()
        .map(|region| Axis::both(&grid, region, [height, width]))
        .collect();
    let most = axes
        .iter()
        .map(|[rows, columns]| rows.most() * columns.most());
    // A region whose bins are all outside takes nothing of the first position.
    let most = most.max().unwrap_or(0).max(1);
    let bins = rows * columns;
    let together = (PART / (bins * most * channels).max(1)).max(1);
    let part = |(regions, axes): (&[Region], &[[Axis; 2]])| {
        let count = regions.len();
        let mut places = vec![0_i64; count * bins * most];
        let mut weights = vec![0.0_f64; places.len()];
        for (number, (region, [row_axis, column_axis])) in regions.iter().zip(axes).enumerate() {
            assert!(region.image < batch, "a region of image {}", region.image);
            for bin in 0..bins {
                let mut place = (number * bins + bin) * most;
                for row in row_axis.of_bin(bin / columns) {
                    for column in column_axis.of_bin(bin % columns) {
                        let at = (region.image * height + row.at) * width + column.at;
                        places[place] = at as i64;
                        weights[place] = row.weight * column.weight;
                        place += 1;
                    }
                }
            }
        }
        let device = positions.device();
        let weights = TensorData::new(weights, [count * bins, most, 1]);
        let weights = Tensor::<3>::from_data(weights, (&device, positions.dtype()));
        let places = Tensor::<1, Int>::from_ints(places.as_slice(), &device);
        let taken = positions.clone().select(0, places);
        (taken.reshape([count * bins, most, channels]) * weights)
            .sum_dim(1)
            .reshape([count, rows, columns, channels])
            .permute([0, 3, 1, 2])
    };
    if regions.is_empty() {
        return Tensor::zeros([0, channels, rows, columns], &positions.device());
    }
    let parts = regions.chunks(together).zip(axes.chunks(together));
    Tensor::cat(parts.map(part).collect(), 0)
}
