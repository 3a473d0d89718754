//! `abn compare`: runs side by side on one page.

use std::collections::BTreeMap;
use std::fs;

use abn_core::explain::{Layer, Method};
use abn_data::Collection;
use abn_explain::AnalysisError;
use abn_explain::columns::columns;
use abn_explain::paired::{Paired, paired};
use abn_explain::stability::{MapQuery, MapScale, RunMaps, doubts, open_configs, refuse_twice};
use abn_pages::heatmap::Drawing;
use abn_pages::{
    ComparedImage, ComparedRun, ComparedSetting, ComparisonPage, MOST_RUNS, SameImages,
    render_comparison,
};
use abn_run::class_name::group_of;
use abn_run::folder::FolderError;
use abn_run::folder::files::write_atomically;
use abn_run::folder::run_dir::{METRICS, RunDir, TIMING};
use abn_run::recipe::RunConfig;
use anyhow::{Result, ensure};
use serde::Serialize;

use super::stability::look_at_all;
use crate::cli::CompareArgs;
use crate::device;
use crate::terminal;

/// Name of the page.
pub const PAGE: &str = "compare.html";
/// Images shown that some runs tell and others do not.
const DIFFERING: usize = 6;
/// Images shown that all runs tell, and as many that none does.
const ALIKE: usize = 2;

/// The JSON contract of the command.
#[derive(Debug, Serialize)]
struct CompareJson<'a> {
    page: String,
    runs: Vec<RunJson<'a>>,
    settings: Vec<SettingJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<ImagesJson<'a>>,
}

#[derive(Debug, Serialize)]
struct RunJson<'a> {
    path: &'a str,
    network: &'a str,
    dataset: &'a str,
    epochs: usize,
    planned_epochs: usize,
    parameters: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_epoch: Option<usize>,
    figures: BTreeMap<&'static str, f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<f64>,
}

#[derive(Debug, Serialize)]
struct SettingJson<'a> {
    name: &'a str,
    values: &'a [Option<String>],
}

#[derive(Debug, Serialize)]
struct ImagesJson<'a> {
    count: usize,
    right: &'a [f64],
    beside_first: &'a [Paired],
}

/// Runs the command.
///
/// # Errors
/// A run is missing, damaged or named twice, there are too many, an image cannot be read, or the
/// page not be written.
pub fn run(args: CompareArgs) -> Result<()> {
    ensure!(
        args.runs.len() <= MOST_RUNS,
        "{} runs cannot be told apart on a page: name at most {MOST_RUNS}",
        args.runs.len()
    );
    refuse_twice(&args.runs)?;
    let bookkeeping = device::for_bookkeeping()?;
    let (mut runs, mut configs) = (Vec::new(), Vec::new());
    for path in &args.runs {
        let (run, config) = RunDir::open(path)?;
        runs.push(ComparedRun {
            path: path.display().to_string(),
            title: config.recipe.title(),
            data: config.data_title(),
            planned: config.recipe.epochs,
            epochs: run.read_lines(METRICS)?,
            timing: run.read_lines(TIMING)?,
            parameters: config.parameters(&bookkeeping),
        });
        configs.push(config);
    }
    let (settings, same_settings) = settings(&configs);
    let (images, without_images) = match same_images(&args, &configs)? {
        Ok(images) => (Some(images), None),
        Err(why) => (None, (!args.no_images).then_some(why)),
    };
    let page = ComparisonPage {
        title: format!("{} runs side by side", runs.len()),
        subtitle: runs[0].data.clone(),
        runs,
        settings,
        same_settings,
        images,
        without_images,
    };
    fs::create_dir_all(&args.out).map_err(FolderError::writing_in(&args.out))?;
    write_atomically(&args.out.join(PAGE), render_comparison(&page).as_bytes())?;
    print(&args, &page)
}

/// Settings that are not the same in all runs, and the number of those that are.
fn settings(configs: &[RunConfig]) -> (Vec<ComparedSetting>, usize) {
    let of_runs: Vec<Vec<(String, String)>> = configs.iter().map(RunConfig::settings).collect();
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in of_runs.iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let value = |run: &Vec<(String, String)>, name: &String| {
        let found = run.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.clone())
    };
    let all = names.into_iter().map(|name| ComparedSetting {
        name: name.clone(),
        values: of_runs.iter().map(|run| value(run, name)).collect(),
    });
    let differs = |setting: &ComparedSetting| {
        setting
            .values
            .iter()
            .any(|value| *value != setting.values[0])
    };
    let (differing, same): (Vec<_>, Vec<_>) = all.partition(differs);
    (differing, same.len())
}

/// What the runs see in the same images, or why they are not shown any.
fn same_images(
    args: &CompareArgs,
    configs: &[RunConfig],
) -> Result<std::result::Result<SameImages, String>> {
    if args.no_images {
        return Ok(Err(String::new()));
    }
    if configs
        .iter()
        .any(|config| config.recipe.detector.is_some())
    {
        return Ok(Err(
            "Detectors are compared by their figures and curves alone.".to_owned(),
        ));
    }
    match open_configs(&args.runs) {
        Err(AnalysisError::NotComparable(why)) => {
            terminal::note(&format!("note: the runs are shown no images: {why}"));
            return Ok(Err(why));
        }
        opened => opened?,
    };
    for doubt in doubts(&args.runs, configs) {
        terminal::note(&format!("warning: {doubt}"));
    }
    let device = device::open(args.network.device.as_deref())?;
    let first = (args.runs[0].as_path(), &configs[0]);
    let images = super::images(first, &args.images, None, Some(args.limit))?;
    let group = group_of(&images.labels, args.group.as_deref())?;
    let queries = configs.iter().map(|config| query(args, config, group));
    let queries: Vec<MapQuery> = queries.collect::<Result<_>>()?;
    let (workers, network) = (args.images.workers, &args.network);
    let seen = look_at_all(&args.runs, &queries, &images, workers, network, &device)?;
    let right: Vec<Vec<bool>> = seen.iter().map(told_rightly).collect();
    let share = |right: &Vec<bool>| {
        let count = right.iter().filter(|right| **right).count();
        count as f64 / right.len().max(1) as f64
    };
    let method = |config: &RunConfig| method_of(args, config).title();
    Ok(Ok(SameImages {
        count: images.samples.len(),
        right: right.iter().map(share).collect(),
        beside_first: right[1..]
            .iter()
            .map(|other| paired(&right[0], other))
            .collect(),
        methods: configs.iter().map(method).collect(),
        drawings: configs
            .iter()
            .map(|config| match method_of(args, config) {
                Method::Attention => Drawing::of(config.model.attention.as_ref()),
                _ => Drawing::default(),
            })
            .collect(),
        examples: examples(&configs[0], &images, group, &seen, &right)?,
    }))
}

/// How a run is explained.
fn method_of(args: &CompareArgs, config: &RunConfig) -> Method {
    let own = match config.model.attention {
        Some(_) => Method::Attention,
        None => Method::GradCam,
    };
    args.method.unwrap_or(own)
}

/// How the maps of a run are asked for.
fn query(args: &CompareArgs, config: &RunConfig, group: usize) -> Result<MapQuery> {
    let (method, layer) = (method_of(args, config), Layer::default());
    method.check(&config.model, layer)?;
    let several = config.labels.only().is_none();
    Ok(MapQuery {
        method,
        layer,
        scale: MapScale::usual(method, std::iter::once(config)),
        group: several.then(|| config.labels.groups()[group].name.clone()),
    })
}

fn told_rightly(run: &RunMaps) -> Vec<bool> {
    let pairs = run.predicted.iter().zip(&run.labels);
    pairs.map(|(told, label)| told == label).collect()
}

/// Images that the runs tell most differently, then some that all or none tell.
fn examples(
    config: &RunConfig,
    images: &Collection,
    group: usize,
    seen: &[RunMaps],
    right: &[Vec<bool>],
) -> Result<Vec<ComparedImage>> {
    let votes = |image: usize| right.iter().filter(|run| run[image]).count();
    let differing = |image: &usize| (1..right.len()).contains(&votes(*image));
    let all = 0..images.samples.len();
    let mut chosen: Vec<usize> = all.clone().filter(differing).collect();
    // Closest to a tie first.
    chosen.sort_by_key(|image| votes(*image).abs_diff(right.len() - votes(*image)));
    chosen.truncate(DIFFERING);
    for told in [right.len(), 0] {
        chosen.extend(
            all.clone()
                .filter(|image| votes(*image) == told)
                .take(ALIKE),
        );
    }
    let transform = config.recipe.eval_transform();
    let example = |image: usize| {
        let name = |class: usize| images.labels.name(group, class).to_owned();
        let of_run = |run: &RunMaps| {
            let told = run.predicted[image];
            (
                run.maps[image].clone(),
                name(told),
                told == run.labels[image],
            )
        };
        let file = images.files.as_ref().map(|files| files.name(image));
        Ok(ComparedImage {
            image: transform.fixed(images.samples.get(image)?.image)?,
            name: file.unwrap_or_else(|| format!("image {image}")),
            label: name(seen[0].labels[image]),
            seen: seen.iter().map(of_run).collect(),
        })
    };
    chosen.into_iter().map(example).collect()
}

fn print(args: &CompareArgs, page: &ComparisonPage) -> Result<()> {
    let file = args.out.join(PAGE);
    if args.json {
        return terminal::json(&CompareJson {
            page: file.display().to_string(),
            runs: page.runs.iter().map(run_json).collect(),
            settings: page
                .settings
                .iter()
                .map(|setting| SettingJson {
                    name: &setting.name,
                    values: &setting.values,
                })
                .collect(),
            images: page.images.as_ref().map(|images| ImagesJson {
                count: images.count,
                right: &images.right,
                beside_first: &images.beside_first,
            }),
        });
    }
    terminal::result(&table(page))?;
    if let Some(images) = &page.images {
        terminal::result(&beside_first(page, images))?;
    }
    terminal::result(&format!("page {}", file.display()))
}

fn run_json(run: &ComparedRun) -> RunJson<'_> {
    let best = run.best_epoch();
    let figures = best.map(|record| record.test.figures.main());
    RunJson {
        path: &run.path,
        network: &run.title,
        dataset: &run.data,
        epochs: run.epochs.len(),
        planned_epochs: run.planned,
        parameters: run.parameters,
        best_epoch: best.map(|record| record.epoch),
        figures: figures.unwrap_or_default().into_iter().collect(),
        loss: best.map(|record| record.test.loss),
    }
}

/// A line a run.
fn table(page: &ComparisonPage) -> String {
    let header = ["run", "network", "epochs", "best", "test", "loss"];
    let line = |run: &ComparedRun| {
        let best = run.best_epoch();
        let figures = best.map(|record| super::figures(&record.test.figures));
        vec![
            run.path.clone(),
            run.title.clone(),
            format!("{} of {}", run.epochs.len(), run.planned),
            best.map_or("-".to_owned(), |record| record.epoch.to_string()),
            figures.unwrap_or_else(|| "-".to_owned()),
            best.map_or("-".to_owned(), |record| format!("{:.3}", record.test.loss)),
        ]
    };
    let rows = page.runs.iter().map(line).collect();
    columns(header.map(str::to_owned).into(), rows, 2)
}

/// What the runs tell of the same images, in lines.
fn beside_first(page: &ComparisonPage, images: &SameImages) -> String {
    let line = |(run, found): (&ComparedRun, &Paired)| {
        let interval = found.difference.map_or(String::new(), |found| {
            let points = |share: f64| format!("{:+.1}", 100.0 * share);
            format!(
                ", {} points ({} to {})",
                points(found.mean),
                points(found.low),
                points(found.high)
            )
        });
        format!(
            "{} beside {}: {} of {} images told by it alone, {} by the other alone{interval}",
            run.path, page.runs[0].path, found.better, images.count, found.worse
        )
    };
    let lines: Vec<String> = page.runs[1..]
        .iter()
        .zip(&images.beside_first)
        .map(line)
        .collect();
    lines.join("\n")
}
