//! Methods that ask the network about masked images and need no gradient.

use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::AttentionMap;
use super::faithfulness::probabilities_of;
use crate::classifier::Classifier;

/// Masked images of one forward pass.
const BATCH: usize = 32;
/// RISE: masks an image (4000 and more in the paper, whose images are larger), their cells a side
/// and the share of cells that stays.
const MASKS: usize = 1000;
const CELLS: usize = 8;
const KEPT: f64 = 0.5;
const SEED: u64 = 1806;
/// Keeps a constant channel from a division by 0, as in the package pytorch-grad-cam.
const NO_DIVISION_BY_ZERO: f32 = 1e-8;

/// An image, `[1, 3, H, W]`, under each of the masks.
pub(crate) fn masked(image: &Tensor<4>, masks: &[AttentionMap]) -> Tensor<4> {
    let [_, _, height, width] = image.dims();
    let values: Vec<f32> = masks
        .iter()
        .flat_map(|mask| mask.values.iter().copied())
        .collect();
    let masks = TensorData::new(values, [masks.len(), 1, height, width]);
    image.clone() * Tensor::<4>::from_data(masks, &image.device())
}

/// RISE (Petsiuk et al. 2018, equation 6): the mean of random masks, each by the probability of the
/// class under it. All images meet the same masks.
pub(super) fn rise(
    classifier: &Classifier,
    images: &Tensor<4>,
    classes: &[usize],
) -> Vec<AttentionMap> {
    let [_, _, height, width] = images.dims();
    let mut random = Pcg64::seed_from_u64(SEED);
    let mut sums = vec![vec![0.0_f64; height * width]; classes.len()];
    for start in (0..MASKS).step_by(BATCH) {
        let count = BATCH.min(MASKS - start);
        let masks: Vec<AttentionMap> = (0..count)
            .map(|_| mask(height, width, CELLS, &mut random))
            .collect();
        for ((index, class), sum) in classes.iter().enumerate().zip(&mut sums) {
            let image = images.clone().narrow(0, index, 1);
            let asked = vec![*class; count];
            let found = probabilities_of(classifier, masked(&image, &masks), &asked);
            for (mask, probability) in masks.iter().zip(found) {
                let values = sum.iter_mut().zip(&mask.values);
                values.for_each(|(sum, value)| *sum += probability * f64::from(*value));
            }
        }
    }
    let scale = 1.0 / (MASKS as f64 * KEPT);
    let of_sum = |sum: Vec<f64>| AttentionMap {
        height,
        width,
        values: sum.iter().map(|value| (value * scale) as f32).collect(),
    };
    sums.into_iter().map(of_sum).collect()
}

/// A random grid of so many cells a side, enlarged smoothly and shifted by less than a cell.
pub(crate) fn mask(height: usize, width: usize, most: usize, random: &mut Pcg64) -> AttentionMap {
    let cells = |side: usize| most.min(side.max(1));
    let (rows, columns) = (cells(height), cells(width));
    let (cell_height, cell_width) = (height.div_ceil(rows), width.div_ceil(columns));
    let grid = AttentionMap {
        height: rows + 1,
        width: columns + 1,
        values: (0..(rows + 1) * (columns + 1))
            .map(|_| f32::from(u8::from(random.random_bool(KEPT))))
            .collect(),
    };
    let large = grid.resize_to((columns + 1) * cell_width, (rows + 1) * cell_height);
    let down = random.random_range(0..cell_height as u32) as usize;
    let right = random.random_range(0..cell_width as u32) as usize;
    let row = |y: usize| {
        let start = (down + y) * large.width + right;
        large.values[start..start + width].iter().copied()
    };
    AttentionMap {
        height,
        width,
        values: (0..height).flat_map(row).collect(),
    }
}

/// Score-CAM (Wang et al. 2020, equations 3 and 4): each channel weighs what the class's logit is
/// with the image seen through that channel alone, the softmax over the channels taken as in the
/// package pytorch-grad-cam.
///
/// # Shapes
/// `images` `[B, 3, H, W]`, `features` `[B, C, h, w]`, B classes; B maps of h x w.
pub(super) fn score_cam(
    classifier: &Classifier,
    images: &Tensor<4>,
    features: Tensor<4>,
    classes: &[usize],
) -> Vec<AttentionMap> {
    let [_, _, height, width] = images.dims();
    let [_, channels, rows, columns] = features.dims();
    let values: Vec<f32> = features.into_data().iter().collect();
    let of_image = |(index, class): (usize, &usize)| {
        let image = images.clone().narrow(0, index, 1);
        let own = &values[index * channels * rows * columns..][..channels * rows * columns];
        let planes: Vec<AttentionMap> = own
            .chunks_exact(rows * columns)
            .map(|plane| AttentionMap {
                height: rows,
                width: columns,
                values: plane.to_vec(),
            })
            .collect();
        let mut logits = Vec::with_capacity(channels);
        for planes in planes.chunks(BATCH) {
            let masks: Vec<AttentionMap> = planes
                .iter()
                .map(|plane| spread(plane.resize_to(width, height)))
                .collect();
            let found = classifier.forward(masked(&image, &masks)).logits;
            let [_, count] = found.dims();
            let found: Vec<f32> = found.into_data().iter().collect();
            logits.extend(found.chunks_exact(count).map(|row| row[*class]));
        }
        let weights = softmax(&logits);
        let mut sum = vec![0.0_f64; rows * columns];
        for (plane, weight) in planes.iter().zip(weights) {
            let values = sum.iter_mut().zip(&plane.values);
            values.for_each(|(sum, value)| *sum += weight * f64::from(*value));
        }
        AttentionMap {
            height: rows,
            width: columns,
            values: sum.iter().map(|value| *value as f32).collect(),
        }
    };
    classes.iter().enumerate().map(of_image).collect()
}

/// From 0 to 1.
fn spread(map: AttentionMap) -> AttentionMap {
    let (low, high) = map.extent().unwrap_or((0.0, 0.0));
    let scale = high - low + NO_DIVISION_BY_ZERO;
    let values = map.values.iter().map(|value| (value - low) / scale);
    AttentionMap {
        values: values.collect(),
        ..map
    }
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let raised: Vec<f64> = logits
        .iter()
        .map(|logit| libm::exp(f64::from(logit - highest)))
        .collect();
    let sum: f64 = raised.iter().sum();
    raised.into_iter().map(|value| value / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_half_and_have_the_size_of_the_image() {
        let mut random = Pcg64::seed_from_u64(1);
        let masks: Vec<AttentionMap> = (0..200).map(|_| mask(33, 20, CELLS, &mut random)).collect();
        let values = masks.iter().flat_map(|mask| &mask.values);
        let mean = values.sum::<f32>() / (200.0 * 33.0 * 20.0);
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert!(masks.iter().all(|mask| mask.values.len() == 33 * 20));
        assert!(masks[0] != masks[1]);
    }

    #[test]
    fn the_softmax_of_equal_logits_is_uniform() {
        assert_eq!(softmax(&[3.0; 4]), [0.25; 4]);
        let two = softmax(&[0.0, 2.0_f32.ln()]);
        assert!((two[1] - 2.0 / 3.0).abs() < 1e-6);
    }
}
