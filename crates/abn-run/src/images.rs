//! The images of a run: a split of its data set, and how a network that is not trained sees it.

use std::path::Path;

use abn_data::{Collection, DataError, Loader, Split, Truth};

use crate::RunError;
use crate::datasets::fingerprint;
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

/// What is measured of a data set.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// The split; if none is asked for, the held-out images, or all of a folder of photographs that
    /// has no splits and is not the run's own.
    pub split: Option<Split>,
    /// Folder of the data set, if not the run's.
    pub data: Option<&'a Path>,
    /// Whether photographs are asked for masks or for boxes.
    pub truth: Option<Truth>,
}

/// Images of the run's data set, or of another one with its classes.
///
/// # Errors
/// The data set is missing, damaged, empty, or has classes that the run lacks.
pub fn open_images(config: &RunConfig, choice: Choice) -> Result<Collection, RunError> {
    let dataset = config.recipe.dataset;
    let folder = dataset.folder(choice.data, config.data.as_deref())?;
    let open = |split| {
        let (network, labels) = (&config.labels, config.recipe.labels.as_deref());
        let opened = dataset.open_for(network, split, folder.as_deref(), labels, choice.truth);
        opened.map_err(RunError::DataSet)
    };
    let split = choice.split.unwrap_or(Split::HeldOut);
    if split == Split::All && !dataset.photographs {
        return Err(RunError::OnlySplits(dataset.name));
    }
    let other = dataset.photographs && choice.split.is_none() && folder != config.data;
    let collection = match other.then(|| open(Split::All)) {
        Some(Ok(all)) => unless_own(config, all, open(Split::HeldOut))?,
        Some(Err(RunError::DataSet(DataError::SplitApart { .. }))) | None => open(split)?,
        Some(Err(error)) => return Err(error),
    };
    if collection.samples.is_empty() {
        return Err(RunError::NoImages(dataset.name));
    }
    check_labels(config, &collection)?;
    Ok(collection)
}

/// All images of a folder without splits, or those held out if it is the run's own data set, moved:
/// the rest of it was learned.
fn unless_own(
    config: &RunConfig,
    all: Collection,
    held_out: Result<Collection, RunError>,
) -> Result<Collection, RunError> {
    if let Ok(held_out) = held_out {
        let known = config.images.as_deref().unwrap_or_default();
        if known.ends_with(&format!("test: {}", fingerprint(&held_out)?)) {
            return Ok(held_out);
        }
    }
    let count = all.samples.len();
    let note = format!(
        "all {count} images are taken: this is not the data set of the run as it was then; images \
         that it has learned would flatter the figures"
    );
    let notes = all.notes.iter().cloned().chain([note]).collect();
    Ok(Collection { notes, ..all })
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
