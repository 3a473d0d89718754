//! Linear layers.

use burn::tensor::{Tensor, module};

#[cfg(feature = "flex")]
use super::flex;

/// `input * weight + bias`.
///
/// # Shapes
/// `input` `[B, I]`, `weight` `[I, O]`, `bias` `[O]`; returns `[B, O]`.
///
/// # Panics
/// The shapes do not fit.
pub fn linear(input: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if flex::serves(&input) {
        return flex::linear::linear(input, weight, bias);
    }
    module::linear(input, weight, bias)
}
