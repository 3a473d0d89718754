//! `abn predict` of a detector: what is in images, and where.

use std::path::Path;

use abn_boxes::Detection;
use abn_core::explain::AttentionMap;
use abn_pages::{FoundBox, FoundImage, png};
use abn_run::detector_session::DetectorSession;
use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::open_detector;
use crate::cli::PredictArgs;
use crate::commands::output_folder::OutputFolder;
use crate::terminal;

/// The JSON contract of the command.
#[derive(Debug, Serialize)]
struct Predictions {
    images: Vec<Prediction>,
}

#[derive(Debug, Serialize)]
struct Prediction {
    path: String,
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
    let session = open_detector(&args.run, &args.network)?;
    let mut folder = args.draw.as_deref().map(OutputFolder::check).transpose()?;
    if args.csv {
        terminal::result(&line(&COLUMNS.map(str::to_owned))?)?;
    }
    let (mut images, mut unread) = (Vec::new(), 0);
    for (file, number) in args.files.iter().zip(1..) {
        let predicted = match predict(&session, file, args.found.least()) {
            Ok(predicted) => predicted,
            // One bad file does not cost the others.
            Err(error) => {
                terminal::note(&format!("error: {error:#}"));
                unread += 1;
                continue;
            }
        };
        let (prediction, picture) = predicted;
        if let Some(folder) = &mut folder {
            let name = abn_pages::Files::of(file, number, false).overlays;
            let comment = format!("{}: what is found", file.display());
            folder.write(&name, &png(&picture.framed(), &comment)?)?;
        }
        if args.csv {
            for object in &prediction.objects {
                terminal::result(&line(&row(&prediction.path, object))?)?;
            }
        } else if !args.json {
            terminal::result(&words(&prediction))?;
        }
        images.push(prediction);
    }
    if args.json {
        terminal::json(&Predictions { images })?;
    }
    ensure!(
        unread == 0,
        "{unread} of {} images could not be read",
        args.files.len()
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
    let path = file.display().to_string();
    let framed = sure.iter().map(|detection| FoundBox {
        bounds: detection.bounds,
        class: session.class(detection).to_owned(),
        score: detection.score,
        maps: vec![],
    });
    let picture = FoundImage {
        file: path.clone(),
        found: framed.collect(),
        more: 0,
        image: view.picture.clone(),
    };
    let prediction = Prediction {
        path,
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

fn row(path: &str, object: &Object) -> [String; 7] {
    let [x1, y1, x2, y2] = object.corners.map(|corner| corner.to_string());
    let score = object.score.to_string();
    [path.to_owned(), object.label.clone(), score, x1, y1, x2, y2]
}

/// A line of the table (RFC 4180).
fn line(values: &[String; 7]) -> Result<String> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(values)?;
    let bytes = table.into_inner().context("the table cannot be written")?;
    Ok(String::from_utf8(bytes)?.trim_end().to_owned())
}

fn words(prediction: &Prediction) -> String {
    if prediction.objects.is_empty() {
        return format!("{}: nothing", prediction.path);
    }
    let word = |object: &Object| {
        let [x1, y1, x2, y2] = object.corners;
        format!(
            "{} {:.2} at ({x1:.0}, {y1:.0}) to ({x2:.0}, {y2:.0})",
            object.label, object.score
        )
    };
    let words: Vec<String> = prediction.objects.iter().map(word).collect();
    format!("{}: {}", prediction.path, words.join("; "))
}
