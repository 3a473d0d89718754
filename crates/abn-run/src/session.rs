//! A trained run opened for use: its network, ready for forward passes.

use std::path::Path;

use abn_core::explain::AttentionMap;
use abn_core::state::{self, State};
use abn_core::{Classifier, state::StateMismatch};
use abn_data::read_image;
use burn::tensor::{Device, Tensor, TensorData};

use crate::RunError;
#[cfg(feature = "files")]
use crate::folder::checkpoint::{CheckpointChoice, Checkpoints};
#[cfg(feature = "files")]
use crate::folder::run_dir::RunDir;
use crate::measure::readback::HostOutput;
use crate::recipe::RunConfig;
use crate::view::View;

/// A run and its weights, which a clone shares.
#[derive(Clone)]
pub struct Session {
    /// What the run is.
    pub config: RunConfig,
    /// The network with the weights of a checkpoint.
    pub classifier: Classifier,
    /// SHA-256 of the file of the weights.
    pub digest: String,
    /// Where it runs, without autodiff.
    pub device: Device,
}

/// What a network says about one image.
pub struct ImageOutput {
    /// Perception logits.
    pub logits: Vec<f32>,
    /// Logits of the attention branch, if there is one.
    pub attention_logits: Option<Vec<f32>>,
    /// The attention map, if there is a branch; or that of each label.
    pub maps: Vec<AttentionMap>,
}

impl Session {
    /// A run with these weights, whose file has that digest.
    ///
    /// # Errors
    /// The weights are of another network.
    pub fn of(
        config: RunConfig,
        weights: State,
        digest: String,
        device: Device,
    ) -> Result<Self, StateMismatch> {
        Ok(Self {
            classifier: state::with_state(config.model.init(&device), weights)?,
            config,
            digest,
            device,
        })
    }

    /// Opens the run at that path with the weights asked for.
    ///
    /// # Errors
    /// There is no run, or its checkpoint is missing or damaged.
    #[cfg(feature = "files")]
    pub fn open(path: &Path, choice: CheckpointChoice, device: Device) -> Result<Self, RunError> {
        let (run, config) = RunDir::open(path)?;
        if config.recipe.detector.is_some() {
            return Err(RunError::IsDetector(path.to_owned()));
        }
        let checkpoints = Checkpoints::open(run.checkpoints())?;
        let (weights, digest) = (checkpoints.weights(choice)?, checkpoints.digest(choice)?);
        Self::of(config, weights, digest, device).map_err(|source| RunError::Misfit {
            run: path.to_owned(),
            source,
        })
    }

    /// What the network sees of a file.
    ///
    /// # Errors
    /// The file is no image that can be read, or the network cannot see images of the size that the
    /// run makes of it.
    pub fn view(&self, file: &Path) -> Result<View, RunError> {
        View::of(read_image(file)?, file, &self.config)
    }

    /// Views as a batch, `[B, 3, H, W]`.
    ///
    /// # Panics
    /// There is none, or one does not [fit](View::fits) the others.
    pub fn stacked(&self, views: &[&View]) -> Tensor<4> {
        let [height, width] = views[0].size;
        let pixels: Vec<f32> = views
            .iter()
            .flat_map(|view| &view.planes)
            .copied()
            .collect();
        let shape = [views.len(), 3, height, width];
        Tensor::from_data(TensorData::new(pixels, shape), &self.device)
    }

    /// One image through the network.
    ///
    /// # Errors
    /// The map has no values.
    pub fn look_at(&self, view: &View) -> Result<ImageOutput, RunError> {
        let mut outputs = self.look_at_all(&[view])?;
        Ok(outputs.remove(0))
    }

    /// Images that [fit](View::fits) each other through the network, together.
    ///
    /// # Errors
    /// A map has no values.
    ///
    /// # Panics
    /// There is none, or one does not fit the others.
    pub fn look_at_all(&self, views: &[&View]) -> Result<Vec<ImageOutput>, RunError> {
        let output = self.classifier.forward(self.stacked(views));
        let HostOutput {
            logits, attention, ..
        } = HostOutput::read(output, true)?;
        let of_image = |(image, logits): (usize, &[f32])| {
            let attention = attention.as_ref();
            let own = attention.map(|attention| attention.logits.rows().nth(image));
            let maps = attention.and_then(|attention| attention.maps.images().nth(image));
            ImageOutput {
                logits: logits.to_vec(),
                attention_logits: own.flatten().map(<[f32]>::to_vec),
                maps: maps.map_or(vec![], <[AttentionMap]>::to_vec),
            }
        };
        Ok(logits.rows().enumerate().map(of_image).collect())
    }

    /// The logits for one image under a map from outside, which has the size of the branch's and
    /// stands in the place of all its maps; `None` without a branch.
    pub fn logits_with_map(&self, view: &View, given: &AttentionMap) -> Option<Vec<f32>> {
        let values = TensorData::new(given.values.clone(), [1, 1, given.height, given.width]);
        let map = Tensor::<4>::from_data(values, &self.device);
        let maps = self.classifier.maps().count(self.classifier.outputs());
        let map = map.expand([1, maps, given.height, given.width]);
        let logits = self
            .classifier
            .forward_with_map(self.stacked(&[view]), map)?;
        Some(logits.into_data().iter::<f32>().collect())
    }
}
