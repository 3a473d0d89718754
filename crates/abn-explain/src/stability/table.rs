//! A report as text for a terminal and as CSV for a spreadsheet. Pure.

use std::fmt::Write as _;

use abn_data::Files;

use crate::bootstrap::Interval;

use super::{PairFigures, RunFigures, StabilityReport};
use crate::AnalysisError;
use crate::columns::columns;

/// The report as a table of runs with the matrix of their IoU, and what follows from it.
pub fn text(report: &StabilityReport) -> String {
    let numbers = (1..=report.runs.len()).map(|number| number.to_string());
    let names = ["", "run", "top-1"].map(str::to_owned);
    let header = names.into_iter().chain(numbers).collect();
    let row = |(number, run): (usize, &RunFigures)| {
        let mark = if number == report.best { " *" } else { "" };
        let cells = (0..report.runs.len()).map(|other| cell(report, number, other));
        let run = [
            (number + 1).to_string(),
            format!("{}{mark}", run.path),
            format!("{:.2} %", 100.0 * run.top1),
        ];
        run.into_iter().chain(cells).collect()
    };
    let rows = report.runs.iter().enumerate().map(row).collect();
    format!("{}\n{}", columns(header, rows, 2), summary(report))
}

/// IoU of two runs, as shown in a matrix; a dash on its diagonal.
fn cell(report: &StabilityReport, run: usize, other: usize) -> String {
    if run == other {
        return "-".to_owned();
    }
    let pair = report
        .pairs
        .iter()
        .find(|pair| pair.runs == [run.min(other), run.max(other)]);
    pair.and_then(|pair| pair.iou)
        .map_or_else(|| "none".to_owned(), |iou| format!("{:.3}", iou.mean))
}

fn summary(report: &StabilityReport) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<25}{value}");
    };
    line("mean IoU", interval(report.iou_over_images, "images"));
    if let Some(pairs) = report.iou_over_pairs.filter(|_| report.pairs.len() > 1) {
        line("", interval(Some(pairs), "pairs of runs"));
    }
    if report.runs.len() > 2 {
        line(
            "with the most accurate *",
            interval(report.iou_with_best, "the other runs"),
        );
    }
    line("maps of other images", number(report.iou_of_other_images));
    line(
        "rank correlation",
        interval(report.rank_correlation, "images"),
    );
    line(
        "predictions that agree",
        format!("{:.2} %", 100.0 * report.agreement),
    );
    if report.empty + report.broken > 0 {
        let all = report.images * report.pairs.len();
        line(
            "left out",
            format!(
                "{} of {all} pairs of maps below the threshold, {} not finite",
                report.empty, report.broken
            ),
        );
    }
    text.trim_end().to_owned()
}

/// A mean with its interval in words.
fn interval(interval: Option<Interval>, over: &str) -> String {
    interval.map_or_else(
        || "none: no map reaches the threshold or has an order".to_owned(),
        |Interval { mean, low, high }| format!("{mean:.3} ({low:.3} to {high:.3} over {over})"),
    )
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:.3}"))
}

/// One line an image: its class, its means, the IoU of every pair of runs (counted from 1). A field
/// is empty where there is no IoU. `classes` are those of the label that was asked for; images of a
/// data set of files have the name of theirs.
///
/// # Errors
/// The memory for the table cannot be written.
pub fn csv(
    report: &StabilityReport,
    classes: &[String],
    files: Option<&dyn Files>,
) -> Result<Vec<u8>, AnalysisError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> = [
        "image",
        "class",
        "iou",
        "iou_with_best",
        "rank_correlation",
        "agreement",
        "correct_runs",
    ]
    .map(str::to_owned)
    .to_vec();
    let of_pair = |pair: &PairFigures| format!("iou_{}_{}", pair.runs[0] + 1, pair.runs[1] + 1);
    header.extend(report.pairs.iter().map(of_pair));
    if files.is_some() {
        header.insert(1, "path".to_owned());
    }
    table.write_record(&header)?;
    let field = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    for image in &report.per_image {
        let mut record = vec![
            image.image.to_string(),
            classes.get(image.label).cloned().unwrap_or_default(),
            field(image.iou),
            field(image.iou_with_best),
            field(image.rank_correlation),
            image.agreement.to_string(),
            image.correct.to_string(),
        ];
        if let Some(files) = files {
            record.insert(1, files.name(image.image));
        }
        record.extend(image.pairs.iter().copied().map(field));
        table.write_record(&record)?;
    }
    table.into_inner().map_err(AnalysisError::of_table)
}

#[cfg(test)]
mod tests {
    use abn_core::explain::AttentionMap;

    use super::super::{RunMaps, compare};
    use super::*;

    fn report() -> StabilityReport {
        let seen = |path: &str, values: [f32; 2]| RunMaps {
            path: path.to_owned(),
            title: String::new(),
            learning_rate: 0.1,
            seed: 0,
            maps: vec![AttentionMap::new(1, 2, values.to_vec()).unwrap()],
            predicted: vec![0],
            labels: vec![0],
        };
        let runs = [
            seen("runs/a", [0.9, 0.1]),
            seen("runs/b,c", [0.9, 0.8]),
            seen("c", [0.1, 0.2]),
        ];
        compare(&runs, &["a \"big\", cat".to_owned()], 127, || ())
    }

    #[test]
    fn the_matrix_is_symmetric_and_marks_the_most_accurate_run() {
        let text = text(&report());
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows[0], ["run", "top-1", "1", "2", "3"]);
        assert_eq!(
            rows[1],
            ["1", "runs/a", "*", "100.00", "%", "-", "0.500", "0.000"]
        );
        assert_eq!(
            rows[2],
            ["2", "runs/b,c", "100.00", "%", "0.500", "-", "0.000"]
        );
        assert_eq!(rows[3][5..], ["0.000", "-"], "{text}");
        assert!(
            text.contains("0.167 (0.167 to 0.167 over images)"),
            "{text}"
        );
        assert!(!text.contains("left out"), "{text}");
    }

    #[test]
    fn every_image_is_a_line_of_as_many_fields() {
        let csv = csv(&report(), &["a \"big\", cat".to_owned()], None).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[0].ends_with(",iou_1_2,iou_1_3,iou_2_3"));
        assert!(
            lines[1].starts_with("0,\"a \"\"big\"\", cat\",0.16666666666666666,0.25,"),
            "{csv}"
        );
        assert!(lines[1].ends_with(",1,3,0.5,0,0"), "{csv}");
    }
}
