//! A pass over a data set with a network that is not being trained.

use abn_core::Classifier;
use abn_core::explain::AttentionMap;
use abn_data::{Batch, Loader};
use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};

use crate::measure::drift::PROBES;
use crate::measure::readback::Outcome;
use crate::measure::records::{MapHealth, Summary};
use crate::measure::totals::{HealthMeter, Sums};

/// The images of a batch as a tensor, `[B, 3, H, W]`.
pub fn images_of(batch: &Batch, device: &Device) -> Tensor<4> {
    let shape = [batch.len(), 3, batch.height, batch.width];
    Tensor::from_data(TensorData::new(batch.pixels.clone(), shape), device)
}

/// Passes the batches through a classifier and hands each to `visit`, with its pixels, until that
/// returns false.
///
/// # Errors
/// A sample cannot be read, or `visit` fails.
pub fn for_each_batch(
    classifier: &Classifier,
    loader: &Loader,
    device: &Device,
    mut visit: impl FnMut(&Batch, Outcome) -> Result<bool>,
) -> Result<()> {
    for batch in loader.epoch(0, 0) {
        let batch = batch?;
        let output = classifier.forward(images_of(&batch, device));
        if !visit(&batch, Outcome::read(output, true)?)? {
            break;
        }
    }
    Ok(())
}

/// What a pass over a data set measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Losses and accuracies over all images.
    pub summary: Summary,
    /// State of the attention maps, if there are any.
    pub maps: Option<MapHealth>,
    /// The maps of the first images, at most [`PROBES`]: what the next epoch's are compared with.
    pub probes: Vec<AttentionMap>,
}

/// Losses, accuracies and the state of the maps over all images; `None` if `go_on`, which is told
/// the number of images so far, asked to stop.
///
/// # Errors
/// A sample cannot be read.
pub fn measure(
    classifier: &Classifier,
    loader: &Loader,
    device: &Device,
    attention_weight: f64,
    mut go_on: impl FnMut(usize) -> bool,
) -> Result<Option<Measured>> {
    let (mut sums, mut health, mut probes) = (Sums::default(), HealthMeter::default(), Vec::new());
    let mut complete = true;
    for_each_batch(classifier, loader, device, |batch, outcome| {
        sums.add(&batch.labels, &outcome);
        let maps = outcome
            .attention
            .iter()
            .flat_map(|attention| &attention.maps);
        maps.clone().for_each(|map| health.add(map));
        probes.extend(maps.take(PROBES - probes.len()).cloned());
        complete = go_on(sums.images());
        Ok(complete)
    })?;
    let (summary, maps) = (sums.summary(attention_weight), health.health());
    Ok(complete.then_some(Measured {
        summary,
        maps,
        probes,
    }))
}
