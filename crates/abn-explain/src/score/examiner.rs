//! Measures all methods on a batch of images.

use std::collections::BTreeMap;

use abn_core::explain::{
    AttentionMap, Baseline, Cascade, Confidence, Explanation, ForwardPass, Localisation, Method,
    Part, THRESHOLD, deletion, insertion, rank_correlation, sparseness,
};
use abn_core::{Classifier, Output};
use abn_data::Batch;
use abn_run::RunError;
use abn_run::class_name::group_of;
use abn_run::measure::evaluate::images_of;
use abn_run::measure::pointing::object;
use abn_run::measure::readback::{HostOutput, predicted, probabilities};
use abn_run::session::Session;
use burn::tensor::Tensor;
use image::GrayImage;

use super::{ClassChoice, Metric, Plan, Row};
use crate::AnalysisError;

/// A network with what is needed to examine its explanations.
pub struct Examiner<'a> {
    session: &'a Session,
    plan: &'a Plan,
    /// Number of the label that is explained.
    group: usize,
    parts: Vec<Part>,
    /// The network with one part more drawn anew each.
    randomised: Vec<Classifier>,
}

impl<'a> Examiner<'a> {
    /// Draws the weights of the sanity check, from the seed of the run plus one: its own first
    /// weights are not independent of it.
    ///
    /// # Errors
    /// The run has no such label, or the network is not of its configuration.
    pub fn new(session: &'a Session, plan: &'a Plan) -> Result<Self, AnalysisError> {
        let group = group_of(&session.config.labels, plan.group.as_deref());
        let mut examiner = Self {
            session,
            plan,
            group: group.map_err(RunError::from)?,
            parts: Vec::new(),
            randomised: Vec::new(),
        };
        if plan.randomised > 0 {
            let seed = session.config.recipe.seed.wrapping_add(1);
            let cascade = Cascade::new(
                &session.config.model,
                &session.classifier,
                seed,
                &session.device,
            );
            examiner.parts = cascade.parts().to_vec();
            let networks = (1..=examiner.parts.len()).map(|count| cascade.randomised(count));
            examiner.randomised = networks.collect::<Result<_, _>>()?;
        }
        Ok(examiner)
    }

    /// The parts of the network that are drawn anew, from the prediction down; none if that is not
    /// asked for.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// One row an image and method, images first.
    ///
    /// # Errors
    /// A method has no map of this network.
    pub fn examine(&self, batch: &Batch) -> Result<Vec<Vec<Row>>, AnalysisError> {
        let images = images_of(batch, &self.session.device);
        let pass = ForwardPass::new(&self.session.classifier, images.clone());
        let predictions = self.predictions(batch, images, pass.output())?;
        let found = self.explain(&pass, &predictions.classes)?;
        // Its features are not needed any more.
        drop(pass);
        let cascades = self.cascades(&predictions, &found)?;
        let mut rows: Vec<Vec<Row>> = vec![Vec::new(); batch.len()];
        let by_method = self.plan.methods.iter().zip(found).zip(cascades);
        for ((&method, found), cascades) in by_method {
            let by_image = self.by_method(&predictions, method, found, cascades)?;
            for (rows, row) in rows.iter_mut().zip(by_image) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// What the network says of a batch without being asked why.
    fn predictions<'b>(
        &self,
        batch: &'b Batch,
        images: Tensor<4>,
        output: &Output,
    ) -> Result<Predictions<'b>, AnalysisError> {
        let output = HostOutput::read(output.clone(), false)?;
        let outputs = &self.session.config.model.outputs;
        let of_row = |logits: &[f32]| predicted(logits, outputs)[self.group];
        let predicted: Vec<usize> = output.logits.rows().map(of_row).collect();
        let labels: Vec<usize> = batch
            .targets
            .iter()
            .map(|target| target.classes()[self.group])
            .collect();
        let first = self.session.config.labels.first_of(self.group);
        let asked = match self.plan.class {
            ClassChoice::Predicted => &predicted,
            ClassChoice::Label => &labels,
        };
        let classes: Vec<usize> = asked.iter().map(|class| first + class).collect();
        let of_class = |(logits, class): (&[f32], &usize)| probabilities(logits, outputs)[*class];
        let whole = output.logits.rows().zip(&classes).map(of_class).collect();
        Ok(Predictions {
            batch,
            images,
            labels,
            predicted,
            first,
            classes,
            whole,
        })
    }

    /// One row an image, of what a method found and how it fared when the network was drawn anew.
    fn by_method(
        &self,
        predictions: &Predictions,
        method: Method,
        found: Vec<Explanation>,
        cascades: Vec<Correlations>,
    ) -> Result<Vec<Row>, AnalysisError> {
        let Predictions {
            batch,
            images,
            labels,
            predicted,
            first,
            classes,
            whole,
        } = predictions;
        let maps: Vec<&AttentionMap> = found.iter().map(|found| &found.normalized).collect();
        let confidence = Confidence::measure(
            &self.session.classifier,
            images.clone(),
            &maps,
            classes,
            whole,
        );
        let mut rows = Vec::with_capacity(batch.len());
        for (index, cascade) in cascades.into_iter().enumerate() {
            let image = images.clone().narrow(0, index, 1);
            let mask = batch.masks.get(index).and_then(Option::as_ref);
            let mut values = self.faithfulness(image, maps[index], classes[index]);
            values.insert(Metric::Drop, confidence[index].drop());
            values.insert(
                Metric::Increase,
                f64::from(u8::from(confidence[index].increases())),
            );
            values.extend(localisation(maps[index], mask)?);
            values
                .extend(sparseness(maps[index]).map(|sparseness| (Metric::Sparseness, sparseness)));
            values.extend(
                cascade
                    .last()
                    .copied()
                    .flatten()
                    .map(|last| (Metric::Randomised, last)),
            );
            rows.push(Row {
                image: batch.indices[index],
                label: labels[index],
                predicted: predicted[index],
                class: classes[index] - first,
                probability: whole[index],
                method,
                values,
                cascade,
            });
        }
        Ok(rows)
    }

    /// The explanations of each method.
    fn explain(
        &self,
        pass: &ForwardPass,
        classes: &[usize],
    ) -> Result<Vec<Vec<Explanation>>, AnalysisError> {
        let layer = self.plan.layer;
        let methods = self.plan.methods.iter();
        let found = methods.map(|method| pass.explain(*method, layer, classes));
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Deletion and insertion, each with both baselines.
    fn faithfulness(
        &self,
        image: Tensor<4>,
        map: &AttentionMap,
        class: usize,
    ) -> BTreeMap<Metric, f64> {
        let (classifier, steps) = (&self.session.classifier, self.plan.steps);
        let delete =
            |baseline| deletion(classifier, image.clone(), map, class, baseline, steps).area();
        let insert =
            |baseline| insertion(classifier, image.clone(), map, class, baseline, steps).area();
        BTreeMap::from([
            (Metric::Deletion, delete(Baseline::Zero)),
            (Metric::Insertion, insert(Baseline::Blur)),
            (Metric::DeletionBlur, delete(Baseline::Blur)),
            (Metric::InsertionZero, insert(Baseline::Zero)),
        ])
    }

    /// For each method and image, the absolute rank correlation of its map with that of each
    /// randomised network; none for the images that are not asked this.
    fn cascades(
        &self,
        predictions: &Predictions,
        found: &[Vec<Explanation>],
    ) -> Result<Vec<Vec<Correlations>>, AnalysisError> {
        let images = predictions.classes.len();
        let mut cascades = vec![vec![Vec::new(); images]; found.len()];
        // Without shuffling, the images that are asked come first.
        let asked = predictions
            .batch
            .indices
            .iter()
            .filter(|index| **index < self.plan.randomised)
            .count();
        if asked == 0 {
            return Ok(cascades);
        }
        let images = predictions.images.clone().narrow(0, 0, asked);
        for network in &self.randomised {
            let pass = ForwardPass::new(network, images.clone());
            let others = self.explain(&pass, &predictions.classes[..asked])?;
            for ((cascades, found), others) in cascades.iter_mut().zip(found).zip(others) {
                for ((cascade, own), other) in cascades.iter_mut().zip(found).zip(others) {
                    cascade.push(similarity(&own.normalized, &other.normalized));
                }
            }
        }
        Ok(cascades)
    }
}

/// A correlation for each randomised network, where there is one.
type Correlations = Vec<Option<f64>>;

/// A batch and what the network says of it. Classes are counted in the label that is explained.
struct Predictions<'b> {
    batch: &'b Batch,
    images: Tensor<4>,
    labels: Vec<usize>,
    predicted: Vec<usize>,
    /// Number of the label's first class among all outputs.
    first: usize,
    /// The classes that are explained, counted through all outputs.
    classes: Vec<usize>,
    /// Their probabilities.
    whole: Vec<f64>,
}

/// Absolute rank correlation of a map with that of a randomised network, which may have nothing in
/// common with it by being constant; the opposite order is as much in common as the same. A map
/// that is constant itself has no order to keep.
fn similarity(own: &AttentionMap, other: &AttentionMap) -> Option<f64> {
    rank_correlation(own, own)?;
    Some(rank_correlation(own, other).map_or(0.0, f64::abs))
}

fn localisation(
    map: &AttentionMap,
    mask: Option<&GrayImage>,
) -> Result<BTreeMap<Metric, f64>, AnalysisError> {
    let Some(mask) = mask.map(object).transpose()? else {
        return Ok(BTreeMap::new());
    };
    let threshold = f32::from(THRESHOLD) / 255.0;
    let Some(found) = Localisation::measure(map, &mask, threshold) else {
        return Ok(BTreeMap::new());
    };
    let known = [
        (Metric::Pointing, found.pointing),
        (Metric::Energy, found.energy),
        (Metric::Iou, found.iou),
    ];
    Ok(known
        .into_iter()
        .chain(found.auc.map(|auc| (Metric::Auc, auc)))
        .collect())
}
