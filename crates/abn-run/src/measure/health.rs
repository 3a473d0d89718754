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
    places: Places,
}

/// Sums over images at each position.
#[derive(Debug, Default)]
struct Places {
    size: Option<[usize; 2]>,
    sums: Vec<f64>,
    squares: Vec<f64>,
    /// Whether maps differ in size, so that their positions are not the same.
    differ: bool,
}

impl Places {
    fn add(&mut self, map: &AttentionMap) {
        let size = [map.height, map.width];
        if self.size.is_none() {
            self.sums = vec![0.0; map.values.len()];
            self.squares = self.sums.clone();
        }
        self.differ |= *self.size.get_or_insert(size) != size;
        let sums = self.sums.iter_mut().zip(&mut self.squares);
        for ((sum, square), value) in sums.zip(&map.values) {
            let value = f64::from(*value);
            *sum += value;
            *square += value * value;
        }
    }

    /// Mean over the positions of the standard deviation between so many maps.
    fn deviation(&self, maps: usize) -> Option<f64> {
        if self.differ || self.sums.is_empty() || maps < 2 {
            return None;
        }
        let count = maps as f64;
        let sums = self.sums.iter().zip(&self.squares);
        let each =
            sums.map(|(sum, square)| (square / count - (sum / count).powi(2)).max(0.0).sqrt());
        Some(each.sum::<f64>() / self.sums.len() as f64)
    }
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
        self.zero += usize::from(low.abs() < FLAT && high < FLAT);
        self.one += usize::from(low > 1.0 - FLAT);
        // A map of zeros and one of a single position have no preference.
        self.entropy += complexity(map).unwrap_or(1.0);
        self.places.add(map);
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
            between: self.places.deviation(self.finite),
            gain: None,
            effect: None,
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

    #[test]
    fn between_images_by_hand() {
        let map = |values: &[f32]| AttentionMap::new(1, values.len(), values.to_vec()).unwrap();
        let mut meter = HealthMeter::default();
        meter.add(&map(&[0.25, 0.5]));
        assert_eq!(meter.health().unwrap().between, None, "of one map");
        meter.add(&map(&[0.75, 0.5]));
        // 1/4 at the first position, nothing at the second.
        assert_eq!(meter.health().unwrap().between, Some(0.125));
        meter.add(&map(&[0.5]));
        assert_eq!(meter.health().unwrap().between, None);
    }
}
