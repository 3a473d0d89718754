//! Pages about a run: the report of a training and the explanations of images.
//!
//! A page is a pure function from results to one HTML file: no clock, no files, no network, no
//! scripts. Images are embedded, charts are inline SVG, and all text passes the escaping of `maud`.
//! The style sheet serves phones, light and dark mode.

mod axis;
mod chart;
mod curves;
mod explanations;
mod gallery;
mod headline;
mod layer;
mod page;
mod picture;
mod related;
mod score;
mod stability;

use maud::{Markup, html};

pub use self::axis::Scale as AxisScale;
pub use self::chart::{Chart, Series, Unit};
pub use self::explanations::{Explanation, ExplanationPage, Files, MethodMaps};
pub use self::gallery::Shot;
pub use self::layer::{is_small, layer, photograph};
pub use self::page::page_with;
pub use self::picture::color_bar;
pub use self::related::Related;
pub use self::score::{ScorePage, render_scores};
pub use self::stability::{Example, StabilityPage, render_stability};
use crate::heatmap::Drawing;
use crate::metrics::{EpochRecord, EpochTiming, Results};

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
    /// Wall-clock figures of the epochs.
    pub timing: Vec<EpochTiming>,
    /// The end of the run; `None` while it is unfinished.
    pub results: Option<Results>,
    /// Test images with their maps.
    pub gallery: Vec<Shot>,
    /// How the maps are drawn.
    pub drawing: Drawing,
    /// Other pages about the run.
    pub related: Vec<Related>,
}

/// The report as one self-contained HTML page; a pure function.
pub fn render(report: &Report) -> String {
    let body = html! {
        (headline::headline(report))
        @if !report.epochs.is_empty() { (curves::curves(&report.epochs, &report.timing)) }
        (gallery::gallery(&report.gallery, &report.drawing))
        (related::related(&report.related))
        @if !report.settings.is_empty() { (settings(&report.settings)) }
    };
    page::page(&report.title, &report.subtitle, &body)
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
