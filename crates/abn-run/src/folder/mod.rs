//! How a run lies on a disk.

pub mod checkpoint;
pub mod files;
pub mod foreign;
pub mod run_dir;
pub mod weights;
