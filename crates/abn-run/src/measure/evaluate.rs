//! A pass over a data set with a network that is not being trained.

use abn_core::Classifier;
use abn_data::{Batch, Loader};
use abn_kernels::ops;
use burn::tensor::{Device, Tensor, TensorData};

use super::readback::{HostOutput, Unread};
use crate::RunError;

/// The images of a batch as a tensor, `[B, 3, H, W]`.
pub fn images_of(batch: &Batch, device: &Device) -> Tensor<4> {
    padded_images_of(batch, batch.len(), device)
}

/// As many images, of which those behind the batch's own show nothing. `[images, 3, H, W]`
fn padded_images_of(batch: &Batch, images: usize, device: &Device) -> Tensor<4> {
    let (height, width) = (batch.height, batch.width);
    if let Some((bytes, table)) = batch.pixels.bytes()
        && let Some(tensor) = ops::images_of_bytes(bytes, &table, [images, height, width], device)
    {
        return tensor;
    }
    let shape = [images, 3, height, width];
    let mut values = batch.pixels.values();
    values.resize(shape.iter().product(), 0.0);
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Passes the batches through a classifier and hands each to `visit`, with its pixels, until that
/// returns false.
///
/// Another device than the CPU computes a batch while the one before is read, and every batch has
/// one size there, so that its kernels are chosen and compiled once: images of nothing behind the
/// last ones are left out of the output again.
///
/// # Errors
/// A sample cannot be read, or `visit` fails.
pub fn for_each_batch<E: From<RunError>>(
    classifier: &Classifier,
    loader: &Loader,
    device: &Device,
    mut visit: impl FnMut(&Batch, HostOutput) -> Result<bool, E>,
) -> Result<(), E> {
    let elsewhere = !abn_device::computes_as_the_cpu(device);
    let mut read = |batch: &Batch, output: Unread| {
        let output = output.read(true).map_err(RunError::from)?;
        visit(batch, output)
    };
    let mut under_way: Option<(Batch, Unread)> = None;
    for batch in loader.epoch(0, 0) {
        let batch = batch.map_err(RunError::from)?;
        if batch.is_empty() {
            continue;
        }
        let images = match elsewhere {
            true => loader.batch_size.max(batch.len()),
            false => batch.len(),
        };
        let output = classifier.forward(padded_images_of(&batch, images, device));
        let output = Unread::new(output.of_first(batch.len()), None);
        let ready = match elsewhere {
            true => under_way.replace((batch, output)),
            false => Some((batch, output)),
        };
        if let Some((batch, output)) = ready
            && !read(&batch, output)?
        {
            return Ok(());
        }
    }
    if let Some((batch, output)) = under_way {
        read(&batch, output)?;
    }
    Ok(())
}
