//! Where features take two ways.

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use super::flex;

/// The features twice, for two users: on a CPU, their gradients are then added up by all threads;
/// those of clones are added by one, value by value.
///
/// # Shapes
/// `[B, C, H, W]`, all three.
pub fn fork(features: Tensor<4>) -> [Tensor<4>; 2] {
    #[cfg(feature = "flex")]
    if flex::serves(&features) && features.is_autodiff() {
        return flex::fork::fork(features);
    }
    [features.clone(), features]
}
