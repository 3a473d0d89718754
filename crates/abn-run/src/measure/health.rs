//! The state of the attention maps of a set of images, summed up map by map.

use abn_core::explain::{AttentionMap, complexity};

use super::records::MapHealth;

/// Distance within which map values count as equal, as 0 or as 1.
const FLAT: f32 = 1e-3;
/// Distance from 0 or 1 within which a value is saturated: there the slope of the sigmoid, M (1 -
/// M), is below 0.02, less than a twelfth of what it is in the middle.
const SATURATED: f32 = 0.02;

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
        // A map of zeros and one of a single position have no preference.
        self.entropy += complexity(map).unwrap_or(1.0);
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
