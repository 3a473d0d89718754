//! What a run is: everything that decides it, what lies in its folder, and how it is measured.

pub mod class_name;
pub mod datasets;
pub mod digest;
pub mod folder;
pub mod measure;
pub mod recipe;
pub mod session;
pub mod view;
