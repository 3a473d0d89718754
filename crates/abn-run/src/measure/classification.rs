//! Classification: of one group of classes or several, the right class of each is to be told.

use std::borrow::Cow;
use std::ops::Range;

use abn_core::attention::{AttentionOutput, LogitMap, MapConfig, ObjectShares};
use abn_core::explain::AttentionMap;
use abn_core::gradients::gradients_with;
use abn_core::loss::{Objective, RightClasses};
use abn_core::{Classifier, ClassifierConfig, Output};
use abn_data::{Batch, Labels, Loader, ObjectMasks};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::attributes::{Attributes, Counts, Scores, are_attributes};
use super::calibration::Calibration;
use super::confusion::Confusion;
use super::drift::PROBES;
use super::effect::effects;
use super::evaluate::{for_each_batch, images_of};
use super::health::HealthMeter;
use super::pointing::object;
use super::readback::{
    HostOutput, ImageMaps, Unread, cross_entropy, predicted, probabilities, rank,
};
use super::records::{Figures, GroupFigures, Hits, MapHealth, Summary};
use super::task::{Measured, Task, Told};
use super::totals::{GroupTotals, TOP, Totals};
use crate::RunError;
use crate::recipe::RunConfig;

/// Trains a classifier by the cross-entropy of both branches (ABN section 3.3); the best epoch is
/// that of the highest top-1, or mean top-1 of several labels, unless the recipe names another
/// [figure](super::best::BestFigure).
#[derive(Debug, Clone)]
pub struct Classification {
    model: ClassifierConfig,
    labels: Labels,
    goal: Objective,
}

impl Classification {
    /// The task of a run.
    pub fn of(config: &RunConfig) -> Self {
        Self {
            model: config.model.clone(),
            labels: config.labels.clone(),
            goal: config.recipe.objective(),
        }
    }

    /// What the objective asks of the maps of a batch, `[1]`, if it asks something.
    fn asked_of_maps(
        &self,
        network: &Classifier,
        batch: &Batch,
        images: &Tensor<4>,
        output: &Output,
    ) -> Result<Option<Tensor<1>>, RunError> {
        let terms = self.model.attention.as_ref().map(|config| config.terms);
        let (Some(terms), Some(attention)) = (terms, &output.attention) else {
            return Ok(None);
        };
        if terms.is_none() {
            return Ok(None);
        }
        let [_, maps, height, width] = attention.map.dims();
        let share = |(masks, number): (&ObjectMasks, usize)| {
            let mask = match maps {
                1 => masks.whole(),
                _ => masks.of(number).map(Cow::Borrowed),
            };
            let mask = mask.as_deref().map(object).transpose()?;
            Ok::<_, RunError>(mask.map(|mask| mask.shares(width, height)))
        };
        let each = batch.masks.iter();
        let each = each.flat_map(|masks| (0..maps).map(move |number| (masks, number)));
        let objects = ObjectShares {
            maps: each.map(share).collect::<Result<_, _>>()?,
        };
        Ok(terms.objective(network, images, &attention.map, &objects))
    }

    fn has_raw_maps(&self) -> bool {
        let attention = self.model.attention.as_ref();
        attention.is_some_and(|config| config.map == MapConfig::Logit(LogitMap::Raw))
    }

    fn attributes(&self, totals: &Totals) -> Attributes {
        let names = self.labels.groups().iter().map(|group| group.name.as_str());
        let counts = totals.groups.iter().map(|group| Counts {
            images: totals.images - group.unknown,
            right: group.top1,
            positive: group.positive,
            found: group.found,
        });
        Attributes::of(names.zip(counts), totals.images)
    }

    /// Adds the scores of a batch, label by label.
    fn add_scores(&self, scores: &mut Vec<Scores>, batch: &Batch, outcome: &HostOutput) {
        if !are_attributes(&self.labels) {
            return;
        }
        scores.resize(self.labels.groups().len(), Scores::default());
        for (target, row) in batch.targets.iter().zip(outcome.logits.rows()) {
            let of_labels = self.model.outputs.spans().zip(target.classes());
            for ((span, class), scores) in of_labels.zip(&mut *scores) {
                let logits = &row[span];
                let present = class.map(|class| class == 1);
                scores.add(logits[1] - logits[0], present);
            }
        }
    }

    /// Adds whether each of several labels is told rightly, where their scores do not say it.
    fn add_right(&self, right: &mut Vec<Vec<Option<bool>>>, batch: &Batch, outcome: &HostOutput) {
        if self.labels.groups().len() < 2 || are_attributes(&self.labels) {
            return;
        }
        for (target, row) in batch.targets.iter().zip(outcome.logits.rows()) {
            let of_labels = self.model.outputs.spans().zip(target.classes());
            let told = of_labels.map(|(span, class)| Some(rank(&row[span], (*class)?) < 1));
            right.push(told.collect());
        }
    }

    /// Adds which class of one label is told, and how surely.
    fn add_told(&self, told: &mut Told, batch: &Batch, outcome: &HostOutput) {
        for (target, row) in batch.targets.iter().zip(outcome.logits.rows()) {
            if let Some(right) = target.of(0) {
                let class = predicted(row, &self.model.outputs)[0];
                let probability = probabilities(row, &self.model.outputs)[class];
                told.confusion.add(right, class);
                told.calibration.add(probability, class == right);
            }
        }
    }

    /// Sum over the known groups of what the logits of each cost, by the number of all.
    fn mean_cost(&self, row: &[f32], classes: &[Option<usize>]) -> f64 {
        let penalty = &self.goal.penalty;
        let cost = |(group, (span, class)): (usize, (Range<usize>, &Option<usize>))| {
            let class = (*class)?;
            let entropy = cross_entropy(&row[span], class);
            Some(match penalty.is_usual() {
                true => entropy,
                false => penalty.of(group, class, entropy),
            })
        };
        let groups = self.model.outputs.spans().zip(classes).enumerate();
        groups.filter_map(cost).sum::<f64>() / classes.len() as f64
    }
}

impl Task for Classification {
    type Network = Classifier;
    type Unread = Unread;
    type Outcome = HostOutput;

    fn init(&self, device: &Device) -> Classifier {
        self.model.init(device)
    }

    fn init_seeded(&self, seed: u64, device: &Device) -> Classifier {
        self.model.init_seeded(seed, device)
    }

    fn gradients(
        &self,
        network: &Classifier,
        batch: &Batch,
        device: &Device,
    ) -> Result<(GradientsParams, Unread), RunError> {
        let classes = right_classes(batch, self.model.outputs.groups().len(), device);
        let mut map_loss = None;
        let asked = |images: &_, output: &_| {
            let asked = self.asked_of_maps(network, batch, images, output)?;
            map_loss = asked.clone().map(Tensor::inner);
            Ok::<_, RunError>(asked)
        };
        let images = images_of(batch, device);
        let (gradients, output) = gradients_with(network, images, classes, &self.goal, asked)?;
        Ok((gradients, Unread::new(output, map_loss)))
    }

    fn read(&self, unread: Unread) -> Result<HostOutput, RunError> {
        Ok(unread.read(false)?)
    }

    fn has_dropout(&self) -> bool {
        self.model != self.model.clone().without_dropout()
    }

    fn without_dropout(&self) -> Self {
        let model = self.model.clone().without_dropout();
        Self {
            model,
            ..self.clone()
        }
    }

    fn numbers(
        &self,
        network: &Classifier,
        batch: &Batch,
        device: &Device,
    ) -> Vec<(&'static str, Tensor<1>)> {
        let output = network.forward(images_of(batch, device));
        let of_branch = |attention: AttentionOutput| {
            [
                ("attention logits", attention.logits.flatten(0, 1)),
                ("maps", attention.map.flatten(0, 3)),
            ]
        };
        let logits = [("logits", output.logits.flatten(0, 1))];
        let of_branch = output.attention.map(of_branch);
        logits
            .into_iter()
            .chain(of_branch.into_iter().flatten())
            .collect()
    }

    fn add(&self, totals: &mut Totals, batch: &Batch, outcome: &HostOutput) {
        let outputs = &self.model.outputs;
        let groups = outputs.groups().len();
        let attributes = are_attributes(&self.labels);
        totals.images += batch.len();
        totals.groups.resize(groups, GroupTotals::default());
        for (target, row) in batch.targets.iter().zip(outcome.logits.rows()) {
            let classes = target.classes();
            totals.perception += self.mean_cost(row, classes);
            let (mut right, mut known) = (0, 0);
            let spans = outputs.spans().zip(classes);
            for ((span, class), group) in spans.zip(&mut totals.groups) {
                let Some(class) = *class else {
                    group.unknown += 1;
                    continue;
                };
                known += 1;
                let rank = rank(&row[span], class);
                group.top1 += usize::from(rank < 1);
                group.top5 += usize::from(rank < TOP);
                let positive = usize::from(attributes && class == 1);
                group.positive += positive;
                group.found += positive * usize::from(rank < 1);
                right += usize::from(rank < 1);
            }
            totals.all_right += usize::from(right == known);
        }
        if let Some(attention) = &outcome.attention {
            let rows = batch.targets.iter().zip(attention.logits.rows());
            let sum: f64 = rows
                .map(|(target, row)| self.mean_cost(row, target.classes()))
                .sum();
            *totals.attention.get_or_insert(0.0) += sum;
        }
        if let Some(asked) = outcome.map_loss {
            *totals.maps.get_or_insert(0.0) += asked * batch.len() as f64;
        }
    }

    fn undecayed(&self) -> &'static [&'static str] {
        let attention = self.model.attention.as_ref();
        attention.map_or(&[], |config| config.map.undecayed())
    }

    fn summary(&self, totals: &Totals) -> Summary {
        let images = totals.images.max(1) as f64;
        let labelled = totals.labelled().max(f64::MIN_POSITIVE);
        let perception_loss = totals.perception / labelled;
        let attention_loss = totals.attention.map(|sum| sum / labelled);
        let map_loss = totals.maps.map(|sum| sum / images);
        let hits = |group: &GroupTotals| {
            let known = (totals.images - group.unknown).max(1) as f64;
            Hits {
                top1: group.top1 as f64 / known,
                top5: group.top5 as f64 / known,
            }
        };
        let empty = GroupTotals::default();
        let figures = match self.labels.groups() {
            [_] => Figures::Label(hits(totals.groups.first().unwrap_or(&empty))),
            groups => {
                let of = |(number, group): (usize, &abn_data::Group)| GroupFigures {
                    name: group.name.clone(),
                    hits: hits(totals.groups.get(number).unwrap_or(&empty)),
                };
                let groups: Vec<GroupFigures> = groups.iter().enumerate().map(of).collect();
                // A label that is known of no image has no figure to be a part of the mean.
                let is_known = |group: &&GroupTotals| group.unknown < totals.images;
                let known = totals.groups.iter().filter(is_known).count();
                let sum: f64 = groups.iter().map(|group| group.hits.top1).sum();
                Figures::Labels {
                    attributes: are_attributes(&self.labels).then(|| self.attributes(totals)),
                    mean_top1: sum / known.max(1) as f64,
                    all_right: totals.all_right as f64 / images,
                    groups,
                }
            }
        };
        Summary {
            images: totals.images,
            loss: perception_loss
                + self.goal.attention_weight * attention_loss.unwrap_or(0.0)
                + map_loss.unwrap_or(0.0),
            perception_loss,
            attention_loss,
            map_loss,
            figures,
        }
    }

    fn measure(
        &self,
        network: &Classifier,
        loader: &Loader,
        device: &Device,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Measured>, RunError> {
        let (mut totals, mut health) = (Totals::default(), HealthMeter::default());
        let mut probes: Vec<AttentionMap> = Vec::new();
        let mut changes: Vec<f64> = Vec::new();
        let mut scores: Vec<Scores> = Vec::new();
        let mut right: Vec<Vec<Option<bool>>> = Vec::new();
        let only = self.labels.only();
        let mut told = only.map(|classes| Told {
            confusion: Confusion::new(classes.len()),
            calibration: Calibration::default(),
        });
        let mut complete = true;
        for_each_batch(network, loader, device, |batch, outcome| {
            self.add(&mut totals, batch, &outcome);
            self.add_scores(&mut scores, batch, &outcome);
            self.add_right(&mut right, batch, &outcome);
            if let Some(told) = &mut told {
                self.add_told(told, batch, &outcome);
            }
            let maps = outcome.attention.iter().map(|attention| &attention.maps);
            let all = maps.clone().flat_map(ImageMaps::all);
            all.for_each(|map| health.add(map));
            let indexed = maps.flat_map(ImageMaps::images).zip(&batch.indices);
            let first = indexed.filter(|(_, index)| **index < PROBES);
            probes.extend(first.flat_map(|(maps, _)| maps).cloned());
            let first = (0..batch.len()).filter(|place| batch.indices[*place] < PROBES);
            let first: Vec<i64> = first.map(|place| place as i64).collect();
            if !first.is_empty() && outcome.attention.is_some() {
                let first = Tensor::<1, Int>::from_ints(first.as_slice(), device);
                changes.extend(effects(network, images_of(batch, device).select(0, first)));
            }
            complete = go_on(totals.images());
            Ok::<bool, RunError>(complete)
        })?;
        let mut summary = self.summary(&totals);
        summary.figures = summary.figures.with(&scores);
        Ok(complete.then(|| Measured {
            summary,
            maps: health.health().map(|maps| MapHealth {
                gain: network.map_gain().filter(|gain| gain.is_finite()),
                effect: mean(&changes),
                // A map as it is has no sigmoid that could be saturated.
                saturated: maps.saturated.filter(|_| !self.has_raw_maps()),
                ..maps
            }),
            probes,
            scores,
            right,
            told,
        }))
    }
}

/// The right classes of a batch, for the objective.
fn right_classes(batch: &Batch, groups: usize, device: &Device) -> RightClasses {
    let targets = batch.targets.iter().flat_map(|target| target.classes());
    let classes: Vec<i64> = targets.map(|class| class.unwrap_or(0) as i64).collect();
    let shape = [batch.len(), groups];
    let classes = Tensor::<2, Int>::from_data(TensorData::new(classes, shape), device);
    let rows = |group: usize| {
        let images = batch.targets.iter().enumerate();
        let known = images.filter(|(_, target)| target.of(group).is_some());
        known.map(|(row, _)| row as i64).collect()
    };
    let rows: Vec<Vec<i64>> = (0..groups).map(rows).collect();
    match rows.iter().all(|rows| rows.len() == batch.len()) {
        true => classes.into(),
        false => RightClasses::known(classes, rows),
    }
}

/// `None` of nothing.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use abn_core::Outputs;
    use abn_data::{Group, Target};

    use super::*;
    use crate::datasets::CIFAR10;
    use crate::measure::readback::{HostAttention, Rows};
    use crate::recipe::Recipe;

    fn task(groups: &[usize], attention_weight: f64) -> Classification {
        let group = |classes: &usize| Group {
            name: format!("of {classes}"),
            classes: (0..*classes).map(|class| class.to_string()).collect(),
        };
        let labels = Labels::of(groups.iter().map(group).collect());
        let config = RunConfig::new(Recipe::of(&CIFAR10, None), labels.clone()).unwrap();
        assert_eq!(config.model.outputs, Outputs::of(groups.to_vec()));
        Classification {
            goal: attention_weight.into(),
            labels,
            ..Classification::of(&config)
        }
    }

    fn batch(targets: Vec<Target>) -> Batch {
        Batch {
            pixels: Vec::new().into(),
            indices: (0..targets.len()).collect(),
            targets,
            masks: Vec::new(),
            height: 0,
            width: 0,
            epoch: 0,
            sources: Vec::new(),
        }
    }

    fn outcome(columns: usize, logits: &[f32], attention: Option<&[f32]>) -> HostOutput {
        let rows = |values: &[f32]| Rows::new(columns, values.to_vec());
        HostOutput {
            logits: rows(logits),
            attention: attention.map(|logits| HostAttention {
                logits: rows(logits),
                maps: ImageMaps::new(1, Vec::new()),
            }),
            map_loss: None,
        }
    }

    #[test]
    fn summary_weighs_the_attention_loss() {
        let task = task(&[2], 0.5);
        let outcome = outcome(2, &[0.0, 0.0, 9.0, 9.0], Some(&[0.0; 4]));
        let mut totals = Totals::default();
        task.add(
            &mut totals,
            &batch([0, 1].map(Target::class).to_vec()),
            &outcome,
        );
        let summary = task.summary(&totals);
        let hits = Hits {
            top1: 0.5,
            top5: 1.0,
        };
        assert_eq!((summary.images, summary.figures), (2, Figures::Label(hits)));
        assert!((summary.loss - 1.5 * 2.0_f64.ln()).abs() < 1e-12);
    }

    /// Two images, labels of 2 and of 6 classes. The first image is right in both, the second in
    /// the first label only: its second label is the last of six.
    #[test]
    fn labels_are_counted_each_and_together() {
        let task = task(&[2, 6], 1.0);
        let logits = [
            [9.0, 0.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0],
            [0.0, 9.0, 5.0, 5.0, 5.0, 5.0, 5.0, 0.0],
        ];
        let targets = vec![Target::known(vec![0, 3]), Target::known(vec![1, 5])];
        let mut totals = Totals::default();
        task.add(
            &mut totals,
            &batch(targets),
            &outcome(8, logits.as_flattened(), None),
        );
        let summary = task.summary(&totals);
        let Figures::Labels {
            mean_top1,
            all_right,
            groups,
            attributes: None,
        } = &summary.figures
        else {
            panic!("two labels")
        };
        assert_eq!((*mean_top1, *all_right), (0.75, 0.5));
        let hits: Vec<(f64, f64)> = groups
            .iter()
            .map(|group| (group.hits.top1, group.hits.top5))
            .collect();
        assert_eq!(hits, [(1.0, 1.0), (0.5, 0.5)]);
        let of_groups = |row: &[f32], classes: [usize; 2]| {
            (cross_entropy(&row[..2], classes[0]) + cross_entropy(&row[2..], classes[1])) / 2.0
        };
        let expected = (of_groups(&logits[0], [0, 3]) + of_groups(&logits[1], [1, 5])) / 2.0;
        assert!((summary.loss - expected).abs() < 1e-12);
    }

    /// Two labels of two classes in three images. The first label is not known of the last image,
    /// the second of the first two.
    #[test]
    fn what_nobody_knows_counts_in_no_figure() {
        let task = task(&[2, 2], 1.0);
        let unknown = |classes: [Option<usize>; 2]| Target::Classes(classes.to_vec());
        let targets = vec![
            unknown([Some(1), None]),
            unknown([Some(0), None]),
            unknown([None, Some(1)]),
        ];
        // The first label is told rightly once and wrongly once; of equal logits the first class is
        // said, so the second is told wrongly.
        let logits = [
            [0.0, 9.0, 5.0, 0.0],
            [0.0, 9.0, 5.0, 0.0],
            [0.0, 9.0, 0.0, 0.0],
        ];
        let batch = batch(targets);
        let outcome = outcome(4, logits.as_flattened(), None);
        let (mut totals, mut scores) = (Totals::default(), Vec::new());
        task.add(&mut totals, &batch, &outcome);
        task.add_scores(&mut scores, &batch, &outcome);
        let summary = task.summary(&totals);
        let losses = [[0.0, 9.0], [9.0, 0.0]].map(|row: [f32; 2]| cross_entropy(&row, 1));
        let expected = (losses[0] + losses[1] + 2.0_f64.ln()) / 3.0;
        assert!(
            (summary.perception_loss - expected).abs() < 1e-9,
            "{}",
            summary.perception_loss
        );
        let found = summary.figures.with(&scores);
        let attributes = found.attributes().unwrap();
        let labels = attributes.labels.iter();
        let shares: Vec<(f64, f64, f64)> = labels
            .map(|label| (label.accuracy, label.positive, label.known))
            .collect();
        assert_eq!(shares, [(0.5, 0.5, 2.0 / 3.0), (0.0, 1.0, 1.0 / 3.0)]);
        // Equal scores of one present and one absent image; the other label is present alone.
        assert_eq!(attributes.labels[0].average_precision, Some(0.5));
        assert_eq!(attributes.labels[1].average_precision, Some(1.0));
        let Figures::Labels { all_right, .. } = &found else {
            panic!("two labels")
        };
        assert!((all_right - 1.0 / 3.0).abs() < 1e-12);
        // The sums come back from a checkpoint.
        let text = serde_json::to_string(&totals).unwrap();
        assert_eq!(serde_json::from_str::<Totals>(&text).unwrap(), totals);
    }
}
