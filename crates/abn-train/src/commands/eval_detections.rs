//! `abn eval --truth FILE --detections FILE`: COCO's figures of anybody's detections.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use abn_boxes::CocoError;
use abn_boxes::coco::{CategoryFigures, Figures, Instances, Stats, evaluate, read_results};
use abn_explain::columns::columns;
use anyhow::{Context, Result};

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
    terminal::result(&by_category(figures))
}

/// The twelve figures: precision and recall by overlap, size and number of detections.
fn together(stats: &Stats) -> String {
    let row = |name: &str, ious: &str, areas: &str, most: &str, value: f64| {
        [name, ious, areas, most, &percent(value)].map(str::to_owned)
    };
    let (precision, recall, all) = ("average precision", "average recall", "0.50 to 0.95");
    let rows = [
        row(precision, all, "all", "100", stats.ap),
        row(precision, "0.50", "all", "100", stats.ap50),
        row(precision, "0.75", "all", "100", stats.ap75),
        row(precision, all, "small", "100", stats.ap_small),
        row(precision, all, "medium", "100", stats.ap_medium),
        row(precision, all, "large", "100", stats.ap_large),
        row(recall, all, "all", "1", stats.ar1),
        row(recall, all, "all", "10", stats.ar10),
        row(recall, all, "all", "100", stats.ar100),
        row(recall, all, "small", "100", stats.ar_small),
        row(recall, all, "medium", "100", stats.ar_medium),
        row(recall, all, "large", "100", stats.ar_large),
    ];
    let header = ["", "overlap", "objects", "detections", "%"].map(str::to_owned);
    columns(header.into(), rows.map(Vec::from).into(), 3)
}

fn by_category(figures: &Figures) -> String {
    let rows = figures.categories.iter().map(|category| {
        let stats = &category.stats;
        let values = [stats.ap, stats.ap50, stats.ap75, stats.ar100].map(percent);
        let counts = [category.objects, category.detections].map(|count| count.to_string());
        let name = [category.name.clone()];
        name.into_iter().chain(counts).chain(values).collect()
    });
    let header = [
        "category",
        "objects",
        "detections",
        "AP",
        "AP50",
        "AP75",
        "AR100",
    ];
    columns(header.map(str::to_owned).into(), rows.collect(), 1)
}

/// A figure as COCO's users write it; nothing where no object counts.
fn percent(figure: f64) -> String {
    match figure < 0.0 {
        true => "-".to_owned(),
        false => format!("{:.1}", 100.0 * figure),
    }
}
