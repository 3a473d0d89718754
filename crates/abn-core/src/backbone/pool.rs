//! The poolings of the papers' networks.

use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

/// Global average: `[B, C, h, w]` to `[B, C]`, any spatial size.
pub(crate) fn global_average(features: Tensor<4>) -> Tensor<2> {
    features.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2)
}

/// 2x2 maximum of stride 2: `[B, C, H, W]` to `[B, C, H / 2, W / 2]`, rounded down.
pub(crate) fn halve(features: Tensor<4>) -> Tensor<4> {
    assert_can_halve(&features);
    max_pool(features, 2, 0)
}

/// 3x3 maximum of stride 2, padding 1: `[B, C, H, W]` to `[B, C, H / 2, W / 2]`, rounded up.
pub(crate) fn halve_overlapping(features: Tensor<4>) -> Tensor<4> {
    max_pool(features, 3, 1)
}

/// 2x2 average of stride 2: `[B, C, H, W]` to `[B, C, H / 2, W / 2]`, rounded down.
pub(crate) fn halve_average(features: Tensor<4>) -> Tensor<4> {
    assert_can_halve(&features);
    let options = AvgPoolOptions {
        kernel_size: [2, 2],
        stride: [2, 2],
        padding: [(0, 0), (0, 0)],
        count_include_pad: true,
        ceil_mode: false,
    };
    avg_pool2d(features, options)
}

fn max_pool(features: Tensor<4>, side: usize, padding: usize) -> Tensor<4> {
    let options = MaxPoolOptions {
        kernel_size: [side, side],
        stride: [2, 2],
        padding: [(padding, padding), (padding, padding)],
        dilation: [1, 1],
        ceil_mode: false,
    };
    max_pool2d(features, options)
}

/// A pooling of nothing would go on, and the logits would not depend on the image, or not be numbers.
#[track_caller]
fn assert_can_halve(features: &Tensor<4>) {
    let [.., height, width] = features.dims();
    assert!(
        height >= 2 && width >= 2,
        "features of {height}x{width} cannot be halved: the image is too small"
    );
}
