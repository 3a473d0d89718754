//! A step of gradient descent.

use burn::tensor::Tensor;

#[cfg(gpu)]
use super::cube;
#[cfg(feature = "flex")]
use super::flex;

/// A step of stochastic gradient descent with momentum and weight decay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descent {
    /// Learning rate.
    pub rate: f64,
    /// Share of the previous velocity that is kept.
    pub momentum: f64,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f64,
}

impl Descent {
    /// Weight and velocity after the step, from a weight, its gradient and the velocity before,
    /// which is `None` in the first step:
    ///
    /// ```text
    /// velocity = momentum velocity + gradient + weight_decay weight
    /// weight = weight - rate velocity
    /// ```
    ///
    /// # Shapes
    /// Weight and gradient are alike, a velocity is flat; all on a device without autodiff.
    pub fn step<const D: usize>(
        self,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Option<Tensor<1>>,
    ) -> (Tensor<D>, Tensor<1>) {
        #[cfg(gpu)]
        if cube::serves(&weight) && !weight.is_autodiff() {
            return cube::descent::step(self, weight, gradient, velocity);
        }
        let shape = weight.shape();
        let flat = [shape.num_elements()];
        let (weight, gradient) = (weight.reshape(flat), gradient.reshape(flat));
        let (weight, velocity) = self.flat_step(weight, gradient, velocity);
        (weight.reshape(shape), velocity)
    }

    fn flat_step(
        self,
        weight: Tensor<1>,
        gradient: Tensor<1>,
        velocity: Option<Tensor<1>>,
    ) -> (Tensor<1>, Tensor<1>) {
        #[cfg(feature = "flex")]
        if flex::serves(&weight) && !weight.is_autodiff() {
            return flex::descent::step(self, weight, gradient, velocity);
        }
        let gradient = match self.weight_decay {
            0.0 => gradient,
            decay => gradient + weight.clone().mul_scalar(decay),
        };
        let velocity = match velocity {
            Some(velocity) => velocity.mul_scalar(self.momentum) + gradient,
            None => gradient,
        };
        (weight - velocity.clone().mul_scalar(self.rate), velocity)
    }
}
