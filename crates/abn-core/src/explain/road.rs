//! Remove and debias (ROAD, Rong et al. 2022): deletion that leaves no hole behind. What is removed
//! is made up from its neighbours, so that the shape of the map does not tell the class.

use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::AttentionMap;
use super::faithfulness::{probabilities_of, turns};
use super::noise::normal;
use crate::classifier::Classifier;

/// Shares of the pixels that are removed, as in the paper's code, in hundredths that are kept.
pub const PERCENTILES: [usize; 9] = [10, 20, 30, 40, 50, 60, 70, 80, 90];
/// Deviation of the noise on what is made up, in the units of the normalised image.
const NOISE: f32 = 0.01;
/// Weight of a neighbour beside or above, and of one across.
const WEIGHTS: [f32; 2] = [1.0 / 6.0, 1.0 / 12.0];
/// Largest residual of the made up values, well below the noise.
const TOLERANCE: f32 = 1e-4;
/// More steps than any image of a thousand pixels a side takes.
const MOST_STEPS: usize = 5000;

/// Which pixels go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Those of the map's highest values.
    Most,
    /// Those of its lowest.
    Least,
}

/// The pixels that are removed where so many hundredths are kept: all that do not lie below the
/// value that numpy's linear interpolation gives for that percentile, of equal ones those that come
/// first in reading order.
pub fn removed(map: &AttentionMap, percentile: usize, first: First) -> Vec<bool> {
    let turns = match first {
        First::Most => turns(&map.values),
        First::Least => {
            let opposite: Vec<f32> = map.values.iter().map(|value| -value).collect();
            turns(&opposite)
        }
    };
    let kept = (turns.len().saturating_sub(1) * percentile).div_ceil(100);
    let gone = turns.len() - kept.min(turns.len());
    turns.iter().map(|turn| *turn < gone).collect()
}

/// The probability of the class without the pixels that a map calls the most and the least
/// relevant, each the mean over the [percentiles](PERCENTILES).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Road {
    /// Most relevant first: less is better.
    pub most: f64,
    /// Least relevant first: more is better.
    pub least: f64,
}

impl Road {
    /// Measures a map. The noise on what is made up is drawn from `seed`.
    ///
    /// # Shapes
    /// `image` `[1, C, H, W]`; the map is brought to H x W.
    ///
    /// # Panics
    /// Those of [`Classifier::forward`]; the class is none of the network's.
    pub fn measure(
        classifier: &Classifier,
        image: &Tensor<4>,
        map: &AttentionMap,
        class: usize,
        seed: u64,
    ) -> Self {
        let [_, channels, height, width] = image.dims();
        let values: Vec<f32> = image.clone().into_data().iter().collect();
        let planes: Vec<&[f32]> = values.chunks_exact((height * width).max(1)).collect();
        let map = map.resize_to(width, height);
        let [most, least] = [First::Most, First::Least].map(|first| {
            let mut pixels: Vec<f32> = Vec::new();
            for percentile in PERCENTILES {
                let removed = removed(&map, percentile, first);
                let filled = imputed(&planes, &removed, height, width, Some(seed));
                filled.iter().for_each(|plane| pixels.extend(plane));
            }
            let shape = [PERCENTILES.len(), channels, height, width];
            let images = Tensor::from_data(TensorData::new(pixels, shape), &image.device());
            let classes = [class; PERCENTILES.len()];
            let probabilities = probabilities_of(classifier, images, &classes);
            probabilities.iter().sum::<f64>() / PERCENTILES.len() as f64
        });
        Self { most, least }
    }

    /// Half of the difference: more is better, 0 is a map that knows nothing.
    pub fn combined(&self) -> f64 {
        (self.least - self.most) / 2.0
    }
}

/// Pixels that are removed, and their neighbours among each other.
struct Hole {
    height: usize,
    width: usize,
    /// Places of the removed pixels, in reading order.
    places: Vec<usize>,
    /// Number of each place among the removed; `usize::MAX` for those that are kept.
    numbers: Vec<usize>,
}

/// The neighbours of a place with their weights.
fn neighbours(place: usize, height: usize, width: usize) -> impl Iterator<Item = (usize, f32)> {
    let (row, column) = (place / width, place % width);
    let around = (0..9).filter(|k| *k != 4).map(|k| (k / 3, k % 3));
    around.filter_map(move |(down, right)| {
        let (y, x) = (
            (row + down).checked_sub(1)?,
            (column + right).checked_sub(1)?,
        );
        let weight = WEIGHTS[usize::from(down != 1 && right != 1)];
        (y < height && x < width).then_some((y * width + x, weight))
    })
}

impl Hole {
    fn new(removed: &[bool], height: usize, width: usize) -> Self {
        let places: Vec<usize> = (0..removed.len()).filter(|place| removed[*place]).collect();
        let mut numbers = vec![usize::MAX; removed.len()];
        for (number, place) in places.iter().enumerate() {
            numbers[*place] = number;
        }
        Self {
            height,
            width,
            places,
            numbers,
        }
    }

    /// What each removed pixel would be if it were the weighted mean of its neighbours: the
    /// solution of a symmetric, positive system, by conjugate gradients.
    fn filled(&self, plane: &[f32]) -> Vec<f32> {
        let count = self.places.len();
        let mut right = vec![0.0_f32; count];
        let mut diagonal = right.clone();
        for (number, place) in self.places.iter().enumerate() {
            for (neighbour, weight) in neighbours(*place, self.height, self.width) {
                diagonal[number] += weight;
                if self.numbers[neighbour] == usize::MAX {
                    right[number] += weight * plane[neighbour];
                }
            }
        }
        let known = self.numbers.iter().zip(plane);
        let known = known.filter(|(number, _)| **number == usize::MAX);
        let (sum, kept) = known.fold((0.0, 0_usize), |(sum, kept), (_, value)| {
            (sum + value, kept + 1)
        });
        // Of an image without any pixel left nothing is known but that it was normalised to 0.
        let start = if kept == 0 { 0.0 } else { sum / kept as f32 };
        let mut values = vec![start; count];
        let product = |values: &[f32], into: &mut [f32]| {
            for (number, place) in self.places.iter().enumerate() {
                let mut sum = diagonal[number] * values[number];
                for (neighbour, weight) in neighbours(*place, self.height, self.width) {
                    let other = self.numbers[neighbour];
                    if other != usize::MAX {
                        sum -= weight * values[other];
                    }
                }
                into[number] = sum;
            }
        };
        if kept == 0 {
            return values;
        }
        let mut moved = vec![0.0; count];
        product(&values, &mut moved);
        let mut residual: Vec<f32> = right.iter().zip(&moved).map(|(b, a)| b - a).collect();
        let scaled = |residual: &[f32]| -> Vec<f32> {
            residual.iter().zip(&diagonal).map(|(r, d)| r / d).collect()
        };
        let mut direction = scaled(&residual);
        let mut size = dot(&residual, &direction);
        for _ in 0..MOST_STEPS {
            if residual.iter().all(|left| left.abs() < TOLERANCE) {
                break;
            }
            product(&direction, &mut moved);
            let step = (size / dot(&direction, &moved)) as f32;
            if !step.is_finite() {
                break;
            }
            for number in 0..count {
                values[number] += step * direction[number];
                residual[number] -= step * moved[number];
            }
            let next = scaled(&residual);
            let new_size = dot(&residual, &next);
            let share = (new_size / size) as f32;
            for number in 0..count {
                direction[number] = next[number] + share * direction[number];
            }
            size = new_size;
        }
        values
    }
}

fn dot(one: &[f32], other: &[f32]) -> f64 {
    let products = one.iter().zip(other);
    products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// An image whose removed pixels are made up from their neighbours: each is the weighted mean of
/// the eight around it (1/6 beside, 1/12 across), and noise of deviation 0.01 on top, from that
/// seed; without a seed none.
///
/// # Shapes
/// `planes` are the channels, each `height x width` row by row, as is `removed`.
///
/// # Panics
/// A plane or `removed` is of another size.
pub fn imputed(
    planes: &[&[f32]],
    removed: &[bool],
    height: usize,
    width: usize,
    noise: Option<u64>,
) -> Vec<Vec<f32>> {
    assert_eq!(removed.len(), height * width);
    let hole = Hole::new(removed, height, width);
    let mut random = noise.map(Pcg64::seed_from_u64);
    let fill = |plane: &&[f32]| {
        assert_eq!(plane.len(), removed.len());
        let mut whole = plane.to_vec();
        for (place, value) in hole.places.iter().zip(hole.filled(plane)) {
            let extra = random.as_mut().map_or(0.0, normal);
            whole[*place] = value + NOISE * extra;
        }
        whole
    };
    planes.iter().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lone pixel is the weighted mean of those around it; in a corner of those that there are.
    #[test]
    fn a_pixel_is_the_mean_of_its_neighbours() {
        let plane = [1.0, 2.0, 3.0, 4.0, 50.0, 6.0, 7.0, 8.0, 9.0_f32];
        let removed = |place: usize| -> Vec<bool> { (0..9).map(|at| at == place).collect() };
        let middle = &imputed(&[&plane], &removed(4), 3, 3, None)[0];
        let expected = (2.0 + 4.0 + 6.0 + 8.0) / 6.0 + (1.0 + 3.0 + 7.0 + 9.0) / 12.0;
        assert!((middle[4] - expected).abs() < 1e-3, "{middle:?}");
        assert_eq!(middle[..4], plane[..4]);
        let corner = &imputed(&[&plane], &removed(0), 3, 3, None)[0];
        let expected = ((2.0 + 4.0) / 6.0 + 50.0 / 12.0) / (2.0 / 6.0 + 1.0 / 12.0);
        assert!((corner[0] - expected).abs() < 1e-3, "{corner:?}");
    }

    /// A slope is the mean of its neighbours everywhere, so a hole in it is closed.
    #[test]
    fn a_slope_is_continued_across_a_hole() {
        let (height, width) = (12, 15);
        let plane: Vec<f32> = (0..height * width)
            .map(|place| (place % width) as f32 + 2.0 * (place / width) as f32)
            .collect();
        let inside =
            |place: usize| (2..13).contains(&(place % width)) && (1..11).contains(&(place / width));
        let removed: Vec<bool> = (0..height * width).map(inside).collect();
        let filled = &imputed(&[&plane], &removed, height, width, None)[0];
        for (found, expected) in filled.iter().zip(&plane) {
            assert!((found - expected).abs() < 0.02, "{found} is not {expected}");
        }
    }

    #[test]
    fn the_noise_is_that_of_the_seed() {
        let plane = vec![0.5; 400];
        let all_but_one: Vec<bool> = (0..400).map(|place| place > 0).collect();
        let with = |seed| imputed(&[&plane], &all_but_one, 20, 20, Some(seed)).remove(0);
        assert_eq!(with(1), with(1));
        assert_ne!(with(1), with(2));
        let values = with(3);
        let squares = values[1..].iter().map(|value| (value - 0.5).powi(2));
        let deviation = (squares.sum::<f32>() / 399.0).sqrt();
        assert!((0.008..0.012).contains(&deviation), "{deviation}");
    }

    #[test]
    fn nothing_left_is_nothing_known() {
        let gone = imputed(&[&[3.0; 4]], &[true; 4], 2, 2, None);
        assert_eq!(gone, [[0.0; 4]]);
    }

    /// numpy.percentile(range(n), p): of 4 values at 50 it is 1.5, and two of them are less.
    #[test]
    fn the_kept_are_those_below_the_percentile() {
        let kept = |count: usize, percentile| {
            let values = (0..count).map(|value| value as f32).collect();
            let map = AttentionMap::new(1, count, values).unwrap();
            let removed = removed(&map, percentile, First::Most);
            removed.iter().filter(|gone| !**gone).count()
        };
        assert_eq!(kept(4, 50), 2);
        assert_eq!(kept(5, 50), 2);
        assert_eq!(kept(1024, 80), 819);
        assert_eq!(kept(101, 90), 90);
        let map = AttentionMap::new(1, 3, vec![0.1, 0.9, 0.5]).unwrap();
        assert_eq!(removed(&map, 50, First::Most), [false, true, true]);
        assert_eq!(removed(&map, 50, First::Least), [true, false, true]);
    }
}
