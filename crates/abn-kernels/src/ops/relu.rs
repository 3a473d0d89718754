//! The ReLU, alone and behind a sum.

use burn::tensor::{Tensor, activation};

#[cfg(feature = "flex")]
use super::flex;

/// `max(0, features)`.
///
/// # Shapes
/// `[B, C, H, W]` to the same.
pub fn relu(features: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::serves(&features) {
        return flex::relu::relu(features);
    }
    activation::relu(features)
}

/// `a + b`, or `max(0, a + b)`: where a block joins its shortcut.
///
/// # Shapes
/// `[B, C, H, W]`, both and the sum.
pub fn add(a: Tensor<4>, b: Tensor<4>, relu: bool) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::serves(&a) {
        return flex::relu::add(a, b, relu);
    }
    let sum = a + b;
    if relu { activation::relu(sum) } else { sum }
}
