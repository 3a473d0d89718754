//! What the rows say: means with intervals, and which differences are more than chance.

use std::collections::BTreeMap;

use serde::Serialize;

use super::by_class::class_maps;
use super::reliability::reliabilities;
use super::{Better, Changed, ClassMaps, Examined, Metric, Reliability, Row, UsesMap};
use crate::bootstrap::{Interval, bootstrap};
use abn_core::explain::Method;

/// Resamples are drawn alike for every cell, from this seed.
const SEED: u64 = 2018;

/// Every method by every measure.
#[derive(Debug, Clone, Serialize)]
pub struct Scores {
    /// Images measured.
    pub images: usize,
    /// Images of which the object is known and seen.
    pub with_object: usize,
    /// What is compared, in the order asked for.
    pub methods: Vec<Method>,
    /// The measures that are defined for some image.
    pub metrics: Vec<ScoreRow>,
    /// Mean absolute rank correlation after each part more was drawn anew, by method.
    pub cascade: Vec<Vec<Option<Interval>>>,
    /// Whether the network uses its map; `None` without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses_map: Option<UsesMap>,
    /// What each kind of change of the scenes does; nothing where they cannot be made again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeRow>,
    /// The trained map class by class; nothing without one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassMaps>,
    /// The check of the measures, if it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reliability: Vec<Reliability>,
}

/// What a kind of change of the scenes does.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeRow {
    /// The change in words.
    pub change: String,
    /// Images in which there is something to change.
    pub images: usize,
    /// By how much the explained class's logit, beside the mean of all, is higher without it.
    pub effect: Interval,
    /// Share of the changed images of which something else is predicted.
    pub other: Interval,
}

/// One measure of all methods.
#[derive(Debug, Clone, Serialize)]
pub struct ScoreRow {
    /// The measure.
    pub metric: Metric,
    /// One a method.
    pub cells: Vec<Cell>,
    /// Which method is best, if one is.
    pub verdict: Option<Verdict>,
}

/// One measure of one method.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// Mean over the images for which it is defined.
    pub interval: Option<Interval>,
    /// Their number.
    pub images: usize,
}

/// The method of the best mean.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Its place among the methods.
    pub best: usize,
    /// The methods that cannot be told from it: the 95 % interval of the mean difference on the
    /// same images holds 0.
    pub ties: Vec<usize>,
}

impl Scores {
    /// Draws the conclusions of the rows of each image.
    pub fn of(methods: &[Method], images: &[Examined]) -> Self {
        let value = |row: &Row, metric| row.values.get(&metric).copied();
        let column = |method: usize, metric| -> Vec<Option<f64>> {
            images
                .iter()
                .map(|image| value(image.rows.get(method)?, metric))
                .collect()
        };
        let compared = Metric::ALL.into_iter().filter_map(|metric| {
            let columns: Vec<_> = (0..methods.len())
                .map(|method| column(method, metric))
                .collect();
            ScoreRow::of(metric, &columns)
        });
        let rows = images.iter().flat_map(|image| &image.rows);
        let parts = rows.map(|row| row.cascade.len()).max().unwrap_or(0);
        let after = |method: usize, part: usize| {
            let known = images
                .iter()
                .filter_map(|image| image.rows.get(method)?.cascade.get(part).copied()?);
            bootstrap(&known.collect::<Vec<_>>(), SEED)
        };
        Self {
            images: images.len(),
            with_object: images
                .iter()
                .filter(|image| {
                    image
                        .rows
                        .iter()
                        .any(|row| row.values.contains_key(&Metric::Pointing))
                })
                .count(),
            methods: methods.to_vec(),
            metrics: compared.collect(),
            cascade: (0..methods.len())
                .map(|method| (0..parts).map(|part| after(method, part)).collect())
                .collect(),
            uses_map: UsesMap::of(images),
            changes: changes(images),
            classes: class_maps(images),
            reliability: reliabilities(methods, images),
        }
    }

    /// The measures in which each method is best, apart from all others or among some that cannot
    /// be told from it; methods that are best in none are left out.
    pub fn winners(&self) -> BTreeMap<usize, Vec<(Metric, bool)>> {
        let mut winners: BTreeMap<usize, Vec<(Metric, bool)>> = BTreeMap::new();
        for comparison in &self.metrics {
            if let Some(verdict) = &comparison.verdict {
                winners
                    .entry(verdict.best)
                    .or_default()
                    .push((comparison.metric, verdict.ties.is_empty()));
            }
        }
        winners
    }
}

impl ScoreRow {
    /// Compares the values of each method, one an image; `None` if there are none at all.
    fn of(metric: Metric, columns: &[Vec<Option<f64>>]) -> Option<Self> {
        let cells: Vec<Cell> = columns
            .iter()
            .map(|column| {
                let known: Vec<f64> = column.iter().copied().flatten().collect();
                Cell {
                    interval: bootstrap(&known, SEED),
                    images: known.len(),
                }
            })
            .collect();
        let any = cells.iter().any(|cell| cell.interval.is_some());
        any.then(|| Self {
            metric,
            verdict: verdict(metric.better(), &cells, columns),
            cells,
        })
    }
}

/// Each kind of change in the order in which it first comes up.
fn changes(images: &[Examined]) -> Vec<ChangeRow> {
    let mut names: Vec<&str> = Vec::new();
    for change in images.iter().flat_map(|image| &image.changes) {
        if !names.contains(&change.change.as_str()) {
            names.push(&change.change);
        }
    }
    let of_name = |name: &str| {
        let all = || images.iter().flat_map(|image| &image.changes);
        let own: Vec<_> = all().filter(|change| change.change == name).collect();
        let interval = |value: fn(&Changed) -> f64| {
            let values: Vec<f64> = own.iter().map(|change| value(change)).collect();
            bootstrap(&values, SEED)
        };
        Some(ChangeRow {
            change: name.to_owned(),
            images: own.len(),
            effect: interval(|change| change.effect)?,
            other: interval(|change| change.other)?,
        })
    };
    names.into_iter().filter_map(of_name).collect()
}

fn verdict(better: Better, cells: &[Cell], columns: &[Vec<Option<f64>>]) -> Option<Verdict> {
    let sign = match better {
        Better::More => 1.0,
        Better::Less => -1.0,
        Better::Neither => return None,
    };
    let known = cells
        .iter()
        .enumerate()
        .filter_map(|(method, cell)| Some((method, cell.interval?.mean * sign)));
    let (best, _) = known.reduce(|best, other| if other.1 > best.1 { other } else { best })?;
    let tied = |other: &usize| {
        let pairs = columns[best].iter().zip(&columns[*other]);
        let differences: Vec<f64> = pairs
            .filter_map(|(a, b)| Some(((*a)? - (*b)?) * sign))
            .collect();
        bootstrap(&differences, SEED).is_some_and(|difference| difference.low <= 0.0)
    };
    let ties = (0..cells.len())
        .filter(|other| *other != best)
        .filter(tied)
        .collect();
    Some(Verdict { best, ties })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(metric: Metric, columns: &[&[f64]]) -> ScoreRow {
        let columns: Vec<Vec<Option<f64>>> = columns
            .iter()
            .map(|column| column.iter().map(|value| Some(*value)).collect())
            .collect();
        ScoreRow::of(metric, &columns).unwrap()
    }

    #[test]
    fn the_same_lead_on_every_image_is_no_chance_however_much_images_differ() {
        let found = compare(
            Metric::Insertion,
            &[&[0.1, 0.9, 0.5, 0.3], &[0.2, 1.0, 0.6, 0.4]],
        );
        assert_eq!(
            found.verdict,
            Some(Verdict {
                best: 1,
                ties: vec![]
            })
        );
        assert!((found.cells[1].interval.unwrap().mean - 0.55).abs() < 1e-12);
    }

    #[test]
    fn a_lead_on_one_image_of_four_is_a_tie() {
        let found = compare(
            Metric::Insertion,
            &[&[0.5, 0.5, 0.5, 0.5], &[0.5, 0.5, 0.5, 0.9]],
        );
        assert_eq!(
            found.verdict,
            Some(Verdict {
                best: 1,
                ties: vec![0]
            })
        );
    }

    #[test]
    fn less_is_better_where_it_is_and_a_description_has_no_best() {
        assert_eq!(
            compare(Metric::Deletion, &[&[0.1; 3], &[0.2; 3]])
                .verdict
                .unwrap()
                .best,
            0
        );
        assert_eq!(
            compare(Metric::Sparseness, &[&[0.1; 3], &[0.2; 3]]).verdict,
            None
        );
    }

    #[test]
    fn images_without_a_value_do_not_count() {
        let columns = [vec![Some(0.5), None, Some(0.7)], vec![None, None, None]];
        let found = ScoreRow::of(Metric::Auc, &columns).unwrap();
        assert_eq!((found.cells[0].images, found.cells[1].images), (2, 0));
        assert_eq!(
            found.verdict,
            Some(Verdict {
                best: 0,
                ties: vec![]
            })
        );
        assert!(ScoreRow::of(Metric::Auc, &[vec![None]]).is_none());
    }
}
