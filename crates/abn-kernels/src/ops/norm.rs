//! Batch normalisation, with what follows it in a network: a residual sum and a ReLU.

use burn::tensor::Tensor;
use burn::tensor::module;

#[cfg(gpu)]
use super::cube;
#[cfg(feature = "flex")]
use super::flex;
use super::relu::{add, relu};

/// What follows a normalisation, in this order.
#[derive(Debug, Clone, Default)]
pub struct After {
    /// Added: as large as the output.
    pub residual: Option<Tensor<4>>,
    /// Negative values become zero.
    pub relu: bool,
}

impl After {
    /// A ReLU alone.
    pub fn relu() -> Self {
        Self {
            residual: None,
            relu: true,
        }
    }

    /// What follows, of an output.
    pub fn apply(self, output: Tensor<4>) -> Tensor<4> {
        match self.residual {
            Some(residual) => add(output, residual, self.relu),
            None if self.relu => relu(output),
            None => output,
        }
    }
}

/// A normalisation by the running statistics, every tensor `[C]`.
#[derive(Debug, Clone)]
pub struct RunningNorm {
    /// Scale.
    pub gamma: Tensor<1>,
    /// Shift.
    pub beta: Tensor<1>,
    /// Mean.
    pub mean: Tensor<1>,
    /// Variance.
    pub variance: Tensor<1>,
    /// Added to the variance before the root.
    pub epsilon: f64,
}

/// A normalisation by the statistics of the batch.
#[derive(Debug, Clone)]
pub struct Normalized {
    /// `[B, C, H, W]`.
    pub output: Tensor<4>,
    /// Mean of each channel, `[C]`.
    pub mean: Tensor<1>,
    /// Biased variance of each channel, `[C]`.
    pub variance: Tensor<1>,
    /// Of how many values each is: `B H W`, of all replicas in a pass [together](super::together).
    pub count: usize,
}

/// `after(gamma (input - mean) / sqrt(variance + epsilon) + beta)` with the mean and the biased
/// variance of the batch, which are constants to nobody: gradients flow through them. The batch is that
/// of all replicas in a pass [together](super::together).
///
/// # Shapes
/// `input` `[B, C, H, W]`, `gamma` and `beta` `[C]`.
///
/// # Panics
/// In a pass together, where Burn's own operations would compute it.
pub fn batch_norm_train(
    input: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    after: After,
) -> Normalized {
    #[cfg(feature = "flex")]
    if flex::serves(&input) && input.is_autodiff() {
        return flex::norm::batch_norm_train(input, gamma, beta, epsilon, after);
    }
    #[cfg(gpu)]
    if cube::serves(&input) && input.is_autodiff() {
        return cube::norm::batch_norm_train(input, gamma, beta, epsilon, after);
    }
    assert!(
        super::together::current().is_none(),
        "only the kernels of this crate know the statistics of other replicas"
    );
    let [images, _, height, width] = input.dims();
    let batch = module::batch_norm_train(input, gamma, beta, epsilon);
    Normalized {
        count: images * height * width,
        output: after.apply(batch.output),
        mean: batch.mean,
        variance: batch.variance,
    }
}

/// What running statistics become after a batch:
/// `(1 - momentum) running + momentum (correction batch)`.
///
/// # Shapes
/// `[C]`, on a device without autodiff.
pub fn blend_running(
    running: Tensor<1>,
    batch: Tensor<1>,
    momentum: f64,
    correction: f64,
) -> Tensor<1> {
    #[cfg(gpu)]
    if cube::serves(&running) && !running.is_autodiff() {
        return cube::norm::blend(running, batch, [1.0 - momentum, momentum * correction]);
    }
    let batch = match correction {
        1.0 => batch,
        correction => batch.mul_scalar(correction),
    };
    running.mul_scalar(1.0 - momentum) + batch.mul_scalar(momentum)
}

/// The same with known statistics.
pub fn batch_norm(input: Tensor<4>, known: RunningNorm, after: After) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::serves(&input) && !input.is_autodiff() {
        return flex::norm::batch_norm(input, known, after);
    }
    let RunningNorm {
        gamma,
        beta,
        mean,
        variance,
        epsilon,
    } = known;
    after.apply(module::batch_norm(
        input, gamma, beta, mean, variance, epsilon,
    ))
}
