//! Linear layers.

use abn_kernels::ops::linear;
use burn::nn::Linear;
use burn::tensor::Tensor;

/// `input * weight + bias`.
///
/// # Shapes
/// `[B, inputs]` to `[B, outputs]`.
pub(crate) fn apply(layer: &Linear, input: Tensor<2>) -> Tensor<2> {
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    linear(input, layer.weight.val(), bias)
}
