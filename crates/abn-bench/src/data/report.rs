//! The measurements as a table.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Reader, Row, View};
use crate::report::{Speed, memory, rate};
use crate::table::Table;

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

impl Report {
    /// The table, with what is needed to repeat it.
    pub(super) fn table(&self, markdown: bool) -> String {
        let head = [
            "images",
            "read by",
            "threads",
            "images/s",
            "range",
            "of torchvision",
            "of DALI",
            "memory",
        ];
        let table = Table {
            head: head.map(str::to_owned).to_vec(),
            rows: self.rows.iter().map(|row| self.cells(row)).collect(),
        };
        let table = if markdown {
            table.markdown()
        } else {
            table.text()
        };
        let mut text = format!(
            "{table}\n\n{}; {}; {}. {}. Medians of {} repetitions of {} s, by turns; shares are of \
             the faster of torchvision's two. `{}`",
            self.date,
            self.processor,
            self.images,
            self.engines.join(", "),
            self.repetitions,
            self.seconds,
            self.command
        );
        for (reader, difference) in &self.differences {
            text.push_str(&format!(
                "\n{reader}: values differ by {difference:.4} in the mean"
            ));
        }
        text
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let Speed {
            images_per_second,
            lowest,
            highest,
            peak_memory,
        } = &row.speed;
        let share = |readers: &[Reader]| match self.best_of(row, readers) {
            Some(other) => format!("{:.2}", images_per_second / other),
            None => String::new(),
        };
        vec![
            match row.case.view {
                View::Train => "train".to_owned(),
                View::Eval => "eval".to_owned(),
            },
            row.case.reader.to_string(),
            row.case.threads.to_string(),
            rate(*images_per_second),
            format!("{}-{}", rate(*lowest), rate(*highest)),
            share(&[Reader::TorchvisionPillow, Reader::TorchvisionTensors]),
            share(&[Reader::Dali]),
            memory(*peak_memory),
        ]
    }

    /// The most that one of these readers reached with the same view and threads.
    fn best_of(&self, row: &Row, readers: &[Reader]) -> Option<f64> {
        let same = |other: &&Row| {
            (other.case.view, other.case.threads) == (row.case.view, row.case.threads)
                && readers.contains(&other.case.reader)
        };
        let rows = self.rows.iter().filter(same);
        rows.map(|row| row.speed.images_per_second).reduce(f64::max)
    }
}
