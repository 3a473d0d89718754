//! The page of the campaigns: what was asked, what came out beside what was published, and where
//! the variants look.
//!
//! A pure function from tables to one HTML file without scripts, in the frame of the trainer's
//! other pages. Photographs and maps are embedded once, however many groups and campaigns show them
//! ([`pictures`]).

mod costs;
mod curves;
mod difference;
mod looks;
mod maps;
mod pictures;
mod reading;
mod results;
mod runs;

use std::collections::{BTreeMap, BTreeSet};

use abn_data::Group;
use abn_pages::page_with;
use anyhow::Result;
use image::RgbImage;
use maud::{Markup, html};

use self::pictures::Pictures;
use crate::numbers::counted;
use crate::plan;
use crate::runner::Failure;
use crate::size::CampaignSize;
use crate::speed::Speed;
use crate::table::{Line, Table, Verdict};

const STYLE: &str = include_str!("page.css");

/// What the page shows.
#[derive(Debug)]
pub(crate) struct Page {
    /// How much the campaigns were given.
    pub(crate) scale: CampaignSize,
    /// What was typed.
    pub(crate) command: String,
    /// The campaigns.
    pub(crate) parts: Vec<Part>,
    /// How fast the networks are, by the name of a run.
    pub(crate) speeds: BTreeMap<String, Speed>,
    /// Runs that did not come to their end.
    pub(crate) failed: Vec<Failure>,
    /// Finished runs with files that cannot be used.
    pub(crate) damaged: Vec<Failure>,
}

/// A campaign and the images that its variants are shown on.
#[derive(Debug)]
pub(crate) struct Part {
    /// Its figures.
    pub(crate) table: Table,
    /// Test images, in the order shown.
    pub(crate) images: Vec<Shown>,
    /// The label that they are shown with, of several the first.
    pub(crate) label: Option<Group>,
}

/// A test image.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Index in the test split.
    pub(crate) index: usize,
    /// The image as the networks saw it, before normalisation.
    pub(crate) picture: RgbImage,
    /// Its class, if it is known.
    pub(crate) label: Option<usize>,
}

/// The page as one self-contained HTML file; a pure function.
///
/// # Errors
/// An image has no pixels, a map cannot be encoded, or a recipe cannot be described in JSON.
pub(crate) fn render(page: &Page) -> Result<String> {
    let mut pictures = Pictures::default();
    let sections = page
        .parts
        .iter()
        .map(|part| section(part, &page.speeds, &mut pictures));
    let sections: Vec<Markup> = sections.collect::<Result<_>>()?;
    let body = html! {
        (overview(page))
        @for section in &sections { (section) }
        (reading::reading())
    };
    let style = format!("{STYLE}{}", pictures.rules());
    Ok(page_with(&style, "Ablation", &subtitle(page)?, &body))
}

fn subtitle(page: &Page) -> Result<String> {
    let campaigns: Vec<_> = page
        .parts
        .iter()
        .map(|part| part.table.campaign.clone())
        .collect();
    // Campaigns share runs: each counts once.
    let lines = page.parts.iter().flat_map(|part| part.table.lines());
    let finished: BTreeSet<&str> = lines
        .flat_map(|line| &line.runs)
        .map(|run| run.name.as_str())
        .collect();
    Ok(format!(
        "Scale {} · {} · {} of {} runs finished",
        page.scale.name(),
        counted(campaigns.len(), "campaign"),
        finished.len(),
        plan::runs(&campaigns)?.len()
    ))
}

/// What follows from the figures of the quick scale, and what does not.
pub(crate) const OF_QUICK: &str = "The quick scale trains small networks for three epochs, most on 960 \
    easy built-in images. Classifiers learn, detectors have only begun to: where an interval is clear of \
    zero, the rows differ for these networks on these images after so few steps. Whether they do for the papers' networks, images and schedules does \
    not follow from it, nor that rows are alike whose interval holds zero: two or three runs of a \
    row tell only large differences.";

/// What to know before reading, and the campaigns at a glance.
fn overview(page: &Page) -> Markup {
    html! {
        section.overview aria-label="Overview" {
            @if page.scale == CampaignSize::Quick {
                p.notice { (OF_QUICK) }
            }
            (failures(&page.failed, "failed; the same command tries again:"))
            (failures(&page.damaged, "cannot be used as they are; moved away, they are trained again:"))
            nav.contents aria-label="Campaigns" {
                @for part in &page.parts {
                    a href={ "#" (part.table.campaign.name.name()) } { (part.table.campaign.title) }
                    span { (outcome(&part.table)) }
                }
                a href="#reading" { "How to read this page" }
                span { "what the intervals, the bars and the directions mean" }
            }
            p.small { "Made by " code { (page.command) } }
        }
    }
}

/// Runs with something in common; nothing if there are none.
fn failures(failures: &[Failure], common: &str) -> Markup {
    html! {
        @if !failures.is_empty() {
            div.notice {
                p { (counted(failures.len(), "run")) " " (common) }
                ul { @for failure in failures { li { code { (failure.name) } " " (failure.cause) } } }
            }
        }
    }
}

/// A campaign in a line: counts alone, no judgement.
fn outcome(table: &Table) -> String {
    if table.lines().all(|line| line.runs.is_empty()) {
        return "no run finished yet".to_owned();
    }
    let published: Vec<&Line> = table
        .lines()
        .filter(|line| line.published_difference.is_some())
        .collect();
    if published.is_empty() {
        let intervals: Vec<bool> = table
            .lines()
            .filter_map(|line| line.difference.as_ref()?.is_certain())
            .collect();
        let certain = intervals.iter().filter(|certain| **certain).count();
        return match intervals.len() {
            0 => "no published differences".to_owned(),
            all => format!(
                "no published differences; {certain} of our {all} have an interval without zero"
            ),
        };
    }
    let count = |verdict| {
        published
            .iter()
            .filter(|line| line.verdict == verdict)
            .count()
    };
    let kinds = [
        (Some(Verdict::Same), "in the same direction"),
        (Some(Verdict::Opposite), "in the opposite direction"),
        (Some(Verdict::Undecided), "undecided"),
        (None, "not yet comparable"),
    ];
    let counts = kinds
        .into_iter()
        .map(|(verdict, name)| (count(verdict), name));
    let counts: Vec<String> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    format!(
        "{}: {}",
        counted(published.len(), "published difference"),
        counts.join(", ")
    )
}

fn section(
    part: &Part,
    speeds: &BTreeMap<String, Speed>,
    pictures: &mut Pictures,
) -> Result<Markup> {
    let Table { campaign, sections } = &part.table;
    let (name, looks) = (campaign.name.name(), looks::looks(part, pictures)?);
    Ok(html! {
        section.campaign id=(name) aria-labelledby={ (name) "-title" } {
            h2 id={ (name) "-title" } { (campaign.title) }
            p.question { (campaign.question) }
            @if !campaign.source.is_empty() { p.note { "Published: " (campaign.source) } }
            @for section in sections {
                h3 { (section.title) }
                (results::table(section))
                (maps::table(section))
                (maps::leads(section))
            }
            div.beside {
                (curves::curves(sections))
                (costs::table(sections, speeds))
            }
            (looks)
            (runs::table(sections))
        }
    })
}

#[cfg(test)]
mod tests;
