//! Batches that become one.

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
pub fn join(mut parts: Vec<Tensor<4>>) -> Tensor<4> {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    #[cfg(feature = "flex")]
    if parts
        .iter()
        .all(|part| flex::serves(part) && !part.is_autodiff())
    {
        return flex::join::join(parts);
    }
    Tensor::cat(parts, 0)
}
