//! Looks at every image of a data set before anybody trains on it.
//!
//! Each image is decoded by what decodes it in training, once and in parallel; of each, its size and
//! two digests are kept. What is **wrong** should be mended: images that cannot be read, one picture
//! in two splits or in two classes, masks and boxes that fit no image, folders of classes without
//! images, on which training is refused. **Remarks** may be meant so: one picture twice in a class,
//! classes of very different sizes, images of strange sizes, missing masks, files left out.

mod balance;
mod damage;
mod look;
mod objects;
mod pass;
mod records;
mod report;
mod same;
mod sizes;
mod text;

use std::path::Path;

pub use damage::unreadable;
use look::Part;
pub use pass::Watch;
use records::Records;
pub use report::{
    ClassCount, Finding, LabelReport, Odd, Place, Report, Same, SameWhat, Sizes, SplitReport,
    Without,
};

use crate::folder::Survey;
use crate::{Collection, DataError, Split};

/// Checks a folder of photographs: all splits that it has, and both masks and boxes if it has both.
/// See [`image_folder`](crate::image_folder) for how it may be laid out. `workers` threads read, 0
/// for the calling one; the report does not depend on how many.
///
/// # Errors
/// The folder is not understood or cannot be read, or the watch ended the check. What is wrong with
/// single files is in the report.
pub fn check_folder(dir: &Path, workers: usize, watch: &mut Watch) -> Result<Report, DataError> {
    let survey = Survey::of(dir)?;
    let numbers = 0..survey.splits.len();
    let parts: Vec<Part> = numbers
        .map(|number| Part::Folder(&survey, number))
        .collect();
    let (records, mut report) = checked(&parts, workers, watch)?;
    let (wrong, remarks) = objects::of_folder(&survey, &records);
    report.wrong.extend(wrong);
    report.remarks.extend(remarks);
    let notes = survey.notes.iter().cloned();
    report
        .remarks
        .extend(notes.map(|note| Finding::Note { note }));
    Ok(report)
}

/// Checks splits of any data set: every image is read, and what can be told of images without files
/// of their own is in the report.
///
/// # Errors
/// The watch ended the check.
pub fn check_collections<'a>(
    splits: &[(Split, &'a Collection)],
    workers: usize,
    watch: &mut Watch,
) -> Result<Report, DataError> {
    let part = |(split, collection): &(Split, &'a Collection)| Part::Collection(*split, collection);
    let parts: Vec<Part> = splits.iter().map(part).collect();
    let (_, mut report) = checked(&parts, workers, watch)?;
    let mut notes: Vec<&String> = Vec::new();
    for note in splits.iter().flat_map(|(_, collection)| &collection.notes) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let notes = notes.into_iter().cloned();
    report
        .remarks
        .extend(notes.map(|note| Finding::Note { note }));
    Ok(report)
}

/// What every data set is checked for.
fn checked<'a>(
    parts: &'a [Part<'a>],
    workers: usize,
    watch: &mut Watch,
) -> Result<(Records<'a>, Report), DataError> {
    let (records, damage) = Records::read(parts, workers, watch)?;
    let (median, sizes) = sizes::sizes(&records);
    let same = same::same(&records);
    let (empty, uneven) = balance::balance(&records);
    let masks = objects::masks(&records);
    let report = Report {
        images: records.len(),
        splits: balance::splits(&records),
        sizes,
        wrong: [damage.images, same.wrong, empty.wrong, damage.masks].concat(),
        remarks: [
            same.remarks,
            empty.remarks,
            uneven,
            sizes::odd(&records, median),
            damage.empty_masks,
            masks,
        ]
        .concat(),
    };
    Ok((records, report))
}

/// What a split is called in reports.
fn split_name(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::HeldOut => "held-out",
        Split::Test => "test",
        Split::All => "all",
    }
}

#[cfg(test)]
mod tests;
