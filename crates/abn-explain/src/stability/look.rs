//! One run on all images: what is kept of it for comparing.

use abn_core::explain::{AttentionMap, ExplainError, Method, explain};
use abn_data::{Batch, Collection};
use anyhow::{Context, Result};

use super::{Ask, Scale};
use abn_run::measure::evaluate::images_of;
use abn_run::measure::readback::{Outcome, predicted};
use abn_run::recipe::RunConfig;
use abn_run::session::{Session, plain_loader};

/// What a run sees in the images, in their order.
#[derive(Debug, Clone)]
pub struct Seen {
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

impl Scale {
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
    ask: &Ask,
    workers: usize,
    mut progress: impl FnMut(usize),
) -> Result<Seen> {
    let recipe = &session.config.recipe;
    let mut seen = Seen {
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
        let outcome =
            see(session, &batch, ask).with_context(|| format!("`{path}` cannot be compared"))?;
        seen.predicted.extend(outcome.0);
        seen.maps.extend(outcome.1);
        seen.labels.extend(&batch.labels);
        progress(batch.len());
    }
    Ok(seen)
}

/// Predicted classes and maps of a batch.
fn see(session: &Session, batch: &Batch, ask: &Ask) -> Result<(Vec<usize>, Vec<AttentionMap>)> {
    let images = images_of(batch, &session.device);
    let trained = ask.method == Method::Attention;
    let outcome = Outcome::read(session.classifier.forward(images.clone()), trained)?;
    let classes = outcome.logits.rows().map(predicted).collect();
    let maps = if trained {
        let maps = outcome
            .attention
            .ok_or(ExplainError::NoBranch)?
            .maps
            .into_iter();
        maps.map(|map| {
            if ask.scale == Scale::Raw {
                map
            } else {
                map.normalized()
            }
        })
        .collect()
    } else {
        let explained = explain(
            &session.classifier,
            images,
            ask.method,
            ask.layer,
            &batch.labels,
        )?
        .into_iter();
        explained
            .map(|maps| {
                if ask.scale == Scale::Raw {
                    maps.raw
                } else {
                    maps.normalized
                }
            })
            .collect()
    };
    Ok((classes, maps))
}
