//! The pictures of the report: test images with their maps, chosen to show what works and what does not.

use abn_core::Classifier;
use abn_data::{Loader, Normalization};
use anyhow::Result;
use burn::tensor::Device;
use image::RgbImage;

use crate::evaluate::for_each_batch;
use crate::outcome::{predicted, probabilities};
use crate::report::Shot;

/// Pictures of each kind, correct and wrong.
const SHOTS: usize = 12;

/// Pictures for the report among the first images of the loader: correct predictions of as many classes as
/// possible, and the wrong ones that the network was surest of.
///
/// # Errors
/// A sample cannot be read.
pub fn gallery(
    classifier: &Classifier,
    loader: &Loader,
    classes: &[String],
    device: &Device,
) -> Result<Vec<Shot>> {
    let normalization = loader.transform.normalization;
    let (mut correct, mut wrong) = (Vec::new(), Vec::new());
    for_each_batch(classifier, loader, device, |batch, outcome| {
        let mut maps = outcome.attention.map(|attention| attention.maps.into_iter());
        let pictures = pictures(&batch.pixels, batch.width, batch.height, normalization);
        let rows = outcome.logits.rows().zip(&batch.labels).zip(pictures);
        for (index, ((logits, label), image)) in rows.enumerate() {
            let class = predicted(logits);
            let shot = Shot {
                image,
                map: maps.as_mut().and_then(Iterator::next),
                mask: batch.masks.get(index).cloned().flatten(),
                label: classes[*label].clone(),
                predicted: classes[class].clone(),
                probability: probabilities(logits)[class] as f32,
                correct: class == *label,
            };
            if shot.correct { correct.push(shot) } else { wrong.push(shot) }
        }
        Ok(true)
    })?;
    wrong.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    wrong.truncate(SHOTS);
    let mut shots = one_of_each(correct);
    shots.extend(wrong);
    Ok(shots)
}

/// The pixels of a batch as pictures again.
fn pictures(pixels: &[f32], width: usize, height: usize, normalization: Normalization) -> Vec<RgbImage> {
    let planes = pixels.chunks_exact((3 * width * height).max(1));
    planes.map(|planes| normalization.invert(planes, width as u32, height as u32)).collect()
}

/// The first of every class, then the second of every class, until there are enough.
fn one_of_each(shots: Vec<Shot>) -> Vec<Shot> {
    let mut seen: Vec<(String, usize)> = Vec::new();
    let mut ranked: Vec<(usize, Shot)> = Vec::new();
    for shot in shots {
        let rank = match seen.iter_mut().find(|(label, _)| *label == shot.label) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                seen.push((shot.label.clone(), 0));
                0
            }
        };
        ranked.push((rank, shot));
    }
    ranked.sort_by_key(|(rank, _)| *rank); // stable: within a rank the order of the images
    ranked.into_iter().take(SHOTS).map(|(_, shot)| shot).collect()
}
