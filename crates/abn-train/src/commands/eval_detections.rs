//! `abn eval --truth FILE --detections FILE`: COCO's figures of anybody's detections.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use abn_boxes::CocoError;
use abn_boxes::coco::{CategoryFigures, Figures, Instances, evaluate, read_results};
use anyhow::{Context, Result};

use super::detection_tables::{by_category, together};
use crate::terminal;

/// Runs the command.
///
/// # Errors
/// A file is missing, damaged or contradicts itself or the other one.
pub(super) fn run(truth: &Path, detections: &Path, json: bool) -> Result<()> {
    let instances = read(truth, Instances::read)?;
    let found = read(detections, read_results)?;
    let measured = evaluate(&instances, &found).with_context(|| {
        format!(
            "`{}` does not fit `{}`",
            detections.display(),
            truth.display()
        )
    })?;
    if measured.unknown > 0 {
        let are = match measured.unknown {
            1 => "1 detection is of a category".to_owned(),
            count => format!("{count} detections are of categories"),
        };
        terminal::note(&format!(
            "{are} that `{}` does not have, and not counted",
            truth.display()
        ));
    }
    let figures = measured.figures();
    match json {
        true => terminal::json(&figures),
        false => print(&figures, measured.images),
    }
}

fn read<T>(path: &Path, parse: impl FnOnce(BufReader<File>) -> Result<T, CocoError>) -> Result<T> {
    let place = || format!("`{}` cannot be read as COCO's JSON", path.display());
    let file = File::open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
    parse(BufReader::new(file)).with_context(place)
}

fn print(figures: &Figures, images: usize) -> Result<()> {
    let sum =
        |of: fn(&CategoryFigures) -> usize| -> usize { figures.categories.iter().map(of).sum() };
    terminal::result(&format!(
        "objects {}, detections {}, images {images}",
        sum(|category| category.objects),
        sum(|category| category.detections)
    ))?;
    terminal::result(&together(&figures.stats))?;
    terminal::result("")?;
    terminal::result(&by_category(figures.categories.iter()))
}
