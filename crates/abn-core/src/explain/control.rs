//! Maps that know nothing of the network: what a method must beat.

use super::AttentionMap;

/// Deviation of the Gaussian, as a share of each side.
const SPREAD: f64 = 0.25;

/// The same value everywhere.
pub(super) fn uniform(height: usize, width: usize) -> AttentionMap {
    AttentionMap {
        height,
        width,
        values: vec![1.0; height * width],
    }
}

/// A Gaussian around the centre, where photographers put their object: 1 there, 0.14 at the middle
/// of an edge.
pub(super) fn centre(height: usize, width: usize) -> AttentionMap {
    let rows = gaussian(height);
    let columns = gaussian(width);
    let values = rows
        .iter()
        .flat_map(|row| columns.iter().map(move |column| (row * column) as f32));
    AttentionMap {
        height,
        width,
        values: values.collect(),
    }
}

/// One axis, at the centres of the pixels.
fn gaussian(side: usize) -> Vec<f64> {
    let offset = |pixel: usize| (pixel as f64 + 0.5) / side as f64 - 0.5;
    (0..side)
        .map(|pixel| libm::exp(-0.5 * (offset(pixel) / SPREAD).powi(2)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gaussian_is_symmetric_and_highest_in_the_centre() {
        let map = centre(1, 4);
        // Offsets of an eighth and three eighths are half a deviation and one and a half.
        let (near, far) = ((-0.125_f64).exp() as f32, (-1.125_f64).exp() as f32);
        let row = (-0.0_f32).exp();
        assert_eq!(map.values, [far, near, near, far].map(|value| value * row));
        let map = centre(3, 5);
        assert_eq!(map.values[7], 1.0);
        assert!(map.values.iter().rev().eq(map.values.iter()));
    }

    #[test]
    fn a_uniform_map_points_nowhere() {
        assert_eq!(uniform(2, 3).values, [1.0; 6]);
        assert_eq!(uniform(2, 3).normalized().values, [0.0; 6]);
    }
}
