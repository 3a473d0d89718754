//! Half precision has no numbers below 6e-8, so that small gradients would vanish. The loss is
//! multiplied by a large factor before the backward pass, and the gradients are divided by it
//! (Micikevicius et al., ICLR 2018, section 3.2).
//!
//! The factor is found as PyTorch's `GradScaler` finds it: a step whose gradients are not finite is
//! left out and halves the factor, and many steps without one double it.

use std::cell::Cell;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::Tensor;

/// The first factor.
const FIRST: f32 = 65_536.0;
/// Steps until it is doubled.
const PATIENCE: u32 = 2000;
/// Beyond it no loss is a number.
const HIGHEST: f32 = 1e30;

/// The factor, and what it follows from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct LossScale {
    factor: f32,
    /// Steps since it was changed last.
    steps: u32,
    /// Steps of the epoch that were left out.
    pub left_out: usize,
}

impl Default for LossScale {
    fn default() -> Self {
        Self {
            factor: FIRST,
            steps: 0,
            left_out: 0,
        }
    }
}

impl LossScale {
    /// What the loss is multiplied by.
    pub fn factor(&self) -> f32 {
        self.factor
    }

    /// The same at the beginning of an epoch.
    #[must_use]
    pub fn of_next_epoch(self) -> Self {
        Self {
            left_out: 0,
            ..self
        }
    }

    /// That of the next step, after one whose gradients were finite or not.
    #[must_use]
    fn after(self, finite: bool) -> Self {
        let Self {
            factor,
            steps,
            left_out,
        } = self;
        match finite {
            false => Self {
                factor: (factor / 2.0).max(f32::MIN_POSITIVE),
                steps: 0,
                left_out: left_out + 1,
            },
            true if steps + 1 == PATIENCE => Self {
                factor: (factor * 2.0).min(HIGHEST),
                steps: 0,
                left_out,
            },
            true => Self {
                steps: steps + 1,
                ..self
            },
        }
    }

    /// The gradients that a step is to follow, after which the scale in use, if there is one, is that of
    /// the next step; `None` if the step is to be left out.
    pub fn usable<M: Module>(
        in_use: &mut Option<Self>,
        network: &M,
        gradients: GradientsParams,
    ) -> Option<GradientsParams> {
        let Some(scale) = *in_use else {
            return Some(gradients);
        };
        let found = scale.unscaled(network, gradients);
        *in_use = Some(scale.after(found.is_some()));
        found
    }

    /// The gradients of `network` as they would be without the factor; `None` if one of them is not
    /// finite. Waits for the device.
    fn unscaled<M: Module>(
        &self,
        network: &M,
        gradients: GradientsParams,
    ) -> Option<GradientsParams> {
        let mut unscaled = Unscaled {
            factor: self.factor,
            given: gradients,
            gradients: GradientsParams::new(),
            finite: None,
        };
        network.visit(&mut unscaled);
        let sum = unscaled.finite.map(|sum| sum.into_scalar::<f32>());
        // 0 times what is not finite is no number.
        sum.is_none_or(|sum| sum == 0.0)
            .then_some(unscaled.gradients)
    }
}

struct Unscaled {
    factor: f32,
    given: GradientsParams,
    gradients: GradientsParams,
    /// The sum of all gradients times 0, `[1]`.
    finite: Option<Tensor<1>>,
}

impl ModuleVisitor for Unscaled {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.given.remove::<D>(param.id) else {
            return;
        };
        let nothing = (gradient.clone() * 0.0).sum();
        self.finite = Some(match self.finite.take() {
            Some(sum) => sum + nothing,
            None => nothing,
        });
        // Powers of two: nothing is rounded.
        self.gradients
            .register(param.id, gradient.mul_scalar(self.factor.recip()));
    }
}

thread_local! {
    static IN_USE: Cell<f32> = const { Cell::new(1.0) };
}

/// A pass whose losses are multiplied by that factor before they go backwards. It happens on the
/// calling thread.
pub fn scaling<R>(factor: f32, pass: impl FnOnce() -> R) -> R {
    /// Puts back what was, also after a panic.
    struct Before(f32);
    impl Drop for Before {
        fn drop(&mut self) {
            IN_USE.set(self.0);
        }
    }
    let _before = Before(IN_USE.replace(factor));
    pass()
}

/// A loss as it goes backwards.
pub fn scaled(loss: Tensor<1>) -> Tensor<1> {
    match IN_USE.get() {
        1.0 => loss,
        factor => loss.mul_scalar(factor),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int};

    use super::*;
    use crate::gradients::{by_name, gradients};
    use crate::loss::Objective;
    use crate::{Architecture, ClassifierConfig, Outputs};

    #[test]
    fn the_factor_follows_from_what_was_finite() {
        let mut scale = LossScale::default().after(false).after(false);
        assert_eq!((scale.factor(), scale.left_out), (FIRST / 4.0, 2));
        for _ in 1..PATIENCE {
            scale = scale.after(true);
        }
        assert_eq!(scale.factor(), FIRST / 4.0);
        assert_eq!(scale.after(true).factor(), FIRST / 2.0);
        // One that is not finite begins the count anew.
        let again = scale.after(false).after(true);
        assert_eq!((again.factor(), again.steps), (FIRST / 8.0, 1));
    }

    /// A factor that is a power of two changes no bit; gradients that are not finite are found.
    #[test]
    fn gradients_are_those_without_the_factor() {
        let device = Device::flex().autodiff();
        let architecture = Architecture::parse("resnet8").unwrap();
        for several in [false, true] {
            let (outputs, attention) = match several {
                false => (Outputs::one(4), architecture.abn()),
                true => (Outputs::of(vec![2; 2]), crate::AttentionConfig::multitask()),
            };
            let groups = outputs.groups().len();
            let network = ClassifierConfig {
                network: architecture.network.clone(),
                attention: Some(attention),
                outputs,
            }
            .init_seeded(3, &device);
            let images = Tensor::<4>::ones([2, 3, 16, 16], &device);
            let learn = |factor: f32| {
                let classes = Tensor::<2, Int>::zeros([2, groups], &device);
                let (images, objective) = (images.clone(), Objective::from(1.0));
                scaling(factor, || {
                    gradients(&network, images, classes, &objective).0
                })
            };
            let plain = by_name(&network, &learn(1.0));
            let scale = LossScale::default();
            let found = scale.unscaled(&network, learn(scale.factor())).unwrap();
            assert!(by_name(&network, &found) == plain, "{several}");
            assert!(scale.unscaled(&network, learn(f32::INFINITY)).is_none());
        }
        // After the pass all is as before.
        assert_eq!(IN_USE.get(), 1.0);
    }
}
