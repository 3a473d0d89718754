//! Axes of a chart: which interval is shown, where the ticks stand, how a value is written.

use crate::numbers::nice_step;

/// Steps of an axis, about.
const STEPS: f64 = 5.0;
/// Values beyond this are drawn as gaps: a diverged loss must not flatten the rest to nothing, nor
/// overflow.
const LARGEST: f64 = 1e12;
/// Rounding error allowed in a quotient before it counts as beyond a tick.
const SLACK: f64 = 1e-9;

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AxisScale {
    /// Evenly.
    Linear,
    /// Powers of ten; values of zero or less are gaps.
    Log,
}

impl AxisScale {
    /// Whether a value has a place on the axis; the others are gaps.
    pub(crate) fn holds(self, value: f64) -> bool {
        value.is_finite()
            && value.abs() <= LARGEST
            && (self == Self::Linear || value >= 1.0 / LARGEST)
    }
}

/// A shown interval and the ticks inside it, in units of the data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub(crate) scale: AxisScale,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) ticks: Vec<f64>,
}

impl Axis {
    /// An axis that holds all values and ends on ticks. A linear one starts at zero unless the
    /// values stay far from it, so that heights can be compared. `most` is the greatest value the
    /// data can have (1 for a fraction, else infinity).
    pub(crate) fn around(values: impl Iterator<Item = f64>, scale: AxisScale, most: f64) -> Self {
        let mut held = values.filter(|&value| scale.holds(value)).peekable();
        if held.peek().is_none() {
            return Self {
                scale,
                low: 0.0,
                high: 1.0,
                ticks: vec![],
            };
        }
        let (low, high) = held.fold((f64::MAX, f64::MIN), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        match scale {
            AxisScale::Linear => Self::linear(low, high, most),
            AxisScale::Log => Self::log(low, high),
        }
    }

    fn linear(low: f64, high: f64, most: f64) -> Self {
        let low = if low > 0.0 && low < 0.6 * high {
            0.0
        } else {
            low
        };
        let (low, high) = widened(low, high);
        let high = high.min(most);
        let step = nice_step((high - low) / STEPS);
        // The slack is for quotients such as 0.6 / 0.2, which is a little less than 3.
        let (first, last) = ((low / step + SLACK).floor(), (high / step - SLACK).ceil());
        Self {
            scale: AxisScale::Linear,
            low: first * step,
            high: last * step,
            ticks: multiples(first, last, step),
        }
    }

    fn log(low: f64, high: f64) -> Self {
        let first = (low.log10() + SLACK).floor();
        let last = (high.log10() - SLACK).ceil().max(first + 1.0);
        let power = |exponent: f64| 10_f64.powf(exponent);
        let stride = ((last - first) / 6.0).ceil() as usize;
        let ticks = multiples(first, last, 1.0)
            .into_iter()
            .step_by(stride)
            .map(power)
            .collect();
        Self {
            scale: AxisScale::Log,
            low: power(first),
            high: power(last),
            ticks,
        }
    }

    /// An axis of whole numbers from the first to the last, with ticks at round numbers between
    /// them.
    pub(crate) fn counted(first: usize, last: usize) -> Self {
        let (low, high) = (first as f64, last as f64);
        if first >= last {
            return Self {
                scale: AxisScale::Linear,
                low: low - 0.5,
                high: low + 0.5,
                ticks: vec![low],
            };
        }
        let step = nice_step((high - low) / STEPS).max(1.0);
        let mut ticks = multiples((low / step).ceil(), (high / step).floor(), step);
        // Epochs count from 1; a tick there tells more than none below the first round number.
        if first == 1 && step > 1.0 {
            ticks.insert(0, 1.0);
        }
        Self {
            scale: AxisScale::Linear,
            low,
            high,
            ticks,
        }
    }

    /// Where a value lies between the ends of the axis: 0 at the low one, 1 at the high one.
    pub(crate) fn position(&self, value: f64) -> f64 {
        let place = |v: f64| {
            if self.scale == AxisScale::Log {
                v.log10()
            } else {
                v
            }
        };
        (place(value) - place(self.low)) / (place(self.high) - place(self.low))
    }

    /// Decimals that tell neighbouring ticks apart, with values times `factor` (100 for percent).
    pub(crate) fn decimals(&self, factor: f64) -> usize {
        let step = match self.ticks.as_slice() {
            [first, second, ..] => (second - first) * factor,
            _ => 1.0,
        };
        if step > 0.0 {
            (-step.log10()).ceil().clamp(0.0, 9.0) as usize
        } else {
            0
        }
    }
}

/// An interval with a length: values that are all (nearly) the same get room above and below.
fn widened(low: f64, high: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if high - low > 1e-6 * size {
        return (low, high);
    }
    if size > 0.0 {
        (low - 0.1 * size, high + 0.1 * size)
    } else {
        (0.0, 1.0)
    }
}

/// `first * step`, ..., `last * step`.
fn multiples(first: f64, last: f64, step: f64) -> Vec<f64> {
    let count = (last - first).round().max(0.0) as usize;
    (0..=count).map(|i| (first + i as f64) * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(axis: &Axis, low: f64, high: f64, ticks: &[f64]) {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(1.0);
        assert!(near(axis.low, low) && near(axis.high, high), "{axis:?}");
        let equal = axis.ticks.len() == ticks.len()
            && axis.ticks.iter().zip(ticks).all(|(&a, &b)| near(a, b));
        assert!(equal, "{axis:?}, expected {ticks:?}");
    }

    fn linear(values: &[f64]) -> Axis {
        Axis::around(values.iter().copied(), AxisScale::Linear, f64::INFINITY)
    }

    #[test]
    fn values_far_apart_start_at_zero_and_end_on_a_tick() {
        check(
            &linear(&[2.31, 0.13, 0.9]),
            0.0,
            2.5,
            &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5],
        );
        check(
            &linear(&[0.0, 1.0]),
            0.0,
            1.0,
            &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
        );
        check(
            &linear(&[-1.0, 1.0]),
            -1.0,
            1.0,
            &[-1.0, -0.5, 0.0, 0.5, 1.0],
        );
    }

    #[test]
    fn values_close_together_keep_their_band() {
        // 0.02 in five steps is 0.004: the next nice step is 0.005. 0.6 / 0.2 < 3 in binary, too.
        check(
            &linear(&[0.90, 0.92]),
            0.90,
            0.92,
            &[0.90, 0.905, 0.91, 0.915, 0.92],
        );
        check(
            &linear(&[0.6, 0.61]),
            0.6,
            0.61,
            &[0.6, 0.602, 0.604, 0.606, 0.608, 0.61],
        );
    }

    #[test]
    fn equal_values_get_a_tenth_of_room() {
        check(&linear(&[10.0]), 9.0, 11.0, &[9.0, 9.5, 10.0, 10.5, 11.0]);
        check(
            &linear(&[0.0, 0.0]),
            0.0,
            1.0,
            &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
        );
    }

    #[test]
    fn a_fraction_never_has_an_axis_beyond_one() {
        let axis = Axis::around([1.0, 1.0].into_iter(), AxisScale::Linear, 1.0);
        check(&axis, 0.9, 1.0, &[0.9, 0.92, 0.94, 0.96, 0.98, 1.0]);
    }

    #[test]
    fn what_is_not_finite_or_absurd_is_ignored() {
        check(
            &linear(&[f64::NAN, 1.0, f64::INFINITY, 1e300, 0.0]),
            0.0,
            1.0,
            &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
        );
        check(&linear(&[f64::NAN]), 0.0, 1.0, &[]);
    }

    #[test]
    fn a_log_axis_has_a_tick_per_decade() {
        let axis = Axis::around(
            [0.1, 0.01, 0.001].into_iter(),
            AxisScale::Log,
            f64::INFINITY,
        );
        check(&axis, 0.001, 0.1, &[0.001, 0.01, 0.1]);
        assert!((axis.position(0.01) - 0.5).abs() < 1e-12);
        check(
            &Axis::around([0.1, 0.0].into_iter(), AxisScale::Log, f64::INFINITY),
            0.1,
            1.0,
            &[0.1, 1.0],
        );
    }

    #[test]
    fn epochs_have_whole_ticks_inside_the_run() {
        check(&Axis::counted(1, 1), 0.5, 1.5, &[1.0]);
        check(&Axis::counted(1, 4), 1.0, 4.0, &[1.0, 2.0, 3.0, 4.0]);
        check(
            &Axis::counted(1, 300),
            1.0,
            300.0,
            &[1.0, 100.0, 200.0, 300.0],
        );
        check(&Axis::counted(20, 31), 20.0, 31.0, &[20.0, 25.0, 30.0]);
    }

    #[test]
    fn decimals_follow_the_step() {
        let decimals = |ticks: &[f64], factor| {
            Axis {
                scale: AxisScale::Linear,
                low: 0.0,
                high: 1.0,
                ticks: ticks.to_vec(),
            }
            .decimals(factor)
        };
        assert_eq!(decimals(&[0.0, 0.5], 1.0), 1);
        assert_eq!(decimals(&[0.0, 0.02], 1.0), 2);
        assert_eq!(decimals(&[0.0, 0.02], 100.0), 0);
        assert_eq!(decimals(&[0.0, 20.0], 1.0), 0);
        assert_eq!(decimals(&[], 1.0), 0);
    }
}
