//! Whether the peer is the same network: the same weights must give the same logits and map for the
//! same images, and a few steps of training the same losses.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::case::{Case, Mode};
use crate::process::{Engine, Worker};

/// Steps of SGD; momentum shows in the loss before the third.
pub(crate) const STEPS: usize = 3;
/// Images of the check: enough for batch statistics.
const IMAGES: usize = 8;
/// Largest difference that rounding explains, of the largest value.
const TOLERANCE: f32 = 1e-3;
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
    /// Loss before each step of SGD.
    pub(crate) losses: Vec<f32>,
}

/// How far the peer's logits and map are from ours, relative to the largest value.
///
/// # Errors
/// They, or the losses, differ by more than rounding, or a process failed.
pub(crate) fn compare(ours: &Engine, peer: &Engine, case: &Case) -> Result<f32> {
    let small = Case {
        mode: Mode::Train,
        batch: IMAGES,
        ..case.clone()
    };
    let file = tempfile::NamedTempFile::new().context("no place for the weights to compare")?;
    let request = format!("check {}", file.path().display());
    // Ours writes the file, so it is asked first.
    let answers: Predictions = Worker::start(ours, &small)?.ask(&request)?;
    let peers: Predictions = Worker::start(peer, &small)?.ask(&request)?;
    answers.compare(&peers).with_context(|| {
        format!(
            "PyTorch's {} {} is another network",
            case.arch, case.attention
        )
    })
}

impl Predictions {
    fn compare(&self, peer: &Self) -> Result<f32> {
        let logits = difference(&self.logits, &peer.logits, 0.0)?;
        let attention = difference(&self.attention, &peer.attention, 0.0)?;
        // Maps end at 1, and in a network that has learned nothing may be 0 almost everywhere.
        let map = difference(&self.map, &peer.map, 1.0)?;
        let losses = difference(&self.losses, &peer.losses, 0.0)?;
        let worst = logits.max(attention).max(map);
        ensure!(
            worst <= TOLERANCE && losses <= LOSS_TOLERANCE,
            "of the largest value, logits differ by {logits:.1e}, attention logits by \
             {attention:.1e}, maps by {map:.1e}, losses by {losses:.1e}"
        );
        Ok(worst)
    }
}

/// The largest difference, relative to the largest value or to `scale`.
fn difference(ours: &[f32], theirs: &[f32], scale: f32) -> Result<f32> {
    ensure!(
        ours.len() == theirs.len(),
        "{} numbers here, {} in PyTorch",
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
            attention: vec![1.0],
            map: vec![map],
            losses: vec![loss],
        };
        let ours = answers(0.5, 2.0);
        assert!(ours.compare(&answers(0.5001, 2.01)).is_ok());
        assert!(ours.compare(&answers(0.502, 2.0)).is_err());
        assert!(ours.compare(&answers(0.5, 2.03)).is_err());
    }
}
