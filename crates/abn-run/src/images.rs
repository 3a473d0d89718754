//! The images of a run: a split of its data set, and how a network that is not trained sees it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use abn_data::{Canvas, Collection, DataError, Loader, Padding, Skips, Split, Truth, groups};

use crate::RunError;
use crate::datasets::{Request, fingerprint_but};
use crate::recipe::{Recipe, RunConfig};
use crate::unreadable::{UnreadableImages, places_of};

/// Images a batch where nothing is trained; the published test batch of CIFAR.
const EVAL_BATCH: usize = 100;
/// The same of photographs, whose features are larger.
const EVAL_PHOTOGRAPHS: usize = 32;
/// The same of images in which objects are found; each has hundreds of regions.
const EVAL_DETECTED: usize = 16;
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
    /// The images that the run could not read.
    pub unreadable: Option<&'a UnreadableImages>,
}

/// Images of the run's data set, or of another one with its classes. Those that the run was trained
/// without are left out of its own.
///
/// # Errors
/// The data set is missing, damaged, empty, or has classes that the run lacks.
pub fn open_images(config: &RunConfig, choice: Choice) -> Result<Collection, RunError> {
    let dataset = config.recipe.dataset;
    let folder = dataset.folder(choice.data, config.data.as_deref())?;
    let names = choice.unreadable.map(UnreadableImages::names);
    let open = |split, once| {
        let opened = dataset.open(&Request {
            labels: config.recipe.labels.as_deref(),
            truth: choice.truth,
            classes: Some(&config.labels),
            once,
            shortcut: config.recipe.shortcut,
            crop: config.recipe.crop_to_object,
            objects: config.recipe.detector.is_some(),
            ..Request::of(split, folder.as_deref())
        });
        opened.map_err(RunError::DataSet)
    };
    let once = names.as_ref();
    let moved = dataset.photographs && folder != config.data;
    let (own, note) = match moved.then(|| open(Split::HeldOut, once)) {
        Some(Ok(held_out)) => match is_own(config, &held_out, choice.unreadable) {
            Ok(own) => (own, None),
            Err(error) => (true, choice.split.is_none().then(|| unclear(&error))),
        },
        Some(Err(_)) => (false, None),
        None => (true, None),
    };
    let once = once.filter(|_| own);
    let split = choice.split.unwrap_or(Split::HeldOut);
    if split == Split::All && !dataset.photographs {
        return Err(RunError::OnlySplits(dataset.name));
    }
    let other = moved && !own && choice.split.is_none();
    let mut collection = match other.then(|| open(Split::All, None)) {
        Some(Ok(all)) => with_note_of_all(all),
        Some(Err(RunError::DataSet(DataError::SplitApart { .. }))) | None => open(split, once)?,
        Some(Err(error)) => return Err(error),
    };
    if collection.samples.is_empty() {
        return Err(RunError::NoImages(dataset.name));
    }
    check_labels(config, &collection)?;
    collection.notes.extend(note);
    Ok(match choice.unreadable.filter(|_| own) {
        Some(unreadable) => without(collection, unreadable),
        None => collection,
    })
}

/// Whether held-out images are those of the run, whose folder was moved: the others of it were
/// learned.
///
/// # Errors
/// There are as many as in the run, and one of them cannot be read.
fn is_own(
    config: &RunConfig,
    held_out: &Collection,
    unreadable: Option<&UnreadableImages>,
) -> Result<bool, DataError> {
    let (known, names) = match unreadable {
        Some(unreadable) => (Some(unreadable.others()), unreadable.names()),
        None => (config.images.as_deref(), BTreeSet::new()),
    };
    let Some((_, known)) = known.and_then(|known| known.split_once("test: ")) else {
        return Ok(false);
    };
    if !known.starts_with(&format!("{} images,", held_out.samples.len())) {
        return Ok(false);
    }
    let unread = places_of(&names, held_out).into_values().collect();
    Ok(fingerprint_but(held_out, &unread, &Skips::default())? == known)
}

/// What to say where that cannot be told: then what may have been learned is not measured.
fn unclear(error: &DataError) -> String {
    format!(
        "whether this is the data set of the run cannot be told, for an image cannot be read: the \
         held-out images alone are taken, and all if that split is asked for ({error})"
    )
}

/// The images but those that the run was trained without.
fn without(collection: Collection, unreadable: &UnreadableImages) -> Collection {
    let left_out: BTreeSet<usize> = unreadable.left_out(&collection).into_keys().collect();
    if left_out.is_empty() {
        return collection;
    }
    let note = match left_out.len() {
        1 => "1 image is left out, as in the run: it could not be read".to_owned(),
        count => format!("{count} images are left out, as in the run: they could not be read"),
    };
    let mut collection = collection.without(&left_out);
    collection.notes.push(note);
    collection
}

/// All images of a folder that nobody has split, and that is not the run's own.
fn with_note_of_all(mut all: Collection) -> Collection {
    let count = all.samples.len();
    all.notes.push(format!(
        "all {count} images are taken: this is not the data set of the run as it was then; images \
         that it has learned would flatter the figures"
    ));
    all
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

/// How the images of a run come to one size where they are shuffled.
pub(crate) fn canvas(recipe: &Recipe, images: &Collection) -> Canvas {
    let size = |index| images.files.as_ref().and_then(|files| files.size(index));
    let sizes = (0..images.samples.len()).map(size);
    padded(recipe, || groups(sizes))
}

/// How they do where each has its place.
pub(crate) fn canvas_in_order(recipe: &Recipe) -> Canvas {
    padded(recipe, Arc::default)
}

fn padded(recipe: &Recipe, groups: impl FnOnce() -> Arc<[u8]>) -> Canvas {
    let Some(detector) = &recipe.detector else {
        return Canvas::Equal;
    };
    let strides = recipe.network().map(|network| network.strides());
    Canvas::Padded(Padding {
        within: detector.inputs,
        multiple: strides.map_or(1, |strides| strides.last().copied().unwrap_or(1)),
        groups: groups(),
    })
}

/// Loads a collection in order and without augmentation.
pub fn plain_loader(config: &RunConfig, collection: &Collection, workers: usize) -> Loader {
    let recipe = &config.recipe;
    let batch_size = match recipe.detector {
        Some(_) => together(recipe.side(), EVAL_DETECTED, 1),
        None => together(recipe.side(), EVAL_BATCH, EVAL_PHOTOGRAPHS),
    };
    Loader {
        dataset: collection.samples.clone(),
        transform: recipe.eval_transform(),
        batch_size,
        workers,
        seed: config.recipe.seed,
        shuffled: false,
        masks: collection.masked,
        skips: Default::default(),
        canvas: canvas_in_order(recipe),
        drop_last: false,
    }
}
