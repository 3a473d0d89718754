//! What a run is: everything that decides it, what lies in its folder, and how it is measured.

pub mod class_name;
pub mod datasets;
pub mod digest;
mod error;
#[cfg(feature = "files")]
pub mod folder;
pub mod images;
pub mod measure;
pub mod recipe;
pub mod session;
pub mod view;
pub mod weights;

pub use error::RunError;
