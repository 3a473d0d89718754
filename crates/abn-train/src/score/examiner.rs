//! Measures all methods on a batch of images.

use std::collections::BTreeMap;

use abn_core::Classifier;
use abn_core::explain::{
    AttentionMap, Baseline, Cascade, Confidence, Explanation, Localisation, Part, THRESHOLD, deletion,
    explain, insertion, probabilities_of, rank_correlation, sparseness,
};
use abn_data::Batch;
use anyhow::Result;
use burn::tensor::Tensor;
use image::GrayImage;

use super::{ClassChoice, Metric, Plan, Row};
use crate::conclusion::object;
use crate::evaluate::images_of;
use crate::method::MethodName;
use crate::outcome::{Outcome, predicted};
use crate::session::Session;

/// A network with what is needed to examine its explanations.
pub struct Examiner<'a> {
    session: &'a Session,
    plan: &'a Plan,
    parts: Vec<Part>,
    /// The network with one part more drawn anew each.
    randomised: Vec<Classifier>,
}

impl<'a> Examiner<'a> {
    /// Draws the weights of the sanity check, from the seed of the run plus one: its own first weights are not
    /// independent of it.
    ///
    /// # Errors
    /// The network is not of its configuration.
    pub fn new(session: &'a Session, plan: &'a Plan) -> Result<Self> {
        let mut examiner = Self { session, plan, parts: Vec::new(), randomised: Vec::new() };
        if plan.randomised > 0 {
            let seed = session.config.recipe.seed.wrapping_add(1);
            let cascade = Cascade::new(&session.config.model, &session.classifier, seed, &session.device);
            examiner.parts = cascade.parts().to_vec();
            let networks = (1..=examiner.parts.len()).map(|count| cascade.randomised(count));
            examiner.randomised = networks.collect::<Result<_, _>>()?;
        }
        Ok(examiner)
    }

    /// The parts of the network that are drawn anew, from the prediction down; none if that is not asked for.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// One row an image and method, images first.
    ///
    /// # Errors
    /// A method has no map of this network.
    pub fn examine(&self, batch: &Batch) -> Result<Vec<Vec<Row>>> {
        let classifier = &self.session.classifier;
        let images = images_of(batch, &self.session.device);
        let outcome = Outcome::read(classifier.forward(images.clone()), false)?;
        let predictions: Vec<usize> = outcome.logits.rows().map(predicted).collect();
        let classes = match self.plan.class {
            ClassChoice::Predicted => predictions.clone(),
            ClassChoice::Label => batch.labels.clone(),
        };
        let whole = probabilities_of(classifier, images.clone(), &classes);
        let mut rows: Vec<Vec<Row>> = vec![Vec::new(); batch.len()];
        for &method in &self.plan.methods {
            let found = self.explain(classifier, &images, method, &classes)?;
            let maps: Vec<&AttentionMap> = found.iter().map(|found| &found.normalized).collect();
            let seen = Confidence::measure(classifier, images.clone(), &maps, &classes, &whole);
            let cascades = self.cascades(batch, &images, method, &classes, &found)?;
            for (index, cascade) in cascades.into_iter().enumerate() {
                let image = images.clone().narrow(0, index, 1);
                let mut values = self.faithfulness(image, maps[index], classes[index]);
                values.extend([
                    (Metric::Drop, seen[index].drop()),
                    (Metric::Increase, f64::from(u8::from(seen[index].increases()))),
                ]);
                values.extend(localisation(maps[index], batch.masks.get(index).and_then(Option::as_ref))?);
                values.extend(sparseness(maps[index]).map(|sparseness| (Metric::Sparseness, sparseness)));
                values.extend(cascade.last().copied().flatten().map(|last| (Metric::Randomised, last)));
                rows[index].push(Row {
                    image: batch.indices[index],
                    label: batch.labels[index],
                    predicted: predictions[index],
                    class: classes[index],
                    probability: whole[index],
                    method,
                    values,
                    cascade,
                });
            }
        }
        Ok(rows)
    }

    fn explain(
        &self,
        classifier: &Classifier,
        images: &Tensor<4>,
        method: MethodName,
        classes: &[usize],
    ) -> Result<Vec<Explanation>> {
        Ok(explain(classifier, images.clone(), method.method(), self.plan.layer.layer(), classes)?)
    }

    /// Deletion and insertion, each with both baselines.
    fn faithfulness(&self, image: Tensor<4>, map: &AttentionMap, class: usize) -> BTreeMap<Metric, f64> {
        let (classifier, steps) = (&self.session.classifier, self.plan.steps);
        let delete = |baseline| deletion(classifier, image.clone(), map, class, baseline, steps).area();
        let insert = |baseline| insertion(classifier, image.clone(), map, class, baseline, steps).area();
        BTreeMap::from([
            (Metric::Deletion, delete(Baseline::Zero)),
            (Metric::Insertion, insert(Baseline::Blur)),
            (Metric::DeletionBlur, delete(Baseline::Blur)),
            (Metric::InsertionZero, insert(Baseline::Zero)),
        ])
    }

    /// For each image, the absolute rank correlation of its map with that of each randomised network.
    fn cascades(
        &self,
        batch: &Batch,
        images: &Tensor<4>,
        method: MethodName,
        classes: &[usize],
        found: &[Explanation],
    ) -> Result<Vec<Vec<Option<f64>>>> {
        let mut cascades = vec![Vec::new(); batch.len()];
        let asked = batch.indices.iter().filter(|index| **index < self.plan.randomised).count();
        if asked == 0 {
            return Ok(cascades);
        }
        // Without shuffling, the images that are asked come first.
        let images = images.clone().narrow(0, 0, asked);
        for network in &self.randomised {
            let others = self.explain(network, &images, method, &classes[..asked])?;
            for ((cascade, own), other) in cascades.iter_mut().zip(found).zip(others) {
                cascade.push(similarity(&own.normalized, &other.normalized));
            }
        }
        Ok(cascades)
    }
}

/// Absolute rank correlation of a map with that of a randomised network, which may have nothing in common with it by
/// being constant; the opposite order is as much in common as the same.
/// A map that is constant itself has no order to keep.
fn similarity(own: &AttentionMap, other: &AttentionMap) -> Option<f64> {
    rank_correlation(own, own)?;
    Some(rank_correlation(own, other).map_or(0.0, f64::abs))
}

fn localisation(map: &AttentionMap, mask: Option<&GrayImage>) -> Result<BTreeMap<Metric, f64>> {
    let Some(mask) = mask.map(object).transpose()? else { return Ok(BTreeMap::new()) };
    let threshold = f32::from(THRESHOLD) / 255.0;
    let Some(found) = Localisation::measure(map, &mask, threshold) else { return Ok(BTreeMap::new()) };
    let known =
        [(Metric::Pointing, found.pointing), (Metric::Energy, found.energy), (Metric::Iou, found.iou)];
    Ok(known.into_iter().chain(found.auc.map(|auc| (Metric::Auc, auc))).collect())
}
