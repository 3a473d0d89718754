//! `abn data check`: every image of a data set is read, and what is wrong named.

use abn_data::{
    Collection, DataError, Report, Split, Verified, Watch, check_collections, check_folder,
    is_pack, verify,
};
use abn_run::RunError;
use abn_run::datasets::{Place, Request};
use anyhow::{Result, bail, ensure};

use super::{shown, threads};
use crate::cli::data::CheckArgs;
use crate::interrupt::Interrupt;
use crate::terminal;
use crate::train::trainer::Ending;

/// Runs the command.
///
/// # Errors
/// The data set cannot be opened, or something is wrong with it.
pub(super) fn run(args: &CheckArgs) -> Result<Ending> {
    let interrupt = Interrupt::listen()?;
    let progress = terminal::counter("checking", 0);
    let mut watch = |done, all| shown(&progress, &interrupt, done, all);
    let report = check(args, &mut watch);
    progress.finish_and_clear();
    let report = match report {
        Err(RunError::Data(error @ DataError::Stopped { .. })) => {
            terminal::note(&error.to_string());
            return Ok(Ending::Interrupted);
        }
        report => report?,
    };
    if args.json {
        terminal::json(&report)?;
    } else {
        terminal::result(report.to_string().trim_end())?;
    }
    if is_pack(&args.dir) {
        let Verified { damaged, .. } = verify(&args.dir, threads(args.workers))?;
        ensure!(
            damaged.is_empty(),
            "not as they were packed in `{}`: {} of the images, the first is {}",
            args.dir.display(),
            damaged.len(),
            damaged[0]
        );
    }
    match report.wrong.len() {
        0 => Ok(Ending::Finished),
        1 => bail!("one thing is wrong with `{}`", args.dir.display()),
        wrong => bail!("{wrong} things are wrong with `{}`", args.dir.display()),
    }
}

fn check(args: &CheckArgs, watch: &mut Watch) -> Result<Report, RunError> {
    let (dataset, workers) = (args.dataset, threads(args.workers));
    if dataset.place == Place::BuiltIn {
        dataset.folder(Some(&args.dir), None)?;
    }
    if dataset
        .objects
        .as_ref()
        .is_some_and(|objects| objects.alone)
    {
        return check_objects(args, workers, watch);
    }
    let in_classes = dataset.photographs && !dataset.tables && args.dir.is_dir();
    if in_classes && args.labels.is_none() {
        return Ok(check_folder(&args.dir, workers, watch)?);
    }
    let open = |split| {
        let opened = dataset.open(&Request {
            labels: args.labels.as_deref(),
            ..Request::of(split, Some(&args.dir))
        });
        opened.map_err(RunError::DataSet)
    };
    let (train, held_out, test) = (
        open(Split::Train)?,
        open(Split::HeldOut)?,
        open(Split::Test)?,
    );
    let mut splits = vec![(Split::Train, &train), (Split::HeldOut, &held_out)];
    if are_apart(&test, &held_out) {
        splits.push((Split::Test, &test));
    }
    Ok(check_collections(&splits, workers, watch)?)
}

/// Images with objects in them, of which not every split need be there.
fn check_objects(args: &CheckArgs, workers: usize, watch: &mut Watch) -> Result<Report, RunError> {
    let open = |split| {
        let request = Request {
            objects: true,
            labels: args.labels.as_deref(),
            ..Request::of(split, Some(&args.dir))
        };
        args.dataset.open(&request).map_err(RunError::DataSet)
    };
    let mut opened: Vec<(Split, Collection)> = Vec::new();
    let mut refused = None;
    for split in [Split::Train, Split::HeldOut, Split::Test] {
        match open(split) {
            Ok(images) => {
                let last = opened.last().map(|(_, last)| last);
                if last.is_none_or(|last| are_apart(&images, last)) {
                    opened.push((split, images));
                }
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let splits: Vec<(Split, &Collection)> = opened
        .iter()
        .map(|(split, images)| (*split, images))
        .collect();
    match refused.filter(|_| splits.is_empty()) {
        Some(error) => Err(error),
        None => Ok(check_collections(&splits, workers, watch)?),
    }
}

/// Whether test images are others than those held out, which stand in for them where there are none.
fn are_apart(test: &Collection, held_out: &Collection) -> bool {
    let first = |images: &Collection| images.files.as_ref().map(|files| files.name(0));
    test.samples.len() != held_out.samples.len() || first(test) != first(held_out)
}
