//! Learning rate by epoch.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::RecipeError;
use super::error::require;

/// How the learning rate falls, as a pure function of the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Times gamma every so many epochs (30 on ImageNet).
    Step(usize),
    /// Times gamma at the start of each of these epochs, counted from 0 and so at least 1.
    Milestones(Vec<usize>),
    /// Half a cosine from the initial rate to 0 over the run.
    Cosine,
}

impl Schedule {
    /// The rate of an epoch, counted from 0, in a run of `epochs`.
    pub fn rate(&self, initial: f64, gamma: f64, epoch: usize, epochs: usize) -> f64 {
        let decayed = |times: usize| (0..times).fold(initial, |rate, _| rate * gamma);
        match self {
            Self::Step(every) => decayed(epoch / every.max(&1)),
            Self::Milestones(epochs) => decayed(
                epochs
                    .iter()
                    .filter(|milestone| **milestone <= epoch)
                    .count(),
            ),
            Self::Cosine => {
                let progress = epoch as f64 / epochs.max(1) as f64;
                initial * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * progress))
            }
        }
    }
}

/// How the learning rate rises in the first epoch: linearly, from a factor of it to all of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// Steps until it is all there, but never more than the first epoch has, less one.
    pub steps: usize,
    /// Factor of the first step.
    pub factor: f64,
}

impl WarmUp {
    /// Of so many steps as torchvision's references have it: from a thousandth on.
    pub const fn of(steps: usize) -> Self {
        Self {
            steps,
            factor: 1e-3,
        }
    }

    /// The factor of a step of the first epoch, which has so many.
    pub fn factor(&self, step: usize, steps: usize) -> f64 {
        let all = self.steps.min(steps.saturating_sub(1));
        if step >= all {
            return 1.0;
        }
        self.factor + (1.0 - self.factor) * (step as f64 / all as f64)
    }

    pub(super) fn check(&self) -> Result<(), RecipeError> {
        let fits = self.factor > 0.0 && self.factor <= 1.0;
        require(fits, "warm_up.factor", "above 0 and at most 1")
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(every) => write!(f, "step:{every}"),
            Self::Milestones(epochs) => {
                write!(f, "milestones:")?;
                let list: Vec<String> = epochs.iter().map(usize::to_string).collect();
                write!(f, "{}", list.join(","))
            }
            Self::Cosine => write!(f, "cosine"),
        }
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error =
            || format!("`{text}` is not a schedule; write step:30, milestones:150,225 or cosine");
        match text.split_once(':') {
            None if text == "cosine" => Ok(Self::Cosine),
            Some(("step", every)) => match every.parse() {
                Ok(every) if every > 0 => Ok(Self::Step(every)),
                _ => Err(error()),
            },
            Some(("milestones", list)) => {
                let epochs: Vec<usize> = list
                    .split(',')
                    .map(str::parse)
                    .collect::<Result<_, _>>()
                    .map_err(|_| error())?;
                let rising = epochs.is_sorted_by(|a, b| a < b) && epochs.first() != Some(&0);
                if rising {
                    Ok(Self::Milestones(epochs))
                } else {
                    Err(error())
                }
            }
            _ => Err(error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_within_the_first_epoch() {
        let factor = |step, steps| WarmUp::of(4).factor(step, steps);
        let rises = [0, 1, 2, 3, 4, 5].map(|step| factor(step, 100));
        for (found, expected) in rises
            .into_iter()
            .zip([0.001, 0.25075, 0.5005, 0.75025, 1.0, 1.0])
        {
            assert!((found - expected).abs() < 1e-12, "{rises:?}");
        }
        // An epoch of three steps: two are there to rise.
        assert_eq!([factor(0, 3), factor(2, 3)], [0.001, 1.0]);
        assert_eq!(factor(0, 1), 1.0);
    }

    #[track_caller]
    fn check(schedule: &str, epochs: usize, expected: &[(usize, f64)]) {
        let schedule: Schedule = schedule.parse().unwrap();
        for (epoch, rate) in expected {
            let got = schedule.rate(0.1, 0.1, *epoch, epochs);
            assert!(
                (got - rate).abs() < 1e-12,
                "{schedule} epoch {epoch}: {got}"
            );
        }
    }

    #[test]
    fn rates_by_hand() {
        check(
            "step:30",
            90,
            &[(0, 0.1), (29, 0.1), (30, 0.01), (60, 0.001), (89, 0.001)],
        );
        check(
            "milestones:150,225",
            300,
            &[(149, 0.1), (150, 0.01), (224, 0.01), (225, 0.001)],
        );
        check(
            "cosine",
            4,
            &[
                (0, 0.1),
                (2, 0.05),
                (3, 0.05 * (1.0 - std::f64::consts::FRAC_1_SQRT_2)),
            ],
        );
    }

    #[test]
    fn text_form_is_read_and_written() {
        for text in ["step:30", "milestones:150,225", "cosine"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "step",
            "step:0",
            "step:x",
            "milestones:",
            "milestones:5,5",
            "milestones:0,5",
            "milestones:9,3",
            "cosine:3",
            "Step:1",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
