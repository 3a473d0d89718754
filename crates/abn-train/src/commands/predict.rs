//! `abn predict`: class, logits and map of single images, also under a map from outside.

use std::path::Path;

use abn_core::explain::AttentionMap;
use abn_core::mechanism::Mechanism;
use abn_data::GrayMap;
use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::percent;
use crate::cli::PredictArgs;
use crate::device;
use crate::terminal;
use abn_run::measure::readback::{predicted, probabilities};
use abn_run::session::Session;
use abn_run::view::View;

/// The JSON contract of the command.
#[derive(Debug, Serialize)]
struct Predictions {
    images: Vec<Prediction>,
}

#[derive(Debug, Serialize)]
struct Prediction {
    path: String,
    class: usize,
    label: String,
    probability: f64,
    logits: Vec<f32>,
    attention_logits: Option<Vec<f32>>,
    map: Option<AttentionMap>,
    /// Only if a map was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    with_map: Option<WithMap>,
}

/// The prediction under the map that was given.
#[derive(Debug, Serialize)]
struct WithMap {
    class: usize,
    label: String,
    probability: f64,
    logits: Vec<f32>,
    map: AttentionMap,
}

/// Runs the command.
///
/// # Errors
/// The run cannot be opened, has no branch to give a map to, or an image or the map cannot be read.
pub fn run(args: PredictArgs) -> Result<()> {
    let session = Session::open(
        &args.run,
        args.checkpoint,
        device::open(args.device.as_deref())?,
    )?;
    let given = args
        .map
        .as_deref()
        .map(|file| given_map(&session, &args.run, file))
        .transpose()?;
    let (mut images, mut unread) = (Vec::new(), 0);
    for file in &args.files {
        let prediction = match predict(&session, file, given.as_ref()) {
            Ok(prediction) => prediction,
            // One bad file does not cost the others.
            Err(error) => {
                terminal::note(&format!("error: {error:#}"));
                unread += 1;
                continue;
            }
        };
        if !args.json {
            terminal::result(&line(&prediction))?;
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

/// A map that replaces the network's own.
///
/// # Errors
/// The run has no branch whose map it could replace, or the file is no map.
fn given_map(session: &Session, run: &Path, file: &Path) -> Result<GrayMap> {
    let attention = session.config.model.attention.as_ref().with_context(|| {
        format!(
            "`{}` has no attention branch whose map could be replaced; --map needs a run with \
             --attention abn or manet",
            run.display()
        )
    })?;
    if attention.mechanism == Mechanism::Identity {
        terminal::note(
            "the run's attention.mechanism is identity: no map changes what it predicts",
        );
    }
    Ok(GrayMap::read(file)?)
}

fn predict(session: &Session, file: &Path, given: Option<&GrayMap>) -> Result<Prediction> {
    let view = session.view(file)?;
    let look = session.look_at(&view)?;
    let with_map = match (given, &look.map) {
        (Some(given), Some(own)) => Some(with_map(session, &view, given, own)?),
        _ => None,
    };
    let (class, label, probability) = answer(session, &look.logits);
    Ok(Prediction {
        path: file.display().to_string(),
        class,
        label,
        probability,
        logits: look.logits,
        attention_logits: look.attention_logits,
        map: look.map,
        with_map,
    })
}

/// The prediction under the given map, brought to the size of the network's own.
fn with_map(
    session: &Session,
    view: &View,
    given: &GrayMap,
    own: &AttentionMap,
) -> Result<WithMap> {
    let values = given.values(own.width as u32, own.height as u32);
    let map = AttentionMap::new(own.height, own.width, values)?;
    let logits = session
        .logits_with_map(view, &map)
        .context("the run has no attention branch")?;
    let (class, label, probability) = answer(session, &logits);
    Ok(WithMap {
        class,
        label,
        probability,
        logits,
        map,
    })
}

/// Class, its name and its probability.
fn answer(session: &Session, logits: &[f32]) -> (usize, String, f64) {
    let class = predicted(logits);
    (
        class,
        session.config.classes[class].clone(),
        probabilities(logits)[class],
    )
}

fn line(prediction: &Prediction) -> String {
    let Prediction {
        path,
        label,
        probability,
        with_map,
        ..
    } = prediction;
    let own = format!("{path}: {label} ({})", percent(*probability));
    match with_map {
        Some(WithMap {
            label, probability, ..
        }) => {
            format!(
                "{own}; with the given map: {label} ({})",
                percent(*probability)
            )
        }
        None => own,
    }
}
