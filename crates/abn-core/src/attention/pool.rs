//! How maps of evidence become the branch's logits.

use abn_kernels::ops::global_average;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::Tensor;

/// What of a map of evidence is its logit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum Pool {
    /// Its mean (global average pooling), as in both papers.
    #[default]
    Mean,
    /// Its maximum: one place is enough (the first code for facial attributes).
    Maximum,
}

impl Pool {
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::Mean
    }

    /// # Shapes
    /// `[B, K, h, w]` to `[B, K]`.
    pub(super) fn forward(self, evidence: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Mean => global_average(evidence),
            Self::Maximum => {
                let flat: Tensor<3> = evidence.flatten(2, 3);
                flat.max_dim(2).squeeze_dim(2)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_maximum_learns_at_its_own_place() {
        let device = Device::flex().autodiff();
        let evidence = Tensor::<1>::from_floats([1.0, 4.0, -2.0, 1.0], &device);
        let evidence = evidence.reshape([1, 2, 1, 2]).require_grad();
        let values = |tensor: Tensor<2>| -> Vec<f32> { tensor.into_data().iter().collect() };
        assert_eq!(values(Pool::Mean.forward(evidence.clone())), [2.5, -0.5]);
        let maxima = Pool::Maximum.forward(evidence.clone());
        assert_eq!(values(maxima.clone()), [4.0, 1.0]);
        let gradient = evidence.grad(&maxima.sum().backward()).unwrap();
        let gradient: Vec<f32> = gradient.into_data().iter().collect();
        assert_eq!(gradient, [0.0, 1.0, 0.0, 1.0]);
    }
}
