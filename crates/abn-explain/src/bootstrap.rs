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
    let means = (0..RESAMPLES).map(|_| resample()).collect();
    around(Some(mean(values.iter().sum())), means)
}

/// A figure with the middle 95 % of what it is in resamples; `None` where it is not defined.
pub(crate) fn around(figure: Option<f64>, mut resampled: Vec<f64>) -> Option<Interval> {
    let (mean, last) = (figure?, resampled.len().checked_sub(1)?);
    resampled.sort_by(f64::total_cmp);
    let at = |share: f64| resampled[(share * last as f64).round() as usize];
    let tail = (1.0 - CONFIDENCE) / 2.0;
    Some(Interval {
        mean,
        low: at(tail),
        high: at(1.0 - tail),
    })
}

/// A mean over runs and images, with how sure it is of both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossed {
    /// Mean with its 95 % interval.
    pub interval: Interval,
    /// Standard deviation of the resampled means.
    pub deviation: f64,
}

/// The bootstrap of values of the same images in several runs: runs and images are drawn with
/// replacement, each by itself, for both are a sample (the two-way case of Owen 2007). A lone run
/// is drawn always. Absent values count nowhere; `None` if there are none.
pub fn crossed(runs: &[Vec<Option<f64>>], seed: u64) -> Option<Crossed> {
    let images = runs.iter().map(Vec::len).max()?;
    let all: Vec<f64> = runs.iter().flatten().copied().flatten().collect();
    if all.is_empty() {
        return None;
    }
    let mut random = Pcg64::seed_from_u64(seed);
    let mut resample = || {
        let own: Vec<usize> = (0..runs.len())
            .map(|_| random.random_range(0..runs.len()))
            .collect();
        let (mut sum, mut count) = (0.0, 0_usize);
        for _ in 0..images {
            let image = random.random_range(0..images);
            for value in own.iter().filter_map(|run| runs[*run].get(image).copied()?) {
                sum += value;
                count += 1;
            }
        }
        (count > 0).then(|| sum / count as f64)
    };
    let means: Vec<f64> = (0..RESAMPLES).filter_map(|_| resample()).collect();
    let centre = means.iter().sum::<f64>() / means.len() as f64;
    let squares: f64 = means.iter().map(|mean| (mean - centre).powi(2)).sum();
    let deviation = (squares / means.len() as f64).sqrt();
    let interval = around(Some(all.iter().sum::<f64>() / all.len() as f64), means)?;
    Some(Crossed {
        interval,
        deviation,
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

    #[test]
    fn runs_that_differ_widen_the_interval() {
        let run = |value: f64| vec![Some(value); 40];
        assert_eq!(crossed(&[], 1), None);
        assert_eq!(crossed(&[vec![None; 3]], 1), None);
        let alone = crossed(&[run(0.25)], 1).unwrap();
        assert_eq!((alone.interval.low, alone.interval.high), (0.25, 0.25));
        // Of two runs, 0 and 1: a quarter of the draws is 0 twice, a quarter 1 twice.
        let two = crossed(&[run(0.0), run(1.0)], 1).unwrap();
        assert_eq!((two.interval.low, two.interval.high), (0.0, 1.0));
        assert!((two.deviation - 0.125_f64.sqrt()).abs() < 0.02);
        assert_eq!(two.interval.mean, 0.5);
    }
}
