//! The losses of a detector: cross-entropies, and the smooth L1 of offsets (Girshick 2015, equation
//! 3).

use abn_kernels::ops::cross_entropy;
use burn::tensor::{Int, Tensor, TensorData};

/// Mean binary cross-entropy of logits, `[1]`; 0 of none.
///
/// # Shapes
/// `[N]`, and N labels.
pub(super) fn binary(logits: Tensor<1>, labels: &[bool]) -> Tensor<1> {
    if labels.is_empty() {
        return logits.sum() * 0.0;
    }
    let half = logits.unsqueeze_dim::<2>(1) * 0.5;
    let pairs = Tensor::cat(vec![-half.clone(), half], 1);
    let labels: Vec<usize> = labels.iter().map(|label| usize::from(*label)).collect();
    classes(pairs, &labels)
}

/// Mean cross-entropy, `[1]`; 0 of none.
///
/// # Shapes
/// `[N, classes]`, and N labels.
pub(super) fn classes(logits: Tensor<2>, labels: &[usize]) -> Tensor<1> {
    if labels.is_empty() {
        return logits.sum() * 0.0;
    }
    let labels: Vec<i64> = labels.iter().map(|label| *label as i64).collect();
    let labels = Tensor::<1, Int>::from_ints(labels.as_slice(), &logits.device());
    cross_entropy(logits, labels)
}

/// Sum over offsets of |d| - beta / 2, or d² / (2 beta) below beta, `[1]`.
///
/// # Shapes
/// `[N, 4]`, and N offsets.
pub(super) fn smooth_l1(found: Tensor<2>, wanted: &[[f64; 4]], beta: f64) -> Tensor<1> {
    if wanted.is_empty() {
        return found.sum() * 0.0;
    }
    let values: Vec<f64> = wanted.iter().flatten().copied().collect();
    let wanted = TensorData::new(values, [wanted.len(), 4]);
    let wanted = Tensor::from_data(wanted, (&found.device(), found.dtype()));
    let distance = (found - wanted).abs();
    if beta == 0.0 {
        return distance.sum();
    }
    let inner = distance.clone().clamp_max(beta);
    (inner.clone() * (distance - inner * 0.5)).sum() * beta.recip()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn value(loss: Tensor<1>) -> f32 {
        loss.into_scalar()
    }

    #[test]
    fn by_hand() {
        let device = Device::flex();
        let zeros = Tensor::zeros([2], &device);
        assert!((value(binary(zeros.clone(), &[true, false])) - 2_f32.ln()).abs() < 1e-6);
        assert_eq!(value(binary(zeros.clone(), &[])), 0.0);
        let sure = Tensor::<1>::from_floats([3.0], &device);
        assert!((value(binary(sure, &[true])) - (-3_f32).exp().ln_1p()).abs() < 1e-6);
        // 0.5 x 0.2² / 0.5 and 2 - 0.25; two are right.
        let found = Tensor::<2>::from_floats([[0.2, -2.0, 1.0, 0.0]], &device);
        let loss = smooth_l1(found.clone(), &[[0.0, 0.0, 1.0, 0.0]], 0.5);
        assert!((value(loss) - 1.79).abs() < 1e-6);
        let loss = smooth_l1(found, &[[0.0, 0.0, 1.0, 0.0]], 0.0);
        assert!((value(loss) - 2.2).abs() < 1e-6);
    }

    /// d / beta below it, the sign beyond.
    #[test]
    fn gradient_of_offsets() {
        let device = Device::flex().autodiff();
        let found = Tensor::<2>::from_floats([[0.2, -2.0, 0.0, 3.0]], &device).require_grad();
        let gradients = smooth_l1(found.clone(), &[[0.0; 4]], 0.5).backward();
        let of: Vec<f32> = found.grad(&gradients).unwrap().into_data().iter().collect();
        assert_eq!(of, [0.4, -1.0, 0.0, 1.0]);
    }
}
