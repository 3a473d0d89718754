//! The test errors of a campaign's groups over their epochs.

use abn_pages::{AxisScale, Chart, Series, Unit};
use maud::{Markup, html};

use crate::table::{Line, Section};

/// Colours of the lines, the baseline's first.
const INKS: [&str; 6] = ["ink-1", "ink-2", "ink-3", "ink-4", "ink-5", "ink-6"];

/// A chart for every group with at least two epochs.
pub(super) fn curves(sections: &[Section]) -> Markup {
    let charts: Vec<Chart> = sections.iter().filter_map(chart).collect();
    html! {
        @if !charts.is_empty() {
            div.curves.several[charts.len() > 1] {
                h3 { "Test error over the epochs" }
                div.charts { @for chart in &charts { (chart.figure()) } }
                @if sections.iter().any(|section| section.lines.len() > INKS.len()) {
                    p.note { "The first " (INKS.len()) " variants of each group." }
                }
            }
        }
    }
}

fn chart(section: &Section) -> Option<Chart> {
    let series: Vec<Series> = section.lines.iter().zip(INKS).filter_map(series).collect();
    let epochs = series.iter().map(|series| series.values.len()).max()?;
    (epochs > 1).then(|| Chart {
        title: section.title.clone().into(),
        over: "epoch",
        unit: Unit::Percent,
        scale: AxisScale::Linear,
        xs: (1..=epochs).collect(),
        series,
        marked: None,
    })
}

/// The mean of a line's runs; nothing while none is finished.
fn series((line, ink): (&Line, &'static str)) -> Option<Series> {
    let values: Vec<Option<f64>> = line
        .curve()
        .into_iter()
        .map(|percent| Some(percent / 100.0))
        .collect();
    (!values.is_empty()).then(|| Series {
        name: line.name.clone().into(),
        ink,
        values,
    })
}
