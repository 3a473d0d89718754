//! The scores of every label of a run side by side, as text for a terminal and as CSV. Pure.

use serde::Serialize;

use super::{Better, Metric, Scores};
use crate::AnalysisError;
use crate::bootstrap::Interval;
use crate::columns::columns;

/// The measures that are shown on a terminal: whether the map finds the object, and whether the
/// network follows it.
const SHOWN: [Metric; 4] = [
    Metric::Pointing,
    Metric::Auc,
    Metric::Insertion,
    Metric::Deletion,
];

/// The scores of one label.
#[derive(Debug, Clone, Serialize)]
pub struct LabelScores {
    /// What the label is about.
    pub name: String,
    /// The methods where its class is explained.
    pub scores: Scores,
}

/// A table for each of the main measures that is defined for some label: a line a label in percent
/// with half the width of the 95 % interval, below them the mean of the labels.
pub fn text(labels: &[LabelScores]) -> String {
    let tables = SHOWN.into_iter().filter_map(|metric| table(labels, metric));
    tables.collect::<Vec<_>>().join("\n\n")
}

fn table(labels: &[LabelScores], metric: Metric) -> Option<String> {
    let methods = &labels.first()?.scores.methods;
    let means: Vec<Option<f64>> = (0..methods.len())
        .map(|method| mean(labels, metric, method))
        .collect();
    if means.iter().all(Option::is_none) {
        return None;
    }
    let better = match metric.better() {
        Better::More => "+",
        Better::Less => "-",
        Better::Neither => " ",
    };
    let header = std::iter::once(format!("{better} {} %", metric.name()));
    let header = header.chain(methods.iter().map(|method| method.name().to_owned()));
    let row = |label: &LabelScores| {
        let cells = (0..methods.len()).map(|method| match found(label, metric, method) {
            Some(Interval { mean, low, high }) => {
                format!("{:.1} ±{:.1}", 100.0 * mean, 50.0 * (high - low))
            }
            None => "-".to_owned(),
        });
        std::iter::once(label.name.clone()).chain(cells).collect()
    };
    let mean =
        |mean: &Option<f64>| mean.map_or("-".to_owned(), |mean| format!("{:.1}", 100.0 * mean));
    let last = std::iter::once("mean".to_owned()).chain(means.iter().map(mean));
    let mut rows: Vec<Vec<String>> = labels.iter().map(row).collect();
    rows.push(last.collect());
    Some(columns(header.collect(), rows, 1))
}

/// A measure of a method, if it is defined for that label.
fn found(label: &LabelScores, metric: Metric, method: usize) -> Option<Interval> {
    let row = label
        .scores
        .metrics
        .iter()
        .find(|row| row.metric == metric)?;
    row.cells.get(method)?.interval
}

/// Mean over the labels for which it is defined.
fn mean(labels: &[LabelScores], metric: Metric, method: usize) -> Option<f64> {
    let known = labels
        .iter()
        .filter_map(|label| found(label, metric, method));
    let known: Vec<f64> = known.map(|interval| interval.mean).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// One line a label and method with the mean of every measure; a field is empty where it is not
/// defined.
///
/// # Errors
/// The memory for the table cannot be written.
pub fn csv(labels: &[LabelScores]) -> Result<Vec<u8>, AnalysisError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let names = ["label", "method", "images", "with_object"].map(str::to_owned);
    table.write_record(names.into_iter().chain(Metric::ALL.map(Metric::column)))?;
    for label in labels {
        let scores = &label.scores;
        for (place, method) in scores.methods.iter().enumerate() {
            let first = [
                label.name.clone(),
                method.name().to_owned(),
                scores.images.to_string(),
                scores.with_object.to_string(),
            ];
            let values = Metric::ALL.map(|metric| {
                let mean = found(label, metric, place).map(|interval| interval.mean);
                mean.map(|mean| mean.to_string()).unwrap_or_default()
            });
            table.write_record(first.into_iter().chain(values))?;
        }
    }
    table.into_inner().map_err(AnalysisError::of_table)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use abn_core::explain::Method;

    use super::*;
    use crate::score::{Examined, Row};

    fn label(name: &str, insertion: f64, pointing: Option<f64>) -> LabelScores {
        let row = |method| {
            let found = pointing.map(|found| (Metric::Pointing, found));
            let values = [(Metric::Insertion, insertion)].into_iter().chain(found);
            Row {
                image: 0,
                label: 0,
                predicted: 0,
                class: 0,
                probability: 0.5,
                method,
                values: BTreeMap::from_iter(values),
                cascade: Vec::new(),
            }
        };
        let methods = [Method::Attention, Method::GradCam];
        let image = Examined {
            rows: methods.map(row).into(),
            ..Examined::default()
        };
        LabelScores {
            name: name.to_owned(),
            scores: Scores::of(&methods, &[image]),
        }
    }

    #[test]
    fn a_label_has_a_line() {
        let labels = [label("red", 0.5, Some(1.0)), label("a,b", 0.25, None)];
        let expected = "\
+ pointing game %    attention     grad-cam
red                100.0 ±0.0   100.0 ±0.0
a,b                         -            -
mean                    100.0        100.0

+ insertion %   attention    grad-cam
red             50.0 ±0.0   50.0 ±0.0
a,b             25.0 ±0.0   25.0 ±0.0
mean                 37.5        37.5";
        let said = text(&labels);
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&said), words(expected), "{said}");
        let csv = csv(&labels).unwrap();
        let mut table = csv::Reader::from_reader(&*csv);
        let lines: Vec<_> = table.records().map(Result::unwrap).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!((&lines[2][0], &lines[2][1]), ("a,b", "attention"));
        assert_eq!(
            lines[3].get(5),
            Some("0.25"),
            "the second measure is insertion"
        );
    }

    #[test]
    fn no_label_is_no_table() {
        assert_eq!(text(&[]), "");
    }
}
