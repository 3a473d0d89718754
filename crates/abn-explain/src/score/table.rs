//! Scores as text for a terminal, and rows as CSV. Pure.

use abn_data::Files;

use super::{
    Better, ChangeRow, ClassMaps, Effect, Examined, Metric, Reliability, ScoreRow, Scores, UsesMap,
    Verdict,
};
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

/// Whether the network uses its map, what changes of the scenes do, and which measures to believe,
/// as far as that is known; an empty text if nothing is.
pub fn more(scores: &Scores) -> String {
    let tables = [uses_map(scores), changes(scores), reliability(scores)];
    tables
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn uses_map(scores: &Scores) -> Option<String> {
    let uses = scores.uses_map.as_ref()?;
    let header = [
        "uses its map",
        "accuracy",
        "lost",
        "changed",
        "probability moved",
    ];
    let own = vec![
        "its own map".to_owned(),
        percent(uses.accuracy),
        String::new(),
        String::new(),
        String::new(),
    ];
    let row = |effect: &Effect| {
        let figures = [effect.accuracy, effect.lost, effect.changed, effect.moved];
        let name = std::iter::once(effect.under.words().to_owned());
        name.chain(figures.map(percent)).collect()
    };
    let rows = std::iter::once(own).chain(uses.under.iter().map(row));
    Some(columns(header.map(str::to_owned).into(), rows.collect(), 1))
}

fn changes(scores: &Scores) -> Option<String> {
    if scores.changes.is_empty() {
        return None;
    }
    let header = [
        "the scene made again",
        "images",
        "effect on the logit",
        "said otherwise %",
    ];
    let row = |row: &ChangeRow| {
        let Interval { mean, low, high } = row.effect;
        vec![
            row.change.clone(),
            row.images.to_string(),
            format!("{mean:.2} ±{:.2}", (high - low) / 2.0),
            percent(row.other),
        ]
    };
    let rows = scores.changes.iter().map(row).collect();
    Some(columns(header.map(str::to_owned).into(), rows, 1))
}

fn reliability(scores: &Scores) -> Option<String> {
    if scores.reliability.is_empty() {
        return None;
    }
    let header = [
        "measure",
        "by a nudge",
        "sees a wreck",
        "prefers a Gaussian",
        "agreement",
        "believe it",
    ];
    let row = |row: &Reliability| {
        vec![
            row.metric.name().to_owned(),
            format!("{:.2}", row.nudged),
            percent(row.wrecked),
            row.prefers_centre.map_or("-".to_owned(), percent),
            row.agreement
                .map_or("-".to_owned(), |agreement| format!("{agreement:.2}")),
            if row.believed { "yes" } else { "no" }.to_owned(),
        ]
    };
    let rows = scores.reliability.iter().map(row).collect();
    Some(columns(header.map(str::to_owned).into(), rows, 1))
}

/// What the tables support: whether the network uses its map, one sentence a method that is best in
/// anything, classes whose map is inverted, and measures that are not to be believed. `classes` are
/// those of the label that is explained.
pub fn conclusions(scores: &Scores, classes: &[String]) -> Vec<String> {
    let mut found: Vec<String> = scores.uses_map.iter().map(UsesMap::sentence).collect();
    found.extend(sentences(scores));
    let name = |class: &ClassMaps| classes.get(class.class).cloned().unwrap_or_default();
    let inverted = scores.classes.iter().filter(|class| class.inverted);
    let inverted: Vec<String> = inverted.map(name).collect();
    if !inverted.is_empty() {
        found.push(format!(
            "The trained map is inverted, darker where it should be bright, for {}.",
            inverted.join(", ")
        ));
    }
    if !scores.reliability.is_empty() {
        let names = |believed: bool| {
            let of = scores.reliability.iter();
            let of = of.filter(|row| row.believed == believed);
            of.map(|row| row.metric.name())
                .collect::<Vec<_>>()
                .join(", ")
        };
        found.push(match (names(true), names(false)) {
            (none, _) if none.is_empty() => {
                "No measure is to be believed on these images.".to_owned()
            }
            (all, none) if none.is_empty() => format!("To be believed on these images: {all}."),
            (some, others) => {
                format!("To be believed on these images: {some}; not to be believed: {others}.")
            }
        });
    }
    found
}

/// What the measures support, one sentence a method that is best in anything.
fn sentences(scores: &Scores) -> Vec<String> {
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
/// those of the label that is explained; images of a data set of files have the name of theirs.
///
/// # Errors
/// The memory for the table cannot be written.
pub fn csv(
    images: &[Examined],
    classes: &[String],
    parts: &[String],
    files: Option<&dyn Files>,
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
    if files.is_some() {
        header.insert(1, "path".to_owned());
    }
    table.write_record(&header)?;
    let name = |class: usize| classes.get(class).cloned().unwrap_or_default();
    let field = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    for row in images.iter().flat_map(|image| &image.rows) {
        let mut record = vec![
            row.image.to_string(),
            row.method.name().to_owned(),
            name(row.label),
            name(row.predicted),
            name(row.class),
            row.probability.to_string(),
        ];
        if let Some(files) = files {
            record.insert(1, files.name(row.image));
        }
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
    use crate::score::Row;
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

    fn images() -> Vec<Examined> {
        let values = [[0.5, 0.25], [0.75, 0.5]];
        let rows = |(image, [cam, uniform]): (usize, [f64; 2])| Examined {
            rows: vec![
                row(image, Method::Cam, cam),
                row(image, Method::Uniform, uniform),
            ],
            ..Examined::default()
        };
        values.into_iter().enumerate().map(rows).collect()
    }

    #[test]
    fn the_table_marks_the_best() {
        let scores = Scores::of(&[Method::Cam, Method::Uniform], &images());
        insta::assert_snapshot!(text(&scores));
        assert_eq!(conclusions(&scores, &[]), ["CAM is the best by insertion."]);
    }

    #[test]
    fn the_csv_has_a_line_an_image_and_method_and_quotes_names() {
        let classes = ["a,b".to_owned(), "c".to_owned()];
        let parts = ["head".to_owned(), "stage 3".to_owned()];
        let csv = csv(&images(), &classes, &parts, None).unwrap();
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
