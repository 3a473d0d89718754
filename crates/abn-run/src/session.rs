//! A trained run opened for use: its network, its images, its classes.

use std::path::Path;

use abn_core::explain::AttentionMap;
use abn_core::{Classifier, state};
use abn_data::{Collection, Loader, Split, Truth};
use anyhow::{Context, Result, bail, ensure};
use burn::tensor::{Device, Tensor, TensorData};

use crate::folder::checkpoint::{Checkpoints, Which};
use crate::folder::run_dir::RunDir;
use crate::measure::readback::Outcome;
use crate::recipe::RunConfig;
use crate::recipe::augmentation::Inputs;
use crate::view::View;

/// Images a batch where nothing is trained; the published test batch of CIFAR.
const EVAL_BATCH: usize = 100;
/// Pixels a batch where nothing is trained, so that the features of photographs fit into memory: 32
/// images of 224.
const EVAL_PIXELS: usize = 32 * 224 * 224;

/// A run and its weights, ready for forward passes.
pub struct Session {
    /// What the run is.
    pub config: RunConfig,
    /// Where it lies.
    pub run: RunDir,
    /// The network with the weights of a checkpoint.
    pub classifier: Classifier,
    /// SHA-256 of the file of the weights.
    pub digest: String,
    /// Where it runs, without autodiff.
    pub device: Device,
}

impl Session {
    /// Opens the run at that path with the weights asked for.
    ///
    /// # Errors
    /// There is no run, or its checkpoint is missing or damaged.
    pub fn open(path: &Path, which: Which, device: Device) -> Result<Self> {
        let (run, config) = RunDir::open(path)?;
        let checkpoints = Checkpoints::open(run.checkpoints())?;
        let classifier = state::with_state(config.model.init(&device), checkpoints.weights(which)?)
            .with_context(|| {
                format!(
                    "the checkpoint of `{}` does not fit its config.json",
                    path.display()
                )
            })?;
        Ok(Self {
            config,
            run,
            classifier,
            digest: checkpoints.digest(which)?,
            device,
        })
    }
}

/// A split of the run's data set; `truth` asks for masks or boxes of its photographs.
///
/// # Errors
/// The data set is missing, damaged, empty, or has other classes than the run.
pub fn open_split(
    config: &RunConfig,
    split: Split,
    data: Option<&Path>,
    truth: Option<Truth>,
) -> Result<Collection> {
    let dataset = config.recipe.dataset;
    let folder = dataset.folder(data, config.data.as_deref())?;
    let collection = dataset
        .open(split, folder.as_deref(), truth)
        .context("the data set of the run cannot be opened; --data says where it lies")?;
    ensure!(
        !collection.samples.is_empty(),
        "the data set `{}` has no images",
        dataset.name()
    );
    ensure!(
        collection.classes.len() == config.classes.len(),
        "{} has {} classes, the run has {}: it was trained on another data set; name its folder \
         with --data, or import it with the --dataset that it was trained on",
        dataset.name(),
        collection.classes.len(),
        config.classes.len()
    );
    // An imported run may have numbers for names.
    let other = collection
        .classes
        .iter()
        .zip(&config.classes)
        .find(|(here, there)| here != there);
    if let Some((here, there)) = other.filter(|_| config.imported.is_none()) {
        bail!(
            "the data set has the class `{here}` where the run has `{there}`; --data names another \
             data set"
        );
    }
    Ok(collection)
}

/// Loads a collection in order and without augmentation.
pub fn plain_loader(config: &RunConfig, collection: &Collection, workers: usize) -> Loader {
    let side = Inputs::of_recipe(&config.recipe).side as usize;
    Loader {
        dataset: collection.samples.clone(),
        transform: config.recipe.eval_transform(),
        batch_size: (EVAL_PIXELS / (side * side).max(1)).clamp(1, EVAL_BATCH),
        workers,
        seed: config.recipe.seed,
        shuffled: false,
        masks: collection.masked,
    }
}

/// What a network says about one image.
pub struct Look {
    /// Perception logits.
    pub logits: Vec<f32>,
    /// Logits of the attention branch, if there is one.
    pub attention_logits: Option<Vec<f32>>,
    /// The attention map, if there is a branch.
    pub map: Option<AttentionMap>,
}

impl Session {
    /// One image through the network.
    ///
    /// # Errors
    /// The map has no values.
    pub fn look_at(&self, view: &View) -> Result<Look> {
        let outcome = Outcome::read(self.classifier.forward(self.stacked(&[view])), true)?;
        let attention = outcome.attention;
        Ok(Look {
            logits: outcome.logits.values,
            attention_logits: attention
                .as_ref()
                .map(|attention| attention.logits.values.clone()),
            map: attention.and_then(|attention| attention.maps.into_iter().next()),
        })
    }

    /// The logits for one image under a map from outside, which has the size of the branch's;
    /// `None` without a branch.
    pub fn logits_with_map(&self, view: &View, map: &AttentionMap) -> Option<Vec<f32>> {
        let values = TensorData::new(map.values.clone(), [1, 1, map.height, map.width]);
        let map = Tensor::from_data(values, &self.device);
        let logits = self
            .classifier
            .forward_with_map(self.stacked(&[view]), map)?;
        Some(logits.into_data().iter::<f32>().collect())
    }
}
