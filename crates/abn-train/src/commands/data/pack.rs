//! `abn data pack`: photographs in one file.

use std::path::Path;

use abn_data::{DataError, PackError, PackOptions, PackedLabels, Stored, pack};
use abn_run::datasets::Objects;
use anyhow::{Result, ensure};
use indicatif::HumanBytes;
use serde::Serialize;

use super::{shown, threads};
use crate::cli::data::PackArgs;
use crate::interrupt::Interrupt;
use crate::terminal;
use crate::train::trainer::Ending;

/// A pack as JSON.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a Path,
    images: usize,
    bytes: u64,
    /// SHA-256 of the names, classes, splits and files that were packed.
    source: &'a str,
    left_out: Vec<LeftOut<'a>>,
}

#[derive(Serialize)]
struct LeftOut<'a> {
    image: &'a str,
    reason: &'a str,
}

/// What is told of each image.
fn labels(args: &PackArgs) -> Result<PackedLabels> {
    let name = args.dataset.name;
    ensure!(
        args.dataset.photographs,
        "images of {name} are not packed: their files are read fast as they are"
    );
    if args.dataset.tables {
        return Ok(PackedLabels::Several {
            labels: args.labels.clone(),
            crop: args.crop_to_object,
        });
    }
    let alone = |objects: &Objects| objects.alone;
    let (labels, have) = match args.dataset.objects.as_ref().is_some_and(alone) {
        true => (PackedLabels::Objects, "boxes"),
        false => (PackedLabels::One, "one label"),
    };
    ensure!(
        args.labels.is_none() && !args.crop_to_object,
        "images of {name} have {have} and no choice: --labels and --crop-to-object need \
         --dataset attributes"
    );
    Ok(labels)
}

/// Runs the command.
///
/// # Errors
/// The folder or an image cannot be read, or the file not be written.
pub(super) fn run(args: &PackArgs) -> Result<Ending> {
    let interrupt = Interrupt::listen()?;
    let progress = terminal::counter("packing", 0);
    let mut watch = |done, all| shown(&progress, &interrupt, done, all);
    let options = PackOptions {
        stored: args.size.map_or(Stored::AsTheyAre, Stored::Shorter),
        leave_out: args.skip_corrupt,
        workers: threads(args.workers),
        truth: None,
        labels: labels(args)?,
    };
    let packed = pack(&args.dir, &args.out, &options, &mut watch);
    progress.finish_and_clear();
    if let Err(DataError::Pack(stopped @ PackError::Stopped { .. })) = &packed {
        terminal::note(&stopped.to_string());
        return Ok(Ending::Interrupted);
    }
    let packed = packed?;
    for (image, reason) in &packed.unreadable {
        terminal::note(&format!("left out: {image}: {reason}"));
    }
    if args.json {
        let left_out = packed.unreadable.iter();
        terminal::json(&Line {
            file: &args.out,
            images: packed.images,
            bytes: packed.bytes,
            source: &packed.fingerprint,
            left_out: left_out
                .map(|(image, reason)| LeftOut { image, reason })
                .collect(),
        })?;
    } else {
        let left_out = match packed.unreadable.len() {
            0 => String::new(),
            count => format!(", {count} of them left out"),
        };
        terminal::result(&format!(
            "{}: {} images{left_out}, {}",
            args.out.display(),
            packed.images,
            HumanBytes(packed.bytes)
        ))?;
    }
    Ok(Ending::Finished)
}
