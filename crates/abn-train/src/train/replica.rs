//! The same network on several devices of a machine, each of which computes shares of a batch.

use abn_core::loss_scale::LossScale;
use abn_core::sgd::{Sgd, SgdConfig};
use abn_core::state::{self, State};
use abn_run::measure::task::Task;
use anyhow::Result;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;

/// A network in training with its optimiser, on a device.
pub(super) struct Replica<N> {
    /// Without autodiff.
    pub(super) device: Device,
    pub(super) network: N,
    pub(super) sgd: Sgd,
}

impl<N: Module> Replica<N> {
    /// The network of those weights and velocities.
    ///
    /// # Errors
    /// They are of another network.
    pub(super) fn of<T: Task<Network = N>>(
        task: &T,
        config: SgdConfig,
        weights: State,
        velocities: State,
        device: Device,
    ) -> Result<Self> {
        let network = task.init(&device.clone().autodiff());
        let network = state::with_state(network, weights)?;
        let sgd = Sgd::with_state(config, velocities, &network, &device)?;
        Ok(Self {
            sgd: sgd.sparing(task.undecayed()),
            device,
            network,
        })
    }

    /// A step along gradients, after which the scale of the losses is that of the next one; none
    /// where those of scaled losses are not finite.
    pub(super) fn descend(
        &mut self,
        rate: f64,
        gradients: GradientsParams,
        scale: &mut Option<LossScale>,
    ) {
        if let Some(gradients) = LossScale::usable(scale, &self.network, gradients) {
            self.network = self.sgd.step(rate, self.network.clone(), gradients);
        }
    }
}
