//! `abn explain` of a detector: every box that is found, and why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use abn_boxes::Detection;
use abn_core::detect::BoxMethod;
use abn_core::explain::{AttentionMap, Layer};
use abn_pages::heatmap::{Drawing, Range};
use abn_pages::{BoxMap, Files, FoundBox, FoundImage, FoundPage, MOST_BOXES, png};
use abn_run::detector_session::DetectorSession;
use anyhow::{Result, ensure};
use serde::Serialize;

use super::open_detector;
use super::predict_detector::Object;
use crate::cli::ExplainArgs;
use crate::commands::image_files::image_files;
use crate::commands::output_folder::OutputFolder;
use crate::terminal;

/// Name of the page in the output folder.
const PAGE: &str = "index.html";
/// What D-RISE is called in files and on pages.
const DRISE: [&str; 2] = ["d-rise", "D-RISE"];

/// Maps in full precision.
#[derive(Debug, Serialize)]
struct RawBoxes {
    path: String,
    objects: Vec<RawBox>,
}

#[derive(Debug, Serialize)]
struct RawBox {
    #[serde(flatten)]
    object: Object,
    maps: BTreeMap<&'static str, AttentionMap>,
}

/// Runs the command.
///
/// # Errors
/// The run cannot be opened, an image cannot be read, or the folder not be written.
pub(super) fn run(args: &ExplainArgs) -> Result<()> {
    refuse_of_classifiers(args)?;
    let session = open_detector(&args.run, &args.network)?;
    let mut folder = OutputFolder::check(&args.out)?;
    let files = image_files(&args.files)?;
    let progress = terminal::counter("explaining", files.len());
    let mut page = FoundPage::default();
    for (file, number) in files.iter().zip(1..) {
        match explained(&session, args, file) {
            Ok((image, raw)) => write(&mut folder, &mut page, (file, number), &image, raw)?,
            // One bad file does not cost the others.
            Err(error) => progress.suspend(|| terminal::note(&format!("error: {error:#}"))),
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    finish(args, &session, &mut folder, &page, &files)
}

/// What asks for a class or a layer of a classifier.
fn refuse_of_classifiers(args: &ExplainArgs) -> Result<()> {
    let given = [
        ("--methods", !args.methods.is_empty()),
        ("--layer", args.layer != Layer::default()),
        ("--class", args.class.is_some()),
        ("--group", args.group.is_some()),
        ("--each-label", args.each_label),
    ];
    let given = given
        .into_iter()
        .find_map(|(name, given)| given.then_some(name));
    ensure!(
        given.is_none(),
        "{} is for classifiers: `{}` is a run of a detector, of which every box that it finds is \
         explained by all its methods",
        given.unwrap_or_default(),
        args.run.display()
    );
    Ok(())
}

/// What is found in a file and why, and the same as numbers.
fn explained(
    session: &DetectorSession,
    args: &ExplainArgs,
    file: &Path,
) -> Result<(FoundImage, Option<RawBoxes>)> {
    let view = session.view(file)?;
    let (detector, images) = (&session.detector, &view.images);
    let features = detector.features(images.pixels.clone());
    let all = detector.detect_in(&features, images);
    let sure = all.found[0].iter();
    let sure: Vec<Detection> = sure
        .filter(|found| found.score >= args.found.least())
        .copied()
        .collect();
    let shown = &sure[..sure.len().min(MOST_BOXES)];
    let masked = args.masks.map(|masks| detector.drise(images, shown, masks));
    let reasons = detector.reasons(images, &features, &all);
    let (mut found, mut raw) = (Vec::new(), Vec::new());
    for (place, detection) in shown.iter().enumerate() {
        let (mut maps, mut numbers) = (Vec::new(), BTreeMap::new());
        let mut add = |[name, title]: [&'static str; 2], map: AttentionMap, drawing: Drawing| {
            numbers.insert(name, map.clone());
            maps.push(BoxMap {
                method: title.to_owned(),
                map,
                drawing,
            });
        };
        for (method, map) in reasons.maps(detection)? {
            let names = [method.name(), method.title()];
            add(names, map, drawing(session, args, Some(method)));
        }
        if let Some(masked) = &masked {
            add(DRISE, masked[place].clone(), drawing(session, args, None));
        }
        let in_image = Detection {
            bounds: detection.bounds.resize(view.seen(), view.size()),
            ..*detection
        };
        raw.push(RawBox {
            object: Object::of(session, &in_image),
            maps: numbers,
        });
        found.push(FoundBox {
            bounds: in_image.bounds,
            class: session.class(detection).to_owned(),
            score: detection.score,
            maps,
        });
    }
    let path = file.display().to_string();
    let image = FoundImage {
        file: path.clone(),
        image: view.picture.clone(),
        more: sure.len() - found.len(),
        found,
    };
    let raw = RawBoxes { path, objects: raw };
    Ok((image, args.raw.then_some(raw)))
}

/// How the maps of a method are drawn: trained ones as the branch's, all others each on a scale of
/// its own, for gradients have no unit.
fn drawing(session: &DetectorSession, args: &ExplainArgs, method: Option<BoxMethod>) -> Drawing {
    let recipe = &session.config.recipe;
    let branch = match method {
        Some(BoxMethod::Attention) => recipe.attention.as_ref(),
        Some(BoxMethod::Region) => {
            let detector = recipe.detector.as_ref();
            detector.and_then(|detector| detector.region_attention.as_ref())
        }
        _ => None,
    };
    let usual = Drawing::of(branch);
    let range = match branch {
        Some(_) => args.range.unwrap_or(usual.range),
        None => Range::PerImage,
    };
    Drawing {
        colors: args.colors,
        range,
        opacity: args.opacity.map_or(usual.opacity, |share| share as f32),
    }
}

fn write(
    folder: &mut OutputFolder,
    page: &mut FoundPage,
    (file, number): (&Path, usize),
    image: &FoundImage,
    raw: Option<RawBoxes>,
) -> Result<()> {
    let files = Files::of(file, number, raw.is_some());
    let methods = image.found.first().map_or(vec![], |found| {
        found.maps.iter().map(|map| map.method.clone()).collect()
    });
    let comment = format!("{}; left to right: box, {}", image.file, methods.join(", "));
    folder.write(&files.overlays, &png(&image.picture(), &comment)?)?;
    if let (Some(name), Some(raw)) = (&files.raw, raw) {
        folder.write(name, &serde_json::to_vec(&raw)?)?;
    }
    Ok(page.add(image)?)
}

/// Writes the page and says what was done.
fn finish(
    args: &ExplainArgs,
    session: &DetectorSession,
    folder: &mut OutputFolder,
    page: &FoundPage,
    files: &[PathBuf],
) -> Result<()> {
    let (done, unread) = (page.images(), files.len() - page.images());
    ensure!(done > 0, "none of {unread} images could be read");
    let title = format!("What {} finds", args.run.display());
    let subtitle = format!(
        "{}; score {} or more",
        session.config.recipe.title(),
        args.found.least()
    );
    folder.write(PAGE, page.render(&title, &subtitle).as_bytes())?;
    let methods = session
        .detector
        .box_methods()
        .into_iter()
        .map(BoxMethod::name);
    let methods: Vec<&str> = methods.chain(args.masks.map(|_| DRISE[0])).collect();
    terminal::result(&format!(
        "{done} images (box, {}) and {}",
        methods.join(", "),
        folder.path_of(PAGE).display()
    ))?;
    ensure!(
        unread == 0,
        "{unread} of {} images could not be read",
        files.len()
    );
    Ok(())
}
