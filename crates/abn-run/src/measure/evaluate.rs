//! A pass over a data set with a network that is not being trained.

use abn_core::Classifier;
use abn_data::{Batch, Loader};
use burn::tensor::{Device, Tensor, TensorData};

use super::readback::HostOutput;
use crate::RunError;

/// The images of a batch as a tensor, `[B, 3, H, W]`.
pub fn images_of(batch: &Batch, device: &Device) -> Tensor<4> {
    let shape = [batch.len(), 3, batch.height, batch.width];
    Tensor::from_data(TensorData::new(batch.pixels.to_vec(), shape), device)
}

/// Passes the batches through a classifier and hands each to `visit`, with its pixels, until that
/// returns false.
///
/// # Errors
/// A sample cannot be read, or `visit` fails.
pub fn for_each_batch<E: From<RunError>>(
    classifier: &Classifier,
    loader: &Loader,
    device: &Device,
    mut visit: impl FnMut(&Batch, HostOutput) -> Result<bool, E>,
) -> Result<(), E> {
    for batch in loader.epoch(0, 0) {
        let batch = batch.map_err(RunError::from)?;
        if batch.is_empty() {
            continue;
        }
        let output = classifier.forward(images_of(&batch, device));
        let output = HostOutput::read(output, true).map_err(RunError::from)?;
        if !visit(&batch, output)? {
            break;
        }
    }
    Ok(())
}
