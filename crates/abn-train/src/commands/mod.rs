//! The commands, one a file: from arguments as typed to results on stdout.

pub mod eval;
pub mod explain;
pub mod export;
mod image_files;
pub mod import;
pub mod models;
mod output_folder;
pub mod predict;
mod raw_maps;
mod recipe_from_args;
pub mod score;
pub mod stability;
pub mod train;

/// A fraction as a percentage.
fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}
