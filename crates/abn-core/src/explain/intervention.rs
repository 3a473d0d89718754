//! Truth by intervention: what the things in an image really do to the network's answer, against
//! what a map says of them.
//!
//! Deletion asks the network about images that nobody would ever see, and an answer may be due to
//! the hole. Where an image can be made again without one of its things, the change of the answer
//! is the thing's effect and nothing else (FunnyBirds, Hesse et al. 2023, single deletion).

use super::rank::{correlation, ranks};
use super::{AttentionMap, Mask};

/// A thing in an image and its effect.
#[derive(Debug, Clone)]
pub struct Effect {
    /// Where it is seen.
    pub region: Mask,
    /// By how much it raises the score of the class: the score with it minus that without it.
    pub value: f64,
}

impl Effect {
    /// The effect of each of its pixels.
    fn density(&self) -> f64 {
        self.value / self.pixels() as f64
    }

    fn pixels(&self) -> usize {
        let inside = self.region.inside().iter();
        inside.filter(|inside| **inside).count()
    }

    /// The mean over it of a map of the size of its region; `None` if that is broken there.
    fn mean_of(&self, map: &AttentionMap) -> Option<f64> {
        let values = map.values.iter().zip(self.region.inside());
        let sum: f64 = values
            .filter(|(_, inside)| **inside)
            .map(|(value, _)| f64::from(*value))
            .sum();
        let mean = sum / self.pixels() as f64;
        mean.is_finite().then_some(mean)
    }
}

/// Spearman's rank correlation between the map's mean over each thing and the thing's effect a
/// pixel: 1 where the map puts the things in the order in which they matter. Both are densities, so
/// a thing is not important because it is large.
///
/// All regions have one size. `None` for fewer than three things, and where no effect differs from another. A map that says
/// the same of all things has 0: it knows nothing of them.
pub fn intervention(map: &AttentionMap, effects: &[Effect]) -> Option<f64> {
    let first = &effects.first()?.region;
    let map = map.resize_to(first.width(), first.height());
    let seen = effects.iter().filter(|effect| effect.pixels() > 0);
    let pairs: Option<Vec<(f64, f64)>> = seen
        .map(|effect| Some((effect.mean_of(&map)?, effect.density())))
        .collect();
    let (said, true_ones): (Vec<f64>, Vec<f64>) = pairs?.into_iter().unzip();
    let truth = ranks_of(&true_ones)?;
    if truth.len() < 3 || truth.iter().all(|rank| *rank == truth[0]) {
        return None;
    }
    Some(correlation(&ranks_of(&said)?, &truth).unwrap_or(0.0))
}

/// Ranks of figures that differ by more than rounding; `None` if one is not finite.
fn ranks_of(values: &[f64]) -> Option<Vec<f64>> {
    let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
    ranks(&values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(inside: &[usize]) -> Mask {
        let inside = (0..12).map(|place| inside.contains(&place)).collect();
        Mask::new(3, 4, inside).unwrap()
    }

    /// The score is the sum of weight times pixel, a thing is left out by setting its pixels to
    /// those of the ground: its effect is exactly the sum of the differences' contributions, and the
    /// map of these contributions knows everything.
    #[test]
    fn the_contributions_of_a_linear_model_are_its_effects() {
        let weights = [
            0.5, -1.0, 2.0, 0.1, 0.7, 0.3, -0.2, 1.0, -3.0, 0.4, 0.6, 0.9_f64,
        ];
        let image = [
            3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0, 8.0_f64,
        ];
        let ground = [
            1.0, 1.0, 2.0, 2.0, 1.0, 2.0, 3.0, 3.0, 1.0, 2.0, 2.0, 1.0_f64,
        ];
        let score = |image: &[f64]| image.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>();
        let things: [&[usize]; 4] = [&[0, 1, 4], &[2, 3], &[5, 6, 9], &[8]];
        let effects: Vec<Effect> = things
            .iter()
            .map(|thing| {
                let mut without = image;
                thing
                    .iter()
                    .for_each(|place| without[*place] = ground[*place]);
                Effect {
                    region: region(thing),
                    value: score(&image) - score(&without),
                }
            })
            .collect();
        let exact: Vec<f32> = (0..12)
            .map(|place| (weights[place] * (image[place] - ground[place])) as f32)
            .collect();
        let map = AttentionMap::new(3, 4, exact.clone()).unwrap();
        assert_eq!(intervention(&map, &effects), Some(1.0));
        let opposite = exact.iter().map(|value| -value).collect();
        let opposite = AttentionMap::new(3, 4, opposite).unwrap();
        assert_eq!(intervention(&opposite, &effects), Some(-1.0));
    }

    #[test]
    fn a_map_that_says_nothing_has_0_and_too_few_things_have_none() {
        let effect = |inside: &[usize], value| Effect {
            region: region(inside),
            value,
        };
        let flat = AttentionMap::new(1, 1, vec![0.3]).unwrap();
        let effects = [effect(&[0], 1.0), effect(&[1, 2], 4.0), effect(&[5], 0.0)];
        assert_eq!(intervention(&flat, &effects), Some(0.0));
        assert_eq!(intervention(&flat, &effects[..2]), None);
        let unseen = [effect(&[0], 1.0), effect(&[1], 4.0), effect(&[], 9.0)];
        assert_eq!(intervention(&flat, &unseen), None);
        let alike = [effect(&[0], 1.0), effect(&[1], 1.0), effect(&[2], 1.0)];
        assert_eq!(intervention(&flat, &alike), None);
        let broken = AttentionMap::new(1, 1, vec![f32::NAN]).unwrap();
        assert_eq!(intervention(&broken, &effects), None);
    }

    /// Means 0.9, 0.1, 0.5; effects a pixel 1, 2, 0: ranks 3 1 2 and 2 3 1, so 1 - 6 * 6 / 24.
    #[test]
    fn the_order_by_hand() {
        let mut values = vec![0.0; 12];
        (values[0], values[1], values[2], values[5]) = (0.9, 0.1, 0.1, 0.5);
        let map = AttentionMap::new(3, 4, values).unwrap();
        let effect = |inside: &[usize], value| Effect {
            region: region(inside),
            value,
        };
        let effects = [effect(&[0], 1.0), effect(&[1, 2], 4.0), effect(&[5], 0.0)];
        let found = intervention(&map, &effects).unwrap();
        assert!((found + 0.5).abs() < 1e-12, "{found}");
    }
}
