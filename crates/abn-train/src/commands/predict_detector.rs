//! `abn predict` of a detector: what is in images, and where.

use std::path::Path;

use abn_boxes::Detection;
use abn_core::explain::AttentionMap;
use abn_pages::{FoundBox, FoundImage, png};
use abn_run::detector_session::DetectorSession;
use anyhow::{Result, bail, ensure};
use serde::Serialize;

use super::image_files::image_files;
use super::open_detector;
use super::predictions::{NamedFile, Printer, record};
use crate::cli::PredictArgs;
use crate::commands::output_folder::OutputFolder;
use crate::terminal;

/// The JSON contract of the command: an image.
#[derive(Debug, Serialize)]
struct Prediction {
    #[serde(flatten)]
    file: NamedFile,
    width: usize,
    height: usize,
    objects: Vec<Object>,
    /// Where the attention branch looks in the whole image, if there is one.
    map: Option<AttentionMap>,
}

/// Something that is found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Object {
    /// Its class, counted from 0.
    class: usize,
    label: String,
    score: f64,
    /// Left, upper, right and lower edge in pixels of the image.
    #[serde(rename = "box")]
    corners: [f64; 4],
}

/// The columns of the table.
const COLUMNS: [&str; 7] = ["path", "label", "score", "x1", "y1", "x2", "y2"];

impl Object {
    pub(super) fn of(session: &DetectorSession, detection: &Detection) -> Self {
        Self {
            class: detection.label.saturating_sub(1),
            label: session.class(detection).to_owned(),
            score: detection.score,
            corners: detection.bounds.into(),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The run cannot be opened, an image not be read, or the folder of pictures not be written.
pub(super) fn run(args: &PredictArgs) -> Result<()> {
    ensure!(
        args.map.is_none(),
        "--map is for classifiers: a detector has no map that one could put in the place of its own"
    );
    let given = [
        ("--top", args.top.is_some()),
        ("--overlay", args.overlay.is_some()),
        ("--maps", args.maps.is_some()),
    ];
    if let Some((name, _)) = given.iter().find(|(_, given)| *given) {
        bail!(
            "{name} is for classifiers; of a detector --draw shows what is found, `abn explain` why"
        );
    }
    let files = image_files(&args.files)?;
    let session = open_detector(&args.run, &args.network)?;
    let mut folder = args.draw.as_deref().map(OutputFolder::check).transpose()?;
    let mut printer = Printer::new(args, &COLUMNS.map(str::to_owned))?;
    let progress = terminal::counter("detecting", files.len());
    let mut unread = 0;
    for (file, number) in files.iter().zip(1..) {
        progress.set_position(number as u64 - 1);
        let (prediction, picture) = match predict(&session, file, args.found.least()) {
            Ok(predicted) => predicted,
            // One bad file does not cost the others.
            Err(error) => {
                progress.suspend(|| terminal::note(&format!("error: {error:#}")));
                unread += 1;
                continue;
            }
        };
        if let Some(folder) = &mut folder {
            let name = abn_pages::Files::of(file, number, false).overlays;
            let comment = format!("{}: what is found", file.display());
            folder.write(&name, &png(&picture.framed(), &comment)?)?;
        }
        let records = || {
            let objects = prediction.objects.iter();
            objects
                .map(|object| record(&row(&prediction.file, object)))
                .collect()
        };
        progress.suspend(|| printer.print(|| words(&prediction), &prediction, records))?;
    }
    progress.finish_and_clear();
    printer.end()?;
    ensure!(
        unread == 0,
        "{unread} of {} images could not be read",
        files.len()
    );
    Ok(())
}

fn predict(session: &DetectorSession, file: &Path, least: f64) -> Result<(Prediction, FoundImage)> {
    let view = session.view(file)?;
    let output = session.look_at(&view)?;
    let sure: Vec<&Detection> = output
        .found
        .iter()
        .filter(|found| found.score >= least)
        .collect();
    let framed = sure.iter().map(|detection| FoundBox {
        bounds: detection.bounds,
        class: session.class(detection).to_owned(),
        score: detection.score,
        maps: vec![],
    });
    let picture = FoundImage {
        file: file.display().to_string(),
        found: framed.collect(),
        more: 0,
        image: view.picture.clone(),
    };
    let prediction = Prediction {
        file: NamedFile::of(file),
        width: view.size().width,
        height: view.size().height,
        objects: sure
            .iter()
            .map(|detection| Object::of(session, detection))
            .collect(),
        map: output.map,
    };
    Ok((prediction, picture))
}

fn row(file: &NamedFile, object: &Object) -> [Vec<u8>; 7] {
    let [x1, y1, x2, y2] = object.corners.map(|corner| corner.to_string().into_bytes());
    let score = object.score.to_string().into_bytes();
    let label = object.label.clone().into_bytes();
    [file.bytes().to_vec(), label, score, x1, y1, x2, y2]
}

fn words(prediction: &Prediction) -> String {
    if prediction.objects.is_empty() {
        return format!("{}: nothing", prediction.file.text());
    }
    let word = |object: &Object| {
        let [x1, y1, x2, y2] = object.corners;
        format!(
            "{} {:.2} at ({x1:.0}, {y1:.0}) to ({x2:.0}, {y2:.0})",
            object.label, object.score
        )
    };
    let words: Vec<String> = prediction.objects.iter().map(word).collect();
    format!("{}: {}", prediction.file.text(), words.join("; "))
}
