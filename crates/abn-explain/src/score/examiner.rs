//! Measures all methods on a batch of images.

use std::collections::BTreeMap;
use std::sync::Arc;

use abn_core::explain::{
    AttentionMap, Baseline, Cascade, Confidence, Explanation, Fidelity, ForwardPass, Localisation,
    Method, Part, Road, THRESHOLD, complexity, deletion, insertion, intervention, noisy,
    rank_correlation, sparseness,
};
use abn_core::{Classifier, Output};
use abn_data::{Batch, Interventions};
use abn_run::RunError;
use abn_run::class_name::group_of;
use abn_run::measure::evaluate::images_of;
use abn_run::measure::pointing::object;
use abn_run::measure::readback::{HostOutput, predicted, probabilities};
use abn_run::session::Session;
use burn::tensor::Tensor;
use image::GrayImage;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::causal::logits_under;
use super::scene::{SceneEffects, effects};
use super::{Answer, Checked, ClassChoice, Examined, MapsOf, Metric, Plan, Row, Substitute};
use crate::AnalysisError;

/// Deviation of the noise that a map should bear, in the units of the normalised image.
const NOISE: f64 = 0.1;
/// A shift that it should follow, as a part of the side.
const SHIFT: usize = 16;
/// Largest change of a value of a nudged map.
const NUDGE: f32 = 0.02;

/// A network with what is needed to examine its explanations.
pub struct Examiner<'a> {
    session: &'a Session,
    plan: &'a Plan,
    /// Number of the label that is explained.
    group: usize,
    parts: Vec<Part>,
    /// The network with one part more drawn anew each.
    randomised: Vec<Classifier>,
    interventions: Option<Arc<dyn Interventions>>,
    given: Option<MapsOf<'a>>,
    /// The network that F-Fidelity asks.
    tuned: Option<Classifier>,
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
            interventions: None,
            given: None,
            tuned: None,
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

    /// The same, of images that can be made again without their things.
    #[must_use]
    pub fn with_interventions(self, interventions: Option<Arc<dyn Interventions>>) -> Self {
        Self {
            interventions,
            ..self
        }
    }

    /// The same with maps of somebody else, of which nothing can be asked but what they are.
    #[must_use]
    pub fn with_maps(self, given: Option<MapsOf<'a>>) -> Self {
        Self { given, ..self }
    }

    /// The same with F-Fidelity, which asks a [tuned](super::tuned) network.
    #[must_use]
    pub fn with_tuned(self, tuned: Classifier) -> Self {
        Self {
            tuned: Some(tuned),
            ..self
        }
    }

    /// What is measured of each image of which the label is known.
    ///
    /// # Errors
    /// A method has no map of this network.
    pub fn examine(&self, batch: &Batch) -> Result<Vec<Examined>, AnalysisError> {
        let batch = &batch.only(|target| target.of(self.group).is_some());
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let images = images_of(batch, &self.session.device);
        let pass = ForwardPass::new(&self.session.classifier, images.clone());
        let predictions = self.predictions(batch, images, pass.output())?;
        let found = self.explain(&pass, &predictions.classes)?;
        let methods = &self.plan.methods;
        let beside = Beside {
            others: self.explain(&pass, &predictions.next)?,
            grad_cam: match methods.iter().position(|method| *method == Method::GradCam) {
                Some(number) => found[number].clone(),
                None => pass.explain(Method::GradCam, self.plan.layer, &predictions.classes)?,
            },
            under: logits_under(&pass, &batch.indices),
        };
        // Its features are not needed any more.
        drop(pass);
        let steadiness = self.steadiness(&predictions, &found)?;
        let cascades = self.cascades(&predictions, &found)?;
        let mut examined = self.of_images(&predictions, &beside.under)?;
        let by_method = self.plan.methods.iter().zip(&found).zip(cascades);
        for (number, ((&method, found), cascades)) in by_method.enumerate() {
            let mut by_image = self.by_method(&predictions, method, found, cascades)?;
            for (index, row) in by_image.iter_mut().enumerate() {
                let own = &found[index].normalized;
                let alike = |other: &Explanation| rank_correlation(own, &other.normalized);
                let contrast = alike(&beside.others[number][index]).map(|same| (1.0 - same) / 2.0);
                let known = [
                    (Metric::Contrast, contrast),
                    (Metric::LikeGradCam, alike(&beside.grad_cam[index])),
                    (Metric::Continuity, steadiness[number][index].noise),
                    (Metric::Shift, steadiness[number][index].shift),
                ];
                let known = known.into_iter();
                row.values
                    .extend(known.filter_map(|(metric, value)| Some((metric, value?))));
            }
            for (examined, row) in examined.iter_mut().zip(by_image) {
                examined.rows.push(row);
            }
        }
        if let Some(given) = &self.given {
            let maps = batch.indices.iter().map(|index| given(*index));
            let found = maps
                .map(|map| Ok(Explanation::of(map?, Method::Files)))
                .collect::<Result<Vec<_>, AnalysisError>>()?;
            let none = vec![Correlations::new(); found.len()];
            let mut rows = self.by_method(&predictions, Method::Files, &found, none)?;
            for (index, row) in rows.iter_mut().enumerate() {
                let grad_cam = &beside.grad_cam[index].normalized;
                let like = rank_correlation(&found[index].normalized, grad_cam);
                row.values
                    .extend(like.map(|like| (Metric::LikeGradCam, like)));
            }
            for (examined, row) in examined.iter_mut().zip(rows) {
                examined.rows.push(row);
            }
        }
        if self.plan.check {
            self.check(&predictions, &found, &mut examined)?;
        }
        Ok(examined)
    }

    /// What the network says of a batch without being asked why, and what the things in the scenes
    /// do to it.
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
            .filter_map(|target| target.of(self.group))
            .collect();
        let first = self.session.config.labels.first_of(self.group);
        let asked = match self.plan.class {
            ClassChoice::Predicted => &predicted,
            ClassChoice::Label => &labels,
        };
        let classes: Vec<usize> = asked.iter().map(|class| first + class).collect();
        let span = outputs.spans().nth(self.group).unwrap_or(0..0);
        let rows = || output.logits.rows().zip(&classes);
        let next = |(logits, class): (&[f32], &usize)| {
            let others = span.clone().filter(|other| other != class);
            others
                .max_by(|a, b| logits[*a].total_cmp(&logits[*b]))
                .unwrap_or(*class)
        };
        let of_class = |(logits, class): (&[f32], &usize)| probabilities(logits, outputs)[*class];
        let empty = self
            .session
            .classifier
            .forward(images.clone().narrow(0, 0, 1).zeros_like())
            .logits;
        let empty: Vec<f32> = empty.into_data().iter().collect();
        let scene = |(place, (logits, class)): (usize, (&[f32], &usize))| {
            let Some(again) = &self.interventions else {
                return Ok(SceneEffects::default());
            };
            let index = batch.indices[place];
            effects(self.session, &**again, index, logits, *class, self.group)
        };
        Ok(Predictions {
            next: rows().map(next).collect(),
            whole: rows().map(of_class).collect(),
            gains: rows()
                .map(|(logits, class)| f64::from(logits[*class]) - f64::from(empty[*class]))
                .collect(),
            scenes: rows().enumerate().map(scene).collect::<Result<_, _>>()?,
            batch,
            images,
            labels,
            predicted,
            first,
            classes,
        })
    }

    /// What is known of each image whatever explains it.
    fn of_images(
        &self,
        predictions: &Predictions,
        under: &[Vec<(Substitute, Vec<f32>)>],
    ) -> Result<Vec<Examined>, AnalysisError> {
        let outputs = &self.session.config.model.outputs;
        let of_image = |place: usize| {
            let own = predictions.predicted[place];
            let answer = |(under, logits): &(Substitute, Vec<f32>)| {
                let said = predicted(logits, outputs)[self.group];
                Answer {
                    under: *under,
                    right: said == predictions.labels[place],
                    same: said == own,
                    probability: probabilities(logits, outputs)[predictions.first + own],
                }
            };
            let explained = predictions.classes[place] == predictions.first + own;
            Examined {
                rows: Vec::new(),
                confidence: explained.then_some(predictions.whole[place]),
                under: under[place].iter().map(answer).collect(),
                changes: predictions.scenes[place].changes.clone(),
                checked: None,
            }
        };
        Ok((0..predictions.batch.len()).map(of_image).collect())
    }

    /// One row an image, of what a method found and how it fared when the network was drawn anew.
    fn by_method(
        &self,
        predictions: &Predictions,
        method: Method,
        found: &[Explanation],
        cascades: Vec<Correlations>,
    ) -> Result<Vec<Row>, AnalysisError> {
        let maps: Vec<&AttentionMap> = found.iter().map(|found| &found.normalized).collect();
        let values = self.values(predictions, &maps)?;
        let mut rows = Vec::with_capacity(maps.len());
        for ((index, cascade), mut values) in cascades.into_iter().enumerate().zip(values) {
            let last = cascade.last().copied().flatten();
            values.extend(last.map(|last| (Metric::Randomised, last)));
            if method.is_complete() {
                let sum: f64 = found[index].raw.values.iter().copied().map(f64::from).sum();
                let gain = predictions.gains[index];
                let complete = completeness(sum, gain);
                values.extend(complete.map(|share| (Metric::Completeness, share)));
            }
            let Predictions {
                batch,
                labels,
                predicted,
                first,
                classes,
                whole,
                ..
            } = predictions;
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

    /// The measures that need nothing but one map an image.
    fn values(
        &self,
        predictions: &Predictions,
        maps: &[&AttentionMap],
    ) -> Result<Vec<BTreeMap<Metric, f64>>, AnalysisError> {
        let Predictions {
            batch,
            images,
            classes,
            whole,
            scenes,
            ..
        } = predictions;
        let classifier = &self.session.classifier;
        let confidence = Confidence::measure(classifier, images.clone(), maps, classes, whole);
        let of_image = |index: usize| -> Result<BTreeMap<Metric, f64>, AnalysisError> {
            let image = images.clone().narrow(0, index, 1);
            let mask = batch
                .masks
                .get(index)
                .and_then(|masks| masks.of(self.group));
            let (map, class) = (maps[index], classes[index]);
            let seed = batch.indices[index] as u64;
            let road = Road::measure(classifier, &image, map, class, seed);
            let tuned = self.tuned.as_ref();
            let fidelity = tuned.map(|tuned| Fidelity::measure(tuned, &image, map, class, seed));
            let mut values = self.faithfulness(image, map, class);
            values.insert(Metric::Road, road.combined());
            values.insert(Metric::RoadMost, road.most);
            values.insert(Metric::RoadLeast, road.least);
            values.insert(Metric::Drop, confidence[index].drop());
            let increases = confidence[index].increases();
            values.insert(Metric::Increase, f64::from(u8::from(increases)));
            values.extend(localisation(map, mask)?);
            let scene = &scenes[index];
            let mark = scene.mark.as_ref().and_then(|mark| {
                let threshold = f32::from(THRESHOLD) / 255.0;
                Localisation::measure(map, mark, threshold)?.auc
            });
            let known = [
                (Metric::Fidelity, fidelity.map(|found| found.explained)),
                (Metric::FidelityRest, fidelity.map(|found| found.rest)),
                (Metric::Intervention, intervention(map, &scene.effects)),
                (Metric::Mark, mark),
                (Metric::Complexity, complexity(map)),
                (Metric::Sparseness, sparseness(map)),
            ];
            let known = known.into_iter();
            values.extend(known.filter_map(|(metric, value)| Some((metric, value?))));
            Ok(values)
        };
        (0..maps.len()).map(of_image).collect()
    }

    /// The same measures of the first method's maps, a little and wholly changed.
    fn check(
        &self,
        predictions: &Predictions,
        found: &[Vec<Explanation>],
        examined: &mut [Examined],
    ) -> Result<(), AnalysisError> {
        let Some(found) = found.first() else {
            return Ok(());
        };
        let changed = |change: fn(&AttentionMap, u64) -> AttentionMap| {
            let indices = predictions.batch.indices.iter();
            let maps: Vec<AttentionMap> = found
                .iter()
                .zip(indices)
                .map(|(found, index)| change(&found.normalized, *index as u64))
                .collect();
            self.values(predictions, &maps.iter().collect::<Vec<_>>())
        };
        let pairs = changed(nudged)?.into_iter().zip(changed(wrecked)?);
        for (examined, (nudged, wrecked)) in examined.iter_mut().zip(pairs) {
            examined.checked = Some(Checked { nudged, wrecked });
        }
        Ok(())
    }

    /// How each method's maps bear noise and a shift.
    fn steadiness(
        &self,
        predictions: &Predictions,
        found: &[Vec<Explanation>],
    ) -> Result<Vec<Vec<Steadiness>>, AnalysisError> {
        let Predictions {
            batch,
            images,
            classes,
            ..
        } = predictions;
        let explained = |images: Tensor<4>| {
            self.explain(&ForwardPass::new(&self.session.classifier, images), classes)
        };
        let seeds: Vec<u64> = batch.indices.iter().map(|index| *index as u64).collect();
        let noise = explained(noisy(images, NOISE, &seeds))?;
        let [_, _, height, width] = images.dims();
        let by = [height, width].map(|side| (side / SHIFT).max(1).min(side.saturating_sub(1)));
        let shifted = explained(moved(images, by))?;
        let methods = found.iter().zip(noise.iter().zip(&shifted));
        Ok(methods
            .map(|(found, (noise, shifted))| {
                let images = found.iter().zip(noise.iter().zip(shifted));
                images
                    .map(|(own, (noise, shifted))| Steadiness {
                        noise: rank_correlation(&own.normalized, &noise.normalized),
                        shift: after_shift(
                            &own.normalized,
                            &shifted.normalized,
                            [height, width],
                            by,
                        ),
                    })
                    .collect()
            })
            .collect())
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
    /// The likeliest of the other classes.
    next: Vec<usize>,
    /// What their logits gain from the mean colour to the image.
    gains: Vec<f64>,
    /// What the things in the scenes do.
    scenes: Vec<SceneEffects>,
}

/// What the methods' maps are set beside.
struct Beside {
    /// The maps of the next likely class, method by method.
    others: Vec<Vec<Explanation>>,
    grad_cam: Vec<Explanation>,
    /// The logits under other maps than the branch's.
    under: Vec<Vec<(Substitute, Vec<f32>)>>,
}

/// Rank correlations of a map with those of its image changed a little.
struct Steadiness {
    noise: Option<f64>,
    shift: Option<f64>,
}

/// The images with their content moved down and to the right, their first rows and columns repeated
/// where nothing comes after.
fn moved(images: &Tensor<4>, [down, right]: [usize; 2]) -> Tensor<4> {
    let along = |images: Tensor<4>, axis: usize, by: usize| {
        let side = images.dims()[axis];
        let first = images.clone().narrow(axis, 0, 1);
        let mut parts = vec![first; by];
        parts.push(images.narrow(axis, 0, side - by));
        Tensor::cat(parts, axis)
    };
    along(along(images.clone(), 2, down), 3, right)
}

/// Rank correlation of a map with that of the moved image, where both show the same.
fn after_shift(
    own: &AttentionMap,
    shifted: &AttentionMap,
    [height, width]: [usize; 2],
    [down, right]: [usize; 2],
) -> Option<f64> {
    let part = |map: &AttentionMap, top: usize, left: usize| {
        let map = map.resize_to(width, height);
        let rows = (top..top + height - down).flat_map(|y| {
            let start = y * width + left;
            map.values[start..start + width - right].to_vec()
        });
        AttentionMap::new(height - down, width - right, rows.collect())
    };
    let (own, shifted) = (part(own, 0, 0).ok()?, part(shifted, down, right).ok()?);
    rank_correlation(&own, &shifted)
}

/// The share of the gain that a sum makes up; `None` where nothing is gained.
fn completeness(sum: f64, gain: f64) -> Option<f64> {
    (gain != 0.0 && sum.is_finite()).then(|| 1.0 - ((sum - gain) / gain).abs().min(1.0))
}

/// A map under noise of a fiftieth of its range.
fn nudged(map: &AttentionMap, seed: u64) -> AttentionMap {
    let mut random = Pcg64::seed_from_u64(seed);
    let values = map
        .values
        .iter()
        .map(|value| value + random.random_range(-NUDGE..NUDGE));
    AttentionMap {
        values: values.collect(),
        ..map.clone()
    }
    .normalized()
}

/// A map whose values lie in random places.
fn wrecked(map: &AttentionMap, seed: u64) -> AttentionMap {
    let mut map = map.clone();
    map.values.shuffle(&mut Pcg64::seed_from_u64(seed));
    map
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
