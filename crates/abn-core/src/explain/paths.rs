//! Gradients at more than one point: their mean over noise, and along a path.

use burn::tensor::{Int, Tensor};

use super::gradient::input_gradient;
use super::noise;
use crate::classifier::Classifier;

/// Noisy images of SmoothGrad, and the deviation of their noise as a share of the image's range:
/// within what its section 3 recommends (10 to 20 %, little gain beyond 50 images).
const NOISY: u64 = 25;
const NOISE: f32 = 0.15;
const SEED: u64 = 2017;
/// Points of the path of integrated gradients, whose paper finds 20 to 300 enough.
const POINTS: usize = 32;

/// SmoothGrad (Smilkov et al. 2017): the mean gradient of noisy copies of each image.
///
/// # Shapes
/// `[B, 3, H, W]` to the same.
pub(super) fn smooth_grad(
    classifier: &Classifier,
    images: &Tensor<4>,
    classes: &Tensor<1, Int>,
) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    let flat = images.clone().reshape([batch, channels * height * width]);
    let range = flat.clone().max_dim(1) - flat.min_dim(1);
    let deviation = (range * NOISE).reshape([batch, 1, 1, 1]);
    let mut sum = images.zeros_like();
    for copy in 0..NOISY {
        // Every image meets the same noise.
        let noise = noise::of_image(images, SEED + copy) * deviation.clone();
        sum = sum + input_gradient(classifier, images.clone() + noise, classes.clone());
    }
    sum / NOISY as f64
}

/// Integrated gradients (Sundararajan et al. 2017, equation 1) from the mean colour to each image,
/// by the midpoints of equal parts of the path. Their sum is what the logit gains on the way.
///
/// # Shapes
/// `[B, 3, H, W]` to the same.
pub(super) fn integrated_gradients(
    classifier: &Classifier,
    images: &Tensor<4>,
    classes: &Tensor<1, Int>,
) -> Tensor<4> {
    let mut sum = images.zeros_like();
    for point in 0..POINTS {
        let share = (point as f64 + 0.5) / POINTS as f64;
        sum = sum + input_gradient(classifier, images.clone() * share, classes.clone());
    }
    sum * images.clone() / POINTS as f64
}
