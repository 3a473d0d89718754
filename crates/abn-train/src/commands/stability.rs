//! `abn stability`: how alike several runs look at the same images.

use std::fs;
use std::path::Path;

use abn_data::Collection;
use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::ValueEnum;
use serde::Serialize;

use crate::cli::StabilityArgs;
use crate::device;
use crate::terminal;
use abn_explain::stability::{
    Ask, Comparison, Scale, Seen, compare, csv, doubts, look, open_configs, text,
};
use abn_pages::heatmap::{Drawing, Range};
use abn_pages::{Example, StabilityPage, render_stability};
use abn_run::folder::files::write_atomically;
use abn_run::recipe::RunConfig;
use abn_run::session::{Session, open_split};

/// Name of the page.
pub const PAGE: &str = "stability.html";
/// Name of the file with a line an image.
const TABLE: &str = "stability.csv";
/// Images shown on the page of the most alike maps, and as many of the least.
const SHOWN: usize = 4;

/// The JSON contract of the command.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    method: &'a str,
    layer: &'a str,
    scale: Scale,
    dataset: String,
    split: &'a str,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

/// Runs the command.
///
/// # Errors
/// A run or the data set is missing or damaged, the runs cannot be compared, or the folder not be
/// written.
pub fn run(args: StabilityArgs) -> Result<()> {
    let device = device::open(args.device.as_deref())?;
    let configs = open_configs(&args.runs)?;
    let ask = ask(&args, &configs)?;
    let images =
        open_split(&configs[0], args.split.split(), args.data.as_deref(), None)?.limit(args.limit);
    if let Some(out) = &args.out {
        let failed = || {
            format!(
                "cannot write in `{}`; choose an --out that can be written",
                out.display()
            )
        };
        fs::create_dir_all(out).with_context(failed)?;
    }
    for doubt in doubts(&args.runs, &configs) {
        terminal::note(&format!("warning: {doubt}"));
    }
    let seen = look_at_all(&args, &images, &ask, &device)?;
    let pairs = terminal::counter("comparing", seen.len() * (seen.len() - 1) / 2);
    let comparison = compare(&seen, &images.classes, args.threshold, || pairs.inc(1));
    pairs.finish_and_clear();
    if let Some(out) = &args.out {
        write(out, &args, &configs, ask.scale, &images, &seen, &comparison)?;
    }
    print(&args, &configs[0], ask.scale, &comparison)
}

fn ask(args: &StabilityArgs, configs: &[RunConfig]) -> Result<Ask> {
    let method = args.method;
    let scale = args
        .scale
        .unwrap_or_else(|| Scale::usual(method, configs.iter()));
    let ask = Ask {
        method,
        layer: args.layer,
        scale,
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
    Ok(ask)
}

/// One run after the other: of each only its maps and predictions are kept.
fn look_at_all(
    args: &StabilityArgs,
    images: &Collection,
    ask: &Ask,
    device: &Device,
) -> Result<Vec<Seen>> {
    let progress = terminal::counter("looking", args.runs.len() * images.samples.len());
    let mut seen = Vec::new();
    for path in &args.runs {
        let session = Session::open(path, args.checkpoint, device.clone())?;
        let name = path.display().to_string();
        seen.push(look(
            &name,
            &session,
            images,
            ask,
            args.workers,
            |images| progress.inc(images as u64),
        )?);
    }
    progress.finish_and_clear();
    Ok(seen)
}

fn print(
    args: &StabilityArgs,
    config: &RunConfig,
    scale: Scale,
    comparison: &Comparison,
) -> Result<()> {
    if args.json {
        return terminal::json(&Answer {
            method: args.method.name(),
            layer: &name_of(&args.layer),
            scale,
            dataset: config.data_title(),
            split: &name_of(&args.split),
            comparison,
        });
    }
    terminal::result(&headline(args, config, scale, comparison))?;
    terminal::result(&text(comparison))?;
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
    scale: Scale,
    comparison: &Comparison,
) -> String {
    format!(
        "{} maps of {} runs on {} {} images of {}; IoU at {} of 255, maps {}",
        args.method.title(),
        comparison.runs.len(),
        comparison.images,
        name_of(&args.split),
        config.data_title(),
        comparison.threshold,
        if scale == Scale::Raw {
            "as they are"
        } else {
            "normalised per image"
        }
    )
}

fn write(
    out: &Path,
    args: &StabilityArgs,
    configs: &[RunConfig],
    scale: Scale,
    images: &Collection,
    seen: &[Seen],
    comparison: &Comparison,
) -> Result<()> {
    let page = StabilityPage {
        title: format!("Where {} runs look", seen.len()),
        subtitle: headline(args, &configs[0], scale, comparison),
        scale,
        drawing: drawing(args, configs, scale),
        examples: examples(&configs[0], images, seen, comparison)?,
        comparison: comparison.clone(),
    };
    write_atomically(
        &out.join(TABLE),
        csv(comparison, &images.classes).as_bytes(),
    )?;
    write_atomically(&out.join(PAGE), render_stability(&page).as_bytes())
}

/// Maps that are known to lie in [0, 1] share a scale of colours.
fn drawing(args: &StabilityArgs, configs: &[RunConfig], scale: Scale) -> Drawing {
    let sigmoid = |config: &RunConfig| {
        config
            .model
            .attention
            .as_ref()
            .is_some_and(|attention| attention.map.is_bounded())
    };
    let trained = args.method == Default::default() && configs.iter().all(sigmoid);
    let range = if trained || scale == Scale::PerImage {
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
    seen: &[Seen],
    comparison: &Comparison,
) -> Result<Vec<Example>> {
    let known = comparison
        .per_image
        .iter()
        .filter_map(|image| Some((image.image, image.iou?)));
    let mut ranked: Vec<(usize, f64)> = known.collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shown = SHOWN.min(ranked.len() / 2);
    let least = ranked.split_off(ranked.len() - shown);
    ranked.truncate(shown);
    let transform = config.recipe.eval_transform();
    let example = |(image, iou): (usize, f64)| {
        let sample = images.samples.get(image)?;
        let name = |class: usize| images.classes.get(class).cloned().unwrap_or_default();
        Ok(Example {
            image: transform.fixed(sample.image)?,
            number: image,
            iou,
            label: name(sample.label),
            maps: seen.iter().map(|run| run.maps[image].clone()).collect(),
            wrong: seen
                .iter()
                .map(|run| {
                    (run.predicted[image] != sample.label).then(|| name(run.predicted[image]))
                })
                .collect(),
        })
    };
    ranked
        .into_iter()
        .chain(least.into_iter().rev())
        .map(example)
        .collect()
}

/// The name of a choice as typed.
fn name_of(choice: &impl ValueEnum) -> String {
    choice
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
