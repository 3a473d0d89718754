//! Whether the peer is the same network: from the same weights, a few steps of training on the same images must
//! give the same losses, and then the same logits and map.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::case::{Case, Mode};
use crate::process::{Engine, Worker};

/// Steps of SGD before the last look; momentum shows from the second on.
pub(crate) const STEPS: usize = 3;
/// Images of the check: enough for batch statistics.
const IMAGES: usize = 8;
/// Largest difference that rounding explains, of the largest value.
const TOLERANCE: f32 = 1e-3;

/// What a network says to a batch of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answers {
    /// Before each step of SGD.
    pub(crate) losses: Vec<f32>,
    /// After the steps, by the running statistics; so are the others.
    pub(crate) logits: Vec<f32>,
    /// Logits of the attention branch.
    pub(crate) attention: Vec<f32>,
    pub(crate) map: Vec<f32>,
}

/// The largest difference between our network and the peer's, relative to the largest value.
///
/// # Errors
/// It is more than rounding, or a process failed.
pub(crate) fn compare(ours: &Engine, peer: &Engine, case: &Case) -> Result<f32> {
    let small = Case { mode: Mode::Train, batch: IMAGES, ..case.clone() };
    let file = tempfile::NamedTempFile::new().context("no place for the weights to compare")?;
    let request = format!("check {}", file.path().display());
    // Ours writes the file, so it is asked first.
    let answers: Answers = Worker::start(ours, &small)?.ask(&request)?;
    let peers: Answers = Worker::start(peer, &small)?.ask(&request)?;
    let off = answers.difference(&peers)?;
    ensure!(
        off <= TOLERANCE,
        "PyTorch's {} {} is another network: numbers differ by {off:.1e} of the largest",
        case.arch,
        case.attention
    );
    Ok(off)
}

impl Answers {
    fn difference(&self, other: &Self) -> Result<f32> {
        let pairs = [
            (&self.losses, &other.losses),
            (&self.logits, &other.logits),
            (&self.attention, &other.attention),
            (&self.map, &other.map),
        ];
        let mut worst = 0.0;
        for (ours, theirs) in pairs {
            ensure!(ours.len() == theirs.len(), "{} numbers here, {} in PyTorch", ours.len(), theirs.len());
            let scale = ours.iter().fold(f32::MIN_POSITIVE, |scale, value| scale.max(value.abs()));
            for (a, b) in ours.iter().zip(theirs) {
                let off = (a - b).abs() / scale;
                ensure!(off.is_finite(), "a number of the comparison is not finite");
                worst = off.max(worst);
            }
        }
        Ok(worst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_of_each_kinds_largest_value() {
        let answers = |logits: &[f32], map: &[f32]| Answers {
            losses: vec![2.0],
            logits: logits.to_vec(),
            attention: vec![],
            map: map.to_vec(),
        };
        let ours = answers(&[100.0, -1.0], &[0.5]);
        assert_eq!(ours.difference(&ours).unwrap(), 0.0);
        assert_eq!(ours.difference(&answers(&[100.0, 1.0], &[0.5])).unwrap(), 0.02);
        assert_eq!(ours.difference(&answers(&[100.0, -1.0], &[0.25])).unwrap(), 0.5);
        assert!(ours.difference(&answers(&[100.0], &[0.5])).is_err());
        assert!(ours.difference(&answers(&[100.0, f32::NAN], &[0.5])).is_err());
    }
}
