//! Every finished run of a campaign, with the way to its report.

use maud::{Markup, html};

use crate::numbers::{counted, trimmed};
use crate::table::{Finished, Line, Section, error};

/// A row that names the group of those after it.
pub(super) fn group(title: &str, columns: usize) -> Markup {
    html! { tr.group { th colspan=(columns) scope="rowgroup" { (title) } } }
}

/// The table, folded; nothing while no run is finished.
pub(super) fn table(sections: &[Section]) -> Markup {
    let runs: usize = sections
        .iter()
        .flat_map(|section| &section.lines)
        .map(|line| line.runs.len())
        .sum();
    html! {
        @if runs > 0 {
            details {
                summary { "Every run: " (counted(runs, "run")) }
                div.scroll tabindex="0" role="region" aria-label="Every run" {
                    table.ablation {
                        thead {
                            tr {
                                th scope="col" { "variant" }
                                th.words scope="col" { "run" }
                                th scope="col" { "seed" }
                                th scope="col" { "learning rate" }
                                th scope="col" { "last error" br; span.small { "%" } }
                                th scope="col" { "best error" br; span.small { "%" } }
                                th scope="col" { "in epoch" }
                            }
                        }
                        @for section in sections {
                            tbody {
                                @if sections.len() > 1 { (group(&section.title, 7)) }
                                @for line in &section.lines { @for run in &line.runs { (row(line, run)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn row(line: &Line, run: &Finished) -> Markup {
    let results = &run.record.results;
    html! {
        tr {
            th scope="row" { (line.name) }
            td.words { a.file href={ "./runs/" (run.name) "/report.html" } { (run.name) } }
            td { (run.seed) }
            td { (trimmed(run.learning_rate)) }
            td { (format!("{:.2}", error(&results.last))) }
            td { (format!("{:.2}", error(&results.best))) }
            td { (results.best_epoch) }
        }
    }
}
