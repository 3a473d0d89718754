//! `abn predict`: class, logits and map of single images, also under a map from outside.

use std::path::Path;

use abn_core::explain::AttentionMap;
use abn_core::mechanism::Mechanism;
use abn_data::GrayMap;
use abn_run::measure::readback::{predicted, probabilities};
use abn_run::session::Session;
use abn_run::view::View;
use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::{is_detector, open, percent, predict_detector, probability_table};
use crate::cli::PredictArgs;
use crate::terminal;

/// The JSON contract of the command.
#[derive(Debug, Serialize)]
struct Predictions {
    images: Vec<Prediction>,
}

#[derive(Debug, Serialize)]
struct Prediction {
    path: String,
    #[serde(flatten)]
    told: Told,
    logits: Vec<f32>,
    attention_logits: Option<Vec<f32>>,
    /// Of a network with one map.
    map: Option<AttentionMap>,
    /// Of a network with a map for each label.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    maps: Vec<LabelMap>,
    /// Only if a map was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    with_map: Option<WithMap>,
}

/// The map of a label.
#[derive(Debug, Serialize)]
struct LabelMap {
    name: String,
    #[serde(flatten)]
    map: AttentionMap,
}

/// The prediction under the map that was given.
#[derive(Debug, Serialize)]
struct WithMap {
    #[serde(flatten)]
    told: Told,
    logits: Vec<f32>,
    map: AttentionMap,
}

/// What is told of an image: of several labels the first, and all of them as `groups`.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    first: ToldClass,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<ToldGroup>,
}

/// A class.
#[derive(Debug, Clone, Serialize)]
struct ToldClass {
    /// Its place among the logits.
    class: usize,
    /// Its name.
    label: String,
    /// Its probability among those of its label.
    probability: f64,
}

/// One label of several.
#[derive(Debug, Serialize)]
struct ToldGroup {
    name: String,
    #[serde(flatten)]
    told: ToldClass,
}

/// Runs the command.
///
/// # Errors
/// The run cannot be opened, has no branch to give a map to, or an image or the map cannot be read.
pub fn run(args: PredictArgs) -> Result<()> {
    if is_detector(&args.run)? {
        return predict_detector::run(&args);
    }
    ensure!(
        args.found.min_score.is_none() && args.draw.is_none(),
        "--min-score and --draw are for detectors: `{}` is a run of a classifier",
        args.run.display()
    );
    let session = open(&args.run, &args.network)?;
    let given = args
        .map
        .as_deref()
        .map(|file| given_map(&session, &args.run, file))
        .transpose()?;
    let labels = &session.config.labels;
    if args.csv {
        terminal::result(&probability_table::head(labels)?)?;
    }
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
        if args.csv {
            let outputs = &session.config.model.outputs;
            let all = probabilities(&prediction.logits, outputs);
            let line = probability_table::line(labels, &prediction.path, &all)?;
            terminal::result(&line)?;
        } else if !args.json {
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
    let output = session.look_at(&view)?;
    let with_map = match (given, output.maps.first()) {
        (Some(given), Some(own)) => Some(with_map(session, &view, given, own)?),
        _ => None,
    };
    let (map, maps) = match output.maps.len() {
        0 | 1 => (output.maps.into_iter().next(), Vec::new()),
        _ => (None, by_label(session, output.maps)),
    };
    Ok(Prediction {
        path: file.display().to_string(),
        told: told(session, &output.logits),
        logits: output.logits,
        attention_logits: output.attention_logits,
        map,
        maps,
        with_map,
    })
}

fn by_label(session: &Session, maps: Vec<AttentionMap>) -> Vec<LabelMap> {
    let labels = session.config.labels.groups().iter();
    let named = labels.map(|group| group.name.clone()).zip(maps);
    named.map(|(name, map)| LabelMap { name, map }).collect()
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
    Ok(WithMap {
        told: told(session, &logits),
        logits,
        map,
    })
}

/// What logits tell of every label.
fn told(session: &Session, logits: &[f32]) -> Told {
    let (labels, outputs) = (&session.config.labels, &session.config.model.outputs);
    let probabilities = probabilities(logits, outputs);
    let classes = predicted(logits, outputs).into_iter().enumerate();
    let told = classes.map(|(group, class)| {
        let place = labels.first_of(group) + class;
        let told = ToldClass {
            class: place,
            label: labels.name(group, class).to_owned(),
            probability: probabilities[place],
        };
        let name = labels.groups()[group].name.clone();
        ToldGroup { name, told }
    });
    let mut groups: Vec<ToldGroup> = told.collect();
    let first = groups[0].told.clone();
    if groups.len() == 1 {
        groups.clear();
    }
    Told { first, groups }
}

fn line(prediction: &Prediction) -> String {
    let own = format!("{}: {}", prediction.path, words(&prediction.told));
    match &prediction.with_map {
        Some(given) => format!("{own}; with the given map: {}", words(&given.told)),
        None => own,
    }
}

/// What is told, with how sure it is.
fn words(told: &Told) -> String {
    let words = |told: &ToldClass| format!("{} ({})", told.label, percent(told.probability));
    if told.groups.is_empty() {
        return words(&told.first);
    }
    let groups = told.groups.iter();
    let groups: Vec<String> = groups
        .map(|group| format!("{} {}", group.name, words(&group.told)))
        .collect();
    groups.join(", ")
}
