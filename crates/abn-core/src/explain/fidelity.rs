//! F-Fidelity (Zheng et al. 2025): deletion for a network that knows images with missing pixels, so
//! that what it loses is not owed to their strangeness.
//!
//! The network is fine-tuned beforehand on images of which up to a tenth of the pixels is missing,
//! at random and whatever explains them. Then a random part of the highest pixels of a map goes, or
//! of all others, and never more than that tenth.
//!
//! Other than in the authors' code, an image has a probability in place of right or wrong, and five
//! sizes of the explanation with ten random choices each in place of twenty with fifty: a twentieth
//! of the passes.

use burn::tensor::{Bool, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::AttentionMap;
use super::faithfulness::{probabilities_of, turns};
use crate::classifier::Classifier;

/// Largest share of the pixels that is missing, in fine-tuning and in the measure (the paper's
/// beta).
pub const MISSING: f64 = 0.1;
/// Share of the chosen pixels that goes (the paper's alpha).
const GONE: f64 = 0.5;
/// Shares of the pixels that count as the explanation.
const SIZES: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Random choices of each.
const SAMPLES: usize = 10;
/// Images of one forward pass.
const BATCH: usize = 25;

/// What a fine-tuned network loses of the probability of a class, as a mean over sizes of the
/// explanation and random choices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fidelity {
    /// Without pixels that the map holds for important (FFid+): more is better.
    pub explained: f64,
    /// Without others (FFid-): less is better.
    pub rest: f64,
}

impl Fidelity {
    /// Measures a map, which is brought to the image's size. Missing pixels have the mean colour.
    ///
    /// # Shapes
    /// `image` `[1, C, H, W]`.
    ///
    /// # Panics
    /// Those of [`Classifier::forward`]; the class is none of the network's.
    pub fn measure(
        tuned: &Classifier,
        image: &Tensor<4>,
        map: &AttentionMap,
        class: usize,
        seed: u64,
    ) -> Self {
        let [_, _, height, width] = image.dims();
        let turns = turns(&map.resize_to(width, height).values);
        let mut random = Pcg64::seed_from_u64(seed);
        let [mut explained, mut rest] = [Vec::new(), Vec::new()];
        for size in SIZES {
            let last = (size * turns.len() as f64).round() as usize;
            let (above, below): (Vec<usize>, Vec<usize>) =
                (0..turns.len()).partition(|pixel| turns[*pixel] < last);
            for _ in 0..SAMPLES {
                explained.push(chosen(&above, turns.len(), &mut random));
                rest.push(chosen(&below, turns.len(), &mut random));
            }
        }
        let whole = probabilities_of(tuned, image.clone(), &[class])[0];
        let lost = |gone: &[Vec<bool>]| {
            let left: f64 = gone
                .chunks(BATCH)
                .flat_map(|gone| without(tuned, image, gone, class))
                .sum();
            whole - left / gone.len() as f64
        };
        Self {
            explained: lost(&explained),
            rest: lost(&rest),
        }
    }
}

/// Which of so many pixels go: a random half of those, but no more than a tenth of all.
fn chosen(members: &[usize], pixels: usize, random: &mut Pcg64) -> Vec<bool> {
    let count = (GONE * members.len() as f64).round() as usize;
    let count = count.min((MISSING * pixels as f64) as usize);
    some_of(members.to_vec(), count, pixels, random)
}

/// The pixels of a training image that are missing in fine-tuning: a random number of them, a tenth
/// at most, in random places.
pub fn missing_at_random(pixels: usize, seed: u64) -> Vec<bool> {
    let mut random = Pcg64::seed_from_u64(seed);
    let most = (MISSING * pixels as f64) as usize;
    let count = random.random_range(0..=most as u64) as usize;
    some_of((0..pixels).collect(), count, pixels, &mut random)
}

/// A mask of so many of those places, drawn at random.
fn some_of(mut places: Vec<usize>, count: usize, pixels: usize, random: &mut Pcg64) -> Vec<bool> {
    let (gone, _) = places.partial_shuffle(random, count);
    let mut mask = vec![false; pixels];
    gone.iter().for_each(|place| mask[*place] = true);
    mask
}

/// The probability of the class without those pixels, of each choice.
fn without(tuned: &Classifier, image: &Tensor<4>, gone: &[Vec<bool>], class: usize) -> Vec<f64> {
    let [_, channels, height, width] = image.dims();
    let shape = [gone.len(), channels, height, width];
    let masks = TensorData::new(gone.concat(), [gone.len(), 1, height, width]);
    let masks = Tensor::<4, Bool>::from_data(masks, &image.device()).expand(shape);
    let images = image.clone().expand(shape).mask_fill(masks, 0.0);
    probabilities_of(tuned, images, &vec![class; gone.len()])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;
    use crate::{Architecture, ClassifierConfig, Outputs};

    fn count(mask: &[bool]) -> usize {
        mask.iter().filter(|gone| **gone).count()
    }

    #[test]
    fn a_half_goes_but_a_tenth_of_all_at_most() {
        let mut random = Pcg64::seed_from_u64(1);
        let few: Vec<usize> = (10..20).collect();
        let mask = chosen(&few, 200, &mut random);
        assert_eq!(count(&mask), 5);
        assert!((0..200).all(|pixel| !mask[pixel] || few.contains(&pixel)));
        let many: Vec<usize> = (0..150).collect();
        assert_eq!(count(&chosen(&many, 200, &mut random)), 20);
        assert_eq!(count(&chosen(&[], 200, &mut random)), 0);
    }

    #[test]
    fn a_tenth_of_a_training_image_is_missing_at_most() {
        let counts: Vec<usize> = (0..50)
            .map(|seed| count(&missing_at_random(100, seed)))
            .collect();
        assert!(counts.iter().all(|count| *count <= 10));
        assert!(counts.contains(&0) && counts.contains(&10), "{counts:?}");
        assert_eq!(missing_at_random(100, 3), missing_at_random(100, 3));
    }

    /// A network that looks at nothing but the left half: whatever else is missing costs nothing.
    #[test]
    fn what_the_network_goes_by_is_what_it_misses() {
        let device = Device::flex();
        let config = ClassifierConfig {
            network: Architecture::parse("resnet8").unwrap().network,
            attention: None,
            outputs: Outputs::one(3),
        };
        let network = config.init_seeded(5, &device);
        let noise = Tensor::random([1, 3, 16, 8], Distribution::Normal(0.0, 3.0), &device);
        // What is missing in the right half is what is there.
        let image = Tensor::cat(vec![noise.clone(), noise.zeros_like()], 3);
        let left: Vec<f32> = (0..256).map(|pixel| -((pixel % 16) as f32)).collect();
        let map = AttentionMap::new(16, 16, left.clone()).unwrap();
        let right = AttentionMap::new(16, 16, left.iter().map(|value| -value).collect()).unwrap();
        let of = |map: &AttentionMap| Fidelity::measure(&network, &image, map, 1, 7);
        let (own, other) = (of(&map), of(&right));
        // Of the sizes, 10, 30 and 50 % lie within the half; of the rest, 70 and 90 % leave none.
        assert!(own.explained.abs() > 1e-4, "{own:?}");
        assert!(own.explained.abs() > 1.5 * own.rest.abs(), "{own:?}");
        assert!(other.rest.abs() > 1.5 * other.explained.abs(), "{other:?}");
        assert_eq!(own, of(&map));
    }
}
