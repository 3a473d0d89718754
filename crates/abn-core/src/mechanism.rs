//! The attention mechanism: how a map re-weights the features (ABN section 3.2, equations 1 and 2,
//! Table 1).

use abn_kernels::ops::{self, attend};
use burn::serde::{Deserialize, Serialize};
use burn::tensor::Tensor;

/// What the perception branch sees of the features F under the map M.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum Mechanism {
    /// F: the branch is trained by its own loss but does not touch the features.
    Identity,
    /// M.F: what the map suppresses is gone.
    Multiply,
    /// (1 + M).F: the map can only strengthen. The paper's choice.
    #[default]
    Residual,
}

impl Mechanism {
    /// # Shapes
    /// `features` `[B, C, h, w]`, `map` `[B, 1, h, w]` in [0, 1]; returns `[B, C, h, w]`.
    pub fn apply(self, features: Tensor<4>, map: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Identity => features,
            Self::Multiply => attend(features, map, ops::Mechanism::Multiply),
            Self::Residual => attend(features, map, ops::Mechanism::Residual),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[track_caller]
    fn check(mechanism: Mechanism, expected: [f32; 4]) {
        let device = Device::flex();
        let features =
            Tensor::<1>::from_floats([2.0, -4.0, 6.0, 8.0], &device).reshape([1, 2, 1, 2]);
        let map = Tensor::<1>::from_floats([0.5, 0.0], &device).reshape([1, 1, 1, 2]);
        let out = mechanism.apply(features, map);
        assert_eq!(out.into_data().try_into_vec::<f32>().unwrap(), expected);
    }

    #[test]
    fn each_mechanism_is_its_formula() {
        check(Mechanism::Identity, [2.0, -4.0, 6.0, 8.0]);
        check(Mechanism::Multiply, [1.0, 0.0, 3.0, 0.0]);
        check(Mechanism::Residual, [3.0, -4.0, 9.0, 8.0]);
    }
}
