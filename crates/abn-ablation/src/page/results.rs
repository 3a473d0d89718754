//! The errors of a group: means, differences to the baseline, and what was published.

use maud::{Markup, html};

use super::difference::{Axis, direction};
use crate::numbers::{NONE, estimate, runs, signed, span};
use crate::published::Published;
use crate::statistics::Difference;
use crate::table::{Line, Section, Verdict};

/// What the published figures of a group have in common, and what is to be known about single ones.
struct PublishedNotes {
    /// Paper and table.
    source: Option<&'static str>,
    /// Network and data set.
    of: Option<&'static str>,
    /// Remarks, each once.
    remarks: Vec<&'static str>,
}

impl PublishedNotes {
    /// `None` if nothing was published.
    fn of(section: &Section) -> Option<Self> {
        let figures: Vec<Published> = section
            .lines
            .iter()
            .filter_map(|line| line.published)
            .collect();
        let first = figures.first()?;
        let common = |part: fn(&Published) -> &'static str| {
            figures
                .iter()
                .all(|figure| part(figure) == part(first))
                .then(|| part(first))
        };
        let mut remarks = Vec::new();
        for remark in figures
            .iter()
            .map(|figure| figure.remark)
            .filter(|remark| !remark.is_empty())
        {
            if !remarks.contains(&remark) {
                remarks.push(remark);
            }
        }
        Some(Self {
            source: common(|figure| figure.source),
            of: common(|figure| figure.of),
            remarks,
        })
    }

    /// The letter of a remark.
    fn mark(&self, remark: &str) -> Option<char> {
        let place = self.remarks.iter().position(|other| *other == remark)?;
        char::from_digit(place as u32 + 10, 36)
    }
}

/// The table of a group, with its notes.
pub(super) fn table(section: &Section) -> Markup {
    let (axis, printed) = (Axis::of(section), PublishedNotes::of(section));
    html! {
        div.scroll tabindex="0" role="region" aria-label={ "Errors: " (section.title) } {
            table.ablation {
                thead { (head(section, axis.as_ref(), printed.as_ref())) }
                tbody {
                    @for (place, line) in section.lines.iter().enumerate() {
                        tr {
                            (name(line, section))
                            td {
                                @if let Some(error) = &line.error { (estimate(error)) br; }
                                span.small { (runs(line.runs.len(), line.planned)) }
                            }
                            @for label in section.labels() {
                                td { (line.label(label).as_ref().map_or(NONE.to_owned(), estimate)) }
                            }
                            (difference(line, place == 0))
                            @if let Some(axis) = &axis {
                                td.effect style={ "--zero:" (axis.zero()) } { (axis.drawing(line)) }
                            }
                            @if let Some(printed) = &printed { (published(line, printed, place == 0)) }
                        }
                    }
                }
            }
        }
        (notes(section, printed.as_ref()))
    }
}

fn head(section: &Section, axis: Option<&Axis>, printed: Option<&PublishedNotes>) -> Markup {
    html! {
        tr {
            th scope="col" { "variant" }
            th scope="col" { (section.error_name()) br; span.small { "%, mean ± spread" } }
            @for label in section.labels() {
                th scope="col" { (label) " error" br; span.small { "%" } }
            }
            th scope="col" { "to the baseline" br; span.small { "points, 95 % interval" } }
            @if let Some(axis) = axis {
                th.effect scope="col" style={ "--zero:" (axis.zero()) } { (axis.head()) }
            }
            @if let Some(printed) = printed {
                th scope="col" {
                    "published error" br;
                    span.small { (printed.source.unwrap_or("%")) @if let Some(of) = printed.of { br; (of) } }
                }
                th scope="col" { "published" br; "difference" }
                th.words scope="col" { "ours and" br; "the published" }
            }
        }
    }
}

/// What sets a line apart, and its network where that is not the same for all.
pub(super) fn name(line: &Line, section: &Section) -> Markup {
    let differs = section
        .lines
        .iter()
        .any(|other| other.architecture != line.architecture);
    html! {
        th scope="row" {
            (line.name)
            @if differs && !line.name.contains(&line.architecture) { br; span.small { (line.architecture) } }
        }
    }
}

fn difference(line: &Line, baseline: bool) -> Markup {
    html! {
        td {
            @match line.difference {
                _ if baseline => span.small { "baseline" },
                Some(difference @ Difference { mean, interval }) => {
                    span class=(direction(Some(&difference))) { (signed(mean)) } br;
                    span.small {
                        @match interval {
                            Some((low, high)) => (span(low, high)),
                            None => "no interval",
                        }
                    }
                }
                None => (NONE),
            }
        }
    }
}

fn published(line: &Line, printed: &PublishedNotes, baseline: bool) -> Markup {
    html! {
        td {
            @match line.published {
                Some(figure) => {
                    (format!("{:.2}", figure.error))
                    @if let Some(mark) = printed.mark(figure.remark) { sup { (mark) } }
                    @if printed.of.is_none() { br; span.small { (figure.of) } }
                    @if printed.source.is_none() { br; span.small { (figure.source) } }
                }
                None => (NONE),
            }
        }
        td {
            @match line.published_difference {
                _ if baseline && line.published.is_some() => span.small { "baseline" },
                Some(difference) => (signed(difference)),
                None => (NONE),
            }
        }
        td.words { (verdict(line)) }
    }
}

fn verdict(line: &Line) -> Markup {
    html! {
        @match line.verdict {
            Some(verdict @ Verdict::Same) => span.lower { "✓ " (verdict.name()) },
            Some(verdict @ Verdict::Opposite) => span.higher { "✗ " (verdict.name()) },
            Some(verdict) => span.small { (verdict.name()) },
            None if line.published_difference.is_none() => (NONE),
            None if line.is_complete() && line.difference.is_some_and(|it| it.interval.is_none()) => {
                span.small { "no interval" }
            }
            None => span.small { "not yet" },
        }
    }
}

fn notes(section: &Section, printed: Option<&PublishedNotes>) -> Markup {
    let alone = section
        .lines
        .iter()
        .any(|line| line.difference.is_some_and(|it| it.interval.is_none()));
    html! {
        @if let Some(printed) = printed {
            @for remark in &printed.remarks {
                p.note.remark { @if let Some(mark) = printed.mark(remark) { sup { (mark) } " " } (remark) }
            }
        }
        @if alone { p.note.remark { "No interval: of a single run, or of runs that all end the same." } }
    }
}
