//! Tables for programs: CSV, a header line and one line a row.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use crate::campaign::Name;
use crate::explained::Lead;
use crate::speed::Speed;
use crate::table::{Finished, Line, Section, Table, error};

/// A line a row of the table. Errors are in percent; what is not known is empty.
///
/// # Errors
/// The lines cannot be put together.
pub(crate) fn rows(table: &Table) -> Result<Vec<u8>> {
    let error = table.sections.first().map(Section::error_name);
    let error = column(&error.unwrap_or_default());
    let labels = table.sections.first().map(Section::labels);
    let labels = labels.unwrap_or_default();
    let header = [
        "group",
        "row",
        "architecture",
        "runs",
        "planned",
        &error,
        "spread",
        "difference",
        "low",
        "high",
        "published_error",
        "published_difference",
        "published_of",
        "source",
        "remark",
        "verdict",
        "parameters",
        "multiply_adds",
        "pointing",
        "iou_with_best",
        "iou_of_pairs",
        "iou_low",
        "iou_high",
        "iou_of_other_images",
        "rank_correlation",
        "left_out",
    ];
    let of_labels = labels.iter().map(|label| column(&format!("{label} error")));
    let leads: BTreeSet<_> = table.sections.iter().flat_map(Section::leads).collect();
    let of_leads = leads.iter().flat_map(|(measure, over)| {
        let name = column(&Lead::heading(*measure, *over));
        ["", "_low", "_high", "_ahead"].map(|part| format!("{name}{part}"))
    });
    let header = header.map(str::to_owned).into_iter().chain(of_labels);
    let header = header.chain(of_leads);
    let mut lines = Vec::new();
    for section in &table.sections {
        for line in &section.lines {
            let of_labels = labels.iter().map(|label| line.label(label));
            let mut fields = row(section, line);
            fields.extend(of_labels.map(|error| number(error.map(|error| error.mean))));
            for (measure, over) in &leads {
                let lead = line.lead(*measure, *over);
                let of = |part: fn(&Lead) -> f64| number(lead.map(part));
                fields.extend([
                    of(|lead| lead.mean),
                    of(|lead| lead.low),
                    of(|lead| lead.high),
                    of(|lead| lead.ahead as f64),
                ]);
            }
            lines.push(fields);
        }
    }
    written(header, lines.into_iter())
}

fn row(section: &Section, line: &Line) -> Vec<String> {
    let Line {
        error,
        difference,
        published,
        stability,
        ..
    } = line;
    let interval = difference.and_then(|difference| difference.interval);
    let cost = line.cost();
    let pairs = stability.and_then(|stability| stability.pairs);
    let text = |text: Option<&'static str>| text.unwrap_or_default().to_owned();
    vec![
        section.title.clone(),
        line.name.clone(),
        line.architecture.clone(),
        line.runs.len().to_string(),
        line.planned.to_string(),
        number(error.map(|error| error.mean)),
        number(error.and_then(|error| error.spread)),
        number(difference.map(|difference| difference.mean)),
        number(interval.map(|(low, _)| low)),
        number(interval.map(|(_, high)| high)),
        number(published.map(|published| published.error)),
        number(line.published_difference),
        text(published.map(|published| published.of)),
        text(published.map(|published| published.source)),
        text(published.map(|published| published.remark)),
        text(line.verdict.map(|verdict| verdict.name())),
        cost.map_or_else(String::new, |(parameters, _)| parameters.to_string()),
        cost.map_or_else(String::new, |(_, multiply_adds)| multiply_adds.to_string()),
        number(line.pointing.map(|pointing| pointing.mean)),
        number(stability.and_then(|stability| stability.with_best)),
        number(pairs.map(|(mean, _, _)| mean)),
        number(pairs.map(|(_, low, _)| low)),
        number(pairs.map(|(_, _, high)| high)),
        number(stability.and_then(|stability| stability.other_images)),
        number(stability.and_then(|stability| stability.rank_correlation)),
        number(stability.map(|stability| stability.empty)),
    ]
}

/// A line a run of every table; a run that several campaigns share is in each of them.
///
/// # Errors
/// The lines cannot be put together.
pub(crate) fn runs(tables: &[Table]) -> Result<Vec<u8>> {
    let section = tables.iter().find_map(|table| table.sections.first());
    let error = column(&section.map(Section::error_name).unwrap_or_default());
    let best = format!("best_{error}");
    let header = [
        "campaign",
        "group",
        "row",
        "run",
        "seed",
        "learning_rate",
        "epochs",
        &error,
        "best_epoch",
        &best,
        "test_loss",
        "test_images",
        "parameters",
        "multiply_adds",
    ];
    let mut lines = Vec::new();
    for table in tables {
        for section in &table.sections {
            for line in &section.lines {
                lines.extend(
                    line.runs
                        .iter()
                        .map(|finished| run(table, section, line, finished)),
                );
            }
        }
    }
    written(header, lines.into_iter())
}

fn run(table: &Table, section: &Section, line: &Line, run: &Finished) -> Vec<String> {
    let results = &run.record.results;
    vec![
        table.campaign.name.name().to_owned(),
        section.title.clone(),
        line.name.clone(),
        run.name.clone(),
        run.seed.to_string(),
        run.learning_rate.to_string(),
        results.epochs.to_string(),
        number(Some(error(&results.last))),
        results.best_epoch.to_string(),
        number(Some(error(&results.best))),
        results.last.loss.to_string(),
        results.last.images.to_string(),
        run.record.parameters.to_string(),
        run.record.multiply_adds.to_string(),
    ]
}

/// A heading as the name of a column: `top-1 error` is `top1_error`.
fn column(heading: &str) -> String {
    heading.replace('-', "").replace(' ', "_")
}

/// A line a row of the campaign of costs: images a second on that device, as far as they are known.
///
/// # Errors
/// The lines cannot be put together.
pub(crate) fn speeds(
    tables: &[Table],
    speeds: &BTreeMap<String, Speed>,
    device: &str,
) -> Result<Vec<u8>> {
    let header = [
        "run",
        "row",
        "architecture",
        "device",
        "training",
        "inference",
    ];
    let cost = tables
        .iter()
        .filter(|table| table.campaign.name == Name::Cost);
    let line = |line: &Line| {
        let known = |run: &Finished| Some((run.name.clone(), *speeds.get(&run.name)?));
        let (
            run,
            Speed {
                training,
                inference,
            },
        ) = line.runs.iter().find_map(known)?;
        let (name, architecture) = (line.name.clone(), line.architecture.clone());
        let speeds = [format!("{training:.1}"), format!("{inference:.1}")];
        Some(
            [run, name, architecture, device.to_owned()]
                .into_iter()
                .chain(speeds)
                .collect(),
        )
    };
    written(header, cost.flat_map(Table::lines).filter_map(line))
}

/// Up to six digits after the point, which tell images of any test set apart.
fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| {
        format!("{:.6}", value)
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    })
}

fn written<T: AsRef<[u8]>>(
    header: impl IntoIterator<Item = T>,
    lines: impl Iterator<Item = Vec<String>>,
) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for line in lines {
        writer.write_record(line)?;
    }
    writer.into_inner().context("cannot write a table")
}
