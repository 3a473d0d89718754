//! The network that F-Fidelity asks: fine-tuned on training images with missing pixels.

use abn_core::Classifier;
use abn_core::explain::missing_at_random;
use abn_core::sgd::Sgd;
use abn_core::state::{state_of, with_state};
use abn_data::{Batch, Loader, splitmix64};
use abn_run::measure::classification::Classification;
use abn_run::measure::task::Task;
use abn_run::session::Session;
use burn::module::Module;
use serde::{Deserialize, Serialize};

use crate::AnalysisError;

/// The learning rate of the fine-tuning as a share of that of the run's first epoch: what the
/// papers' schedules end with.
const RATE: f64 = 0.01;

/// How the network that F-Fidelity asks is made of a run's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FineTuned {
    /// Epochs.
    pub epochs: usize,
    /// Digest of the training images.
    pub images: String,
}

/// The network of a run after so many epochs on its training images, of each of which up to a tenth
/// of the pixels has the mean colour, chosen by chance (Zheng et al. 2025, section 4). Otherwise it
/// is trained as the run was, at a hundredth of its learning rate. `None` if `go_on`, which is told
/// the batches done, asks to stop.
///
/// # Errors
/// A sample cannot be read, or the weights are none of the run's.
pub fn tuned(
    session: &Session,
    train: &Loader,
    epochs: usize,
    mut go_on: impl FnMut(usize) -> bool,
) -> Result<Option<Classifier>, AnalysisError> {
    let recipe = &session.config.recipe;
    let device = session.device.clone().autodiff();
    let task = Classification::of(&session.config);
    let mut network = with_state(task.init(&device), state_of(&session.classifier))?;
    let mut sgd = Sgd::new(recipe.sgd).sparing(task.undecayed());
    let rate = recipe.learning_rate * RATE;
    let mut done = 0;
    for epoch in 0..epochs {
        for batch in train.epoch(epoch, 0) {
            let batch = batch?;
            if !batch.is_empty() {
                let batch = with_missing_pixels(batch, recipe.seed, epoch);
                device.seed(splitmix64(recipe.seed.wrapping_add(done as u64)));
                let (gradients, _) = task.gradients(&network, &batch, &device)?;
                network = sgd.step(rate, network, gradients);
            }
            done += 1;
            if !go_on(done) {
                return Ok(None);
            }
        }
    }
    Ok(Some(network.valid()))
}

/// Which pixels are missing is a function of seed, epoch and image.
fn with_missing_pixels(batch: Batch, seed: u64, epoch: usize) -> Batch {
    let plane = batch.height * batch.width;
    let mut pixels = batch.pixels.values();
    let images = pixels.chunks_exact_mut((3 * plane).max(1));
    for (image, index) in images.zip(&batch.indices) {
        let mixed = splitmix64(seed.wrapping_add(epoch as u64));
        let missing = missing_at_random(plane, splitmix64(mixed.wrapping_add(*index as u64)));
        for channel in image.chunks_exact_mut(plane) {
            let values = channel.iter_mut().zip(&missing);
            values
                .filter(|(_, missing)| **missing)
                .for_each(|(value, _)| *value = 0.0);
        }
    }
    Batch {
        pixels: pixels.into(),
        ..batch
    }
}

#[cfg(test)]
mod tests {
    use abn_data::Target;

    use super::*;

    #[test]
    fn missing_pixels_are_missing_in_every_channel() {
        let batch = || Batch {
            pixels: vec![1.0; 2 * 3 * 100].into(),
            targets: vec![Target::class(0); 2],
            indices: vec![4, 9],
            masks: Vec::new(),
            height: 10,
            width: 10,
            epoch: 0,
            sources: Vec::new(),
        };
        let found = with_missing_pixels(batch(), 1, 0);
        for image in found.pixels.values().chunks_exact(300) {
            let [red, green, blue] = [0, 1, 2].map(|channel| &image[channel * 100..][..100]);
            assert!(red == green && green == blue);
            let gone = red.iter().filter(|value| **value == 0.0).count();
            assert!(gone <= 10, "{gone}");
        }
        let again = with_missing_pixels(batch(), 1, 0);
        assert_eq!(found.pixels, again.pixels);
        let later = with_missing_pixels(batch(), 1, 1);
        assert_ne!(found.pixels, later.pixels);
    }
}
