//! The pictures of the report: test images with their maps, chosen to show what works and what does
//! not.

use std::borrow::Cow;
use std::collections::BTreeMap;

use abn_core::explain::AttentionMap;
use abn_data::{Collection, Loader, Normalization, Target};
use abn_pages::heatmap::Drawing;
use abn_pages::{Chosen, ConfusedClasses, Shot, Verdict};
use abn_run::RunError;
use abn_run::images::plain_loader;
use abn_run::measure::confusion::ConfusedImages;
use abn_run::measure::evaluate::for_each_batch;
use abn_run::measure::readback::{ImageMaps, map_of, predicted, probabilities};
use abn_run::recipe::RunConfig;
use abn_run::session::Session;
use image::RgbImage;

/// Pairs of classes that have pictures.
const MOST_PAIRS: usize = 100;

/// Pictures for the report among the first images of the loader: correct predictions of as many
/// classes as possible, and the wrong ones that the network was surest of. With several labels, an
/// image is correct if all of them are.
///
/// # Errors
/// A sample cannot be read.
pub(crate) fn gallery(session: &Session, loader: &Loader) -> Result<Vec<Shot>, RunError> {
    chosen(session, loader, Chosen::default(), |_| None)
}

/// The wrong predictions that the network was surest of, at most so many, with the names of their
/// files.
///
/// # Errors
/// A sample cannot be read.
pub(crate) fn mistakes(
    session: &Session,
    images: &Collection,
    workers: usize,
    most: usize,
) -> Result<Vec<Shot>, RunError> {
    let loader = plain_loader(&session.config, images, workers);
    let file = |index| images.files.as_ref().map(|files| files.name(index));
    chosen(session, &loader, Chosen::wrong(most), file)
}

fn chosen(
    session: &Session,
    loader: &Loader,
    mut chosen: Chosen,
    file: impl Fn(usize) -> Option<String>,
) -> Result<Vec<Shot>, RunError> {
    for_each_shot(session, loader, |index, shot| {
        chosen.add(Shot {
            file: file(index),
            ..shot
        });
    })?;
    Ok(chosen.into_shots())
}

/// Pictures of some of the pairs of classes that are told for each other, and of classes told rightly;
/// a run of one label.
///
/// # Errors
/// A sample cannot be read.
pub(crate) fn confused(
    session: &Session,
    images: &Collection,
    workers: usize,
) -> Result<Option<ConfusedClasses>, RunError> {
    let Some(names) = session.config.labels.only() else {
        return Ok(None);
    };
    let mut told = ConfusedImages::new(names.len());
    let loader = plain_loader(&session.config, images, workers);
    let outputs = &session.config.model.outputs;
    for_each_batch(
        &session.classifier,
        &loader,
        &session.device,
        |batch, outcome| {
            let rows = outcome.logits.rows().zip(&batch.targets);
            for ((logits, target), index) in rows.zip(&batch.indices) {
                if let Some(label) = target.of(0) {
                    told.add(label, predicted(logits, outputs)[0], *index);
                }
            }
            Ok::<bool, RunError>(true)
        },
    )?;
    let shown = told.of_pairs(MOST_PAIRS);
    let others = (0..images.samples.len()).filter(|index| !shown.contains_key(index));
    let some = images.clone().without(&others.collect());
    let mut examples = BTreeMap::<(usize, usize), Vec<Shot>>::new();
    let mut pairs = shown.into_values();
    for_each_shot(
        session,
        &plain_loader(&session.config, &some, workers),
        |_, shot| {
            if let Some(pair) = pairs.next() {
                examples.entry(pair).or_default().push(shot);
            }
        },
    )?;
    Ok(Some(ConfusedClasses {
        names: names.to_vec(),
        confusion: told.confusion,
        examples,
        drawing: Drawing::of(session.config.model.attention.as_ref()),
    }))
}

/// Every image of the loader with its number, what the network says of it and where it looks.
fn for_each_shot(
    session: &Session,
    loader: &Loader,
    mut visit: impl FnMut(usize, Shot),
) -> Result<(), RunError> {
    let normalization = loader.transform.normalization;
    let labels = &session.config.labels;
    for_each_batch(
        &session.classifier,
        loader,
        &session.device,
        |batch, outcome| {
            let maps = outcome.attention.map(|attention| attention.maps);
            let mut maps = maps.iter().flat_map(ImageMaps::images);
            let pictures = pictures(&batch.pixels, batch.width, batch.height, normalization);
            let rows = outcome.logits.rows().zip(&batch.targets).zip(pictures);
            for (index, ((logits, target), image)) in rows.enumerate() {
                let maps = maps.next().unwrap_or_default();
                let label = shown(maps, target, batch.indices[index]);
                let masks = batch.masks.get(index);
                let shot = Shot {
                    image,
                    map: map_of(maps, label.unwrap_or(0)).cloned(),
                    map_of: label.map(|label| labels.groups()[label].name.clone()),
                    mask: masks.and_then(|masks| match label {
                        Some(label) => masks.of(label).cloned(),
                        None => masks.whole().map(Cow::into_owned),
                    }),
                    file: None,
                    verdicts: verdicts(&session.config, logits, target),
                };
                visit(batch.indices[index], shot);
            }
            Ok::<bool, RunError>(true)
        },
    )
}

/// The label whose map is shown of several: one that is not of its first class if there is such a
/// one, by turns from image to image. `None` where one map is of all labels.
fn shown(maps: &[AttentionMap], target: &Target, index: usize) -> Option<usize> {
    if maps.len() < 2 {
        return None;
    }
    let classes = target.classes().iter().enumerate();
    let present = classes.filter(|(_, class)| class.is_some_and(|class| class > 0));
    let present: Vec<usize> = present.map(|(label, _)| label).collect();
    Some(match present.len() {
        0 => index % maps.len(),
        count => present[index % count],
    })
}

/// What the network says of each label beside what is true.
fn verdicts(config: &RunConfig, logits: &[f32], target: &Target) -> Vec<Verdict> {
    let (labels, outputs) = (&config.labels, &config.model.outputs);
    let probabilities = probabilities(logits, outputs);
    let pairs = predicted(logits, outputs).into_iter().zip(target.classes());
    let several = labels.only().is_none();
    pairs
        .enumerate()
        .map(|(group, (class, label))| Verdict {
            group: several.then(|| labels.groups()[group].name.clone()),
            label: match label {
                Some(label) => labels.name(group, *label).to_owned(),
                None => "not known".to_owned(),
            },
            predicted: labels.name(group, class).to_owned(),
            probability: probabilities[labels.first_of(group) + class],
            correct: label.is_none_or(|label| class == label),
        })
        .collect()
}

/// The pixels of a batch as pictures again.
fn pictures(
    pixels: &[f32],
    width: usize,
    height: usize,
    normalization: Normalization,
) -> Vec<RgbImage> {
    let planes = pixels.chunks_exact((3 * width * height).max(1));
    planes
        .map(|planes| normalization.invert(planes, width as u32, height as u32))
        .collect()
}
