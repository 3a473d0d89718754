//! The weights of the channels, in which CAM, Grad-CAM and Grad-CAM++ differ.

use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor};

/// Added to the denominator of Grad-CAM++ in the package pytorch-grad-cam. Not in the paper, but it
/// decides the result where gradients are small, and published maps are made with it.
const NO_DIVISION_BY_ZERO: f64 = 1e-6;

/// CAM (Zhou et al. 2016, equation 2): the linear layer's weights of each image's class.
///
/// # Shapes
/// `weights` `[C, K]`, `classes` `[B]`; returns `[B, C, 1, 1]`.
pub(super) fn cam(weights: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<4> {
    let [channels, _] = weights.dims();
    let rows = weights.select(1, classes).transpose(); // [B, C]
    let [batch, _] = rows.dims();
    rows.reshape([batch, channels, 1, 1])
}

/// Grad-CAM (Selvaraju et al. 2017, equation 1): the gradient's mean over the positions.
///
/// # Shapes
/// `[B, C, h, w]` to `[B, C, 1, 1]`.
pub(super) fn grad_cam(gradient: Tensor<4>) -> Tensor<4> {
    gradient.mean_dim(2).mean_dim(3)
}

/// Grad-CAM++ (Chattopadhay et al. 2018, equations 18 and 19): positive gradients alone, each
/// weighted by `alpha = g^2 / (2 g^2 + g^3 sum(A))`.
///
/// # Shapes
/// `[B, C, h, w]` to `[B, C, 1, 1]`.
pub(super) fn grad_cam_plus_plus(values: Tensor<4>, gradient: Tensor<4>) -> Tensor<4> {
    let sum = values.sum_dim(2).sum_dim(3); // [B, C, 1, 1]
    // A negative gradient counts nothing, whatever its alpha, which may divide by 0.
    let gradient = relu(gradient);
    let square = gradient.clone() * gradient.clone();
    let cube = square.clone() * gradient.clone();
    let denominator = square.clone() * 2.0 + cube * sum + NO_DIVISION_BY_ZERO;
    // Features below zero, as DenseNet's and WRN's before their ReLU, can still bring it to 0.
    let is_zero = denominator.clone().equal_elem(0.0);
    let alpha = square / denominator.mask_fill(is_zero, 1.0);
    (gradient * alpha).sum_dim(2).sum_dim(3)
}

/// The channels' weighted sum, its sign kept.
///
/// # Shapes
/// `[B, C, h, w]` and `[B, C, 1, 1]` to `[B, h, w]`.
pub(super) fn combine(values: Tensor<4>, weights: Tensor<4>) -> Tensor<3> {
    sum(values * weights)
}

/// The sum of the channels.
///
/// # Shapes
/// `[B, C, h, w]` to `[B, h, w]`.
pub(super) fn sum(values: Tensor<4>) -> Tensor<3> {
    let [batch, _, height, width] = values.dims();
    values.sum_dim(1).reshape([batch, height, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::{Device, TensorData, Tolerance};

    fn tensor(values: &[f32], shape: [usize; 4]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    }

    #[track_caller]
    fn check<const D: usize>(found: Tensor<D>, expected: &[f32]) {
        let expected = TensorData::new(expected.to_vec(), found.shape());
        found
            .into_data()
            .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-6));
    }

    #[test]
    fn cam_takes_the_row_of_each_images_class() {
        let device = Device::flex();
        let linear = LinearConfig::new(2, 3).init(&device);
        let weight: Vec<f32> = linear.weight.val().into_data().iter().collect(); // [2, 3]
        let weights = cam(linear.weight.val(), Tensor::from_ints([2, 0], &device));
        assert_eq!(weights.dims(), [2, 2, 1, 1]);
        check(weights, &[weight[2], weight[5], weight[0], weight[3]]);
    }

    #[test]
    fn grad_cam_is_the_mean_gradient() {
        check(
            grad_cam(tensor(&[1.0, -3.0, 0.5, 0.5], [1, 2, 1, 2])),
            &[-1.0, 0.5],
        );
    }

    /// One channel: A = (1, 3), g = (0.5, -2), so 0.5 * 0.25 / (2 * 0.25 + 4 * 0.125). Another: a
    /// gradient of 0.
    #[test]
    fn grad_cam_plus_plus_by_hand() {
        let values = tensor(&[1.0, 3.0, 5.0, 5.0], [1, 2, 1, 2]);
        let gradient = tensor(&[0.5, -2.0, 0.0, 0.0], [1, 2, 1, 2]);
        check(grad_cam_plus_plus(values, gradient), &[0.125, 0.0]);
    }

    /// g = 1024 and the sum -2 / 1024: 2 g^2 - 2 g^2, in which 1e-6 is lost to rounding.
    #[test]
    fn negative_features_bring_no_nan() {
        let values = tensor(&[-2.0 / 1024.0], [1, 1, 1, 1]);
        let weights: Vec<f32> = grad_cam_plus_plus(values, tensor(&[1024.0], [1, 1, 1, 1]))
            .into_data()
            .iter()
            .collect();
        assert!(weights[0].is_finite(), "{weights:?}");
    }

    #[test]
    fn channels_are_added_with_their_sign() {
        let values = tensor(&[1.0, 2.0, 3.0, 4.0], [1, 2, 1, 2]);
        check(
            combine(values, tensor(&[1.0, -1.0], [1, 2, 1, 1])),
            &[-2.0, -2.0],
        );
    }
}
