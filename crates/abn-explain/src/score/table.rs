//! Scores as text for a terminal, and rows as CSV. Pure.

use super::{Better, Metric, Row, ScoreRow, Scores, Verdict};
use crate::AnalysisError;
use crate::bootstrap::Interval;
use crate::columns::columns;

/// Measures by methods, in percent, with half the width of the 95 % interval; then how to read it.
pub fn text(scores: &Scores) -> String {
    let methods = scores.methods.iter().map(|method| method.name().to_owned());
    let header = std::iter::once("%".to_owned()).chain(methods).collect();
    let row = |row: &ScoreRow| {
        let arrow = match row.metric.better() {
            Better::More => "+",
            Better::Less => "-",
            Better::Neither => " ",
        };
        let mark = |method: usize| match &row.verdict {
            Some(Verdict { best, ties }) if *best == method => match ties.is_empty() {
                true => "*",
                false => "~",
            },
            _ => "",
        };
        let cells = row.cells.iter().enumerate().map(|(method, cell)| {
            let value = cell.interval.map_or("-".to_owned(), percent);
            format!("{}{value}", mark(method))
        });
        let name = format!("{arrow} {}", row.metric.name());
        std::iter::once(name).chain(cells).collect()
    };
    let table = columns(header, scores.metrics.iter().map(row).collect(), 1);
    format!(
        "{table}\n+ more is better, - less is better; * the best method, ~ the best mean, but not \
         told from another by the 95 % interval of the difference"
    )
}

/// A mean and half the width of its interval in percent.
fn percent(interval: Interval) -> String {
    let Interval { mean, low, high } = interval;
    format!("{:.1} ±{:.1}", 100.0 * mean, 50.0 * (high - low))
}

/// What the table supports, one sentence a method that is best in anything.
pub fn sentences(scores: &Scores) -> Vec<String> {
    let list = |metrics: &[(Metric, bool)], alone: bool| {
        let names = metrics
            .iter()
            .filter(|(_, told)| *told == alone)
            .map(|(metric, _)| metric.name());
        names.collect::<Vec<_>>().join(", ")
    };
    let sentence = |(method, metrics): (&usize, &Vec<(Metric, bool)>)| {
        let (alone, tied) = (list(metrics, true), list(metrics, false));
        let mut parts = Vec::new();
        if !alone.is_empty() {
            parts.push(format!("is the best by {alone}"));
        }
        if !tied.is_empty() {
            parts.push(format!("has the best mean, without certainty, by {tied}"));
        }
        format!(
            "{} {}.",
            scores.methods[*method].title(),
            parts.join(" and ")
        )
    };
    scores.winners().iter().map(sentence).collect()
}

/// One line an image and method; a field is empty where the measure is not defined. `classes` are
/// those of the label that is explained.
///
/// # Errors
/// The memory for the table cannot be written.
pub fn csv(
    images: &[Vec<Row>],
    classes: &[String],
    parts: &[String],
) -> Result<Vec<u8>, AnalysisError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> = [
        "image",
        "method",
        "label",
        "predicted",
        "class",
        "probability",
    ]
    .map(str::to_owned)
    .to_vec();
    header.extend(Metric::ALL.map(Metric::column));
    header.extend(
        parts
            .iter()
            .map(|part| format!("until_{}", part.replace(' ', "_"))),
    );
    table.write_record(&header)?;
    let name = |class: usize| classes.get(class).cloned().unwrap_or_default();
    let field = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    for row in images.iter().flatten() {
        let mut record = vec![
            row.image.to_string(),
            row.method.name().to_owned(),
            name(row.label),
            name(row.predicted),
            name(row.class),
            row.probability.to_string(),
        ];
        record.extend(Metric::ALL.map(|metric| field(row.values.get(&metric).copied())));
        record.extend((0..parts.len()).map(|part| field(row.cascade.get(part).copied().flatten())));
        table.write_record(&record)?;
    }
    table.into_inner().map_err(AnalysisError::of_table)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use abn_core::explain::Method;

    fn row(image: usize, method: Method, insertion: f64) -> Row {
        let values = BTreeMap::from([(Metric::Insertion, insertion), (Metric::Sparseness, 0.25)]);
        let cascade = vec![Some(0.5), None];
        Row {
            image,
            label: 0,
            predicted: 1,
            class: 1,
            probability: 0.75,
            method,
            values,
            cascade,
        }
    }

    fn images() -> Vec<Vec<Row>> {
        let values = [[0.5, 0.25], [0.75, 0.5]];
        let rows = |(image, [cam, uniform]): (usize, [f64; 2])| {
            vec![
                row(image, Method::Cam, cam),
                row(image, Method::Uniform, uniform),
            ]
        };
        values.into_iter().enumerate().map(rows).collect()
    }

    #[test]
    fn the_table_marks_the_best() {
        let scores = Scores::of(&[Method::Cam, Method::Uniform], &images());
        insta::assert_snapshot!(text(&scores));
        assert_eq!(sentences(&scores), ["CAM is the best by insertion."]);
    }

    #[test]
    fn the_csv_has_a_line_an_image_and_method_and_quotes_names() {
        let classes = ["a,b".to_owned(), "c".to_owned()];
        let parts = ["head".to_owned(), "stage 3".to_owned()];
        let csv = csv(&images(), &classes, &parts).unwrap();
        let mut table = csv::Reader::from_reader(&*csv);
        let names = table.headers().unwrap().clone();
        let lines: Vec<_> = table.records().map(Result::unwrap).collect();
        assert_eq!(lines.len(), 4);
        let first = |name| lines[0].get(names.iter().position(|it| it == name).unwrap());
        let expected = [
            ("image", "0"),
            ("method", "cam"),
            ("label", "a,b"),
            ("predicted", "c"),
            ("class", "c"),
            ("probability", "0.75"),
            ("deletion", ""),
            ("insertion", "0.5"),
            ("sparseness", "0.25"),
            ("randomised", ""),
            ("until_head", "0.5"),
            ("until_stage_3", ""),
        ];
        for (name, value) in expected {
            assert_eq!(first(name), Some(value), "{name}");
        }
        assert_eq!(names.len(), 6 + Metric::ALL.len() + 2);
    }
}
