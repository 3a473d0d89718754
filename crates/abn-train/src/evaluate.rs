//! Measuring a classifier: losses and accuracies per batch, summed exactly, and a pass over a data set.

use abn_core::{Classifier, Output};
use abn_data::{Batch, DataError, Loader};
use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::metrics::{MapHealth, Summary};
use abn_core::explain::AttentionMap;

/// Rank that still counts as found in top-5.
const TOP: usize = 5;
/// Distance within which map values count as equal, as 0 or as 1.
const FLAT: f32 = 1e-3;

/// Sums over images; exact to save and to continue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    images: usize,
    perception: f64,
    attention: Option<f64>,
    top1: usize,
    top5: usize,
}

impl Sums {
    /// Adds a batch.
    pub fn add(&mut self, labels: &[usize], outcome: &Outcome) {
        self.images += labels.len();
        for (label, logits) in labels.iter().zip(outcome.logits.rows()) {
            self.perception += cross_entropy(logits, *label);
            let rank = rank(logits, *label);
            self.top1 += usize::from(rank < 1);
            self.top5 += usize::from(rank < TOP);
        }
        if let Some(attention) = &outcome.attention {
            let rows = labels.iter().zip(attention.logits.rows());
            let sum: f64 = rows.map(|(label, logits)| cross_entropy(logits, *label)).sum();
            *self.attention.get_or_insert(0.0) += sum;
        }
    }

    /// Images so far.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Means over the images so far, with the weight of the attention loss.
    pub fn summary(&self, attention_weight: f64) -> Summary {
        let images = self.images.max(1) as f64;
        let perception_loss = self.perception / images;
        let attention_loss = self.attention.map(|sum| sum / images);
        Summary {
            images: self.images,
            loss: perception_loss + attention_weight * attention_loss.unwrap_or(0.0),
            perception_loss,
            attention_loss,
            top1: self.top1 as f64 / images,
            top5: self.top5 as f64 / images,
        }
    }
}

/// Rows of numbers, as read back from a device.
#[derive(Debug, Clone)]
pub struct Rows {
    columns: usize,
    /// All of them, one after the other.
    pub values: Vec<f32>,
}

impl Rows {
    fn read(data: TensorData, columns: usize) -> Self {
        Self { columns, values: data.iter::<f32>().collect() }
    }

    /// The rows in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.columns.max(1))
    }
}

/// What a forward pass gave, on the host.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Perception logits, one row an image.
    pub logits: Rows,
    /// Of the attention branch, if there is one.
    pub attention: Option<AttentionOutcome>,
}

/// What the attention branch gave, on the host.
#[derive(Debug, Clone)]
pub struct AttentionOutcome {
    /// Attention logits, one row an image.
    pub logits: Rows,
    /// Maps, one an image.
    pub maps: Vec<AttentionMap>,
}

impl Outcome {
    /// Reads the output of a forward pass back; without the maps if they are not asked for.
    ///
    /// # Errors
    /// A map has no values.
    pub fn read(output: Output, with_maps: bool) -> Result<Self> {
        let [_, classes] = output.logits.dims();
        let logits = Rows::read(output.logits.into_data(), classes);
        let Some(attention) = output.attention else {
            return Ok(Self { logits, attention: None });
        };
        let [_, _, height, width] = attention.map.dims();
        let mut maps = Vec::new();
        if with_maps {
            let values = Rows::read(attention.map.into_data(), height * width);
            for map in values.rows() {
                maps.push(AttentionMap::new(height, width, map.to_vec())?);
            }
        }
        let attention = AttentionOutcome { logits: Rows::read(attention.logits.into_data(), classes), maps };
        Ok(Self { logits, attention: Some(attention) })
    }
}

/// The images of a batch as a tensor, `[B, 3, H, W]`.
pub fn images_of(batch: &mut Batch, device: &Device) -> Tensor<4> {
    let shape = [batch.len(), 3, batch.height, batch.width];
    Tensor::from_data(TensorData::new(std::mem::take(&mut batch.pixels), shape), device)
}

/// Passes a data set through a classifier that is not being trained and hands every batch to `visit`, which
/// says whether to go on.
///
/// # Errors
/// A sample cannot be read, or `visit` fails.
pub fn for_each_batch(
    classifier: &Classifier,
    loader: &Loader,
    device: &Device,
    mut visit: impl FnMut(&Batch, &Outcome) -> Result<bool>,
) -> Result<()> {
    for batch in loader.epoch(0, 0) {
        let mut batch: Batch = batch.map_err(|error: DataError| error)?;
        let output = classifier.forward(images_of(&mut batch, device));
        if !visit(&batch, &Outcome::read(output, true)?)? {
            break;
        }
    }
    Ok(())
}

/// Running means of [`MapHealth`].
#[derive(Debug, Default)]
pub struct HealthMeter {
    maps: usize,
    finite: usize,
    mean: f64,
    spread: f64,
    constant: usize,
    zero: usize,
    one: usize,
}

impl HealthMeter {
    /// Adds a map.
    pub fn add(&mut self, map: &AttentionMap) {
        self.maps += 1;
        if map.values.iter().any(|value| !value.is_finite()) {
            return;
        }
        self.finite += 1;
        let count = map.values.len() as f64;
        let mean = map.values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let squares = map.values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>();
        self.mean += mean;
        self.spread += (squares / count).sqrt();
        let (low, high) = map.extent().unwrap_or((0.0, 0.0));
        self.constant += usize::from(high - low < FLAT);
        self.zero += usize::from(high < FLAT);
        self.one += usize::from(low > 1.0 - FLAT);
    }

    /// The means; `None` without maps.
    pub fn health(&self) -> Option<MapHealth> {
        if self.maps == 0 {
            return None;
        }
        let of_all = |count: usize| count as f64 / self.maps as f64;
        let of_finite = |sum: f64| sum / self.finite.max(1) as f64;
        Some(MapHealth {
            mean: of_finite(self.mean),
            spread: of_finite(self.spread),
            constant: of_all(self.constant),
            zero: of_all(self.zero),
            one: of_all(self.one),
            not_finite: of_all(self.maps - self.finite),
        })
    }
}

/// -log softmax(logits)[label], in double precision.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - highest).exp()).sum();
    sum.ln() - f64::from(logits[label] - highest)
}

/// Classes that are ahead of the label: higher, or as high and of a lower number. NaN is behind everything.
fn rank(logits: &[f32], label: usize) -> usize {
    let own = logits[label];
    if own.is_nan() {
        return logits.len();
    }
    let ahead = |(class, logit): (usize, &f32)| *logit > own || (*logit == own && class < label);
    logits.iter().enumerate().filter(|entry| ahead(*entry)).count()
}

/// Softmax of logits, in double precision.
pub fn probabilities(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits.iter().map(|logit| f64::from(logit - highest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|value| value / sum).collect()
}

/// Class of the largest logit; the first of equals.
pub fn predicted(logits: &[f32]) -> usize {
    (0..logits.len()).find(|class| rank(logits, *class) == 0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_ranks_by_hand() {
        assert!((cross_entropy(&[0.0, 0.0], 1) - 2.0_f64.ln()).abs() < 1e-12);
        assert!((cross_entropy(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
        assert_eq!([0, 1, 2].map(|label| rank(&[1.0, 3.0, 1.0], label)), [1, 0, 2]);
        assert_eq!(rank(&[f32::NAN, 1.0], 0), 2);
        assert_eq!(predicted(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(probabilities(&[0.0, 0.0]), [0.5, 0.5]);
    }

    #[test]
    fn summary_weighs_the_attention_loss() {
        let rows = |values: &[f32]| Rows { columns: 2, values: values.to_vec() };
        let attention = AttentionOutcome { logits: rows(&[0.0, 0.0, 0.0, 0.0]), maps: Vec::new() };
        let outcome = Outcome { logits: rows(&[0.0, 0.0, 9.0, 9.0]), attention: Some(attention) };
        let mut sums = Sums::default();
        sums.add(&[0, 1], &outcome);
        let summary = sums.summary(0.5);
        assert_eq!((summary.images, summary.top1, summary.top5), (2, 0.5, 1.0));
        assert!((summary.loss - 1.5 * 2.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn flat_and_broken_maps_are_counted() {
        let map = |values: [f32; 2]| AttentionMap::new(1, 2, values.to_vec()).unwrap();
        let mut meter = HealthMeter::default();
        for values in [[0.0, 0.0], [1.0, 1.0], [0.25, 0.75], [f32::NAN, 0.0]] {
            meter.add(&map(values));
        }
        let health = meter.health().unwrap();
        assert_eq!((health.constant, health.zero, health.one, health.not_finite), (0.5, 0.25, 0.25, 0.25));
        assert!((health.mean - 0.5).abs() < 1e-12 && (health.spread - 0.25 / 3.0).abs() < 1e-12);
    }
}
