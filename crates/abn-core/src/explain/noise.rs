//! Noise that is the same wherever it is drawn.

use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// A number from the standard normal distribution (Box and Muller 1958).
pub(super) fn normal(random: &mut Pcg64) -> f32 {
    let first: f32 = random.random_range(f32::MIN_POSITIVE..1.0);
    let second: f32 = random.random_range(0.0..std::f32::consts::TAU);
    libm::sqrtf(-2.0 * libm::logf(first)) * libm::cosf(second)
}

/// Normal noise of deviation 1 for an image, the same for the same seed, `[1, C, H, W]`.
pub(super) fn of_image(like: &Tensor<4>, seed: u64) -> Tensor<4> {
    let [_, channels, height, width] = like.dims();
    let mut random = Pcg64::seed_from_u64(seed);
    let values: Vec<f32> = (0..channels * height * width)
        .map(|_| normal(&mut random))
        .collect();
    let values = TensorData::new(values, [1, channels, height, width]);
    Tensor::from_data(values, &like.device())
}

/// Images with normal noise of that deviation, each of its own seed.
///
/// # Shapes
/// `[B, C, H, W]` to the same, B seeds.
pub fn noisy(images: &Tensor<4>, deviation: f64, seeds: &[u64]) -> Tensor<4> {
    let noise = seeds.iter().map(|seed| of_image(images, *seed)).collect();
    images.clone() + Tensor::cat(noise, 0) * deviation
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn noise_is_normal_and_that_of_the_seed() {
        let images = Tensor::<4>::zeros([2, 3, 32, 32], &Device::flex());
        let values: Vec<f32> = noisy(&images, 2.0, &[7, 8]).into_data().iter().collect();
        let squares = values.iter().map(|value| value * value).sum::<f32>();
        let deviation = (squares / values.len() as f32).sqrt();
        assert!((deviation - 2.0).abs() < 0.1, "{deviation}");
        let (one, other) = values.split_at(3 * 32 * 32);
        assert_ne!(one, other);
        let again: Vec<f32> = noisy(&images, 2.0, &[8, 7]).into_data().iter().collect();
        assert_eq!(again[..one.len()], *other);
    }
}
