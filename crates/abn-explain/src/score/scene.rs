//! The exact effects of the things in an image whose scene can be made again.

use abn_core::Outputs;
use abn_core::explain::{Effect, Mask};
use abn_data::{Change, DataError, Intervention, Interventions, ObjectMasks, Sample, Target};
use abn_run::measure::pointing::object;
use abn_run::measure::readback::predicted;
use abn_run::session::Session;
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use crate::AnalysisError;

/// What the changes of a scene do to the answer.
#[derive(Debug, Clone, Default)]
pub(super) struct SceneEffects {
    /// Of each thing that can be taken out.
    pub(super) effects: Vec<Effect>,
    /// The mark, if the prediction goes by it: without it, it is another.
    pub(super) mark: Option<Mask>,
    /// Mean effect of each kind of change.
    pub(super) changes: Vec<Changed>,
}

/// What a kind of change does to the answer for one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// The change in words.
    pub change: String,
    /// By how much the class's logit, beside the mean of all, is higher without the change.
    pub effect: f64,
    /// Share of the changed images of which something else is predicted.
    pub other: f64,
}

/// The class's logit beside the mean of those of its label: what of a logit counts.
fn margin(logits: &[f32], class: usize, session: &Session, group: usize) -> f64 {
    let outputs: &Outputs = &session.config.model.outputs;
    let span = outputs.spans().nth(group).unwrap_or(0..logits.len());
    let own = logits.get(span.clone()).unwrap_or(logits);
    let mean = own.iter().map(|logit| f64::from(*logit)).sum::<f64>() / own.len() as f64;
    f64::from(logits[class]) - mean
}

/// Changes the scene of an image, whose logits are known, in every way.
pub(super) fn effects(
    session: &Session,
    again: &dyn Interventions,
    index: usize,
    logits: &[f32],
    class: usize,
    group: usize,
) -> Result<SceneEffects, AnalysisError> {
    let interventions = again.interventions(index, group);
    let (pixels, regions) = seen(session, &interventions)?;
    let answers = session.classifier.forward(pixels).logits;
    let [_, classes] = answers.dims();
    let answers: Vec<f32> = answers.into_data().iter().collect();
    let mut answers = answers.chunks_exact(classes.max(1));
    let outputs = &session.config.model.outputs;
    let said = |logits: &[f32]| predicted(logits, outputs)[group];
    let (whole, own) = (margin(logits, class, session, group), said(logits));
    let mut found = SceneEffects::default();
    let mut sums = Change::ALL.map(|change| (change, 0.0, 0.0, 0_usize));
    for (intervention, region) in interventions.iter().zip(regions) {
        let count = intervention.images.len();
        let rows: Vec<&[f32]> = answers.by_ref().take(count).collect();
        let of_row = |row: &&[f32]| whole - margin(row, class, session, group);
        let value = rows.iter().map(of_row).sum::<f64>() / count.max(1) as f64;
        let other = rows.iter().filter(|row| said(row) != own).count() as f64;
        let other = other / count.max(1) as f64;
        let change = intervention.change;
        if let Some(sum) = sums.iter_mut().find(|sum| sum.0 == change) {
            *sum = (change, sum.1 + value, sum.2 + other, sum.3 + 1);
        }
        if change == Change::WithoutMark && other > 0.0 {
            found.mark = Some(region.clone());
        }
        if change.removes() {
            found.effects.push(Effect { region, value });
        }
    }
    let of_sum = |(change, value, other, count): (Change, f64, f64, usize)| {
        (count > 0).then(|| Changed {
            change: change.words().to_owned(),
            effect: value / count as f64,
            other: other / count as f64,
        })
    };
    found.changes = sums.into_iter().filter_map(of_sum).collect();
    Ok(found)
}

/// The changed images as the network sees them, `[N, 3, H, W]`, and the regions of the things.
fn seen(
    session: &Session,
    interventions: &[Intervention],
) -> Result<(Tensor<4>, Vec<Mask>), AnalysisError> {
    let transform = session.config.recipe.eval_transform();
    // Nothing is drawn from it: what is measured is seen without chance.
    let mut chance = Pcg64::seed_from_u64(0);
    let mut view = |image, mask| -> Result<Sample, DataError> {
        let target = Target::class(0);
        let sample = Sample {
            image,
            target,
            masks: ObjectMasks::from(mask),
        };
        transform.sample(sample, &mut chance)
    };
    let (mut pixels, mut regions, mut size) = (Vec::new(), Vec::new(), (0, 0));
    let mut count = 0;
    for intervention in interventions {
        let mut region = Some(intervention.region.clone());
        for image in &intervention.images {
            let sample = view(image.clone(), region.take())?;
            size = sample.image.dimensions();
            pixels.extend(transform.normalization.planes(&sample.image));
            count += 1;
            if let Some(mask) = sample.masks.of(0) {
                regions.push(object(mask)?);
            }
        }
    }
    let shape = [count, 3, size.1 as usize, size.0 as usize];
    let pixels = Tensor::from_data(TensorData::new(pixels, shape), &session.device);
    Ok((pixels, regions))
}
