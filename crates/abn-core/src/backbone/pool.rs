//! The poolings of the papers' networks.

use abn_kernels::ops::{avg_pool2d, max_pool2d};
use burn::tensor::Tensor;

/// 2x2 maximum of stride 2: `[B, C, H, W]` to `[B, C, H / 2, W / 2]`, rounded down.
pub(crate) fn halve(features: Tensor<4>) -> Tensor<4> {
    assert_can_halve(&features);
    max_pool2d(features, [2, 2], [2, 2], [0, 0])
}

/// 3x3 maximum of stride 2, padding 1: `[B, C, H, W]` to `[B, C, H / 2, W / 2]`, rounded up.
pub(crate) fn halve_overlapping(features: Tensor<4>) -> Tensor<4> {
    max_pool2d(features, [3, 3], [2, 2], [1, 1])
}

/// 2x2 average of stride 2: `[B, C, H, W]` to `[B, C, H / 2, W / 2]`, rounded down.
pub(crate) fn halve_average(features: Tensor<4>) -> Tensor<4> {
    assert_can_halve(&features);
    avg_pool2d(features, [2, 2], [2, 2], [0, 0], true)
}

/// A pooling of nothing would go on, and the logits would not depend on the image, or not be
/// numbers.
#[track_caller]
fn assert_can_halve(features: &Tensor<4>) {
    let [.., height, width] = features.dims();
    assert!(
        height >= 2 && width >= 2,
        "features of {height}x{width} cannot be halved: the image is too small"
    );
}
