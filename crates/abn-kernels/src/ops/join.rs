//! Features that become one: image behind image, or channel behind channel.

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use super::flex;

/// The images of all parts, in order. On a CPU, features without gradients stay channels last and
/// are copied by all threads.
///
/// # Shapes
/// `[b, C, H, W]` with one C, H and W to `[B, C, H, W]`.
///
/// # Panics
/// There are no parts, or they have not one shape.
pub fn join_batches(parts: Vec<Tensor<4>>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if parts
        .iter()
        .all(|part| flex::serves(part) && !part.is_autodiff())
    {
        return flex::join::join_batches(parts);
    }
    Tensor::cat(parts, 0)
}

/// The channels of both, the first ones in front.
///
/// # Shapes
/// `[B, C, H, W]` and `[B, D, H, W]` to `[B, C + D, H, W]`.
///
/// # Panics
/// The other sizes differ.
pub fn join_channels(first: Tensor<4>, second: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::serves(&first) && flex::serves(&second) {
        return flex::join::join_channels(first, second);
    }
    Tensor::cat(vec![first, second], 1)
}
