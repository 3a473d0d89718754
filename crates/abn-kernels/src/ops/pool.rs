//! Pooling: windows, and whole images.

use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

#[cfg(feature = "flex")]
use super::flex;

/// The maximum of every window. NaN wins; of several maxima the first gets the gradient.
///
/// # Shapes
/// `[B, C, H, W]` to `[B, C, H', W']`, the whole windows of the image with `padding` around it,
/// which is at most half a window.
pub fn max_pool2d(
    input: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::serves(&input) {
        return flex::pool::max_pool2d(input, kernel, stride, padding);
    }
    let options = MaxPoolOptions {
        kernel_size: kernel,
        stride,
        padding: padding.map(|padding| (padding, padding)),
        dilation: [1, 1],
        ceil_mode: false,
    };
    module::max_pool2d(input, options)
}

/// The mean of every window. Padding counts as zeros if `count_include_pad`, else not at all.
///
/// # Shapes
/// As for [`max_pool2d`].
pub fn avg_pool2d(
    input: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    count_include_pad: bool,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::serves(&input) {
        return flex::pool::avg_pool2d(input, kernel, stride, padding, count_include_pad);
    }
    let options = AvgPoolOptions {
        kernel_size: kernel,
        stride,
        padding: padding.map(|padding| (padding, padding)),
        count_include_pad,
        ceil_mode: false,
    };
    module::avg_pool2d(input, options)
}

/// The mean of every channel.
///
/// # Shapes
/// `[B, C, H, W]` to `[B, C]`.
pub fn global_average(input: Tensor<4>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if flex::serves(&input) {
        return flex::pool::global_average(input);
    }
    input.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2)
}

/// The maximum of every channel. NaN wins; of several maxima the first gets the gradient.
///
/// # Shapes
/// `[B, C, H, W]` to `[B, C]`.
pub fn global_maximum(input: Tensor<4>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if flex::serves(&input) {
        return flex::pool::global_maximum(input);
    }
    input.flatten::<3>(2, 3).max_dim(2).squeeze_dim(2)
}
