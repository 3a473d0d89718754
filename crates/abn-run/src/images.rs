//! The images of a run: a split of its data set, and how a network that is not trained sees it.

use std::path::Path;

use abn_data::{Collection, Loader, Split, Truth};

use crate::RunError;
use crate::recipe::RunConfig;

/// Images a batch where nothing is trained; the published test batch of CIFAR.
const EVAL_BATCH: usize = 100;
/// The same of photographs, whose features are larger.
const EVAL_PHOTOGRAPHS: usize = 32;
/// Side of a photograph as an input.
const PHOTOGRAPH: usize = 224;

/// Images that fit into memory together: at most `images`, and no more pixels than `photographs` of
/// 224 x 224 have.
pub fn together(side: usize, images: usize, photographs: usize) -> usize {
    let pixels = photographs * PHOTOGRAPH * PHOTOGRAPH;
    (pixels / (side * side).max(1)).clamp(1, images)
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
) -> Result<Collection, RunError> {
    let (dataset, labels) = (config.recipe.dataset, config.recipe.labels.as_deref());
    let folder = dataset.folder(data, config.data.as_deref())?;
    let collection = dataset
        .open(split, folder.as_deref(), labels, truth)
        .map_err(RunError::DataSet)?;
    if collection.samples.is_empty() {
        return Err(RunError::NoImages(dataset.name));
    }
    check_labels(config, &collection)?;
    Ok(collection)
}

fn check_labels(config: &RunConfig, collection: &Collection) -> Result<(), RunError> {
    if collection.labels.sizes() != config.labels.sizes() {
        return Err(RunError::OtherCount {
            dataset: config.recipe.dataset.name,
            found: collection.labels.title(),
            expected: config.labels.title(),
        });
    }
    // An imported run may have numbers for names.
    let mut classes = collection.labels.classes().zip(config.labels.classes());
    match classes.find(|(here, there)| here != there) {
        Some((found, expected)) if config.imported.is_none() => Err(RunError::OtherClass {
            found: found.clone(),
            expected: expected.clone(),
        }),
        _ => Ok(()),
    }
}

/// Loads a collection in order and without augmentation.
pub fn plain_loader(config: &RunConfig, collection: &Collection, workers: usize) -> Loader {
    Loader {
        dataset: collection.samples.clone(),
        transform: config.recipe.eval_transform(),
        batch_size: together(config.recipe.side(), EVAL_BATCH, EVAL_PHOTOGRAPHS),
        workers,
        seed: config.recipe.seed,
        shuffled: false,
        masks: collection.masked,
    }
}
