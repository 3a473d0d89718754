//! What is known of a group's maps beside their looks: whether they find the object, how alike
//! several trainings are, and how well they explain.

use maud::{Markup, html};

use super::results::name;
use crate::explained::Lead;
use crate::numbers::{NONE, counted, estimate, signed, span};
use crate::table::{Line, Section, Stability};

/// The table of a group; nothing where neither was asked.
pub(super) fn table(section: &Section) -> Markup {
    let pointing = section.lines.iter().any(|line| line.pointing.is_some());
    let stability = section.lines.iter().any(|line| line.stability.is_some());
    html! {
        @if pointing || stability {
            div.scroll tabindex="0" role="region" aria-label={ "Maps: " (section.title) } {
                table.ablation.measures {
                    thead { (head(section, pointing, stability)) }
                    tbody {
                        @for line in section.lines.iter().filter(|line| stability || line.pointing.is_some()) {
                            tr {
                                (name(line, section))
                                @if pointing {
                                    td { @match &line.pointing { Some(found) => (estimate(found)), None => (NONE) } }
                                }
                                @if stability { (alike(line.stability.as_ref())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// By how much the maps of a group explain better than others; nothing where that was not asked.
pub(super) fn leads(section: &Section) -> Markup {
    let columns = section.leads();
    html! {
        @if !columns.is_empty() {
            div.scroll tabindex="0" role="region" aria-label={ "Leads: " (section.title) } {
                table.ablation.measures {
                    thead {
                        tr {
                            th scope="col" { "variant" }
                            @for (measure, over) in &columns {
                                th scope="col" {
                                    (measure.name()) br; span.small { "over " (over.name()) }
                                }
                            }
                        }
                    }
                    tbody {
                        @for line in &section.lines {
                            tr {
                                (name(line, section))
                                @for (measure, over) in &columns {
                                    td { (cell(line.lead(*measure, *over))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(lead: Option<&Lead>) -> Markup {
    html! {
        @match lead {
            Some(lead) => {
                @if lead.certain { b { (signed(lead.mean)) } } @else { (signed(lead.mean)) }
                br;
                span.small { (span(lead.low, lead.high)) ", " (lead.ahead) "/" (lead.runs) }
            }
            None => (NONE),
        }
    }
}

fn head(section: &Section, pointing: bool, stability: bool) -> Markup {
    let column = |name: &str, note: &str| {
        html! { th scope="col" { (name) @if !note.is_empty() { br; span.small { (note) } } } }
    };
    let chance = chance(&section.lines)
        .map(|chance| format!("%, by chance {chance:.1}"))
        .unwrap_or_default();
    html! {
        tr {
            th scope="col" { "variant" }
            @if pointing { (column("map finds the object", &chance)) }
            @if stability {
                (column("compared", ""))
                (column("IoU with the most accurate run", "the paper's figure"))
                (column("IoU of all pairs", "95 % over images"))
                (column("IoU of different images", "what habit reaches"))
                (column("rank correlation", "of all pairs"))
                (column("left out", "below the threshold"))
            }
        }
    }
}

/// How often a random point would lie on the object, in percent.
fn chance(lines: &[Line]) -> Option<f64> {
    let runs = lines.iter().flat_map(|line| &line.runs);
    runs.filter_map(|run| run.record.results.pointing)
        .map(|pointing| 100.0 * pointing.chance)
        .next()
}

fn alike(stability: Option<&Stability>) -> Markup {
    let value = |value: Option<f64>| {
        value.map_or_else(
            || NONE.to_owned(),
            |value| format!("{value:.3}").replace('-', "−"),
        )
    };
    html! {
        @match stability {
            Some(stability) => {
                td { (counted(stability.runs, "run")) br; span.small { (counted(stability.images, "image")) } }
                td { (value(stability.with_best)) }
                td {
                    @match stability.pairs {
                        Some((mean, low, high)) => {
                            (value(Some(mean))) br; span.small { (format!("{low:.3} to {high:.3}")) }
                        }
                        None => (NONE),
                    }
                }
                td { (value(stability.other_images)) }
                td { (value(stability.rank_correlation)) }
                td { (format!("{:.1} %", 100.0 * stability.empty)) }
            }
            None => @for _ in 0..6 { td { (NONE) } },
        }
    }
}
