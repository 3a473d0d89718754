//! From a map over the features of a padded image to one of the image itself.

use abn_boxes::Size;

use crate::explain::{AttentionMap, MapSizeError};

/// The map of an image without its padding: as many cells as touch it, spread over it evenly, each
/// the value at its middle between those of the features.
///
/// # Shapes
/// `values` are `cells` rows by columns over the padded image, row by row.
///
/// # Errors
/// There are no values, or not as many as cells.
pub fn map_of_image(
    values: &[f32],
    cells: [usize; 2],
    padded: Size,
    image: Size,
) -> Result<AttentionMap, MapSizeError> {
    let [height, width] = cells;
    let whole = AttentionMap::new(height, width, values.to_vec())?;
    let rows = places(image.height, padded.height, height);
    let columns = places(image.width, padded.width, width);
    let at = |row: usize, column: usize| whole.values[row * width + column];
    let mix = |share: f32, one: f32, other: f32| match share == 0.0 {
        // A value that is not finite belongs to its own cell.
        true => one,
        false => (1.0 - share) * one + share * other,
    };
    let value = |(upper, lower, down): &(usize, usize, f32)| {
        let along = columns.iter().map(|(left, right, across)| {
            let above = mix(*across, at(*upper, *left), at(*upper, *right));
            let below = mix(*across, at(*lower, *left), at(*lower, *right));
            mix(*down, above, below)
        });
        along.collect::<Vec<f32>>()
    };
    let values = rows.iter().flat_map(value).collect();
    AttentionMap::new(rows.len(), columns.len(), values)
}

/// Of each cell of the image the two cells of the features that it lies between, and the share of
/// the second.
fn places(image: usize, padded: usize, cells: usize) -> Vec<(usize, usize, f32)> {
    let (padded, last) = (padded.max(1), cells.saturating_sub(1));
    let count = (image * cells).div_ceil(padded).clamp(1, cells.max(1));
    let place = |number: usize| {
        let middle = (number as f64 + 0.5) * image as f64 / count as f64;
        let at = (middle * cells as f64 / padded as f64 - 0.5).clamp(0.0, last as f64);
        let first = at as usize;
        (first, (first + 1).min(last), (at - first as f64) as f32)
    };
    (0..count).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        values: &[f32],
        cells: [usize; 2],
        padded: [usize; 2],
        image: [usize; 2],
    ) -> AttentionMap {
        let size = |[height, width]: [usize; 2]| Size { height, width };
        map_of_image(values, cells, size(padded), size(image)).unwrap()
    }

    #[test]
    fn whole_cells_stay_as_they_are() {
        let values: Vec<f32> = (0..16).map(|value| value as f32).collect();
        let whole = of(&values, [4, 4], [32, 32], [32, 32]);
        assert_eq!(whole.values, values);
        let part = of(&values, [4, 4], [32, 32], [16, 8]);
        assert_eq!((part.height, part.width), (2, 1));
        assert_eq!(part.values, [0.0, 4.0]);
    }

    /// 20 of 32 rows are two and a half cells: three, whose middles lie at 3.33, 10 and 16.67.
    #[test]
    fn a_part_of_a_cell_is_a_part() {
        let column = of(&[0.0, 8.0, 16.0, 24.0], [4, 1], [32, 8], [20, 8]);
        for (found, expected) in column.values.iter().zip([0.0, 6.0, 12.667]) {
            assert!((found - expected).abs() < 1e-3, "{column:?}");
        }
        assert!(map_of_image(&[], [0, 0], Size::new(8, 8), Size::new(8, 8)).is_err());
    }
}
