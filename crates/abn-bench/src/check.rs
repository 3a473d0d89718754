//! Whether the others have the same network: the same weights must give the same logits and map for
//! the same images and, where training is measured, a few steps of it the same losses. Images are as
//! many as are timed later, so that what is compiled or exported for that shape is what is looked
//! at.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::case::{Case, Place};
use crate::handover::Handover;
use crate::process::{Engine, Worker};

/// Steps of SGD; momentum shows in the loss before the third.
pub(crate) const STEPS: usize = 3;
/// Largest difference that rounding explains, of the largest value.
const TOLERANCE: f32 = 1e-3;
/// The same of a GPU, which may multiply by TF32, and of losses in bfloat16.
const ROUGH_TOLERANCE: f32 = 2e-2;
/// The same of losses. Rounding grows with every step of SGD: PyTorch's in its two layouts differ
/// as much.
const LOSS_TOLERANCE: f32 = 1e-2;

/// What a network says to a batch of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Predictions {
    /// Logits by the running statistics; the next two are by them as well.
    pub(crate) logits: Vec<f32>,
    /// Logits of the attention branch.
    pub(crate) attention: Vec<f32>,
    pub(crate) map: Vec<f32>,
    /// Loss before each step of SGD, if training is what is measured.
    pub(crate) losses: Vec<f32>,
}

/// How far the numbers of another engine are from ours, relative to the largest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Difference {
    logits: f32,
    attention: f32,
    map: f32,
    /// 0 if nothing was trained.
    losses: f32,
}

/// The engines that agree with ours, and how well. One that fails is told and left out; the others
/// go on.
///
/// # Errors
/// An engine's numbers differ from ours by more than rounding, or our process failed.
pub(crate) fn agreeing<'e>(
    ours: &Engine,
    rivals: impl Iterator<Item = &'e Engine>,
    case: &Case,
    handover: &Handover,
) -> Result<Vec<(&'e Engine, Difference)>> {
    let mut rivals = rivals.peekable();
    if rivals.peek().is_none() {
        return Ok(vec![]);
    }
    // Ours writes the weights, so it is asked first.
    let expected = predictions(ours, case, handover)?;
    let mut agreeing = Vec::new();
    for rival in rivals {
        let found = rival
            .prepare(case, handover)
            .and_then(|()| predictions(rival, case, handover));
        match found {
            Ok(found) => {
                let difference = expected.compare(&found, &case.place);
                let difference =
                    difference.with_context(|| format!("{rival} has another network"))?;
                agreeing.push((rival, difference));
            }
            Err(error) => eprintln!("warning: {case} goes on without {rival}: {error:#}"),
        }
    }
    Ok(agreeing)
}

/// What an engine says in a process that is not timed, for to look at its numbers takes memory.
fn predictions(engine: &Engine, case: &Case, handover: &Handover) -> Result<Predictions> {
    let request = format!("check {}", handover.weights().display());
    Worker::start(engine, case, handover)?.ask(&request)
}

impl Predictions {
    /// Within what rounding makes of it there.
    fn compare(&self, other: &Self, place: &Place) -> Result<Difference> {
        let rough = |tolerance: f32, is_rough| match is_rough {
            true => tolerance.max(ROUGH_TOLERANCE),
            false => tolerance,
        };
        let of_predictions = rough(TOLERANCE, !place.is_cpu());
        let of_losses = rough(
            LOSS_TOLERANCE,
            !place.is_cpu() || !place.precision.is_usual(),
        );
        let found = Difference {
            logits: difference(&self.logits, &other.logits, 0.0)?,
            attention: difference(&self.attention, &other.attention, 0.0)?,
            // Maps end at 1, and in a network that has learned nothing may be 0 almost everywhere.
            map: difference(&self.map, &other.map, 1.0)?,
            losses: difference(&self.losses, &other.losses, 0.0)?,
        };
        ensure!(
            found.of_predictions() <= of_predictions && found.losses <= of_losses,
            "of the largest value, logits differ by {:.1e}, attention logits by {:.1e}, maps by \
             {:.1e}, losses by {:.1e}",
            found.logits,
            found.attention,
            found.map,
            found.losses
        );
        Ok(found)
    }
}

impl Difference {
    #[cfg(test)]
    pub(crate) fn of_map(map: f32) -> Self {
        Self {
            logits: 0.0,
            attention: 0.0,
            map,
            losses: 0.0,
        }
    }

    /// The largest, losses apart.
    pub(crate) fn of_predictions(&self) -> f32 {
        self.logits.max(self.attention).max(self.map)
    }
}

/// The largest difference, relative to the largest value or to `scale`.
fn difference(ours: &[f32], theirs: &[f32], scale: f32) -> Result<f32> {
    ensure!(
        ours.len() == theirs.len(),
        "{} numbers here, {} there",
        ours.len(),
        theirs.len()
    );
    let scale = ours
        .iter()
        .fold(scale.max(f32::MIN_POSITIVE), |scale, value| {
            scale.max(value.abs())
        });
    let differences = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs() / scale);
    let worst = differences.fold(0.0, |worst, off| {
        if off > worst || off.is_nan() {
            off
        } else {
            worst
        }
    });
    ensure!(worst.is_finite(), "a number is not finite");
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use abn_core::precision::Precision;

    use super::*;

    #[test]
    fn differences_are_relative_to_the_largest_value() {
        let ours = [100.0, -1.0];
        assert_eq!(difference(&ours, &ours, 0.0).unwrap(), 0.0);
        assert_eq!(difference(&ours, &[100.0, 1.0], 0.0).unwrap(), 0.02);
        assert_eq!(difference(&ours, &[100.0, 1.0], 200.0).unwrap(), 0.01);
        assert_eq!(difference(&[], &[], 0.0).unwrap(), 0.0);
        for wrong in [
            vec![100.0],
            vec![f32::NAN, -1.0],
            vec![100.0, f32::INFINITY],
        ] {
            assert!(difference(&ours, &wrong, 0.0).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn another_network_is_refused() {
        let answers = |map, loss| Predictions {
            logits: vec![1.0],
            attention: vec![2.0],
            map: vec![map],
            losses: vec![loss],
        };
        let (ours, cpu) = (answers(0.5, 2.0), Place::default());
        let close = ours.compare(&answers(0.5005, 2.01), &cpu).unwrap();
        assert!((close.map - 5e-4).abs() < 1e-6 && (close.losses - 5e-3).abs() < 1e-6);
        assert_eq!(close.of_predictions(), close.map);
        assert!(ours.compare(&answers(0.502, 2.0), &cpu).is_err());
        assert!(ours.compare(&answers(0.5, 2.03), &cpu).is_err());
        // bfloat16 has another training, and the same predictions.
        let rounded = Place {
            precision: Precision::Bf16,
            ..cpu
        };
        assert!(ours.compare(&answers(0.5, 2.03), &rounded).is_ok());
        assert!(ours.compare(&answers(0.502, 2.0), &rounded).is_err());
    }

    #[test]
    fn a_network_without_attention_has_no_map() {
        let plain = Predictions {
            logits: vec![1.0],
            attention: vec![],
            map: vec![],
            losses: vec![],
        };
        assert_eq!(
            plain
                .compare(&plain, &Place::default())
                .unwrap()
                .of_predictions(),
            0.0
        );
        let mapped = Predictions {
            map: vec![0.5],
            ..plain.clone()
        };
        assert!(plain.compare(&mapped, &Place::default()).is_err());
    }
}
