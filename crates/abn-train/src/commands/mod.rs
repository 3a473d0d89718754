//! The commands, one a file: from arguments as typed to results on stdout.

pub mod eval;
pub mod explain;
pub mod export;
mod image_files;
pub mod import;
pub mod manual;
pub mod models;
mod output_folder;
pub mod predict;
mod recipe_from_args;
pub mod score;
pub mod stability;
pub mod train;

use std::path::Path;

use abn_data::{Collection, Truth};
use abn_run::images::{Choice, open_images};
use abn_run::measure::records::Figures;
use abn_run::recipe::RunConfig;
use abn_run::session::Session;
use anyhow::Result;

use crate::cli::{NetworkArgs, SplitArgs};
use crate::device;
use crate::terminal;

/// The run at that path with the weights and on the device asked for.
fn open(run: &Path, network: &NetworkArgs) -> Result<Session> {
    let device = device::open(network.device.as_deref())?;
    Ok(Session::open(run, network.checkpoint, device)?)
}

/// The images that are asked for; says what is to be known of them.
fn images(config: &RunConfig, args: &SplitArgs, truth: Option<Truth>) -> Result<Collection> {
    let images = open_images(
        config,
        Choice {
            split: args.asked(),
            data: args.data.as_deref(),
            truth,
        },
    )?;
    images.notes.iter().for_each(|note| terminal::note(note));
    Ok(images)
}

/// All figures in a line.
fn figures(figures: &Figures) -> String {
    let named = figures.named().into_iter();
    let texts: Vec<String> = named
        .map(|(name, value)| format!("{name} {}", percent(value)))
        .collect();
    texts.join(", ")
}

/// A fraction as a percentage.
fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}
