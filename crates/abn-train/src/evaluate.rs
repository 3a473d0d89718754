//! A pass over a data set with a network that is not being trained.

use abn_core::Classifier;
use abn_data::{Batch, Loader};
use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};

use crate::meters::{HealthMeter, Sums};
use crate::metrics::{MapHealth, Summary};
use crate::outcome::Outcome;

/// The images of a batch as a tensor, `[B, 3, H, W]`.
pub fn images_of(batch: &Batch, device: &Device) -> Tensor<4> {
    let shape = [batch.len(), 3, batch.height, batch.width];
    Tensor::from_data(TensorData::new(batch.pixels.clone(), shape), device)
}

/// Passes the batches through a classifier and hands each to `visit`, with its pixels, until that returns false.
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

/// Losses, accuracies and the state of the maps over all images; `None` if `go_on`, which is told the number of
/// images so far, asked to stop.
///
/// # Errors
/// A sample cannot be read.
pub fn measure(
    classifier: &Classifier,
    loader: &Loader,
    device: &Device,
    attention_weight: f64,
    mut go_on: impl FnMut(usize) -> bool,
) -> Result<Option<(Summary, Option<MapHealth>)>> {
    let (mut sums, mut health, mut complete) = (Sums::default(), HealthMeter::default(), true);
    for_each_batch(classifier, loader, device, |batch, outcome| {
        sums.add(&batch.labels, &outcome);
        let maps = outcome.attention.iter().flat_map(|attention| &attention.maps);
        maps.for_each(|map| health.add(map));
        complete = go_on(sums.images());
        Ok(complete)
    })?;
    Ok(complete.then(|| (sums.summary(attention_weight), health.health())))
}
