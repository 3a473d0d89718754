//! Images that cannot be read: all of them are named at once, or left out.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::ops::ControlFlow;

use abn_data::{Collection, DataError};
use abn_run::RunError;
use abn_run::folder::run_dir::RunDir;
use abn_run::training_images::TrainingImages;
use abn_run::unreadable::UNREADABLE;
use anyhow::{Result, anyhow, ensure};

use crate::terminal;

/// Images that are named on the terminal.
const NAMED: usize = 8;

/// The images of a collection but those that cannot be read, which are named on stderr.
///
/// # Errors
/// More than that share of them cannot be read.
pub(crate) fn without(images: Collection, most: f64, workers: usize) -> Result<Collection> {
    let unreadable = all_of("checking", &images, workers)?;
    if unreadable.is_empty() {
        return Ok(images);
    }
    let all = images.samples.len();
    let names = named(&images, &unreadable);
    ensure!(
        unreadable.len() as f64 <= most * all as f64,
        "{} of {all} images cannot be read, more than --max-corrupt {most} allows: {}",
        unreadable.len(),
        shown(&names)
    );
    terminal::note(&format!(
        "{} of {all} images cannot be read and are left out: {}",
        unreadable.len(),
        shown(&names)
    ));
    let indices: BTreeSet<usize> = unreadable.into_keys().collect();
    Ok(images.without(&indices))
}

/// What ended a training, with all that is like it: if an image could not be read, all such images
/// of its data set are looked for, and listed in the run if there is one.
pub(crate) fn with_all(
    error: anyhow::Error,
    images: &TrainingImages,
    run: Option<&RunDir>,
    workers: usize,
) -> anyhow::Error {
    if !error.chain().any(is_damage) {
        return error;
    }
    terminal::note(&format!("{error:#}"));
    match search(images, run, workers) {
        Ok(Some(found)) => found,
        Ok(None) => error,
        Err(other) => other.context(error),
    }
}

/// Whether that is what became of one image.
fn is_damage(cause: &(dyn Error + 'static)) -> bool {
    let of_run = cause.downcast_ref().and_then(|error| match error {
        RunError::Data(error) => Some(error),
        _ => None,
    });
    of_run
        .or(cause.downcast_ref())
        .is_some_and(DataError::is_damage)
}

fn search(
    images: &TrainingImages,
    run: Option<&RunDir>,
    workers: usize,
) -> Result<Option<anyhow::Error>> {
    let [train, test] = images.splits();
    let skips = [images.unreadable.of_training(), images.unreadable.of_test()];
    let mut found = [
        all_of("checking", train, workers)?,
        all_of("checking", test, workers)?,
    ];
    for (found, skips) in found.iter_mut().zip(skips) {
        found.retain(|index, _| !skips.holds(*index));
    }
    let names = [named(train, &found[0]), named(test, &found[1])].concat();
    if names.is_empty() {
        return Ok(None);
    }
    if let Some(run) = run {
        images.unreadable.record(run, &found)?;
    }
    let listed = match run {
        Some(run) => format!(" (all in `{}`)", run.path().join(UNREADABLE).display()),
        None => String::new(),
    };
    Ok(Some(anyhow!(
        "{} cannot be read{listed}:{}\n\
         Repair or remove them, or leave them out with --on-corrupt skip: then the same command \
         goes on",
        counted(names.len()),
        shown(&names)
    )))
}

/// The images of a collection that cannot be read, by index, with the reason.
fn all_of(
    what: &'static str,
    images: &Collection,
    workers: usize,
) -> Result<BTreeMap<usize, String>> {
    let progress = terminal::counter(what, images.samples.len());
    let found = abn_data::unreadable(images, workers, &mut |done, _| {
        progress.set_position(done as u64);
        ControlFlow::Continue(())
    })?;
    progress.finish_and_clear();
    let in_full = |error: DataError| format!("{:#}", anyhow::Error::from(error));
    Ok(found
        .into_iter()
        .map(|(index, error)| (index, in_full(error)))
        .collect())
}

/// What is wrong with each image.
fn named(images: &Collection, unreadable: &BTreeMap<usize, String>) -> Vec<String> {
    let line = |(index, reason): (&usize, &String)| match images.files {
        // The reason names the file.
        Some(_) => reason.clone(),
        None => format!("image {index}: {reason}"),
    };
    unreadable.iter().map(line).collect()
}

fn counted(images: usize) -> String {
    match images {
        1 => "1 image".to_owned(),
        images => format!("{images} images"),
    }
}

/// The first of many, one a line.
fn shown(names: &[String]) -> String {
    let mut text = String::new();
    for name in names.iter().take(NAMED) {
        text.push_str("\n  ");
        text.push_str(name);
    }
    match names.len().saturating_sub(NAMED) {
        0 => text,
        more => format!("{text}\n  and {more} more"),
    }
}
