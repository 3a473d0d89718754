//! How much of the image a reader has to look at (Bhatt et al. 2020, section 3.3).

use super::AttentionMap;

/// The entropy of a map as a distribution over its positions, by that of the uniform distribution:
/// 0 for a single position, 1 for all alike. Negative values count nothing.
///
/// `None` without a positive value, for a single position, and where a value is not finite.
pub fn complexity(map: &AttentionMap) -> Option<f64> {
    let weights = || map.values.iter().map(|value| f64::from(value.max(0.0)));
    let sum: f64 = weights().sum();
    let finite = map.values.iter().all(|value| value.is_finite());
    if !finite || sum <= 0.0 || map.values.len() < 2 {
        return None;
    }
    let shares = weights()
        .map(|weight| weight / sum)
        .filter(|share| *share > 0.0);
    let entropy = -shares.map(|share| share * libm::log(share)).sum::<f64>();
    Some(entropy / libm::log(map.values.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_runs_from_a_point_to_no_preference() {
        let entropy = |values: &[f32]| {
            complexity(&AttentionMap::new(1, values.len(), values.to_vec()).unwrap())
        };
        let close = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < 1e-6;
        assert_eq!(entropy(&[0.0, 0.7, 0.0, 0.0]), Some(0.0));
        assert!(close(entropy(&[0.3; 4]), 1.0));
        // Two of four positions: one bit of two; negative values are none.
        assert!(close(entropy(&[0.5, 0.0, 0.5, -3.0]), 0.5));
        // A quarter and three quarters: 0.811 of a bit, of one.
        assert!(close(entropy(&[0.1, 0.3]), 0.811_278));
        assert_eq!([entropy(&[0.0, 0.0]), entropy(&[0.4])], [None, None]);
        assert_eq!(entropy(&[f32::INFINITY, 0.1]), None);
    }
}
