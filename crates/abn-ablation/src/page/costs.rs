//! What the networks of a campaign cost.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::results::name;
use crate::numbers::{NONE, significant};
use crate::speed::Speed;
use crate::table::{Line, Section};

/// The table of all groups; nothing while no run is finished.
pub(super) fn table(sections: &[Section], speeds: &BTreeMap<String, Speed>) -> Markup {
    let lines = || sections.iter().flat_map(|section| &section.lines);
    let known = lines().any(|line| speed(line, speeds).is_some());
    html! {
        @if lines().any(|line| line.cost().is_some()) {
            div {
                h3 { "Cost" }
                div.scroll tabindex="0" role="region" aria-label="Cost" {
                    table.ablation {
                        thead {
                            tr {
                                th scope="col" { "variant" }
                                th scope="col" colspan="2" { "parameters" br; span.small { "millions" } }
                                th scope="col" colspan="2" { "multiply-adds" br; span.small { "millions an image" } }
                                @if known {
                                    th scope="col" { "training" br; span.small { "images/s" } }
                                    th scope="col" { "inference" br; span.small { "images/s" } }
                                }
                            }
                        }
                        @for section in sections {
                            tbody {
                                @if sections.len() > 1 { (super::runs::group(&section.title, if known { 7 } else { 5 })) }
                                @for line in &section.lines { (row(line, section, known.then_some(speeds))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn row(line: &Line, section: &Section, speeds: Option<&BTreeMap<String, Speed>>) -> Markup {
    let baseline = section.lines.first().and_then(Line::cost);
    let (parameters, multiply_adds) = line.cost().unzip();
    let (base_parameters, base_multiply_adds) = baseline.unzip();
    let amount = |amount: usize| amount as f64;
    html! {
        tr {
            (name(line, section))
            (cells(parameters.map(amount), base_parameters.map(amount)))
            (cells(multiply_adds.map(|count| count as f64), base_multiply_adds.map(|count| count as f64)))
            @if let Some(speed) = speeds.map(|speeds| speed(line, speeds)) {
                td { (speed.map_or_else(|| NONE.to_owned(), |speed| significant(speed.training))) }
                td { (speed.map_or_else(|| NONE.to_owned(), |speed| significant(speed.inference))) }
            }
        }
    }
}

/// An amount in millions, and how much more than the baseline's that is.
fn cells(amount: Option<f64>, baseline: Option<f64>) -> Markup {
    let more = amount
        .zip(baseline)
        .map(|(amount, baseline)| 100.0 * (amount / baseline - 1.0));
    let more = more.filter(|more| more.is_finite() && more.abs() >= 0.05);
    html! {
        td { (amount.map_or_else(|| NONE.to_owned(), |amount| significant(amount / 1e6))) }
        td.more { @if let Some(more) = more { span.small { (format!("{more:+.1} %").replace('-', "−")) } } }
    }
}

/// The measured speed of a line's network.
fn speed<'a>(line: &Line, speeds: &'a BTreeMap<String, Speed>) -> Option<&'a Speed> {
    line.runs.iter().find_map(|run| speeds.get(&run.name))
}
