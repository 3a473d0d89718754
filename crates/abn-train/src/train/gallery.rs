//! The pictures of the report: test images with their maps, chosen to show what works and what does
//! not.

use std::collections::HashMap;

use abn_core::Classifier;
use abn_data::{Loader, Normalization};
use anyhow::Result;
use burn::tensor::Device;
use image::RgbImage;

use abn_pages::Shot;
use abn_run::measure::evaluate::for_each_batch;
use abn_run::measure::readback::{predicted, probabilities};

/// Pictures of each kind, correct and wrong.
const SHOTS: usize = 12;

/// Pictures for the report among the first images of the loader: correct predictions of as many
/// classes as possible, and the wrong ones that the network was surest of.
///
/// # Errors
/// A sample cannot be read.
pub(crate) fn gallery(
    classifier: &Classifier,
    loader: &Loader,
    classes: &[String],
    device: &Device,
) -> Result<Vec<Shot>> {
    let normalization = loader.transform.normalization;
    let mut chosen = Chosen::default();
    for_each_batch(classifier, loader, device, |batch, outcome| {
        let mut maps = outcome
            .attention
            .map(|attention| attention.maps.into_iter());
        let pictures = pictures(&batch.pixels, batch.width, batch.height, normalization);
        let rows = outcome.logits.rows().zip(&batch.labels).zip(pictures);
        for (index, ((logits, label), image)) in rows.enumerate() {
            let class = predicted(logits);
            chosen.add(Shot {
                image,
                map: maps.as_mut().and_then(Iterator::next),
                mask: batch.masks.get(index).cloned().flatten(),
                label: classes[*label].clone(),
                predicted: classes[class].clone(),
                probability: probabilities(logits)[class] as f32,
                correct: class == *label,
            });
        }
        chosen.prune();
        Ok(true)
    })?;
    Ok(chosen.into_shots())
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

/// The best shots so far. Only they are kept, so a thousand photographs need no memory of their
/// own.
#[derive(Default)]
struct Chosen {
    /// Correct predictions of each class so far.
    seen: HashMap<String, usize>,
    /// Correct ones, each with its number in its class.
    correct: Vec<(usize, Shot)>,
    wrong: Vec<Shot>,
}

impl Chosen {
    fn add(&mut self, shot: Shot) {
        if !shot.correct {
            self.wrong.push(shot);
            return;
        }
        let seen = self.seen.entry(shot.label.clone()).or_default();
        self.correct.push((*seen, shot));
        *seen += 1;
    }

    /// Keeps the first of every class, then the second of every class; and the surest of the wrong
    /// ones. Both sorts are stable: among equals the order of the images decides.
    fn prune(&mut self) {
        self.correct.sort_by_key(|(number, _)| *number);
        self.correct.truncate(SHOTS);
        self.wrong
            .sort_by(|a, b| b.probability.total_cmp(&a.probability));
        self.wrong.truncate(SHOTS);
    }

    fn into_shots(mut self) -> Vec<Shot> {
        self.prune();
        self.correct
            .into_iter()
            .map(|(_, shot)| shot)
            .chain(self.wrong)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(label: &str, correct: bool, probability: f32) -> Shot {
        let (label, predicted) = (label.to_owned(), String::new());
        Shot {
            image: RgbImage::new(1, 1),
            map: None,
            mask: None,
            label,
            predicted,
            probability,
            correct,
        }
    }

    #[test]
    fn forgetting_early_changes_no_choice() {
        let shots = || {
            (0..60).map(|index| {
                let label = if index < 30 {
                    "a"
                } else {
                    ["b", "c", "a"][index % 3]
                };
                shot(label, index % 4 != 1, (index * 7 % 60) as f32)
            })
        };
        let chosen = |batch: usize| {
            let mut chosen = Chosen::default();
            for (index, shot) in shots().enumerate() {
                chosen.add(shot);
                if index % batch == 0 {
                    chosen.prune();
                }
            }
            let name = |shot: &Shot| (shot.label.clone(), shot.correct, shot.probability);
            chosen.into_shots().iter().map(name).collect::<Vec<_>>()
        };
        let (late, early) = (chosen(1000), chosen(1));
        assert_eq!(late, early);
        let labels: Vec<&str> = late
            .iter()
            .take(4)
            .map(|(label, _, _)| label.as_str())
            .collect();
        assert_eq!((labels, late.len()), (vec!["a", "b", "c", "a"], 24));
    }
}
