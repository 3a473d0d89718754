//! `abn explain`: overlays of the attention map, one PNG an image, and a page with all of them.

use std::fs;
use std::path::{Path, PathBuf};

use abn_core::explain::AttentionMap;
use anyhow::{Context, Result, ensure};
use image::{ImageFormat, RgbImage};

use crate::cli::ExplainArgs;
use crate::files::write_atomically;
use crate::heatmap::{Drawing, enlarge, overlay, side_by_side};
use crate::outcome::probabilities;
use crate::report::{Explanation, render_explanations};
use crate::session::Session;
use crate::{device, terminal};

/// Classes shown an image.
const SHOWN_CLASSES: usize = 3;
/// Side to which small images are enlarged.
const PICTURE_SIDE: u32 = 256;
/// Marks a folder as one that this command may write into again.
const MARK: &str = ".abn-explain";
/// Longest part of an image's name that its overlay keeps, in characters.
const LONGEST_STEM: usize = 60;
/// Folders within folders that are looked into; links may lead in circles.
const DEEPEST: usize = 8;
/// Name of the page in the output folder.
const PAGE: &str = "index.html";

/// Runs the command.
///
/// # Errors
/// The run has no attention branch or cannot be opened, an image cannot be read, or the folder not be written.
pub fn run(args: ExplainArgs) -> Result<()> {
    let session = Session::open(&args.run, args.checkpoint, device::open(args.device.as_deref())?)?;
    ensure!(
        session.config.model.attention.is_some(),
        "`{}` has no attention branch to look at; train one with --attention abn or manet",
        args.run.display()
    );
    let files = image_files(&args.files)?;
    let usual = Drawing::of(session.config.model.attention.as_ref());
    let drawing = Drawing { colors: args.colors, range: args.range.unwrap_or(usual.range), ..usual };
    let progress = terminal::counter("explaining", files.len());
    let mut explanations = Vec::new();
    for (number, file) in files.iter().enumerate() {
        match explain(&session, file, number) {
            Ok(explanation) => explanations.push(explanation),
            // One bad file does not cost the others.
            Err(error) => progress.suspend(|| terminal::note(&format!("error: {error:#}"))),
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let unread = files.len() - explanations.len();
    ensure!(!explanations.is_empty(), "none of {unread} images could be read");
    // Nothing is written before every image was tried.
    prepare(&args.out)?;
    for explanation in &explanations {
        write_overlay(&args, explanation, &drawing)?;
    }
    let title = format!("Where {} looks", args.run.display());
    let subtitle = session.config.recipe.title();
    let page = args.out.join(PAGE);
    write_atomically(&page, render_explanations(&title, &subtitle, &explanations, &drawing).as_bytes())?;
    terminal::result(&format!("{} overlays and {}", explanations.len(), page.display()))?;
    ensure!(unread == 0, "{unread} of {} images could not be read", files.len());
    Ok(())
}

/// Makes the output folder, or takes one that this command made. No file of the user's is replaced.
fn prepare(folder: &Path) -> Result<()> {
    let failed = || format!("cannot write in `{}`; choose an --out that can be written", folder.display());
    fs::create_dir_all(folder).with_context(failed)?;
    let mark = folder.join(MARK);
    let empty = fs::read_dir(folder).with_context(failed)?.next().is_none();
    ensure!(
        empty || mark.exists(),
        "`{}` has files in it that `abn explain` did not make; nothing was changed, choose another --out",
        folder.display()
    );
    fs::write(&mark, "").with_context(failed)
}

fn explain(session: &Session, file: &Path, number: usize) -> Result<Explanation> {
    let look = session.look_at(file)?;
    let mut ranked: Vec<(usize, f64)> = probabilities(&look.logits).into_iter().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let name_of =
        |(class, probability): &(usize, f64)| (session.config.classes[*class].clone(), *probability as f32);
    Ok(Explanation {
        file: file.display().to_string(),
        image: look.picture,
        map: look.map.context("the network gave no attention map")?,
        predictions: ranked.iter().take(SHOWN_CLASSES).map(name_of).collect(),
        overlay_file: Some(format!("{}.png", output_name(file, number))),
    })
}

/// The image beside its overlay as PNG and, if asked for, the map as numbers.
fn write_overlay(args: &ExplainArgs, explanation: &Explanation, drawing: &Drawing) -> Result<()> {
    let Some(name) = &explanation.overlay_file else { return Ok(()) };
    let image = enlarge(&explanation.image, PICTURE_SIDE);
    let picture = side_by_side(&image, &overlay(&image, &explanation.map, drawing));
    let path = args.out.join(name);
    write_png(&path, &picture)?;
    if args.raw { write_raw(&path.with_extension("json"), &explanation.map) } else { Ok(()) }
}

/// The files themselves, and the images in the folders, also in folders within them, by name.
fn image_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut images = Vec::new();
        images_below(path, DEEPEST, &mut images)?;
        ensure!(!images.is_empty(), "`{}` has no .png, .jpg or .jpeg files", path.display());
        images.sort();
        files.extend(images);
    }
    Ok(files)
}

fn images_below(folder: &Path, levels: usize, images: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && levels > 0 {
            images_below(&path, levels - 1, images)?;
        } else if is_image_name(&path) {
            images.push(path);
        }
    }
    Ok(())
}

fn is_image_name(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| ["png", "jpg", "jpeg"].contains(&extension.as_str()))
}

/// Files from different folders may share a name; the number keeps the outputs apart and in order.
fn output_name(file: &Path, number: usize) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let stem: String = stem.chars().take(LONGEST_STEM).collect();
    format!("{:04}-{stem}", number + 1)
}

fn write_png(path: &Path, image: &RgbImage) -> Result<()> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).context("cannot encode an overlay")?;
    write_atomically(path, bytes.get_ref())
}

fn write_raw(path: &Path, map: &AttentionMap) -> Result<()> {
    write_atomically(path, serde_json::to_string(map)?.as_bytes())
}
