//! Does the map find the object? Measures of a map against a mask.
//!
//! The map is brought to the mask's size, bilinearly. A map that says nothing, because it is the
//! same everywhere, scores what chance scores; one that holds a value that is not finite scores
//! worst.

use super::rank::ranks;
use super::{AttentionMap, Mask};

/// How well one map finds the object of one image. All are in [0, 1], more is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Localisation {
    /// Pointing game (Zhang et al. 2016, section 4.1), without its tolerance of 15 pixels, which is
    /// half of a small image: whether the map's maximum lies on the object. Of several maxima, the
    /// share that does, so that a uniform map scores the object's [coverage](Mask::coverage).
    pub pointing: f64,
    /// Energy-based pointing game (Wang et al. 2020, section 4.3): the share of the map's sum that
    /// lies on the object. A uniform map scores the coverage.
    pub energy: f64,
    /// Intersection over union of the object and the pixels at or above the threshold, as in CAM's
    /// localisation (Zhou et al. 2016, section 3.2) but for the mask in place of a box around them.
    /// A uniform map, normalised to 0, scores 0.
    pub iou: f64,
    /// Area under the ROC curve of the map's values as a score for "object": the probability that a
    /// pixel on the object has a higher value than one beside it, equal values counting half. A
    /// uniform map scores 0.5. It is absent where the object covers all: there is nothing beside
    /// it.
    pub auc: Option<f64>,
}

impl Localisation {
    /// Measures a map against a mask; `None` where the mask has no object. The energy takes only
    /// what is above 0, and the threshold is one of the map's values: methods compare if their maps
    /// are [normalised](AttentionMap::normalized).
    pub fn measure(map: &AttentionMap, mask: &Mask, threshold: f32) -> Option<Self> {
        if !mask.inside().contains(&true) {
            return None;
        }
        let values = map.resize_to(mask.width(), mask.height()).values;
        let covers_all = !mask.inside().contains(&false);
        let Some(ranks) = ranks(&values) else {
            return Some(Self {
                pointing: 0.0,
                energy: 0.0,
                iou: 0.0,
                auc: (!covers_all).then_some(0.0),
            });
        };
        Some(Self {
            pointing: pointing(&values, mask),
            energy: energy(&values, mask),
            iou: iou(&values, mask, threshold),
            auc: (!covers_all).then(|| auc(&ranks, mask)),
        })
    }
}

/// The values on the object.
fn inside<'a, T: Copy>(values: &'a [T], mask: &'a Mask) -> impl Iterator<Item = T> + 'a {
    values
        .iter()
        .zip(mask.inside())
        .filter(|(_, inside)| **inside)
        .map(|(value, _)| *value)
}

fn pointing(values: &[f32], mask: &Mask) -> f64 {
    let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let maxima =
        |values: &mut dyn Iterator<Item = f32>| values.filter(|value| *value == highest).count();
    maxima(&mut inside(values, mask)) as f64 / maxima(&mut values.iter().copied()) as f64
}

fn energy(values: &[f32], mask: &Mask) -> f64 {
    let sum = |values: &mut dyn Iterator<Item = f32>| {
        values.map(|value| f64::from(value.max(0.0))).sum::<f64>()
    };
    let whole = sum(&mut values.iter().copied());
    if whole > 0.0 {
        sum(&mut inside(values, mask)) / whole
    } else {
        mask.coverage()
    }
}

fn iou(values: &[f32], mask: &Mask, threshold: f32) -> f64 {
    let above = values.iter().filter(|value| **value >= threshold).count();
    let common = inside(values, mask)
        .filter(|value| *value >= threshold)
        .count();
    let object = mask.inside().iter().filter(|inside| **inside).count();
    common as f64 / (above + object - common) as f64
}

/// The area under the ROC curve from the rank sum, as Mann and Whitney (1947).
fn auc(ranks: &[f64], mask: &Mask) -> f64 {
    let object = inside(ranks, mask).count() as f64;
    let beside = ranks.len() as f64 - object;
    let sum: f64 = inside(ranks, mask).sum();
    (sum - object * (object + 1.0) / 2.0) / (object * beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: &[f32]) -> AttentionMap {
        AttentionMap::new(1, values.len(), values.to_vec()).unwrap()
    }

    /// The object is the first two of four pixels.
    fn measure(values: &[f32]) -> Localisation {
        let mask = Mask::new(1, 4, vec![true, true, false, false]).unwrap();
        Localisation::measure(&map(values), &mask, 0.5).unwrap()
    }

    #[test]
    fn by_hand() {
        let found = measure(&[0.8, 0.2, 0.6, 0.4]);
        // One of {0.8, 0.6} and the object's two: 1 / 3. Of four pairs, 0.8 wins both and 0.2 loses
        // both.
        let expected = Localisation {
            pointing: 1.0,
            energy: 0.5,
            iou: 1.0 / 3.0,
            auc: Some(0.5),
        };
        assert!((found.energy - expected.energy).abs() < 1e-7);
        assert_eq!(
            Localisation {
                energy: 0.5,
                ..found
            },
            expected
        );
    }

    #[test]
    fn the_object_itself_is_the_best_map_and_its_opposite_the_worst() {
        let best = Localisation {
            pointing: 1.0,
            energy: 1.0,
            iou: 1.0,
            auc: Some(1.0),
        };
        assert_eq!(measure(&[1.0, 1.0, 0.0, 0.0]), best);
        let worst = Localisation {
            pointing: 0.0,
            energy: 0.0,
            iou: 0.0,
            auc: Some(0.0),
        };
        assert_eq!(measure(&[0.0, 0.0, 1.0, 1.0]), worst);
        assert_eq!(measure(&[1.0, 1.0, f32::NAN, 0.0]), worst);
    }

    #[test]
    fn a_uniform_map_scores_as_chance_does() {
        for value in [0.0, 0.3] {
            let expected = Localisation {
                pointing: 0.5,
                energy: 0.5,
                iou: 0.0,
                auc: Some(0.5),
            };
            assert_eq!(measure(&[value; 4]), expected);
        }
        let corner = Mask::new(1, 4, vec![true, false, false, false]).unwrap();
        let found = Localisation::measure(&map(&[0.2; 4]), &corner, 0.5).unwrap();
        assert_eq!(
            (found.pointing, found.energy, found.auc),
            (0.25, 0.25, Some(0.5))
        );
    }

    #[test]
    fn without_an_object_there_is_nothing_to_find() {
        let empty = Mask::new(1, 2, vec![false; 2]).unwrap();
        assert_eq!(Localisation::measure(&map(&[0.0, 1.0]), &empty, 0.5), None);
        let all = Mask::new(1, 2, vec![true; 2]).unwrap();
        let found = Localisation::measure(&map(&[0.0, 1.0]), &all, 0.5).unwrap();
        assert_eq!(
            found,
            Localisation {
                pointing: 1.0,
                energy: 1.0,
                iou: 0.5,
                auc: None
            }
        );
    }

    #[test]
    fn a_small_map_is_enlarged_to_the_mask() {
        let mask = Mask::new(2, 4, [true, true, false, false].repeat(2)).unwrap();
        let found = Localisation::measure(&map(&[1.0, 0.0]), &mask, 0.5).unwrap();
        // Columns 1, 0.75, 0.25, 0.
        assert_eq!(
            found,
            Localisation {
                pointing: 1.0,
                energy: 0.875,
                iou: 1.0,
                auc: Some(1.0)
            }
        );
    }
}
