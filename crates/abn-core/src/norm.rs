//! Batch normalisation with the running statistics of PyTorch.
//!
//! Burn's own layer keeps the biased batch variance in `running_var` and one update pending until
//! the next forward pass. The reference keeps the unbiased variance, and a checkpoint must hold
//! what the network has seen, so this layer does both. What follows it in a network, a residual sum
//! and a ReLU, is part of it, since a CPU then touches every value fewer times.

use std::cell::Cell;

use abn_kernels::ops::{After, RunningNorm, batch_norm, batch_norm_train, blend_running};
use burn::module::{Flag, Module, Param, RunningState};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

/// Added to the variance before the square root.
pub const EPSILON: f64 = 1e-5;
/// Weight of the newest batch in the running statistics.
const MOMENTUM: f64 = 0.1;
/// The same in the spatial gate of CBAM's code.
const GATE_MOMENTUM: f64 = 0.01;

thread_local! {
    /// Whether what passes now is to leave the running statistics alone.
    static ASIDE: Cell<bool> = const { Cell::new(false) };
}

/// A pass in training whose images are not those that the running statistics are of, such as halved
/// ones, or another replica's: it is normalised by their statistics, but the running ones know
/// nothing of it. Passes within it happen on the calling thread, as all of this crate's do.
pub fn aside<R>(pass: impl FnOnce() -> R) -> R {
    /// Puts back what was, also after a panic.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ASIDE.set(self.0);
        }
    }
    let _before = Before(ASIDE.replace(true));
    pass()
}

/// Batch normalisation over every axis but the channels.
///
/// On an autodiff device it normalises by the batch's statistics and updates the running ones; on
/// any other device, and after [`Module::freeze`], it uses the running ones and changes nothing.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, `[channels]`, initially 1.
    pub gamma: Param<Tensor<1>>,
    /// Shift, `[channels]`, initially 0.
    pub beta: Param<Tensor<1>>,
    /// Running mean, `[channels]`, initially 0.
    pub running_mean: RunningState<Tensor<1>>,
    /// Running unbiased variance, `[channels]`, initially 1.
    pub running_var: RunningState<Tensor<1>>,
    training: Param<Flag>,
    #[module(skip)]
    momentum: f64,
    #[module(skip)]
    epsilon: f64,
}

impl BatchNorm {
    /// A fresh layer for that many channels.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([channels], device),
            beta: Initializer::Zeros.init([channels], device),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
            training: Param::from_bool(true),
            momentum: MOMENTUM,
            epsilon: EPSILON,
        }
    }

    /// The layer before a spatial gate's sigmoid as CBAM's code has it: a scale that starts at 0,
    /// so that every position has the same weight at first, and slower statistics.
    pub fn of_gate(device: &Device) -> Self {
        Self {
            momentum: GATE_MOMENTUM,
            ..Self::of_gain(1, Initializer::Zeros, device)
        }
    }

    /// The layer whose scale starts elsewhere.
    pub fn of_gain(channels: usize, gain: Initializer, device: &Device) -> Self {
        Self {
            gamma: gain.init([channels], device),
            ..Self::new(channels, device)
        }
    }

    /// # Shapes
    /// `[B, channels, H, W]` to the same.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.forward_then(input, After::default())
    }

    /// The layer and what follows it.
    ///
    /// # Shapes
    /// `[B, channels, H, W]` to the same.
    pub fn forward_then(&self, input: Tensor<4>, after: After) -> Tensor<4> {
        if self.uses_batch(&input) {
            return self.forward_train(input, after);
        }
        batch_norm(input, self.known(), after)
    }

    /// Whether the batch's statistics normalise an input like this.
    pub(crate) fn uses_batch(&self, input: &Tensor<4>) -> bool {
        input.device().is_autodiff() && self.training.is_enabled()
    }

    /// The normalisation by the running statistics.
    pub(crate) fn known(&self) -> RunningNorm {
        RunningNorm {
            gamma: self.gamma.val(),
            beta: self.beta.val(),
            mean: self.running_mean.value(),
            variance: self.running_var.value(),
            epsilon: self.epsilon,
        }
    }

    fn forward_train(&self, input: Tensor<4>, after: After) -> Tensor<4> {
        let batch = batch_norm_train(
            input,
            self.gamma.val(),
            self.beta.val(),
            self.epsilon,
            after,
        );
        if ASIDE.get() {
            return batch.output;
        }
        // A single value has no unbiased variance; keep the biased one, 0, instead of dividing
        // by 0.
        let count = batch.count as f64;
        let unbiased = count / (count - 1.0).max(1.0);
        self.blend(&self.running_mean, batch.mean.inner(), 1.0);
        self.blend(&self.running_var, batch.variance.inner(), unbiased);
        batch.output
    }

    /// running = (1 - momentum) running + momentum (correction batch), effective at once.
    fn blend(&self, running: &RunningState<Tensor<1>>, batch: Tensor<1>, correction: f64) {
        let before = running.value_sync();
        let blended = blend_running(before.inner(), batch, self.momentum, correction);
        running.update(Tensor::from_inner(blended));
        // `update` only queues; read back so that a record of the training model is never one step
        // stale.
        running.value_sync();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;

    fn values(state: &RunningState<Tensor<1>>) -> Vec<f32> {
        state.value().into_data().try_into_vec().unwrap()
    }

    #[test]
    fn running_variance_is_unbiased_and_current() {
        let device = Device::flex().autodiff();
        let norm = BatchNorm::new(1, &device);
        // Mean 2, biased variance 2/3, unbiased 1.
        let out =
            norm.forward(Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device).reshape([3, 1, 1, 1]));
        assert_eq!(values(&norm.running_mean), [0.1 * 2.0]);
        assert_eq!(values(&norm.running_var), [0.9 + 0.1]);
        let side = 1.0 / (2.0_f32 / 3.0 + 1e-5).sqrt();
        let expected = Tensor::<1>::from_floats([-side, 0.0, side], &device).reshape([3, 1, 1, 1]);
        out.into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
    }

    #[test]
    fn what_passes_aside_leaves_the_statistics_alone() {
        let norm = BatchNorm::new(1, &Device::flex().autodiff());
        let input = || Tensor::<4>::ones([2, 1, 2, 2], &Device::flex().autodiff()) * 3.0;
        let beside = aside(|| norm.forward(input()));
        assert_eq!(values(&norm.running_mean), [0.0]);
        let counted = norm.forward(input());
        assert_eq!(beside.into_data(), counted.into_data());
        assert!((values(&norm.running_mean)[0] - 0.3).abs() < 1e-6);
    }

    #[test]
    fn a_gate_starts_even_and_learns_its_statistics_slowly() {
        let device = Device::flex().autodiff();
        let norm = BatchNorm::of_gate(&device);
        let out =
            norm.forward(Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device).reshape([3, 1, 1, 1]));
        assert_eq!(out.into_data().iter::<f32>().collect::<Vec<_>>(), [0.0; 3]);
        assert_eq!(values(&norm.running_mean), [0.01 * 2.0]);
    }

    #[test]
    fn evaluation_and_frozen_layers_leave_the_statistics_alone() {
        let device = Device::flex().autodiff();
        let norm = BatchNorm::new(1, &device);
        norm.valid()
            .forward(Tensor::full([4, 1, 2, 2], 7.0, &device.clone().inner()));
        let frozen = norm.clone().freeze();
        frozen.forward(Tensor::full([4, 1, 2, 2], 7.0, &device));
        assert_eq!(values(&norm.running_mean), [0.0]);
        assert_eq!(values(&norm.running_var), [1.0]);
    }
}
