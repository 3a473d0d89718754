//! What re-weights features: a map by positions, weights by channels.

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use super::flex;
use super::norm::After;
pub use crate::gate::Mechanism;

/// `map * features`, or `(1 + map) * features`.
///
/// # Shapes
/// `features` `[B, C, H, W]`, `map` `[B, 1, H, W]`; returns `[B, C, H, W]`.
pub fn attend(features: Tensor<4>, map: Tensor<4>, mechanism: Mechanism) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::serves(&features) {
        return flex::gate::attend(features, map, mechanism);
    }
    match mechanism {
        Mechanism::Multiply => features * map,
        Mechanism::Residual => features.clone() * map + features,
    }
}

/// `after(weights * features)`: one pass on a CPU.
///
/// # Shapes
/// `features` `[B, C, H, W]`, `weights` `[B, C, 1, 1]`; returns `[B, C, H, W]`.
pub fn excite(features: Tensor<4>, weights: Tensor<4>, after: After) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::serves(&features) {
        return flex::gate::excite(features, weights, after);
    }
    after.apply(weights * features)
}
