//! A run of a detector opened for use.

use std::path::Path;

use abn_boxes::{Detection, Size};
use abn_core::detect::{Detector, Images};
use abn_core::explain::AttentionMap;
use abn_core::state::{self, State, StateMismatch};
use abn_data::{DataError, Dataset, Loader, Normalization, Sample, Target, read_image};
use burn::tensor::Device;
use image::RgbImage;

use crate::RunError;
#[cfg(feature = "files")]
use crate::folder::checkpoint::{CheckpointChoice, Checkpoints};
#[cfg(feature = "files")]
use crate::folder::run_dir::RunDir;
use crate::images::canvas_in_order;
use crate::measure::detection::{maps_of, padded_images};
use crate::recipe::RunConfig;

/// A detector and its weights.
pub struct DetectorSession {
    /// What the run is.
    pub config: RunConfig,
    /// The detector with the weights of a checkpoint.
    pub detector: Detector,
    /// SHA-256 of the file of the weights.
    pub digest: String,
    /// Where it runs, without autodiff.
    pub device: Device,
}

/// An image as a detector sees it.
pub struct DetectorView {
    /// The image itself.
    pub picture: RgbImage,
    /// What enters the detector, a batch of one.
    pub images: Images,
}

/// What a detector says of one image.
pub struct DetectorOutput {
    /// What it finds, in pixels of the image itself, the best first.
    pub found: Vec<Detection>,
    /// Where its branch looks in the whole image, if there is one.
    pub map: Option<AttentionMap>,
}

impl DetectorView {
    /// Its size as it was.
    pub fn size(&self) -> Size {
        let (width, height) = self.picture.dimensions();
        Size::new(height as usize, width as usize)
    }

    /// Its size as the detector sees it, without padding.
    pub fn seen(&self) -> Size {
        self.images.sizes[0]
    }
}

impl DetectorSession {
    /// A run with these weights, whose file has that digest; `None` if it is one of a classifier.
    ///
    /// # Errors
    /// The weights are of another network.
    pub fn of(
        config: RunConfig,
        weights: State,
        digest: String,
        device: Device,
    ) -> Result<Option<Self>, StateMismatch> {
        let Some(model) = config.detector() else {
            return Ok(None);
        };
        Ok(Some(Self {
            detector: state::with_state(model.init(&device), weights)?,
            config,
            digest,
            device,
        }))
    }

    /// Opens the run at that path with the weights asked for.
    ///
    /// # Errors
    /// There is no run, it is one of a classifier, or its checkpoint is missing or damaged.
    #[cfg(feature = "files")]
    pub fn open(path: &Path, choice: CheckpointChoice, device: Device) -> Result<Self, RunError> {
        let (run, config) = RunDir::open(path)?;
        let checkpoints = Checkpoints::open(run.checkpoints())?;
        let (weights, digest) = (checkpoints.weights(choice)?, checkpoints.digest(choice)?);
        let opened = Self::of(config, weights, digest, device);
        let misfit = |source| RunError::Misfit {
            run: path.to_owned(),
            source,
        };
        let opened = opened.map_err(misfit)?;
        opened.ok_or_else(|| RunError::IsClassifier(path.to_owned()))
    }

    /// What the detector sees of a file.
    ///
    /// # Errors
    /// The file is no image that can be read.
    pub fn view(&self, file: &Path) -> Result<DetectorView, RunError> {
        self.view_of(read_image(file)?)
    }

    /// What the detector sees of an image.
    ///
    /// # Errors
    /// It is too large for memory.
    pub fn view_of(&self, picture: RgbImage) -> Result<DetectorView, RunError> {
        let recipe = &self.config.recipe;
        let loader = Loader {
            dataset: std::sync::Arc::new(One(picture.clone())),
            transform: recipe.eval_transform(),
            batch_size: 1,
            workers: 0,
            seed: 0,
            shuffled: false,
            masks: false,
            skips: Default::default(),
            canvas: canvas_in_order(recipe),
            drop_last: false,
        };
        let batch = loader
            .epoch(0, 0)
            .next()
            .ok_or(RunError::NoImages("of a view"))??;
        Ok(DetectorView {
            images: padded_images(&batch, &self.device),
            picture,
        })
    }

    /// One image through the detector.
    ///
    /// # Errors
    /// The map has no values.
    pub fn look_at(&self, view: &DetectorView) -> Result<DetectorOutput, RunError> {
        let (found, attention) = self.detector.detect(&view.images);
        let mut maps = maps_of(attention.as_ref(), &view.images)?;
        let to_image = |detection: Detection| Detection {
            bounds: detection.bounds.resize(view.seen(), view.size()),
            ..detection
        };
        Ok(DetectorOutput {
            found: found.into_iter().flatten().map(to_image).collect(),
            map: maps.pop(),
        })
    }

    /// The name of the class of a detection.
    pub fn class(&self, detection: &Detection) -> &str {
        self.config
            .labels
            .name(0, detection.label.saturating_sub(1))
    }

    /// How bytes become inputs.
    pub fn normalization(&self) -> Normalization {
        self.config.recipe.normalization
    }
}

/// A data set of one image.
struct One(RgbImage);

impl Dataset<Sample, DataError> for One {
    fn get(&self, _index: usize) -> Result<Sample, DataError> {
        Ok(Sample {
            image: self.0.clone(),
            target: Target::Objects(vec![]),
            masks: Default::default(),
        })
    }

    fn len(&self) -> usize {
        1
    }
}
