//! A trained run opened for use: its network, its images, its classes.

use std::path::Path;

use abn_core::explain::AttentionMap;
use abn_core::{Classifier, state};
use abn_data::{Collection, Loader, Split, Truth, read_image};
use anyhow::{Context, Result, bail, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;

use crate::checkpoint::{Checkpoints, Which};
use crate::inputs::Inputs;
use crate::outcome::Outcome;
use crate::recipe::RunConfig;
use crate::run_dir::RunDir;

/// Side to which the view of a large image is magnified for looking at.
const PICTURE_SIDE: u32 = 320;
/// Images a batch where nothing is trained; the published test batch of CIFAR.
const EVAL_BATCH: usize = 100;
/// Pixels a batch where nothing is trained, so that the features of photographs fit into memory: 32 images of 224.
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
                format!("the checkpoint of `{}` does not fit its config.json", path.display())
            })?;
        Ok(Self { config, run, classifier, digest: checkpoints.digest(which)?, device })
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
    ensure!(!collection.samples.is_empty(), "the data set `{}` has no images", dataset.name());
    ensure!(
        collection.classes.len() == config.classes.len(),
        "{} has {} classes, the run has {}: it was trained on another data set; name its folder with --data, or import \
         it with the --dataset that it was trained on",
        dataset.name(),
        collection.classes.len(),
        config.classes.len()
    );
    // An imported run may have numbers for names.
    let other = collection.classes.iter().zip(&config.classes).find(|(here, there)| here != there);
    if let Some((here, there)) = other.filter(|_| config.imported.is_none()) {
        bail!(
            "the data set has the class `{here}` where the run has `{there}`; --data names another data set"
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

/// What a network sees in one image.
pub struct Look {
    /// What the network saw, as large as the file allows.
    pub picture: RgbImage,
    /// Perception logits.
    pub logits: Vec<f32>,
    /// Logits of the attention branch, if there is one.
    pub attention_logits: Option<Vec<f32>>,
    /// The attention map, if there is a branch.
    pub map: Option<AttentionMap>,
}

impl Session {
    /// One image file through the network.
    ///
    /// # Errors
    /// The file is no image that can be read.
    pub fn look_at(&self, file: &Path) -> Result<Look> {
        let transform = self.config.recipe.eval_transform();
        let original = read_image(file)?;
        let image = transform.fixed(original.clone())?;
        let (width, height) = (image.width() as usize, image.height() as usize);
        let smallest = self.config.model.network.smallest_side();
        ensure!(
            width.min(height) >= smallest,
            "the transform of the run makes {width}x{height} pixels of `{}`; its network needs {smallest} a side",
            file.display()
        );
        let planes = TensorData::new(transform.normalization.planes(&image), [1, 3, height, width]);
        let pixels = Tensor::from_data(planes, &self.device);
        let outcome = Outcome::read(self.classifier.forward(pixels), true)?;
        let attention = outcome.attention;
        // Never larger than the file: that would invent detail.
        let gain = |from: u32, to: u32| from / to.max(1);
        let larger = gain(original.width().min(original.height()), image.width().min(image.height()));
        let factor = larger.min(gain(PICTURE_SIDE, image.width().max(image.height()))).max(1);
        Ok(Look {
            picture: transform.magnified(factor).fixed(original)?,
            logits: outcome.logits.values,
            attention_logits: attention.as_ref().map(|attention| attention.logits.values.clone()),
            map: attention.and_then(|attention| attention.maps.into_iter().next()),
        })
    }
}
