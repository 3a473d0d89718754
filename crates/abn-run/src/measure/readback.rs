//! What a forward pass gave, read back to the host: logits, maps, and what follows from them.

use abn_core::Output;
use abn_core::explain::AttentionMap;
use anyhow::Result;
use burn::tensor::TensorData;

/// Rows of numbers, as read back from a device.
#[derive(Debug, Clone)]
pub struct Rows {
    columns: usize,
    /// All of them, one after the other.
    pub values: Vec<f32>,
}

impl Rows {
    /// Rows of so many values each.
    pub fn new(columns: usize, values: Vec<f32>) -> Self {
        Self { columns, values }
    }

    fn read(data: TensorData, columns: usize) -> Self {
        Self::new(columns, data.iter::<f32>().collect())
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
            return Ok(Self {
                logits,
                attention: None,
            });
        };
        let [_, _, height, width] = attention.map.dims();
        let mut maps = Vec::new();
        if with_maps {
            let values = Rows::read(attention.map.into_data(), height * width);
            for map in values.rows() {
                maps.push(AttentionMap::new(height, width, map.to_vec())?);
            }
        }
        let attention = AttentionOutcome {
            logits: Rows::read(attention.logits.into_data(), classes),
            maps,
        };
        Ok(Self {
            logits,
            attention: Some(attention),
        })
    }
}

/// Minus the logarithm of the label's softmax, in double precision.
pub fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| f64::from(logit - highest).exp())
        .sum();
    sum.ln() - f64::from(logits[label] - highest)
}

/// Classes that are ahead of the label: higher, or as high and of a lower number. NaN is behind
/// everything.
pub fn rank(logits: &[f32], label: usize) -> usize {
    let own = logits[label];
    if own.is_nan() {
        return logits.len();
    }
    let ahead = |(class, logit): (usize, &f32)| *logit > own || (*logit == own && class < label);
    logits
        .iter()
        .enumerate()
        .filter(|entry| ahead(*entry))
        .count()
}

/// Softmax of logits, in double precision.
pub fn probabilities(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits
        .iter()
        .map(|logit| f64::from(logit - highest).exp())
        .collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|value| value / sum).collect()
}

/// Class of the largest logit; the first of equals.
pub fn predicted(logits: &[f32]) -> usize {
    (0..logits.len())
        .find(|class| rank(logits, *class) == 0)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_ranks_by_hand() {
        assert!((cross_entropy(&[0.0, 0.0], 1) - 2.0_f64.ln()).abs() < 1e-12);
        assert!((cross_entropy(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
        assert_eq!(
            [0, 1, 2].map(|label| rank(&[1.0, 3.0, 1.0], label)),
            [1, 0, 2]
        );
        assert_eq!(rank(&[f32::NAN, 1.0], 0), 2);
        assert_eq!(predicted(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(probabilities(&[0.0, 0.0]), [0.5, 0.5]);
    }
}
