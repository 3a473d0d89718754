//! `abn predict`: class, logits and map of single images, also under a map from outside.

use std::path::{Path, PathBuf};

use abn_core::explain::AttentionMap;
use abn_core::mechanism::Mechanism;
use abn_data::{GrayMap, Group};
use abn_pages::heatmap::Drawing;
use abn_run::images::together;
use abn_run::measure::readback::{predicted, probabilities};
use abn_run::session::{ImageOutput, Session};
use abn_run::view::View;
use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::image_files::image_files;
use super::map_files::MapFiles;
use super::predictions::{NamedFile, Printer, record};
use super::side_by_side::side_by_side;
use super::{is_detector, open, percent, predict_detector, probability_table};
use crate::cli::{PredictArgs, PredictFormat};
use crate::terminal;

/// Images that enter the network together, and photographs.
const BATCH: usize = 64;
const PHOTOGRAPHS: usize = 8;
/// Batches that are under way at once: what one has to do on a single thread, reading its files
/// among it, leaves the other threads to the next.
const UNDER_WAY: usize = 2;

/// The JSON contract of the command: an image.
#[derive(Debug, Serialize)]
struct Prediction {
    #[serde(flatten)]
    file: NamedFile,
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
    first: ToldLabel,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<ToldGroup>,
}

/// The likeliest class of a label, and the next.
#[derive(Debug, Clone, Serialize)]
struct ToldLabel {
    #[serde(flatten)]
    first: ToldClass,
    /// The likeliest, the first among them, if more than one is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    top: Vec<ToldClass>,
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
    told: ToldLabel,
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
    let files = image_files(&args.files)?;
    let session = open(&args.run, &args.network)?;
    let given = args
        .map
        .as_deref()
        .map(|file| given_map(&session, &args.run, file))
        .transpose()?;
    let unread = Work::new(&args, &session, given.as_ref())?.all(&files)?;
    ensure!(
        unread == 0,
        "{unread} of {} images could not be read",
        files.len()
    );
    Ok(())
}

/// What one call of the command does.
struct Work<'a> {
    session: &'a Session,
    given: Option<&'a GrayMap>,
    /// Classes that are told.
    top: usize,
    /// Whether the table has the likeliest classes alone.
    likeliest: bool,
    maps: MapFiles,
    printer: Printer,
}

impl<'a> Work<'a> {
    fn new(args: &PredictArgs, session: &'a Session, given: Option<&'a GrayMap>) -> Result<Self> {
        let config = &session.config;
        ensure!(
            config.model.attention.is_some() || (args.overlay.is_none() && args.maps.is_none()),
            "`{}` has no attention branch, so no map: `abn explain` has other methods",
            args.run.display()
        );
        let labels = &config.labels;
        let most = labels.sizes().into_iter().max().unwrap_or(1);
        let top = args.top.unwrap_or(1).min(most);
        let likeliest = args.top.is_some();
        let columns = match likeliest {
            true => {
                ensure!(
                    args.format() != PredictFormat::Csv || labels.only().is_some(),
                    "--top with CSV is for runs of one label; leave --top out, or choose JSON"
                );
                probability_table::top_columns(top)
            }
            false => probability_table::columns(labels),
        };
        let usual = Drawing::of(config.model.attention.as_ref());
        let drawing = Drawing {
            opacity: args.opacity.map_or(usual.opacity, |share| share as f32),
            ..usual
        };
        Ok(Self {
            session,
            given,
            top,
            likeliest,
            maps: MapFiles::check(args, drawing)?,
            printer: Printer::new(args, &columns)?,
        })
    }

    /// Predicts all files and tells how many could not be read.
    fn all(mut self, files: &[PathBuf]) -> Result<usize> {
        let config = &self.session.config;
        let batches: Vec<&[PathBuf]> = files
            .chunks(together(config.recipe.side(), BATCH, PHOTOGRAPHS))
            .collect();
        let worker = |_| {
            let session = self.session.clone();
            move |files: &&[PathBuf]| look_at(&session, files)
        };
        let workers = (0..UNDER_WAY.min(batches.len())).map(worker).collect();
        let progress = terminal::counter("predicting", files.len());
        let (mut number, mut unread) = (0, 0);
        side_by_side(&batches, workers, |files, seen| {
            progress.suspend(|| -> Result<()> {
                for (file, seen) in files.iter().zip(seen?) {
                    number += 1;
                    match seen {
                        Ok((view, output)) => self.tell(file, number, &view, output)?,
                        // One bad file does not cost the others.
                        Err(error) => {
                            unread += 1;
                            terminal::note(&format!("error: {error:#}"));
                        }
                    }
                }
                Ok(())
            })?;
            progress.set_position(number as u64);
            Ok(())
        })?;
        progress.finish_and_clear();
        self.printer.end()?;
        Ok(unread)
    }

    fn tell(&mut self, file: &Path, number: usize, view: &View, output: ImageOutput) -> Result<()> {
        let session = self.session;
        let labels = &session.config.labels;
        let named = labels
            .groups()
            .iter()
            .map(|group| Some(group.name.as_str()));
        let maps: Vec<(Option<&str>, &AttentionMap)> = match &output.maps[..] {
            [map] => vec![(None, map)],
            maps => named.zip(maps).collect(),
        };
        self.maps.write(file, number, &view.picture, &maps)?;
        let with_map = match (self.given, output.maps.first()) {
            (Some(given), Some(own)) => Some(with_map(session, view, given, own, self.top)?),
            _ => None,
        };
        let (map, maps) = match output.maps.len() {
            0 | 1 => (output.maps.into_iter().next(), Vec::new()),
            _ => (None, by_label(session, output.maps)),
        };
        let prediction = Prediction {
            file: NamedFile::of(file),
            told: told(session, &output.logits, self.top),
            logits: output.logits,
            attention_logits: output.attention_logits,
            map,
            maps,
            with_map,
        };
        let likeliest = self.likeliest;
        let cells = || {
            if !likeliest {
                let outputs = &session.config.model.outputs;
                let all = probabilities(&prediction.logits, outputs);
                return probability_table::cells(labels, &all);
            }
            let told = prediction.told.first.all().iter();
            let pair = |told: &ToldClass| [told.label.clone(), told.probability.to_string()];
            told.flat_map(pair).collect()
        };
        let records = || {
            let first = prediction.file.bytes().to_vec();
            let others = cells().into_iter().map(String::into_bytes);
            let cells: Vec<Vec<u8>> = std::iter::once(first).chain(others).collect();
            Ok(vec![record(&cells)?])
        };
        self.printer
            .print(|| line(&prediction), &prediction, records)
    }
}

/// What the network says about files, each that can be read.
fn look_at(session: &Session, files: &[PathBuf]) -> Result<Vec<Result<(View, ImageOutput)>>> {
    let views: Vec<Result<View>> = files.iter().map(|file| Ok(session.view(file)?)).collect();
    let read: Vec<&View> = views.iter().flatten().collect();
    let mut outputs = Vec::new();
    // All of one size, but for a run whose transform somebody has changed.
    for alike in read.chunk_by(|one, other| one.fits(other)) {
        outputs.extend(session.look_at_all(alike)?);
    }
    let mut outputs = outputs.into_iter();
    let seen = views.into_iter().map(|view| {
        let view = view?;
        let output = outputs.next().context("an image has no output")?;
        Ok((view, output))
    });
    Ok(seen.collect())
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
    top: usize,
) -> Result<WithMap> {
    let values = given.values(own.width as u32, own.height as u32);
    let map = AttentionMap::new(own.height, own.width, values)?;
    let logits = session
        .logits_with_map(view, &map)
        .context("the run has no attention branch")?;
    Ok(WithMap {
        told: told(session, &logits, top),
        logits,
        map,
    })
}

/// What logits tell of every label, with so many of its classes.
fn told(session: &Session, logits: &[f32], top: usize) -> Told {
    let (labels, outputs) = (&session.config.labels, &session.config.model.outputs);
    let probabilities = probabilities(logits, outputs);
    let predicted = predicted(logits, outputs).into_iter().enumerate();
    let told = predicted.map(|(group, predicted)| {
        let from = labels.first_of(group);
        let class = |class: usize| ToldClass {
            class: from + class,
            label: labels.name(group, class).to_owned(),
            probability: probabilities[from + class],
        };
        let Group { name, classes } = &labels.groups()[group];
        let mut order: Vec<usize> = (0..classes.len()).collect();
        // The predicted class first, whatever rounding makes of probabilities.
        order.sort_by(|one, other| {
            let of = |class: &usize| (*class == predicted, probabilities[from + class]);
            let (one, other) = (of(one), of(other));
            other.0.cmp(&one.0).then(other.1.total_cmp(&one.1))
        });
        order.truncate(top);
        let told = ToldLabel {
            first: class(predicted),
            top: match top {
                1 => vec![],
                _ => order.into_iter().map(class).collect(),
            },
        };
        ToldGroup {
            name: name.clone(),
            told,
        }
    });
    let mut groups: Vec<ToldGroup> = told.collect();
    let first = groups[0].told.clone();
    if groups.len() == 1 {
        groups.clear();
    }
    Told { first, groups }
}

impl ToldLabel {
    /// All that are told.
    fn all(&self) -> &[ToldClass] {
        match self.top.is_empty() {
            true => std::slice::from_ref(&self.first),
            false => &self.top,
        }
    }
}

fn line(prediction: &Prediction) -> String {
    let own = format!("{}: {}", prediction.file.text(), words(&prediction.told));
    match &prediction.with_map {
        Some(given) => format!("{own}; with the given map: {}", words(&given.told)),
        None => own,
    }
}

/// What is told, with how sure it is.
fn words(told: &Told) -> String {
    let words = |told: &ToldLabel| {
        let each = told.all().iter();
        let each = each.map(|told| format!("{} ({})", told.label, percent(told.probability)));
        each.collect::<Vec<_>>().join(", ")
    };
    if told.groups.is_empty() {
        return words(&told.first);
    }
    let groups = told.groups.iter();
    let groups: Vec<String> = groups
        .map(|group| format!("{} {}", group.name, words(&group.told)))
        .collect();
    groups.join(", ")
}
