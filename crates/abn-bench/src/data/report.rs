//! The measurements as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::{Reader, Row, View};

/// All that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) date: String,
    pub(super) command: String,
    pub(super) processor: String,
    pub(super) images: String,
    pub(super) engines: Vec<String>,
    pub(super) repetitions: u32,
    pub(super) seconds: f64,
    /// Mean difference of the values that each sees from what abn sees in the folder.
    pub(super) differences: BTreeMap<String, f32>,
    pub(super) rows: Vec<Row>,
}

impl Row {
    fn median(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        let middle = rates.len() / 2;
        match rates.len() % 2 {
            0 => f64::midpoint(rates[middle - 1], rates[middle]),
            _ => rates[middle],
        }
    }
}

impl Report {
    /// The table, with what is needed to repeat it.
    pub(super) fn table(&self, markdown: bool) -> String {
        let mut table = Table::new();
        table.load_preset(if markdown { ASCII_MARKDOWN } else { NOTHING });
        let header = [
            "view",
            "threads",
            "reader",
            "images/s",
            "range",
            "of torchvision",
            "of DALI",
            "memory",
        ];
        table.set_header(header);
        for row in &self.rows {
            let share = |readers: &[Reader]| match self.best_of(row, readers) {
                Some(other) => format!("{:.2}", row.median() / other),
                None => String::new(),
            };
            let (low, high) = row
                .rates
                .iter()
                .fold((f64::INFINITY, 0.0_f64), |(low, high), rate| {
                    (low.min(*rate), high.max(*rate))
                });
            table.add_row([
                match row.case.view {
                    View::Train => "train".to_owned(),
                    View::Eval => "eval".to_owned(),
                },
                row.case.threads.to_string(),
                row.case.reader.to_string(),
                format!("{:.0}", row.median()),
                format!("{low:.0}-{high:.0}"),
                share(&[Reader::TorchvisionPillow, Reader::TorchvisionTensors]),
                share(&[Reader::Dali]),
                row.memory
                    .map_or_else(String::new, |bytes| format!("{} MB", bytes / 1_000_000)),
            ]);
        }
        for column in [1, 3, 4, 5, 6, 7] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = format!("{table}\n\n");
        let _ = write!(
            text,
            "{}; {}; {}. {}. Medians of {} repetitions of {} s, by turns; shares are of the faster \
             of torchvision's two. `{}`",
            self.date,
            self.processor,
            self.images,
            self.engines.join(", "),
            self.repetitions,
            self.seconds,
            self.command
        );
        for (reader, difference) in &self.differences {
            let _ = write!(
                text,
                "\n{reader}: values differ by {difference:.4} in the mean"
            );
        }
        text
    }

    /// The most that one of these readers reached with the same view and threads.
    fn best_of(&self, row: &Row, readers: &[Reader]) -> Option<f64> {
        let same = |other: &&Row| {
            (other.case.view, other.case.threads) == (row.case.view, row.case.threads)
                && readers.contains(&other.case.reader)
        };
        self.rows
            .iter()
            .filter(same)
            .map(Row::median)
            .reduce(f64::max)
    }
}
