//! One run on all images: what is kept of it for comparing.

use abn_core::explain::{AttentionMap, Explanation, ForwardPass, Method};
use abn_data::{Batch, Collection};
use abn_run::RunError;
use abn_run::class_name::group_of;
use abn_run::images::plain_loader;
use abn_run::measure::evaluate::images_of;
use abn_run::measure::readback::{HostOutput, predicted};
use abn_run::recipe::RunConfig;
use abn_run::session::Session;

use super::{MapQuery, MapScale};
use crate::AnalysisError;

/// What a run sees in the images, in their order. Classes are counted in the label that is asked
/// for.
#[derive(Debug, Clone)]
pub struct RunMaps {
    /// Where the run lies, as typed.
    pub path: String,
    /// Architecture and attention.
    pub title: String,
    /// Learning rate of its first epoch.
    pub learning_rate: f64,
    /// Seed.
    pub seed: u64,
    /// The map of each image.
    pub maps: Vec<AttentionMap>,
    /// The class predicted for each image.
    pub predicted: Vec<usize>,
    /// The class of each image.
    pub labels: Vec<usize>,
}

impl MapScale {
    /// Raw for trained maps, which lie in [0, 1], unless one of the runs makes maps without an
    /// upper end; per image for every other method.
    pub fn usual<'a>(method: Method, mut runs: impl Iterator<Item = &'a RunConfig>) -> Self {
        let unbounded = |config: &RunConfig| {
            config
                .model
                .attention
                .as_ref()
                .is_some_and(|attention| !attention.map.is_bounded())
        };
        if method == Method::Attention && !runs.any(unbounded) {
            Self::Raw
        } else {
            Self::PerImage
        }
    }
}

/// Passes the images through a run. Maps that ask for a class are those of the image's label, so
/// that every run answers the same question; `progress` is told the number of images of each batch.
///
/// # Errors
/// A sample cannot be read, or the run has no such maps.
pub fn look(
    path: &str,
    session: &Session,
    images: &Collection,
    query: &MapQuery,
    workers: usize,
    mut progress: impl FnMut(usize),
) -> Result<RunMaps, AnalysisError> {
    let recipe = &session.config.recipe;
    let group = group_of(&session.config.labels, query.group.as_deref()).map_err(RunError::from)?;
    let mut maps = RunMaps {
        path: path.to_owned(),
        title: recipe.title(),
        learning_rate: recipe.learning_rate,
        seed: recipe.seed,
        maps: Vec::new(),
        predicted: Vec::new(),
        labels: Vec::new(),
    };
    for batch in plain_loader(&session.config, images, workers).epoch(0, 0) {
        let batch = batch?;
        look_at_batch(session, &batch, query, group, &mut maps).map_err(|source| {
            AnalysisError::OfRun {
                run: path.to_owned(),
                source: Box::new(source),
            }
        })?;
        progress(batch.len());
    }
    Ok(maps)
}

/// Adds the predicted classes and the maps of a batch.
fn look_at_batch(
    session: &Session,
    batch: &Batch,
    query: &MapQuery,
    group: usize,
    maps: &mut RunMaps,
) -> Result<(), AnalysisError> {
    let pass = ForwardPass::new(&session.classifier, images_of(batch, &session.device));
    let output = HostOutput::read(pass.output().clone(), false)?;
    let outputs = &session.config.model.outputs;
    let of_row = |logits: &[f32]| predicted(logits, outputs)[group];
    maps.predicted.extend(output.logits.rows().map(of_row));
    let labels = batch.targets.iter().zip(&batch.indices);
    let labels = labels.map(|(target, image)| {
        let unknown = || AnalysisError::UnknownLabel {
            label: session.config.labels.groups()[group].name.clone(),
            image: *image,
        };
        target.of(group).ok_or_else(unknown)
    });
    let labels: Vec<usize> = labels.collect::<Result<_, _>>()?;
    let first = session.config.labels.first_of(group);
    let classes: Vec<usize> = labels.iter().map(|class| first + class).collect();
    let explained = pass.explain(query.method, query.layer, &classes)?;
    let scaled = |found: Explanation| match query.scale {
        MapScale::Raw => found.raw,
        MapScale::PerImage => found.normalized,
    };
    maps.maps.extend(explained.into_iter().map(scaled));
    maps.labels.extend(labels);
    Ok(())
}
