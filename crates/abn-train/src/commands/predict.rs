//! `abn predict`: class, logits and map of single images.

use std::path::Path;

use abn_core::explain::AttentionMap;
use anyhow::{Result, ensure};
use serde::Serialize;

use super::percent;
use crate::cli::PredictArgs;
use crate::outcome::{predicted, probabilities};
use crate::session::Session;
use crate::{device, terminal};

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
}

/// Runs the command.
///
/// # Errors
/// The run cannot be opened or an image not be read.
pub fn run(args: PredictArgs) -> Result<()> {
    let session = Session::open(&args.run, args.checkpoint, device::open(args.device.as_deref())?)?;
    let (mut images, mut unread) = (Vec::new(), 0);
    for file in &args.files {
        let prediction = match predict(&session, file) {
            Ok(prediction) => prediction,
            // One bad file does not cost the others.
            Err(error) => {
                terminal::note(&format!("error: {error:#}"));
                unread += 1;
                continue;
            }
        };
        if !args.json {
            let Prediction { path, label, probability, .. } = &prediction;
            terminal::result(&format!("{path}: {label} ({})", percent(*probability)))?;
        }
        images.push(prediction);
    }
    if args.json {
        terminal::json(&Predictions { images })?;
    }
    ensure!(unread == 0, "{unread} of {} images could not be read", args.files.len());
    Ok(())
}

fn predict(session: &Session, file: &Path) -> Result<Prediction> {
    let look = session.look_at(file)?;
    let class = predicted(&look.logits);
    Ok(Prediction {
        path: file.display().to_string(),
        class,
        label: session.config.classes[class].clone(),
        probability: probabilities(&look.logits)[class],
        logits: look.logits,
        attention_logits: look.attention_logits,
        map: look.map,
    })
}
