//! Means of few runs and how sure they are: Student's t, because a handful of seeds cannot be
//! resampled. Many images can.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Confidence of the intervals.
const CONFIDENCE: f64 = 0.95;

/// The mean of some runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// Number of runs.
    pub(crate) runs: usize,
    /// Their mean.
    pub(crate) mean: f64,
    /// Their standard deviation (n - 1); absent for a single run.
    pub(crate) spread: Option<f64>,
}

/// How far a mean is from the baseline's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    /// This mean minus the baseline's.
    pub(crate) mean: f64,
    /// 95 % interval by Welch's t, which allows the two spreads to differ; absent where one of them
    /// is unknown, or both are zero.
    pub(crate) interval: Option<(f64, f64)>,
}

impl Estimate {
    /// The estimate of those values; `None` without any.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let runs = values.len();
        let mean = values.iter().sum::<f64>() / runs as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let spread = (runs > 1).then(|| (squares / (runs - 1) as f64).sqrt());
        Some(Self { runs, mean, spread })
    }

    /// This mean minus the baseline's, with its interval (Welch 1947; degrees of freedom by
    /// Satterthwaite).
    pub(crate) fn minus(&self, baseline: &Self) -> Difference {
        let mean = self.mean - baseline.mean;
        let variance = |estimate: &Self| Some(estimate.spread?.powi(2) / estimate.runs as f64);
        // A few runs that all end the same on a few hundred images are a coincidence, not
        // certainty.
        let known = variance(self)
            .zip(variance(baseline))
            .filter(|(ours, theirs)| ours + theirs > 0.0);
        let interval = known.map(|(ours, theirs)| {
            let reach =
                (ours + theirs).sqrt() * quantile(freedom(ours, self.runs, theirs, baseline.runs));
            (mean - reach, mean + reach)
        });
        Difference { mean, interval }
    }
}

impl Difference {
    /// Whether the interval holds nothing but one sign; `None` where there is no interval.
    pub(crate) fn is_certain(&self) -> Option<bool> {
        self.interval.map(|(low, high)| low > 0.0 || high < 0.0)
    }
}

fn freedom(ours: f64, runs: usize, theirs: f64, baseline_runs: usize) -> f64 {
    let part = |variance: f64, runs: usize| variance.powi(2) / (runs - 1) as f64;
    (ours + theirs).powi(2) / (part(ours, runs) + part(theirs, baseline_runs))
}

/// Where the middle 95 % of Student's t end.
fn quantile(freedom: f64) -> f64 {
    let distribution = StudentsT::new(0.0, 1.0, freedom);
    distribution.map_or(f64::INFINITY, |t| {
        t.inverse_cdf(1.0 - (1.0 - CONFIDENCE) / 2.0)
    })
}

/// How probable a mean of runs so far from 0 were by chance, by Student's t; 1 for a lone run, and
/// for runs that are all alike.
pub(crate) fn of_runs(means: &[f64]) -> f64 {
    let Some(estimate) = Estimate::of(means) else {
        return 1.0;
    };
    let error = estimate.spread.unwrap_or(0.0) / (means.len() as f64).sqrt();
    if error.is_nan() || error <= 0.0 {
        return 1.0;
    }
    let t = StudentsT::new(0.0, 1.0, (means.len() - 1) as f64);
    t.map_or(1.0, |t| 2.0 * t.cdf(-(estimate.mean / error).abs()))
}

/// How probable a mean over many images so far from 0 were by chance, if resampled means deviate
/// so much.
pub(crate) fn of_images(mean: f64, deviation: f64) -> f64 {
    if deviation.is_nan() || deviation <= 0.0 {
        return 1.0;
    }
    2.0 * Normal::standard().cdf(-(mean / deviation).abs())
}

/// Which of several findings of those probabilities are certain, so that the chance of any mistake
/// among them is at most the level (Holm 1979).
pub(crate) fn holm(chances: &[f64], level: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*a].total_cmp(&chances[*b]));
    let mut certain = vec![false; chances.len()];
    for (rank, index) in order.into_iter().enumerate() {
        if chances[index] > level / (chances.len() - rank) as f64 {
            break;
        }
        certain[index] = true;
    }
    certain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(values: &[f64]) -> Estimate {
        Estimate::of(values).unwrap()
    }

    #[test]
    fn means_and_spreads_by_hand() {
        assert_eq!(Estimate::of(&[]), None);
        assert_eq!(
            estimate(&[4.0]),
            Estimate {
                runs: 1,
                mean: 4.0,
                spread: None
            }
        );
        assert_eq!(
            estimate(&[1.0, 3.0]),
            Estimate {
                runs: 2,
                mean: 2.0,
                spread: Some(2.0_f64.sqrt())
            }
        );
    }

    /// Two of 3 runs with variances 1 and 1: standard error sqrt(2/3), 4 degrees of freedom, t =
    /// 2.776445.
    #[test]
    fn the_interval_is_welchs() {
        let difference = estimate(&[4.0, 5.0, 6.0]).minus(&estimate(&[1.0, 2.0, 3.0]));
        let (low, high) = difference.interval.unwrap();
        let reach = 2.776_445 * (2.0_f64 / 3.0).sqrt();
        assert!(
            (low - (3.0 - reach)).abs() < 1e-5 && (high - (3.0 + reach)).abs() < 1e-5,
            "{low} {high}"
        );
        assert_eq!(difference.is_certain(), Some(true));
    }

    /// Variances 4 / 2 and 1 / 4: freedom (2.25)^2 / (4 + 0.0625 / 3) = 1.2590, between t = 12.71
    /// and 4.30.
    #[test]
    fn unequal_spreads_cost_freedom() {
        let freedom = freedom(2.0, 2, 0.25, 4);
        assert!((freedom - 1.2591).abs() < 1e-3, "{freedom}");
        assert!((4.3..12.7).contains(&quantile(freedom)));
    }

    #[test]
    fn a_single_run_has_no_interval_and_equal_runs_no_certainty() {
        assert_eq!(
            estimate(&[1.0]).minus(&estimate(&[2.0, 3.0])).interval,
            None
        );
        let tied = estimate(&[1.0, 1.0]).minus(&estimate(&[2.0, 2.0]));
        assert_eq!(
            (tied.mean, tied.interval, tied.is_certain()),
            (-1.0, None, None)
        );
        let half = estimate(&[1.0, 1.0]).minus(&estimate(&[2.0, 3.0]));
        assert_eq!(half.is_certain(), Some(false));
    }

    #[test]
    fn chances_by_hand() {
        assert!((of_images(-1.959_964, 1.0) - 0.05).abs() < 1e-6);
        assert_eq!(of_images(1.0, 0.0), 1.0);
        // Mean 2, standard error 1 / sqrt(3): t of 3.4641 with 2 degrees of freedom.
        assert!((of_runs(&[1.0, 2.0, 3.0]) - 0.074_180).abs() < 1e-5);
        assert_eq!(
            (of_runs(&[1.0]), of_runs(&[1.0; 4]), of_runs(&[])),
            (1.0, 1.0, 1.0)
        );
    }

    /// Of 0.01, 0.04, 0.02, 0.03 at 0.05 the first stands its 0.0125; the next, 0.02, fails its
    /// 0.0167, and all after it.
    #[test]
    fn holm_by_hand() {
        assert_eq!(
            holm(&[0.01, 0.04, 0.02, 0.03], 0.05),
            [true, false, false, false]
        );
        assert_eq!(holm(&[0.01, 0.04, 0.015, 0.02], 0.05), [true; 4]);
        assert!(holm(&[], 0.05).is_empty());
    }
}
