//! What can go wrong with the folder of a run.

use std::io;
use std::path::{Path, PathBuf};

use crate::recipe::RecipeError;
use crate::weights::{Cause, WeightsError};

/// Why a folder, or a file in it, cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The operating system refused to read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The operating system refused to write; what was there before is intact.
    #[error("cannot write `{}`; free some space or choose a folder that can be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// A file in a folder that does not exist.
    #[error("cannot write `{}`: the folder `{}` does not exist", path.display(), folder.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// A folder that cannot be made or written.
    #[error("cannot write in `{}`", path.display())]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// A file that cannot be removed.
    #[error("cannot remove `{}`", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// A folder that cannot be locked.
    #[error("cannot lock `{}`", path.display())]
    Lock {
        /// The folder.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// A value that JSON cannot hold.
    #[error("this run cannot be described in JSON")]
    Json(#[from] serde_json::Error),
    /// Nothing at that path.
    #[error("there is no run at `{}`", .0.display())]
    NoRun(PathBuf),
    /// A folder of something else.
    #[error("`{}` is not a run (it has no {})", .0.display(), super::run_dir::CONFIG)]
    NotARun(PathBuf),
    /// A file where a folder should be.
    #[error("`{}` is a file, where a folder is expected", .0.display())]
    IsFile(PathBuf),
    /// A folder that holds something else.
    #[error(
        "`{}` has files in it but is not a run (no {}); nothing was changed",
        .0.display(),
        super::run_dir::CONFIG
    )]
    Occupied(PathBuf),
    /// A run that another process trains.
    #[error("another process is training in `{}`; wait for it", .0.display())]
    InUse(PathBuf),
    /// A run of another configuration than the one asked for.
    #[error(
        "`{}` is a run of another configuration; nothing was changed. What differs:{}",
        path.display(),
        differences.iter().map(|line| format!("\n  {line}")).collect::<String>()
    )]
    OtherConfiguration {
        /// The run.
        path: PathBuf,
        /// One line a setting: what it is in the run and what was asked for.
        differences: Vec<String>,
    },
    /// A configuration that cannot be used.
    #[error("`{}` cannot be used", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// Why.
        source: RecipeError,
    },
    /// A file that no longer holds what was written.
    #[error("`{}` is damaged; restore it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What its reader found.
        source: serde_json::Error,
    },
    /// A manifest of another layout.
    #[error(
        "`{}` was written by another version of abn (layout {found}, this one reads {known})",
        path.display()
    )]
    Version {
        /// The manifest.
        path: PathBuf,
        /// Its layout.
        found: u32,
        /// What is read.
        known: u32,
    },
    /// A manifest that points elsewhere.
    #[error("`{}` names `{file}`, which is no file beside it", path.display())]
    Outside {
        /// The manifest.
        path: PathBuf,
        /// What it names.
        file: String,
    },
    /// A run without weights yet.
    #[error("`{}` does not exist: the run has no checkpoint yet; train it first", .0.display())]
    NoCheckpoint(PathBuf),
    /// Weights that nothing continues from.
    #[error("`{}` holds weights but no training state to continue from", .0.display())]
    NoTrainingState(PathBuf),
    /// A checkpoint file that is missing or damaged.
    #[error("checkpoint file `{}` is missing or damaged; restore it", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckpointFault,
    },
    /// Weights that cannot be written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// What is wrong with a file of a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointFault {
    /// It cannot be read.
    #[error("cannot be read")]
    Read(#[from] io::Error),
    /// It was cut or replaced.
    #[error("has {found} bytes, its manifest says {expected}")]
    Size {
        /// Bytes of the file.
        found: u64,
        /// Bytes that were written.
        expected: u64,
    },
    /// It was changed.
    #[error("does not have the checksum of its manifest")]
    Checksum,
    /// It holds no weights.
    #[error(transparent)]
    Content(#[from] Cause),
}

impl FolderError {
    /// The error of reading that path, for [`Result::map_err`].
    pub fn reading(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read {
            path: path.clone(),
            source,
        }
    }

    /// The error of making or writing that folder, for [`Result::map_err`].
    pub fn writing_in(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unwritable {
            path: path.clone(),
            source,
        }
    }
}
