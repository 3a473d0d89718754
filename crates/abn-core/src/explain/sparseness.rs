//! How little of the image a map needs.

use super::AttentionMap;

/// The Gini index of the map's absolute values (Chalasani et al. 2020, after Hurley and Rickard
/// 2009): `sum over i of (2 i - n - 1) x_i / (n sum x)` for x sorted from the least on, i from 1. 0
/// for a uniform map or one of zeros, `1 - 1/n` for a single position. NaN-free: a map with a value
/// that is not finite has none.
pub fn sparseness(map: &AttentionMap) -> Option<f64> {
    if map.values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut values: Vec<f64> = map
        .values
        .iter()
        .map(|value| f64::from(*value).abs())
        .collect();
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let weighted: f64 = values
        .iter()
        .enumerate()
        .map(|(index, value)| (2.0 * (index + 1) as f64 - count - 1.0) * value)
        .sum();
    Some(if sum > 0.0 {
        weighted / (count * sum)
    } else {
        0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f32], expected: Option<f64>) {
        assert_eq!(
            sparseness(&AttentionMap::new(1, values.len(), values.to_vec()).unwrap()),
            expected
        );
    }

    #[test]
    fn from_everywhere_to_one_place() {
        check(&[0.5; 4], Some(0.0));
        check(&[0.0; 4], Some(0.0));
        check(&[0.0, 0.0, -2.0, 0.0], Some(0.75));
        // (-3 * 0 - 1 * 1 + 1 * 1 + 3 * 2) / (4 * 4)
        check(&[1.0, 2.0, 0.0, 1.0], Some(0.375));
        check(&[1.0, f32::NAN], None);
    }
}
