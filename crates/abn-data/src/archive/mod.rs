//! What archives of images have in common: which file is for which split, what a label means, in
//! which order the images come.
//!
//! ```text
//! DIR/train-000.tar + DIR/val-000.tar ...    splits by the words in the files' names
//! DIR/train/*.tar + DIR/val/*.tar            splits by folder
//! DIR/*.tar, or one file                     split by seed
//! DIR/data/..., DIR/NAME/...                 the same in the only folder that holds such files
//! ```
//!
//! Words are those of `role.rs`: `imagenet1k-validation-00.tar` and `test-00000-of-00002.parquet`
//! are splits.

mod classes;
mod files;
mod given;
mod label;
#[cfg(feature = "tar")]
mod names;
mod turns;

use std::path::Path;

pub(crate) use self::classes::Classes;
pub(crate) use self::files::{Archives, Kind, holds};
pub(crate) use self::given::given_names;
#[cfg(feature = "parquet")]
pub(crate) use self::given::names_in;
pub(crate) use self::label::{Interner, Label};
#[cfg(feature = "tar")]
pub(crate) use self::names::Names;
pub(crate) use self::turns::turns;
pub(crate) use crate::error::shown;
use crate::{DataError, Truth};

/// The most classes there can be, so that a single number makes no endless list.
pub(crate) const MOST_CLASSES: usize = 100_000;

/// An archive that is not understood, and what to do.
pub(crate) fn refused(path: &Path, reason: impl Into<String>) -> DataError {
    DataError::Archive {
        path: path.into(),
        reason: reason.into(),
    }
}

/// The folder of the archives, or the one that an archive lies in.
pub(crate) fn beside(dir: &Path) -> &Path {
    match dir.parent() {
        Some(folder) if dir.is_file() => folder,
        _ => dir,
    }
}

/// Refuses a kind of truth that archives of that sort do not have.
pub(crate) fn without(dir: &Path, asked: Option<Truth>, has: &[Truth]) -> Result<(), DataError> {
    let expected = match asked {
        Some(Truth::Masks) if !has.contains(&Truth::Masks) => "masks",
        Some(Truth::Boxes) if !has.contains(&Truth::Boxes) => "boxes",
        _ => return Ok(()),
    };
    let reason = format!("its images have no {expected}; measure without them");
    Err(refused(dir, reason))
}
