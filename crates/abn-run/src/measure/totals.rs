//! Sums over images: losses and accuracies, and the state of the attention maps.

use abn_core::explain::AttentionMap;
use serde::{Deserialize, Serialize};

use crate::measure::readback::{Outcome, cross_entropy, rank};
use crate::measure::records::{MapHealth, Summary};

/// Rank that still counts as found in top-5.
const TOP: usize = 5;
/// Distance within which map values count as equal, as 0 or as 1.
const FLAT: f32 = 1e-3;
/// Distance from 0 or 1 within which a value is saturated: there the slope of the sigmoid, M (1 -
/// M), is below 0.02, less than a twelfth of what it is in the middle.
const SATURATED: f32 = 0.02;

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
            let sum: f64 = rows
                .map(|(label, logits)| cross_entropy(logits, *label))
                .sum();
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
    entropy: f64,
    saturated: f64,
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
        let mean = map
            .values
            .iter()
            .map(|value| f64::from(*value))
            .sum::<f64>()
            / count;
        let squares = map
            .values
            .iter()
            .map(|value| (f64::from(*value) - mean).powi(2))
            .sum::<f64>();
        self.mean += mean;
        self.spread += (squares / count).sqrt();
        let (low, high) = map.extent().unwrap_or((0.0, 0.0));
        self.constant += usize::from(high - low < FLAT);
        self.zero += usize::from(high < FLAT);
        self.one += usize::from(low > 1.0 - FLAT);
        self.entropy += relative_entropy(map);
        let at_an_end = |value: &&f32| **value < SATURATED || **value > 1.0 - SATURATED;
        self.saturated += map.values.iter().filter(at_an_end).count() as f64 / count;
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
            entropy: Some(of_finite(self.entropy)),
            saturated: Some(of_finite(self.saturated)),
            drift: None,
        })
    }
}

/// The entropy of a map as a distribution over its positions, by that of the uniform distribution.
/// A map of zeros and one of a single position have no preference, which is 1.
fn relative_entropy(map: &AttentionMap) -> f64 {
    let weights = || map.values.iter().map(|value| f64::from(value.max(0.0)));
    let sum: f64 = weights().sum();
    if sum <= 0.0 || map.values.len() < 2 {
        return 1.0;
    }
    let shares = weights()
        .map(|weight| weight / sum)
        .filter(|share| *share > 0.0);
    let entropy = -shares.map(|share| share * share.ln()).sum::<f64>();
    entropy / (map.values.len() as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::readback::{AttentionOutcome, Rows};

    #[test]
    fn summary_weighs_the_attention_loss() {
        let rows = |values: &[f32]| Rows::new(2, values.to_vec());
        let attention = AttentionOutcome {
            logits: rows(&[0.0, 0.0, 0.0, 0.0]),
            maps: Vec::new(),
        };
        let outcome = Outcome {
            logits: rows(&[0.0, 0.0, 9.0, 9.0]),
            attention: Some(attention),
        };
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
        assert_eq!(
            (health.constant, health.zero, health.one, health.not_finite),
            (0.5, 0.25, 0.25, 0.25)
        );
        assert!((health.mean - 0.5).abs() < 1e-12 && (health.spread - 0.25 / 3.0).abs() < 1e-12);
        // Both values of the first two, none of the third; the broken one counts nowhere.
        assert!((health.saturated.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn entropy_runs_from_a_point_to_no_preference() {
        let entropy = |values: &[f32]| {
            relative_entropy(&AttentionMap::new(1, values.len(), values.to_vec()).unwrap())
        };
        assert_eq!(entropy(&[0.0, 0.7, 0.0, 0.0]), 0.0);
        assert!((entropy(&[0.3; 4]) - 1.0).abs() < 1e-12);
        // Two of four positions: one bit of two; negative values are none.
        assert!((entropy(&[0.5, 0.0, 0.5, -3.0]) - 0.5).abs() < 1e-12);
        // A quarter and three quarters: 0.811 of a bit, of one.
        assert!((entropy(&[0.1, 0.3]) - 0.811_278).abs() < 1e-6);
        assert_eq!([entropy(&[0.0, 0.0]), entropy(&[0.4])], [1.0, 1.0]);
    }
}
