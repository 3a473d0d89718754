//! Stochastic gradient descent as PyTorch computes it, on every trainable parameter, batch norm
//! included:
//!
//! ```text
//! g = gradient + weight_decay x w
//! v = g                     at a parameter's first step, then
//! v = momentum x v + g      (no dampening: Burn's own optimiser multiplies g by 0.9 unless told otherwise)
//! w = w - rate x v
//! ```
//!
//! Velocities are kept by parameter name rather than by Burn's random parameter ids, so that a
//! checkpoint of the same weights is the same bytes.

use std::collections::BTreeMap;

use abn_kernels::ops::Descent;
use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Device, Shape, Tensor};

use crate::state::{Path, Reading, State, StateMismatch, is_buffer, shapes_of};

/// Momentum and weight decay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct SgdConfig {
    /// Share of the previous velocity that is kept.
    pub momentum: f64,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f64,
}

impl SgdConfig {
    /// Those of ABN section 4.1.
    pub const ABN: Self = Self {
        momentum: 0.9,
        weight_decay: 1e-4,
    };
}

/// The optimiser and its velocities.
#[derive(Debug)]
pub struct Sgd {
    config: SgdConfig,
    velocities: BTreeMap<String, Tensor<1>>,
    /// Parameters that the weight decay does not reach.
    undecayed: &'static [&'static str],
}

impl Sgd {
    /// An optimiser that has taken no step.
    pub fn new(config: SgdConfig) -> Self {
        Self {
            config,
            velocities: BTreeMap::new(),
            undecayed: &[],
        }
    }

    /// The same, whose weight decay does not reach the parameters of these names.
    #[must_use]
    pub fn sparing(self, undecayed: &'static [&'static str]) -> Self {
        Self { undecayed, ..self }
    }

    /// An optimiser with the velocities of a checkpoint of that module, on the device without
    /// autodiff. A parameter that has had no gradient has none, such as those of a map that weighs
    /// nothing.
    ///
    /// # Errors
    /// A name is none of the module's parameters, or of another size.
    pub fn with_state<M: Module>(
        config: SgdConfig,
        state: State,
        module: &M,
        device: &Device,
    ) -> Result<Self, StateMismatch> {
        let flat = |shape: &Shape| Shape::from([shape.num_elements()]);
        let stepped = |name: &String| !is_buffer(name) && state.contains_key(name);
        let parameters = shapes_of(module)
            .into_iter()
            .filter(|(name, _)| stepped(name));
        let expected = parameters
            .map(|(name, shape)| (name, flat(&shape)))
            .collect();
        let found = state
            .iter()
            .map(|(name, data)| (name.clone(), data.shape().clone()))
            .collect();
        StateMismatch::check(&expected, &found)?;
        let tensor = |(name, data)| (name, Tensor::from_data(data, device));
        Ok(Self {
            config,
            velocities: state.into_iter().map(tensor).collect(),
            undecayed: &[],
        })
    }

    /// The velocities, by parameter name, each flat.
    pub fn state(&self) -> State {
        let mut reading = Reading::default();
        for (name, velocity) in &self.velocities {
            reading.add(name.clone(), velocity.clone());
        }
        reading.read().into_iter().collect()
    }

    /// The module after one step. A parameter without a gradient stays as it is, without decay.
    pub fn step<M: Module>(&mut self, rate: f64, module: M, gradients: GradientsParams) -> M {
        module.map(&mut Step {
            sgd: self,
            rate,
            gradients,
            path: Path::default(),
        })
    }

    fn update<const D: usize>(
        &mut self,
        name: String,
        rate: f64,
        weight: Tensor<D>,
        gradient: Tensor<D>,
    ) -> Tensor<D> {
        let descent = Descent {
            rate,
            momentum: self.config.momentum,
            weight_decay: match self.undecayed.contains(&name.as_str()) {
                true => 0.0,
                false => self.config.weight_decay,
            },
        };
        let before = self.velocities.remove(&name);
        let (weight, velocity) = descent.step(weight, gradient, before);
        self.velocities.insert(name, velocity);
        weight
    }
}

struct Step<'a> {
    sgd: &'a mut Sgd,
    rate: f64,
    gradients: GradientsParams,
    path: Path,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return param;
        };
        let (id, tensor, mapper) = param.consume();
        let updated = self
            .sgd
            .update(self.path.name(), self.rate, tensor.inner(), gradient);
        let tensor = Tensor::from_inner(updated).require_grad();
        Param::from_mapped_value(id, tensor, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    #[derive(Module, Debug)]
    struct Scalar {
        weight: Param<Tensor<1>>,
    }

    /// Loss w², gradient 2w: w = 1, rate 0.1, momentum 0.5, decay 1.
    #[test]
    fn three_steps_by_hand() {
        let device = Device::flex().autodiff();
        let mut module = Scalar {
            weight: Param::from_data([1.0_f32], &device),
        };
        let mut sgd = Sgd::new(SgdConfig {
            momentum: 0.5,
            weight_decay: 1.0,
        });
        // g = 3w. v: 3; 1.5 + 2.1 = 3.6; 1.8 + 1.02 = 2.82. w: 0.7; 0.34; 0.058.
        for expected in [0.7_f32, 0.34, 0.058] {
            let loss = module.weight.val().powi_scalar(2).sum();
            let gradients = GradientsParams::from_grads(loss.backward(), &module);
            module = sgd.step(0.1, module, gradients);
            let weight = module.weight.val().into_scalar::<f32>();
            assert!((weight - expected).abs() < 1e-6, "{weight} {expected}");
        }
        assert_eq!(sgd.state().keys().collect::<Vec<_>>(), ["weight"]);
    }

    #[derive(Module, Debug)]
    struct Pair {
        used: Param<Tensor<1>>,
        unused: Param<Tensor<1>>,
    }

    #[test]
    fn a_parameter_without_gradients_has_no_velocity_to_restore() {
        let inner = Device::flex();
        let device = inner.clone().autodiff();
        let config = SgdConfig {
            momentum: 0.5,
            weight_decay: 1.0,
        };
        let step = |sgd: &mut Sgd, pair: Pair| {
            let gradients =
                GradientsParams::from_grads(pair.used.val().powi_scalar(2).sum().backward(), &pair);
            sgd.step(0.1, pair, gradients)
        };
        let pair = Pair {
            used: Param::from_data([1.0_f32], &device),
            unused: Param::from_data([7.0_f32], &device),
        };
        let mut sgd = Sgd::new(config);
        let pair = step(&mut sgd, pair);
        let mut restored = Sgd::with_state(config, sgd.state(), &pair, &inner).unwrap();
        let pair = step(&mut restored, pair);
        // As in `three_steps_by_hand`.
        let close = |param: Param<Tensor<1>>, expected: f32| {
            (param.val().into_scalar::<f32>() - expected).abs() < 1e-6
        };
        assert!(
            close(pair.used.clone(), 0.34) && close(pair.unused.clone(), 7.0),
            "{pair:?}"
        );

        let mut other = sgd.state();
        other.insert("unknown".to_owned(), TensorData::from([1.0_f32]));
        assert_eq!(
            Sgd::with_state(config, other, &pair, &inner)
                .unwrap_err()
                .unexpected
                .len(),
            1
        );
        let longer = State::from([("used".to_owned(), TensorData::from([1.0_f32, 2.0]))]);
        assert_eq!(
            Sgd::with_state(config, longer, &pair, &inner)
                .unwrap_err()
                .shapes
                .len(),
            1
        );
    }
}
