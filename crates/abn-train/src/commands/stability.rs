//! `abn stability`: how alike several runs look at the same images.

use std::fs;
use std::path::PathBuf;

use abn_core::explain::Method;
use abn_data::Collection;
use abn_explain::stability::{
    MapQuery, MapScale, RunMaps, StabilityReport, compare, csv, doubts, look, open_configs, text,
};
use abn_pages::heatmap::{Drawing, Range};
use abn_pages::{Example, StabilityPage, render_stability};
use abn_run::class_name::group_of;
use abn_run::folder::FolderError;
use abn_run::folder::files::write_atomically;
use abn_run::recipe::RunConfig;
use abn_run::session::Session;
use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::ValueEnum;
use serde::Serialize;

use crate::cli::{NetworkArgs, SplitName, StabilityArgs};
use crate::device::{self, check};
use crate::terminal;

/// Name of the page.
pub const PAGE: &str = "stability.html";
/// Name of the file with a line an image.
const TABLE: &str = "stability.csv";
/// Images shown on the page of the most alike maps, and as many of the least.
const SHOWN: usize = 4;

/// The JSON contract of the command.
#[derive(Debug, Serialize)]
struct StabilityJson<'a> {
    method: &'a str,
    layer: &'a str,
    scale: MapScale,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    dataset: String,
    split: &'a str,
    /// Of a data set of files, that of each image, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paths: Vec<String>,
    #[serde(flatten)]
    report: &'a StabilityReport,
}

/// Runs the command.
///
/// # Errors
/// A run or the data set is missing or damaged, the runs cannot be compared, or the folder not be
/// written.
pub fn run(args: StabilityArgs) -> Result<()> {
    let device = device::open(args.network.device.as_deref())?;
    let configs = open_configs(&args.runs)?;
    let query = query(&args, &configs)?;
    let first = (args.runs[0].as_path(), &configs[0]);
    let images = super::images(first, &args.images, None, Some(args.limit))?;
    let group = group_of(&images.labels, query.group.as_deref())?;
    let classes = &images.labels.groups()[group].classes;
    if let Some(out) = &args.out {
        fs::create_dir_all(out).map_err(FolderError::writing_in(out))?;
    }
    for doubt in doubts(&args.runs, &configs) {
        terminal::note(&format!("warning: {doubt}"));
    }
    let queries = vec![query.clone(); args.runs.len()];
    let (workers, network) = (args.images.workers, &args.network);
    let runs = look_at_all(&args.runs, &queries, &images, workers, network, &device)?;
    let pairs = terminal::counter("comparing", runs.len() * (runs.len() - 1) / 2);
    let report = compare(&runs, classes, args.threshold, || pairs.inc(1));
    pairs.finish_and_clear();
    if let Some(out) = &args.out {
        let page = StabilityPage {
            title: format!("Where {} runs look", runs.len()),
            subtitle: headline(&args, &configs[0], &query, &report),
            scale: query.scale,
            drawing: drawing(&query, &configs),
            examples: examples(&configs[0], &images, group, &runs, &report)?,
            report: report.clone(),
        };
        write_atomically(
            &out.join(TABLE),
            &csv(&report, classes, images.files.as_deref())?,
        )?;
        write_atomically(&out.join(PAGE), render_stability(&page).as_bytes())?;
    }
    print(&args, &configs[0], &query, &images, &report)
}

fn query(args: &StabilityArgs, configs: &[RunConfig]) -> Result<MapQuery> {
    let method = args.method;
    let scale = args.scale;
    let labels = &configs[0].labels;
    let group = &labels.groups()[group_of(labels, args.group.as_deref())?].name;
    let query = MapQuery {
        method,
        layer: args.layer,
        scale: scale.unwrap_or_else(|| MapScale::usual(method, configs.iter())),
        group: labels.only().is_none().then(|| group.clone()),
    };
    for (path, config) in args.runs.iter().zip(configs) {
        method.check(&config.model, args.layer).with_context(|| {
            format!(
                "`{}` cannot be compared by --method {}",
                path.display(),
                args.method.name()
            )
        })?;
    }
    Ok(query)
}

/// One run after the other, each by its own query: of each only its maps and predictions are kept.
pub(super) fn look_at_all(
    runs: &[PathBuf],
    queries: &[MapQuery],
    images: &Collection,
    workers: usize,
    network: &NetworkArgs,
    device: &Device,
) -> Result<Vec<RunMaps>> {
    let progress = terminal::counter("looking", runs.len() * images.samples.len());
    let mut seen = Vec::new();
    for (path, query) in runs.iter().zip(queries) {
        let session = Session::open(path, network.checkpoint, device.clone())?;
        if !network.no_check {
            check::before_use(&session)?;
        }
        let name = path.display().to_string();
        let count = |images| progress.inc(images as u64);
        seen.push(look(&name, &session, images, query, workers, count)?);
    }
    progress.finish_and_clear();
    Ok(seen)
}

fn print(
    args: &StabilityArgs,
    config: &RunConfig,
    query: &MapQuery,
    images: &Collection,
    report: &StabilityReport,
) -> Result<()> {
    if args.json {
        return terminal::json(&StabilityJson {
            method: query.method.name(),
            layer: query.layer.name(),
            scale: query.scale,
            group: query.group.as_deref(),
            dataset: config.data_title(),
            split: &name_of(&args.images.split.unwrap_or(SplitName::Test)),
            paths: super::paths(images),
            report,
        });
    }
    terminal::result(&headline(args, config, query, report))?;
    terminal::result(&text(report))?;
    match &args.out {
        Some(out) => terminal::result(&format!("page {}", out.join(PAGE).display())),
        None => {
            terminal::note(
                "--out DIR writes a page with the threshold curve, the classes and examples",
            );
            Ok(())
        }
    }
}

/// What was measured, in a line.
fn headline(
    args: &StabilityArgs,
    config: &RunConfig,
    query: &MapQuery,
    report: &StabilityReport,
) -> String {
    format!(
        "{} maps{} of {} runs on {} {} images of {}; IoU at {} of 255, maps {}",
        query.method.title(),
        query
            .group
            .iter()
            .map(|group| format!(" of {group} classes"))
            .collect::<String>(),
        report.runs.len(),
        report.images,
        name_of(&args.images.split.unwrap_or(SplitName::Test)),
        config.data_title(),
        report.threshold,
        if query.scale == MapScale::Raw {
            "as they are"
        } else {
            "normalised per image"
        }
    )
}

/// Maps that are known to lie in [0, 1] share a scale of colours.
fn drawing(query: &MapQuery, configs: &[RunConfig]) -> Drawing {
    let sigmoid = |config: &RunConfig| {
        config
            .model
            .attention
            .as_ref()
            .is_some_and(|attention| attention.map.is_bounded())
    };
    let trained = query.method == Method::Attention && configs.iter().all(sigmoid);
    let range = if trained || query.scale == MapScale::PerImage {
        Range::Unit
    } else {
        Range::PerImage
    };
    Drawing {
        range,
        ..Drawing::default()
    }
}

/// The images on which the maps are the most alike, and then those on which they are the least.
fn examples(
    config: &RunConfig,
    images: &Collection,
    group: usize,
    runs: &[RunMaps],
    report: &StabilityReport,
) -> Result<Vec<Example>> {
    let transform = config.recipe.eval_transform();
    let example = |(image, iou): (usize, f64)| {
        let sample = images.samples.get(image)?;
        let label = sample.target.of(group);
        let name = |class: usize| images.labels.name(group, class).to_owned();
        let wrong = |run: &RunMaps| {
            let class = run.predicted[image];
            (Some(class) != label).then(|| name(class))
        };
        Ok(Example {
            image: transform.fixed(sample.image)?,
            number: image,
            iou,
            label: label.map(name).unwrap_or_default(),
            maps: runs.iter().map(|run| run.maps[image].clone()).collect(),
            wrong: runs.iter().map(wrong).collect(),
        })
    };
    report.extremes(SHOWN).into_iter().map(example).collect()
}

/// The name of a choice as typed.
fn name_of(choice: &impl ValueEnum) -> String {
    choice
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
