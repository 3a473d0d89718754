//! `abn data check`: every image of a data set is read, and what is wrong named.

use std::ops::ControlFlow;

use abn_data::{
    Collection, DataError, Report, Split, Verified, Watch, check_collections, check_folder,
    is_pack, verify,
};
use abn_run::RunError;
use abn_run::datasets::{Place, Request};
use anyhow::{Result, bail, ensure};

use super::threads;
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
    let mut watch = |done, all| {
        progress.set_length(all as u64);
        progress.set_position(done as u64);
        match interrupt.requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
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
    if dataset.photographs && args.dir.is_dir() {
        return Ok(check_folder(&args.dir, workers, watch)?);
    }
    let open = |split| dataset.open(&Request::of(split, Some(&args.dir)));
    let train = open(Split::Train).map_err(RunError::DataSet)?;
    let mut splits = vec![(Split::Train, train)];
    splits.push((
        Split::HeldOut,
        open(Split::HeldOut).map_err(RunError::DataSet)?,
    ));
    let splits: Vec<(Split, &Collection)> = splits
        .iter()
        .map(|(split, images)| (*split, images))
        .collect();
    Ok(check_collections(&splits, workers, watch)?)
}
