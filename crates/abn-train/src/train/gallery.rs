//! The pictures of the report: test images with their maps, chosen to show what works and what does
//! not.

use std::collections::HashMap;

use abn_data::{Loader, Normalization, Target};
use abn_pages::{Shot, Verdict};
use abn_run::RunError;
use abn_run::measure::evaluate::for_each_batch;
use abn_run::measure::readback::{predicted, probabilities};
use abn_run::recipe::RunConfig;
use abn_run::session::Session;
use image::RgbImage;

/// Pictures of each kind, correct and wrong.
const SHOTS: usize = 12;

/// Pictures for the report among the first images of the loader: correct predictions of as many
/// classes as possible, and the wrong ones that the network was surest of. With several labels, an
/// image is correct if all of them are.
///
/// # Errors
/// A sample cannot be read.
pub(crate) fn gallery(session: &Session, loader: &Loader) -> Result<Vec<Shot>, RunError> {
    let normalization = loader.transform.normalization;
    let mut chosen = Chosen::default();
    for_each_batch(
        &session.classifier,
        loader,
        &session.device,
        |batch, outcome| {
            let mut maps = outcome
                .attention
                .map(|attention| attention.maps.into_iter());
            let pictures = pictures(&batch.pixels, batch.width, batch.height, normalization);
            let rows = outcome.logits.rows().zip(&batch.targets).zip(pictures);
            for (index, ((logits, target), image)) in rows.enumerate() {
                chosen.add(Shot {
                    image,
                    map: maps.as_mut().and_then(Iterator::next),
                    mask: batch.masks.get(index).cloned().flatten(),
                    verdicts: verdicts(&session.config, logits, target),
                });
            }
            chosen.prune();
            Ok::<bool, RunError>(true)
        },
    )?;
    Ok(chosen.into_shots())
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
            label: labels.name(group, *label).to_owned(),
            predicted: labels.name(group, class).to_owned(),
            probability: probabilities[labels.first_of(group) + class],
            correct: class == *label,
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

/// The best shots so far. Only they are kept, so a thousand photographs need no memory of their
/// own.
#[derive(Default)]
struct Chosen {
    /// Correct predictions of each class so far, or of each combination of several labels.
    seen: HashMap<Vec<String>, usize>,
    /// Correct ones, each with its number in its class.
    correct: Vec<(usize, Shot)>,
    wrong: Vec<Shot>,
}

impl Chosen {
    fn add(&mut self, shot: Shot) {
        if !shot.correct() {
            self.wrong.push(shot);
            return;
        }
        let labels = shot.verdicts.iter().map(|verdict| verdict.label.clone());
        let seen = self.seen.entry(labels.collect()).or_default();
        self.correct.push((*seen, shot));
        *seen += 1;
    }

    /// Keeps the first of every class, then the second of every class; and the surest of the wrong
    /// ones. Both sorts are stable: among equals the order of the images decides.
    fn prune(&mut self) {
        self.correct.sort_by_key(|(number, _)| *number);
        self.correct.truncate(SHOTS);
        self.wrong
            .sort_by(|a, b| surest_miss(b).total_cmp(&surest_miss(a)));
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

/// The highest probability of a class that is wrong.
fn surest_miss(shot: &Shot) -> f64 {
    let wrong = shot.verdicts.iter().filter(|verdict| !verdict.correct);
    wrong.map(|verdict| verdict.probability).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(label: &str, correct: bool, probability: f64) -> Shot {
        Shot {
            image: RgbImage::new(1, 1),
            map: None,
            mask: None,
            verdicts: vec![Verdict {
                group: None,
                label: label.to_owned(),
                predicted: String::new(),
                probability,
                correct,
            }],
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
                shot(label, index % 4 != 1, (index * 7 % 60) as f64)
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
            let name = |shot: &Shot| {
                let verdict = &shot.verdicts[0];
                (verdict.label.clone(), verdict.correct, verdict.probability)
            };
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
