//! A mean and how sure it is.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// Resamples of a bootstrap.
const RESAMPLES: usize = 2000;
/// Share of the resampled means that lies within the interval.
const CONFIDENCE: f64 = 0.95;

/// The mean of a sample with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Mean of the sample.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The percentile bootstrap of a mean (Efron 1979): means of samples drawn with replacement, of
/// which the middle 95 % are kept. It supposes nothing of the distribution. `None` without values;
/// a lone value has no width.
pub fn bootstrap(values: &[f64], seed: u64) -> Option<Interval> {
    if values.is_empty() {
        return None;
    }
    let mean = |sum: f64| sum / values.len() as f64;
    let mut random = Pcg64::seed_from_u64(seed);
    let mut resample = || {
        mean(
            (0..values.len())
                .map(|_| values[random.random_range(0..values.len())])
                .sum(),
        )
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[(share * (RESAMPLES - 1) as f64).round() as usize];
    let tail = (1.0 - CONFIDENCE) / 2.0;
    Some(Interval {
        mean: mean(values.iter().sum()),
        low: at(tail),
        high: at(1.0 - tail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_mean_and_equal_values_have_no_width() {
        assert_eq!(bootstrap(&[], 0), None);
        let certain = Interval {
            mean: 0.5,
            low: 0.5,
            high: 0.5,
        };
        assert_eq!(bootstrap(&[0.5; 7], 3), Some(certain));
    }

    /// 400 coins: the standard error is 0.025, so the interval is the mean +- 0.049.
    #[test]
    fn the_interval_of_many_coins_is_that_of_the_normal_distribution() {
        let coins: Vec<f64> = (0..400).map(|index| f64::from(index % 2)).collect();
        let Interval { mean, low, high } = bootstrap(&coins, 1).unwrap();
        assert_eq!(mean, 0.5);
        assert!(
            (low - 0.451).abs() < 0.006 && (high - 0.549).abs() < 0.006,
            "{low} {high}"
        );
    }

    #[test]
    fn the_seed_decides() {
        let values: Vec<f64> = (0..50).map(|index| f64::from(index).sqrt()).collect();
        assert_eq!(bootstrap(&values, 5), bootstrap(&values, 5));
        assert_ne!(bootstrap(&values, 5), bootstrap(&values, 6));
    }
}
