//! The pictures of the report: test images with their maps, chosen to show what works and what does
//! not.

use std::borrow::Cow;
use std::collections::BTreeMap;

use abn_core::explain::AttentionMap;
use abn_data::{Batch, Collection, Normalization, Target};
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

/// What a network sees in the images of a data set.
pub(crate) struct Seen {
    /// Pictures that were chosen.
    pub(crate) shots: Vec<Shot>,
    /// Which class is told for which, with pictures of some pairs; of one label.
    pub(crate) confused: Option<ConfusedClasses>,
}

/// Passes the images through the network: pictures are chosen among the first so many of them, what
/// is told is that of all. With several labels, an image is correct if all of them are.
///
/// # Errors
/// A sample cannot be read.
pub(crate) fn seen(
    session: &Session,
    images: &Collection,
    workers: usize,
    mut chosen: Chosen,
    first: usize,
) -> Result<Seen, RunError> {
    let names = session.config.labels.only();
    // Of several labels only the pictures are wanted.
    let passed = match names {
        Some(_) => images.clone(),
        None => images.clone().limit(first),
    };
    let mut told = names.map(|names| ConfusedImages::new(names.len()));
    let file = |index| images.files.as_ref().map(|files| files.name(index));
    for_each_shot(session, &passed, workers, |image| {
        if let (Some(told), Some((right, class))) = (&mut told, image.told) {
            told.add(right, class, image.index);
        }
        if image.index < first {
            chosen.add(Shot {
                file: file(image.index),
                ..(image.shot)()
            });
        }
    })?;
    let confused = names.zip(told);
    Ok(Seen {
        shots: chosen.into_shots(),
        confused: confused
            .map(|(names, told)| confused_classes(session, images, workers, names, told))
            .transpose()?,
    })
}

/// Pictures of some of the pairs of classes that are told for each other, and of classes told rightly.
fn confused_classes(
    session: &Session,
    images: &Collection,
    workers: usize,
    names: &[String],
    told: ConfusedImages,
) -> Result<ConfusedClasses, RunError> {
    let shown = told.of_pairs(MOST_PAIRS);
    let others = (0..images.samples.len()).filter(|index| !shown.contains_key(index));
    let some = images.clone().without(&others.collect());
    let mut examples = BTreeMap::<(usize, usize), Vec<Shot>>::new();
    let mut pairs = shown.into_values();
    for_each_shot(session, &some, workers, |image| {
        if let Some(pair) = pairs.next() {
            examples.entry(pair).or_default().push((image.shot)());
        }
    })?;
    Ok(ConfusedClasses {
        names: names.to_vec(),
        confusion: told.confusion,
        examples,
        drawing: Drawing::of(session.config.model.attention.as_ref()),
    })
}

/// An image that has passed the network.
struct Passed<'a> {
    /// Its number in the data set.
    index: usize,
    /// Its right class and the one that is told, of the first label; `None` where none is known.
    told: Option<(usize, usize)>,
    /// What the network says of it and where it looks.
    shot: &'a dyn Fn() -> Shot,
}

/// Passes the images through the network, one after the other.
fn for_each_shot(
    session: &Session,
    images: &Collection,
    workers: usize,
    mut visit: impl FnMut(Passed),
) -> Result<(), RunError> {
    let (config, loader) = (
        &session.config,
        plain_loader(&session.config, images, workers),
    );
    let normalization = loader.transform.normalization;
    for_each_batch(
        &session.classifier,
        &loader,
        &session.device,
        |batch, outcome| {
            let maps = outcome.attention.map(|attention| attention.maps);
            let mut maps = maps.iter().flat_map(ImageMaps::images);
            let rows = outcome.logits.rows().zip(&batch.targets);
            for (place, (logits, target)) in rows.enumerate() {
                let maps = maps.next().unwrap_or_default();
                let index = batch.indices[place];
                let label = shown(maps, target, index);
                let masks = batch.masks.get(place);
                let shot = || Shot {
                    image: picture(batch, place, normalization),
                    map: map_of(maps, label.unwrap_or(0)).cloned(),
                    map_of: label.map(|label| config.labels.groups()[label].name.clone()),
                    mask: masks.and_then(|masks| match label {
                        Some(label) => masks.of(label).cloned(),
                        None => masks.whole().map(Cow::into_owned),
                    }),
                    file: None,
                    verdicts: verdicts(config, logits, target),
                };
                let right = target.of(0);
                visit(Passed {
                    index,
                    told: right.map(|right| (right, predicted(logits, &config.model.outputs)[0])),
                    shot: &shot,
                });
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

/// The pixels of an image of a batch as a picture again.
fn picture(batch: &Batch, place: usize, normalization: Normalization) -> RgbImage {
    let (width, height) = (batch.width, batch.height);
    normalization.invert(&batch.planes(place), width as u32, height as u32)
}
