//! What a network is trained for. The training loop knows no more of it than this.

use abn_core::explain::AttentionMap;
use abn_data::{Batch, Loader};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::attributes::Scores;
use super::calibration::Calibration;
use super::confusion::Confusion;
use super::records::{MapHealth, Summary};
use super::totals::Totals;
use crate::RunError;

/// An objective, and the figures by which its networks are compared.
pub trait Task: Sync {
    /// What is trained.
    type Network: Module + Sync;
    /// What a forward pass gave, still on its device.
    type Unread;
    /// The same on the host.
    type Outcome;

    /// A network whose weights are to be replaced.
    fn init(&self, device: &Device) -> Self::Network;

    /// A network whose weights are drawn from that seed.
    fn init_seeded(&self, seed: u64, device: &Device) -> Self::Network;

    /// The gradients of the training objective of a batch, and what else came out of its forward
    /// pass: nothing waits for the device.
    ///
    /// # Errors
    /// The batch has no such target.
    fn gradients(
        &self,
        network: &Self::Network,
        batch: &Batch,
        device: &Device,
    ) -> Result<(GradientsParams, Self::Unread), RunError>;

    /// Waits for the device, and has on the host what came out.
    ///
    /// # Errors
    /// A map has no values.
    fn read(&self, unread: Self::Unread) -> Result<Self::Outcome, RunError>;

    /// Whether a step leaves anything to chance: then steps at the same time would draw from one
    /// generator in no certain order.
    fn has_dropout(&self) -> bool;

    /// The same without what a training leaves to chance within a step.
    #[must_use]
    fn without_dropout(&self) -> Self
    where
        Self: Sized;

    /// Numbers that a network which is not being trained makes of a batch, by what they are: all
    /// that two devices can be compared by, without choices that rounding could tip. Each `[N]`.
    fn numbers(
        &self,
        network: &Self::Network,
        batch: &Batch,
        device: &Device,
    ) -> Vec<(&'static str, Tensor<1>)>;

    /// Gradients that two devices can be compared by, for the same reason: those of training, or of
    /// something as smooth that goes through the same layers.
    ///
    /// # Errors
    /// The batch has no such target.
    fn smooth_gradients(
        &self,
        network: &Self::Network,
        batch: &Batch,
        device: &Device,
    ) -> Result<GradientsParams, RunError> {
        let (gradients, _) = self.gradients(network, batch, device)?;
        Ok(gradients)
    }

    /// The parameters that the weight decay does not reach.
    fn undecayed(&self) -> &'static [&'static str] {
        &[]
    }

    /// Adds a batch, image by image.
    fn add(&self, totals: &mut Totals, batch: &Batch, outcome: &Self::Outcome);

    /// Means over the images so far. Its [figures](Summary::figures) know which of two epochs is
    /// better.
    fn summary(&self, totals: &Totals) -> Summary;

    /// Passes a data set through a network that is not being trained; `None` if `go_on`, which is
    /// told the number of images so far, asked to stop.
    ///
    /// # Errors
    /// A sample cannot be read.
    fn measure(
        &self,
        network: &Self::Network,
        loader: &Loader,
        device: &Device,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Measured>, RunError>;
}

/// What a pass over a data set measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Losses and accuracies over all images.
    pub summary: Summary,
    /// State of the attention maps, if there are any.
    pub maps: Option<MapHealth>,
    /// The maps of the first images, at most [`PROBES`](super::drift::PROBES): what the next
    /// epoch's are compared with.
    pub probes: Vec<AttentionMap>,
    /// The scores of each of several labels of two classes; none of others.
    pub scores: Vec<Scores>,
    /// Of several labels of more classes, image by image: whether each is told rightly, where that is
    /// known; none of others.
    pub right: Vec<Vec<Option<bool>>>,
    /// Of one label, what was told of each class; none of others.
    pub told: Option<Told>,
}

/// What was told of the images of one label.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Which classes.
    pub confusion: Confusion,
    /// How surely.
    pub calibration: Calibration,
}
