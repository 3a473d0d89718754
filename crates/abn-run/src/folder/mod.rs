//! How a run lies on a disk. Nothing else in this crate needs files.

pub mod checkpoint;
mod error;
pub mod files;
pub mod run_dir;

pub use self::error::{CheckpointFault, FolderError};
