//! What a forward pass gave, read back to the host: logits, maps, and what follows from them.

use abn_core::explain::{AttentionMap, MapSizeError};
use abn_core::{Output, Outputs};
use burn::tensor::{Tensor, TensorData, Transaction};

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

    /// Of what a device gave.
    fn read(data: Option<TensorData>, columns: usize) -> Self {
        let values = data.iter().flat_map(TensorData::iter::<f32>).collect();
        Self::new(columns, values)
    }

    /// The rows in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.columns.max(1))
    }
}

/// The output of a classifier, on the host.
#[derive(Debug, Clone)]
pub struct HostOutput {
    /// Perception logits, one row an image.
    pub logits: Rows,
    /// What the attention branch gave, if there is one.
    pub attention: Option<HostAttention>,
    /// What the objective asked of the maps, if it asked something.
    pub map_loss: Option<f64>,
}

/// The output of a classifier that is still on its device.
#[derive(Debug)]
pub struct Unread {
    output: Output,
    /// `[1]`
    map_loss: Option<Tensor<1>>,
}

/// What the attention branch gave, on the host.
#[derive(Debug, Clone)]
pub struct HostAttention {
    /// Attention logits, one row an image.
    pub logits: Rows,
    /// Maps, one an image or one a label.
    pub maps: ImageMaps,
}

/// The maps of some images.
#[derive(Debug, Clone)]
pub struct ImageMaps {
    /// Maps an image.
    each: usize,
    /// Image by image.
    maps: Vec<AttentionMap>,
}

impl ImageMaps {
    /// No maps, or so many of each image, one image after the other.
    pub fn new(each: usize, maps: Vec<AttentionMap>) -> Self {
        Self { each, maps }
    }

    /// All of them.
    pub fn all(&self) -> &[AttentionMap] {
        &self.maps
    }

    /// Those of each image: one, or one of each label.
    pub fn images(&self) -> std::slice::ChunksExact<'_, AttentionMap> {
        self.maps.chunks_exact(self.each.max(1))
    }
}

/// The map of a label among those of an image.
pub fn map_of(maps: &[AttentionMap], label: usize) -> Option<&AttentionMap> {
    match maps {
        [one] => Some(one),
        several => several.get(label),
    }
}

impl Unread {
    /// The output of a forward pass, and what the objective asked of its maps, both without
    /// gradients.
    pub fn new(output: Output, map_loss: Option<Tensor<1>>) -> Self {
        Self { output, map_loss }
    }

    /// Reads it in one go, so that the device is waited for once; without the maps if they are not
    /// asked for.
    ///
    /// # Errors
    /// A map has no values.
    pub fn read(self, with_maps: bool) -> Result<HostOutput, MapSizeError> {
        let Self { output, map_loss } = self;
        let [_, classes] = output.logits.dims();
        let mut asked = Transaction::default().register(output.logits);
        if let Some(loss) = map_loss.clone() {
            asked = asked.register(loss);
        }
        let size = output.attention.as_ref().map(|branch| branch.map.dims());
        if let Some(attention) = output.attention {
            asked = asked.register(attention.logits);
            if with_maps {
                asked = asked.register(attention.map);
            }
        }
        let mut read = asked.execute().into_iter();
        let mut next = |columns| Rows::read(read.next(), columns);
        let logits = next(classes);
        let map_loss = map_loss.map(|_| next(1).values[0].into());
        let Some([_, each, height, width]) = size else {
            return Ok(HostOutput {
                logits,
                attention: None,
                map_loss,
            });
        };
        let of_branch = next(classes);
        let mut maps = Vec::new();
        if with_maps {
            for map in next(height * width).rows() {
                maps.push(AttentionMap::new(height, width, map.to_vec())?);
            }
        }
        let attention = HostAttention {
            logits: of_branch,
            maps: ImageMaps { each, maps },
        };
        Ok(HostOutput {
            logits,
            attention: Some(attention),
            map_loss,
        })
    }
}

impl HostOutput {
    /// [Reads](Unread::read) the output of a forward pass.
    ///
    /// # Errors
    /// A map has no values.
    pub fn read(output: Output, with_maps: bool) -> Result<Self, MapSizeError> {
        Unread::new(output, None).read(with_maps)
    }
}

/// Minus the logarithm of the softmax of the right class, in double precision.
pub fn cross_entropy(logits: &[f32], class: usize) -> f64 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| libm::exp(f64::from(logit - highest)))
        .sum();
    libm::log(sum) - f64::from(logits[class] - highest)
}

/// Classes that are ahead of one: higher, or as high and of a lower number. NaN is behind
/// everything.
pub fn rank(logits: &[f32], class: usize) -> usize {
    let own = logits[class];
    if own.is_nan() {
        return logits.len();
    }
    let ahead = |(other, logit): (usize, &f32)| *logit > own || (*logit == own && other < class);
    logits
        .iter()
        .enumerate()
        .filter(|entry| ahead(*entry))
        .count()
}

/// Softmax of the logits of one group, in double precision.
fn softmax(logits: &[f32]) -> impl Iterator<Item = f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits
        .iter()
        .map(|logit| libm::exp(f64::from(logit - highest)))
        .collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(move |value| value / sum)
}

/// The probability of every class among those of its group.
pub fn probabilities(logits: &[f32], outputs: &Outputs) -> Vec<f64> {
    let spans = outputs.spans();
    spans.flat_map(|span| softmax(&logits[span])).collect()
}

/// Class of the largest logit of one group; the first of equals.
fn highest(logits: &[f32]) -> usize {
    let ahead = |one: f32, other: f32| one > other || (other.is_nan() && !one.is_nan());
    let further = |best: usize, class: usize| match ahead(logits[class], logits[best]) {
        true => class,
        false => best,
    };
    (0..logits.len()).fold(0, further)
}

/// The predicted class of each group, counted in the group.
pub fn predicted(logits: &[f32], outputs: &Outputs) -> Vec<usize> {
    let spans = outputs.spans();
    spans.map(|span| highest(&logits[span])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_ranks_by_hand() {
        assert!((cross_entropy(&[0.0, 0.0], 1) - 2.0_f64.ln()).abs() < 1e-12);
        assert!((cross_entropy(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
        assert_eq!(
            [0, 1, 2].map(|class| rank(&[1.0, 3.0, 1.0], class)),
            [1, 0, 2]
        );
        assert_eq!(rank(&[f32::NAN, 1.0], 0), 2);
        assert_eq!(highest(&[1.0, 3.0, 3.0]), 1);
    }

    #[test]
    fn every_group_has_its_own_probabilities_and_prediction() {
        let outputs = Outputs::of(vec![2, 3]);
        let logits = [0.0, 0.0, 7.0, 7.0, f32::NEG_INFINITY];
        assert_eq!(probabilities(&logits, &outputs), [0.5, 0.5, 0.5, 0.5, 0.0]);
        assert_eq!(predicted(&[1.0, 3.0, 0.0, 2.0, 5.0], &outputs), [1, 2]);
    }
}
