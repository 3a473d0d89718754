//! The page of `abn compare`: runs side by side, by their figures, their curves, what they were
//! told, and what they see in the same images.

use std::collections::BTreeSet;

use abn_core::explain::AttentionMap;
use abn_explain::paired::Paired;
use abn_run::measure::records::{EpochRecord, EpochTiming, Summary};
use image::RgbImage;
use maud::{Markup, html};

use crate::axis::AxisScale;
use crate::chart::{Chart, Series, Unit};
use crate::figures::{capitalised, head};
use crate::heatmap::{Drawing, overlay};
use crate::numbers::{duration, grouped, percent, short};
use crate::page::page_with;
use crate::picture::{color_bar, embedded, fitted};

const STYLE: &str = include_str!("comparison.css");
/// A colour for each run.
const INKS: [&str; 8] = [
    "ink-run-1",
    "ink-run-2",
    "ink-run-3",
    "ink-run-4",
    "ink-run-5",
    "ink-run-6",
    "ink-run-7",
    "ink-run-8",
];
/// More runs than this have no colour of their own.
pub const MOST_RUNS: usize = INKS.len();
/// Pixels of the longer side of a picture.
const SIDE: u32 = 160;
/// What stands where a run has no figure.
const NONE: &str = "\u{2013}";

/// What the page shows.
#[derive(Debug, Clone)]
pub struct ComparisonPage {
    /// Heading of the page.
    pub title: String,
    /// A line under the heading.
    pub subtitle: String,
    /// The runs, at most [`MOST_RUNS`]; the first is what others are compared with.
    pub runs: Vec<ComparedRun>,
    /// Settings that are not the same everywhere.
    pub settings: Vec<ComparedSetting>,
    /// Number of settings that are.
    pub same_settings: usize,
    /// What the runs see in the same images.
    pub images: Option<SameImages>,
    /// Why the runs are not compared on images, if they are not.
    pub without_images: Option<String>,
}

/// A run as far as it has come.
#[derive(Debug, Clone)]
pub struct ComparedRun {
    /// Where it lies, as typed.
    pub path: String,
    /// Architecture and attention.
    pub title: String,
    /// What it was trained on.
    pub data: String,
    /// Epochs that it is to have.
    pub planned: usize,
    /// Those that it has.
    pub epochs: Vec<EpochRecord>,
    /// Wall-clock figures of the epochs.
    pub timing: Vec<EpochTiming>,
    /// Number of trained parameters.
    pub parameters: usize,
}

impl ComparedRun {
    /// The best epoch so far.
    pub fn best_epoch(&self) -> Option<&EpochRecord> {
        self.epochs.iter().rev().find(|record| record.best)
    }

    fn seconds(&self) -> Option<f64> {
        let seconds = self
            .timing
            .iter()
            .map(|epoch| epoch.train_seconds + epoch.test_seconds);
        (!self.timing.is_empty()).then(|| seconds.sum())
    }

    fn images_per_second(&self) -> Option<f64> {
        let train: f64 = self.timing.iter().map(|epoch| epoch.train_seconds).sum();
        let images = self
            .timing
            .iter()
            .map(|epoch| epoch.images_per_second * epoch.train_seconds);
        let speed = images.sum::<f64>() / train;
        speed.is_finite().then_some(speed)
    }
}

/// A setting of the runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedSetting {
    /// Its path in `config.json`.
    pub name: String,
    /// Of each run; `None` where it has no such setting.
    pub values: Vec<Option<String>>,
}

/// The same images under all runs.
#[derive(Debug, Clone)]
pub struct SameImages {
    /// How many.
    pub count: usize,
    /// Share that each run tells rightly.
    pub right: Vec<f64>,
    /// Each run but the first beside the first.
    pub beside_first: Vec<Paired>,
    /// How each run is explained.
    pub methods: Vec<&'static str>,
    /// How the maps of each run are drawn.
    pub drawings: Vec<Drawing>,
    /// Images on which the runs differ, and then some on which they do not.
    pub examples: Vec<ComparedImage>,
}

/// An image and what every run sees in it.
#[derive(Debug, Clone)]
pub struct ComparedImage {
    /// The image as the first network saw it, before normalisation.
    pub image: RgbImage,
    /// Its file, or its number in the split.
    pub name: String,
    /// Name of its class.
    pub label: String,
    /// Of each run the map, the class that it tells, and whether that is right.
    pub seen: Vec<(AttentionMap, String, bool)>,
}

impl ComparedImage {
    fn told_alike(&self) -> bool {
        self.seen.iter().all(|(_, _, right)| *right) || self.seen.iter().all(|(_, _, right)| !right)
    }
}

/// The page as one self-contained HTML file; a pure function.
pub fn render_comparison(shown: &ComparisonPage) -> String {
    let body = html! {
        (runs(shown))
        (curves(&shown.runs))
        @if let Some(images) = &shown.images { (same_images(shown, images)) }
        @if let Some(why) = &shown.without_images {
            section aria-labelledby="images" {
                h2 #images { "The same images" }
                p.notice { (why) }
            }
        }
        (settings(shown))
    };
    page_with(STYLE, &shown.title, &shown.subtitle, &body)
}

/// Number and name of a run with its colour.
fn named(place: usize, run: &ComparedRun) -> Markup {
    html! {
        span class={ "swatch " (ink(place)) } {}
        (place + 1) " " (run.path) br;
        span.small { (run.title) ", " (run.data) }
    }
}

fn ink(place: usize) -> &'static str {
    INKS[place % INKS.len()]
}

/// The names of the figures that runs are compared by, in the order of the first that has them.
fn figure_names(runs: &[ComparedRun]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for record in runs.iter().filter_map(ComparedRun::best_epoch) {
        for (name, _) in record.test.figures.main() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

fn figure_of(summary: &Summary, name: &str) -> Option<f64> {
    let figures = summary.figures.main().into_iter();
    figures
        .filter(|(other, _)| *other == name)
        .map(|(_, value)| value)
        .next()
}

fn runs(shown: &ComparisonPage) -> Markup {
    let names = figure_names(&shown.runs);
    let of_best = |run: &ComparedRun, name: &str| figure_of(&run.best_epoch()?.test, name);
    // Figures of different images are not better or worse than each other.
    let data: BTreeSet<&str> = shown.runs.iter().map(|run| run.data.as_str()).collect();
    let highest = |name: &str| {
        let values = shown.runs.iter().filter_map(|run| of_best(run, name));
        values.max_by(f64::total_cmp).filter(|_| data.len() == 1)
    };
    let optional = |value: Option<String>| value.unwrap_or_else(|| NONE.to_owned());
    html! {
        section aria-labelledby="runs" {
            h2 #runs { "Runs" }
            p.note {
                "Test figures of each run's best epoch so far; the highest of a column is bold."
                @if data.len() > 1 {
                    " The runs were trained on different data: their figures do not compare."
                }
            }
            div.scroll tabindex="0" role="region" aria-label="Figures of every run" {
                table.numbers.runs {
                    (head(["run".to_owned(), "epochs".to_owned(), "best".to_owned()].into_iter()
                        .chain(names.iter().map(|name| capitalised(name)))
                        .chain(["test loss", "parameters", "time", "images/s"].map(str::to_owned))))
                    tbody {
                        @for (place, run) in shown.runs.iter().enumerate() {
                            @let best = run.best_epoch();
                            tr {
                                th scope="row" { (named(place, run)) }
                                td { (run.epochs.len()) " of " (run.planned) }
                                td { (optional(best.map(|record| record.epoch.to_string()))) }
                                @for name in &names {
                                    @let value = of_best(run, name);
                                    td.highest[value.is_some() && value == highest(name)] {
                                        (optional(value.map(percent)))
                                    }
                                }
                                td { (optional(best.map(|record| short(record.test.loss)))) }
                                td { (grouped(run.parameters as f64)) }
                                td { (optional(run.seconds().map(duration))) }
                                td { (optional(run.images_per_second().map(|speed| grouped(speed.floor())))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

type Figure<'a> = Box<dyn Fn(&EpochRecord) -> Option<f64> + 'a>;

fn curves(runs: &[ComparedRun]) -> Markup {
    let best_name = runs.iter().find_map(|run| {
        let name = run.epochs.last()?.test.figures.best_name();
        Some(name)
    });
    let Some(name) = best_name else {
        return html! {};
    };
    let of_name = |summary: &Summary| {
        let figures = &summary.figures;
        figures.best().filter(|_| figures.best_name() == name)
    };
    let figures: [(String, Unit, Figure); 7] = [
        (
            format!("Test {name}"),
            Unit::Percent,
            Box::new(|record| of_name(&record.test)),
        ),
        (
            format!("Training {name}"),
            Unit::Percent,
            Box::new(|record| of_name(&record.train)),
        ),
        (
            "Test loss".to_owned(),
            Unit::Number,
            Box::new(|record| Some(record.test.loss)),
        ),
        (
            "Training loss".to_owned(),
            Unit::Number,
            Box::new(|record| Some(record.train.loss)),
        ),
        (
            "Test loss of the perception branch".to_owned(),
            Unit::Number,
            Box::new(|record| Some(record.test.perception_loss)),
        ),
        (
            "Mean of the attention maps".to_owned(),
            Unit::Number,
            Box::new(|record| Some(record.maps?.mean)),
        ),
        (
            "Learning rate".to_owned(),
            Unit::Number,
            Box::new(|record| Some(record.learning_rate)),
        ),
    ];
    let charts = figures
        .into_iter()
        .filter_map(|(title, unit, figure)| chart(runs, title, unit, &figure));
    html! {
        section aria-labelledby="curves" {
            h2 #curves { "Training" }
            p.note {
                "By epoch. The loss of a network with a branch is the sum of two; that of the \
                 perception branch alone compares with a network without one."
            }
            div.charts { @for chart in charts { (chart.figure()) } }
        }
    }
}

/// A line a run; nothing where no run has the figure.
fn chart(runs: &[ComparedRun], title: String, unit: Unit, figure: &Figure) -> Option<Chart> {
    let epochs = runs.iter().flat_map(|run| &run.epochs);
    let xs: BTreeSet<usize> = epochs.map(|record| record.epoch).collect();
    let xs: Vec<usize> = xs.into_iter().collect();
    let value = |run: &ComparedRun, epoch: &usize| {
        let record = run.epochs.iter().find(|record| record.epoch == *epoch);
        record.and_then(figure)
    };
    let series: Vec<Series> = runs
        .iter()
        .enumerate()
        .map(|(place, run)| Series {
            name: format!("run {}", place + 1).into(),
            ink: ink(place),
            values: xs.iter().map(|epoch| value(run, epoch)).collect(),
        })
        .collect();
    let known = |series: &Series| series.values.iter().any(Option::is_some);
    series.iter().any(known).then_some(Chart {
        title: title.into(),
        over: "epoch",
        unit,
        scale: AxisScale::Linear,
        xs,
        series: series.into_iter().filter(known).collect(),
        marked: None,
    })
}

/// The folder of a run without those that it lies in.
fn last_part(path: &str) -> &str {
    let parts = path.trim_end_matches('/').rsplit('/');
    parts.into_iter().next().unwrap_or(path)
}

fn same_images(shown: &ComparisonPage, images: &SameImages) -> Markup {
    let (alike, differing): (Vec<&ComparedImage>, Vec<&ComparedImage>) = images
        .examples
        .iter()
        .partition(|example| example.told_alike());
    html! {
        section aria-labelledby="images" {
            h2 #images { "The same images" }
            p.note {
                (grouped(images.count as f64)) " test images, told by the weights of each run. What is \
                 told by both or by neither says nothing about which is better: images that one of the two \
                 alone tells do. The interval is 95 % of the bootstrap over images; another \
                 training of the same network would differ, which is not in it."
            }
            div.scroll tabindex="0" role="region" aria-label="Runs on the same images" {
                table.numbers.runs {
                    (head(["run", "map", "right", "it alone", "run 1 alone", "difference", "95 %"]))
                    tbody {
                        @for (place, run) in shown.runs.iter().enumerate() {
                            @let beside = place.checked_sub(1).and_then(|other| images.beside_first.get(other));
                            tr {
                                th scope="row" { (named(place, run)) }
                                td { (images.methods.get(place).copied().unwrap_or(NONE)) }
                                td { (images.right.get(place).map_or(NONE.to_owned(), |right| percent(*right))) }
                                @if let Some(Paired { better, worse, difference }) = beside {
                                    td { (better) }
                                    td { (worse) }
                                    td { (difference.map_or(NONE.to_owned(), |found| signed(found.mean))) }
                                    td { (difference.map_or(NONE.to_owned(), |found| format!(
                                        "{} to {}", signed(found.low), signed(found.high)
                                    ))) }
                                } @else {
                                    @for _ in 0..4 { td { (NONE) } }
                                }
                            }
                        }
                    }
                }
            }
            @if !images.examples.is_empty() {
                @if let Some(drawing) = images.drawings.first() { (color_bar(drawing)) }
                p.note { "Trained maps are drawn as they are, those of other methods normalised per image." }
                @if !differing.is_empty() {
                    h3 { "Told differently" }
                    @for example in differing { (row(example, images)) }
                }
                @if !alike.is_empty() {
                    h3 { "Told alike" }
                    @for example in alike { (row(example, images)) }
                }
            }
        }
    }
}

/// Points of percent with their sign.
fn signed(share: f64) -> String {
    format!("{:+.1}", 100.0 * share)
}

/// An image and the maps of all runs.
fn row(example: &ComparedImage, images: &SameImages) -> Markup {
    let image = fitted(&example.image, SIDE);
    html! {
        figure.strip {
            figcaption.small { span.class { (example.label) } " · " (example.name) }
            div.maps {
                div { (embedded(&image, &example.name)) p.small { "image" } }
                @for (place, (map, told, right)) in example.seen.iter().enumerate() {
                    @let drawing = images.drawings.get(place).copied().unwrap_or_default();
                    @let picture = overlay(&image, map, &drawing);
                    div {
                        (embedded(&picture, &format!("Map of run {} over {}", place + 1, example.name)))
                        p.small {
                            span class={ "swatch " (ink(place)) } {}
                            (place + 1) " "
                            @if *right { span.hit { "✓" } } @else { span.miss { "✗ " (told) } }
                        }
                    }
                }
            }
        }
    }
}

fn settings(shown: &ComparisonPage) -> Markup {
    html! {
        section aria-labelledby="settings" {
            h2 #settings { "Settings that differ" }
            p.note {
                @if shown.settings.is_empty() {
                    "All " (shown.same_settings) " settings are the same."
                } @else {
                    (shown.settings.len()) " settings differ, " (shown.same_settings)
                    " are the same in all runs."
                }
            }
            @if !shown.settings.is_empty() {
                div.scroll tabindex="0" role="region" aria-label="Settings that differ" {
                    table {
                        (head(std::iter::once("setting".to_owned())
                            .chain(shown.runs.iter().enumerate().map(|(place, run)| {
                                format!("{} {}", place + 1, last_part(&run.path))
                            }))))
                        tbody {
                            @for setting in &shown.settings {
                                tr {
                                    th scope="row" { (setting.name) }
                                    @for value in &setting.values {
                                        td.setting { (value.as_deref().unwrap_or(NONE)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
