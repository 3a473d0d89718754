//! Convolution.

use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

use super::Kept;
#[cfg(feature = "flex")]
use super::flex;

/// `input` convolved with `weight`, plus `bias`; see [`Kept`] for its place.
///
/// # Shapes
/// `input` `[B, C, H, W]`, `weight` `[O, C / groups, kh, kw]`, `bias` `[O]`; returns `[B, O, H',
/// W']`.
///
/// # Panics
/// The shapes do not fit.
pub fn conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
    kept: &Kept,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::serves(&input) {
        return flex::conv::conv2d(input, weight, bias, options, &kept.0);
    }
    #[cfg(not(feature = "flex"))]
    let _ = kept;
    burn::tensor::module::conv2d(input, weight, bias, options)
}
