//! The report of a training.

use abn_run::measure::best::BestFigure;
use abn_run::measure::records::{EpochRecord, EpochTiming, Results};
use maud::{Markup, html};

use crate::boxes::BoxedShot;
use crate::confusion::ConfusedClasses;
use crate::gallery::Shot;
use crate::headline::headline;
use crate::heatmap::Drawing;
use crate::related::Related;

/// What the report of a run shows. Everything but the title may be empty.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Heading of the page.
    pub title: String,
    /// A line under the heading.
    pub subtitle: String,
    /// Configuration of the run: names and values, in the order shown.
    pub settings: Vec<(String, String)>,
    /// Epochs trained so far.
    pub epochs: Vec<EpochRecord>,
    /// What the best of them is chosen by, if not by the usual figure.
    pub best: Option<BestFigure>,
    /// Wall-clock figures of the epochs.
    pub timing: Vec<EpochTiming>,
    /// The end of the run; `None` while it is unfinished.
    pub results: Option<Results>,
    /// What was told of the test images by the best weights; of one label.
    pub confused: Option<ConfusedClasses>,
    /// Test images with their maps.
    pub gallery: Vec<Shot>,
    /// Test images with what a detector finds in them.
    pub found: Vec<BoxedShot>,
    /// How the maps are drawn.
    pub drawing: Drawing,
    /// Other pages about the run.
    pub related: Vec<Related>,
}

/// The report as one self-contained HTML page; a pure function.
pub fn render(report: &Report) -> String {
    let body = html! {
        (headline(&report.epochs, &report.timing, report.results.as_ref(), report.best))
        @if !report.epochs.is_empty() {
            (crate::curves::curves(&report.epochs, &report.timing, report.best))
        }
        @if let Some(confused) = &report.confused { (confused.section()) }
        (crate::gallery::gallery(&report.gallery, &report.drawing))
        (crate::boxes::found(&report.found, &report.drawing))
        (crate::related::related(&report.related))
        @if !report.settings.is_empty() { (settings(&report.settings)) }
    };
    crate::page::page(&report.title, &report.subtitle, &body)
}

fn settings(settings: &[(String, String)]) -> Markup {
    html! {
        section aria-labelledby="settings" {
            h2 #settings { "Settings" }
            details {
                summary { "All " (settings.len()) " settings of the run" }
                table {
                    tbody {
                        @for (name, value) in settings {
                            tr { th scope="row" { (name) } td { (value) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
