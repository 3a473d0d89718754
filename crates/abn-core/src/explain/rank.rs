//! Ranks of a map's values: what of a map does not depend on its scale.

use super::AttentionMap;

/// Spearman's rank correlation of two maps, equal values sharing their mean rank: 1 for the same
/// order of the positions, -1 for the opposite one. The smaller map is brought to the size of the
/// larger.
///
/// `None` where a map is constant or holds a value that is not finite: it has no order.
pub fn rank_correlation(one: &AttentionMap, other: &AttentionMap) -> Option<f64> {
    let (width, height) = (one.width.max(other.width), one.height.max(other.height));
    let ranks = |map: &AttentionMap| ranks(&map.resize_to(width, height).values);
    correlation(&ranks(one)?, &ranks(other)?)
}

/// The rank of each value from 1 on, equal ones sharing their mean; `None` if a value is not
/// finite.
pub(super) fn ranks(values: &[f32]) -> Option<Vec<f64>> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let mean = first as f64 + (equal.len() as f64 + 1.0) / 2.0;
        equal.iter().for_each(|index| ranks[*index] = mean);
        first += equal.len();
    }
    Some(ranks)
}

/// Pearson's correlation; `None` if one does not vary.
pub(super) fn correlation(one: &[f64], other: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let (mut together, mut square_one, mut square_other) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (a - mean_one, b - mean_other);
        together += a * b;
        square_one += a * a;
        square_other += b * b;
    }
    let scale = (square_one * square_other).sqrt();
    (scale > 0.0).then(|| (together / scale).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: &[f32]) -> AttentionMap {
        AttentionMap::new(1, values.len(), values.to_vec()).unwrap()
    }

    #[test]
    fn equal_values_share_their_rank() {
        assert_eq!(ranks(&[0.5, -1.0, 0.5, 9.0]).unwrap(), [2.5, 1.0, 2.5, 4.0]);
        assert_eq!(ranks(&[-0.0, 0.0]).unwrap(), [1.5, 1.5]);
        assert_eq!(ranks(&[0.0, f32::NAN]), None);
    }

    #[test]
    fn only_the_order_matters() {
        let one = map(&[0.1, 0.2, 0.7, 0.9]);
        assert_eq!(
            rank_correlation(&one, &map(&[1.0, 10.0, 100.0, 1000.0])),
            Some(1.0)
        );
        assert_eq!(
            rank_correlation(&one, &map(&[4.0, 3.0, 2.0, 1.0])),
            Some(-1.0)
        );
        // Ranks 1 2 3 4 and 1 3 2 4: 1 - 6 * 2 / (4 * 15).
        let swapped = rank_correlation(&one, &map(&[0.0, 2.0, 1.0, 3.0])).unwrap();
        assert!((swapped - 0.8).abs() < 1e-12, "{swapped}");
    }

    #[test]
    fn a_constant_or_broken_map_has_no_order() {
        let one = map(&[0.1, 0.2]);
        assert_eq!(rank_correlation(&one, &map(&[0.5, 0.5])), None);
        assert_eq!(rank_correlation(&one, &map(&[0.5, f32::INFINITY])), None);
    }

    #[test]
    fn the_smaller_map_is_enlarged() {
        let large = map(&[0.0, 0.25, 0.75, 1.0]);
        assert_eq!(rank_correlation(&map(&[0.0, 1.0]), &large), Some(1.0));
    }
}
