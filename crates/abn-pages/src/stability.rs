//! The page of `abn stability`: the matrix of runs, the curve of thresholds, the classes, and
//! images on which the runs look alike or apart.

use abn_core::explain::AttentionMap;
use abn_explain::bootstrap::Interval;
use abn_explain::stability::{ClassFigures, MapScale, PairFigures, RunFigures, StabilityReport};
use image::{GrayImage, Luma, RgbImage};
use maud::{Markup, html};

use crate::axis::AxisScale;
use crate::chart::{Chart, Series, Unit};
use crate::figures::{figure, head};
use crate::heatmap::{Drawing, overlay};
use crate::numbers::percent;
use crate::page::page;
use crate::picture::{color_bar, embedded, fitted, outline};

/// Pixels of the longer side of a picture; a row has one for every run.
const SIDE: u32 = 160;
/// Share of the colour in a cell of the matrix at an IoU of 1, in percent; more would swallow the
/// number.
const STRONGEST: f64 = 60.0;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct StabilityPage {
    /// Heading of the page.
    pub title: String,
    /// What was measured.
    pub subtitle: String,
    /// The figures.
    pub report: StabilityReport,
    /// What the threshold is a share of.
    pub scale: MapScale,
    /// How the maps are drawn.
    pub drawing: Drawing,
    /// Images with the maps of all runs, the most alike first.
    pub examples: Vec<Example>,
}

/// An image and where every run looks in it.
#[derive(Debug, Clone)]
pub struct Example {
    /// The image as the networks saw it, before normalisation.
    pub image: RgbImage,
    /// Its index in the split.
    pub number: usize,
    /// Name of its class.
    pub label: String,
    /// Mean IoU of the pairs of runs.
    pub iou: f64,
    /// The map of each run.
    pub maps: Vec<AttentionMap>,
    /// The class each run predicts, if it is not the image's.
    pub wrong: Vec<Option<String>>,
}

/// The page as one self-contained HTML file; a pure function.
pub fn render_stability(shown: &StabilityPage) -> String {
    let report = &shown.report;
    let body = html! {
        (headline(report))
        (runs(report))
        (thresholds(report, shown.scale))
        (examples(shown))
        (classes(&report.classes))
    };
    page(&shown.title, &shown.subtitle, &body)
}

fn headline(report: &StabilityReport) -> Markup {
    let within = |interval: Option<Interval>, over: &str| {
        interval.map_or_else(
            || "nothing to compare".to_owned(),
            |interval| format!("{} over {over}", span(interval)),
        )
    };
    let mean = |interval: Option<Interval>| number(interval.map(|interval| interval.mean));
    let left_out = report.empty + report.broken;
    html! {
        section.headline aria-label="Headline figures" {
            dl.figures {
                (figure(
                    "Mean IoU",
                    &mean(report.iou_over_images),
                    &within(report.iou_over_images, "images"),
                ))
                @if report.runs.len() > 2 {
                    (figure(
                        "With the best run",
                        &mean(report.iou_with_best),
                        &within(report.iou_with_best, "the other runs"),
                    ))
                }
                (figure(
                    "Of other images",
                    &number(report.iou_of_other_images),
                    "maps of different images",
                ))
                (figure(
                    "Rank correlation",
                    &mean(report.rank_correlation),
                    &within(report.rank_correlation, "images"),
                ))
                (figure("Same prediction", &percent(report.agreement), "of images and pairs of runs"))
            }
            p.note {
                "IoU is the share of the positions looked at by one of two runs that both look at; \
                 1 is the same place. What the maps of different images reach is owed to habit, \
                 such as looking at the centre: only what is beyond it is about the image. \
                 Intervals are 95 % of the bootstrap."
                @if left_out > 0 {
                    " " (left_out) " of " (report.images * report.pairs.len())
                    " pairs of maps are left out: on " (report.empty)
                    " neither reaches the threshold, " (report.broken) " are not finite."
                }
            }
        }
    }
}

/// The runs and the matrix of their IoU in one table.
fn runs(report: &StabilityReport) -> Markup {
    html! {
        section aria-labelledby="runs" {
            h2 #runs { "Runs" }
            p.note {
                "Mean IoU of every two runs. The most accurate run is bold: the paper compares the \
                 others with it."
            }
            div.scroll tabindex="0" role="region" aria-label="IoU of every two runs" {
                table.numbers.matrix {
                    thead {
                        tr {
                            th scope="col" { "run" }
                            th scope="col" { "rate" }
                            th scope="col" { "seed" }
                            th scope="col" { "top-1" }
                            @for number in 1..=report.runs.len() { th.cell scope="col" { (number) } }
                            th scope="col" { "mean" }
                        }
                    }
                    tbody {
                        @for (row, run) in report.runs.iter().enumerate() {
                            (matrix_row(report, row, run))
                        }
                    }
                }
            }
        }
    }
}

fn matrix_row(report: &StabilityReport, row: usize, run: &RunFigures) -> Markup {
    let pair = |column: usize| {
        report
            .pairs
            .iter()
            .find(|pair| pair.runs == [row.min(column), row.max(column)])
    };
    html! {
        tr.best[row == report.best] {
            th scope="row" { (row + 1) " " (run.path) br; span.small { (run.title) } }
            td { (format!("{:.4}", run.learning_rate)) }
            td { (run.seed) }
            td { (percent(run.top1)) }
            @for column in 0..report.runs.len() { (cell(pair(column))) }
            td { (number(run.iou)) }
        }
    }
}

/// A cell of the matrix, the stronger its colour the higher the IoU; empty on the diagonal.
fn cell(pair: Option<&PairFigures>) -> Markup {
    let iou = pair.and_then(|pair| pair.iou);
    let strength = iou.map_or(0.0, |iou| iou.mean * STRONGEST);
    let about = iou.map(span);
    html! {
        @if pair.is_some() {
            td.cell title=[about] style={ "--strength:" (format!("{strength:.0}%")) } {
                (number(iou.map(|iou| iou.mean)))
            }
        } @else {
            td.cell.empty {}
        }
    }
}

fn thresholds(report: &StabilityReport, scale: MapScale) -> Markup {
    let meaning = match scale {
        MapScale::Raw => {
            "Maps as they are: a threshold of 127 is a value of 0.498 in every image, the paper's \
             measure."
        }
        MapScale::PerImage => {
            "Maps normalised per image: a threshold of 127 is half of the image's own maximum, so \
             every map reaches it."
        }
    };
    html! {
        section aria-labelledby="thresholds" {
            h2 #thresholds { "Thresholds" }
            p.note { (meaning) " The dashed line marks " (report.threshold) "." }
            div.charts {
                (curve(report).figure())
                (left_out(report).figure())
            }
            p.note {
                "Where the two lines of the left chart meet, the maps say nothing about the image; \
                 low thresholds hold nearly all of it, and there every IoU is near 1. Pairs of \
                 maps below the threshold have no IoU."
            }
        }
    }
}

fn curve(report: &StabilityReport) -> Chart {
    let same = report.curve.iter().map(|point| point.iou).collect();
    let other = report
        .curve
        .iter()
        .map(|point| point.iou_of_other_images)
        .collect();
    let series = vec![
        Series {
            name: "same image".into(),
            ink: "ink-attention",
            values: same,
        },
        Series {
            name: "different images".into(),
            ink: "ink-train",
            values: other,
        },
    ];
    over_thresholds("Mean IoU", Unit::Number, report, series)
}

fn left_out(report: &StabilityReport) -> Chart {
    let empty = report.curve.iter().map(|point| Some(point.empty)).collect();
    let series = vec![Series {
        name: "neither map reaches it".into(),
        ink: "ink-spread",
        values: empty,
    }];
    over_thresholds("Pairs left out", Unit::Percent, report, series)
}

fn over_thresholds(
    title: &'static str,
    unit: Unit,
    report: &StabilityReport,
    series: Vec<Series>,
) -> Chart {
    Chart {
        title: title.into(),
        over: "threshold",
        unit,
        scale: AxisScale::Linear,
        xs: report
            .curve
            .iter()
            .map(|point| usize::from(point.threshold))
            .collect(),
        series,
        marked: Some(usize::from(report.threshold)),
    }
}

fn examples(shown: &StabilityPage) -> Markup {
    let (alike, apart) = shown.examples.split_at(shown.examples.len().div_ceil(2));
    html! {
        @if !shown.examples.is_empty() {
            section aria-labelledby="gallery" {
                h2 #gallery { "Alike and apart" }
                p.note {
                    "Each image, then the map of every run by its number. The thin line is where \
                     the map reaches the threshold; a cross marks a wrong prediction."
                }
                (color_bar(&shown.drawing))
                h3 { "Most alike" }
                @for example in alike { (row(example, shown)) }
                h3 { "Least alike" }
                @for example in apart { (row(example, shown)) }
            }
        }
    }
}

/// An image and its maps side by side.
fn row(example: &Example, shown: &StabilityPage) -> Markup {
    let image = fitted(&example.image, SIDE);
    let (threshold, name) = (shown.report.threshold, format!("image {}", example.number));
    html! {
        figure.strip {
            figcaption.small {
                span.class { (example.label) } " · " (name) " · mean IoU "
                (format!("{:.3}", example.iou))
            }
            div.maps {
                div { (embedded(&image, &name)) p.small { "image" } }
                @for (number, (map, wrong)) in example.maps.iter().zip(&example.wrong).enumerate() {
                    @let picture = drawn(&image, map, &shown.drawing, threshold);
                    div {
                        (embedded(&picture, &format!("Map of run {} over {name}", number + 1)))
                        p.small {
                            (number + 1)
                            @if let Some(class) = wrong { span.miss { " ✗ " (class) } }
                        }
                    }
                }
            }
        }
    }
}

/// The image under a map, with the line where the map reaches the threshold.
fn drawn(image: &RgbImage, map: &AttentionMap, drawing: &Drawing, threshold: u8) -> RgbImage {
    let mut picture = overlay(image, map, drawing);
    let (width, height) = image.dimensions();
    let map = map.resize_to(width as usize, height as usize);
    let above = |x: u32, y: u32| {
        let value = map.values.get(y as usize * width as usize + x as usize);
        value.is_some_and(|value| value * 255.0 >= f32::from(threshold))
    };
    let looked_at = GrayImage::from_fn(width, height, |x, y| {
        Luma([if above(x, y) { 255 } else { 0 }])
    });
    outline(&mut picture, &looked_at);
    picture
}

fn classes(classes: &[ClassFigures]) -> Markup {
    html! {
        section aria-labelledby="classes" {
            h2 #classes { "Classes" }
            div.scroll tabindex="0" role="region" aria-label="Every class" {
                table.numbers {
                    (head([
                        "class", "images", "mean IoU", "95 %", "rank correlation", "same prediction",
                    ]))
                    tbody {
                        @for class in classes {
                            tr {
                                th scope="row" { (class.class) }
                                td { (class.images) }
                                td { (number(class.iou.map(|iou| iou.mean))) }
                                td { (class.iou.map(span).unwrap_or_default()) }
                                td { (number(class.rank_correlation)) }
                                td { (percent(class.agreement)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn span(Interval { low, high, .. }: Interval) -> String {
    format!("{low:.3} to {high:.3}")
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:.3}"))
}

#[cfg(test)]
mod tests {
    use abn_explain::stability::{RunMaps, compare};

    use super::*;

    fn shown() -> StabilityPage {
        let map = |values: [f32; 2]| AttentionMap::new(1, 2, values.to_vec()).unwrap();
        let seen = |path: &str, values| RunMaps {
            path: path.to_owned(),
            title: "resnet8".to_owned(),
            learning_rate: 0.05,
            seed: 3,
            maps: vec![map(values)],
            predicted: vec![0],
            labels: vec![0],
        };
        let runs = [
            seen("<b>a", [0.9, 0.1]),
            seen("b", [0.9, 0.8]),
            seen("c", [f32::NAN, 0.2]),
        ];
        let report = compare(&runs, &["cat".to_owned()], 127, || ());
        let example = Example {
            image: RgbImage::new(4, 4),
            number: 0,
            label: "<i>cat".to_owned(),
            iou: 0.5,
            maps: runs.iter().map(|run| run.maps[0].clone()).collect(),
            wrong: vec![None, Some("dog".to_owned()), None],
        };
        StabilityPage {
            title: "t".to_owned(),
            subtitle: String::new(),
            report,
            scale: MapScale::Raw,
            drawing: Drawing::default(),
            examples: vec![example.clone(), example],
        }
    }

    #[test]
    fn the_page_shows_every_pair_and_what_was_left_out() {
        let html = render_stability(&shown());
        assert_eq!(
            html.matches("class=\"cell\" title=\"0.500 to 0.500\" style=\"--strength:30%\"")
                .count(),
            2
        );
        assert!(html.contains("2 of 3 pairs of maps are left out"), "{html}");
        assert_eq!(html.matches("<svg").count(), 2);
        assert_eq!(
            html.matches("<img").count(),
            8,
            "an image and three maps, twice"
        );
        assert_eq!(html.matches("✗ dog").count(), 2);
        assert!(html.contains("threshold 125") && !html.contains(">epoch"));
    }

    #[test]
    fn names_are_escaped_and_nothing_is_loaded() {
        let html = render_stability(&shown());
        assert!(html.contains("&lt;b&gt;a") && html.contains("&lt;i&gt;cat"));
        assert!(!html.contains("<b>") && !html.contains("<script") && !html.contains("NaN"));
        assert_eq!(
            html.matches("src=\"").count(),
            html.matches("src=\"data:image/png;base64,").count()
        );
    }

    #[test]
    fn the_line_runs_where_the_map_reaches_the_threshold() {
        let image = RgbImage::from_pixel(4, 1, image::Rgb([0, 0, 0]));
        let map = AttentionMap::new(1, 4, vec![1.0, 1.0, 0.0, 0.0]).unwrap();
        let plain = overlay(&image, &map, &Drawing::default());
        let lined = drawn(&image, &map, &Drawing::default(), 127);
        let changed: Vec<bool> = (0..4).map(|x| plain[(x, 0)] != lined[(x, 0)]).collect();
        assert_eq!(changed, [false, true, true, false]);
    }

    #[test]
    fn a_page_without_anything_to_compare_is_a_page() {
        let mut empty = shown();
        (empty.report, empty.examples) = (compare(&[], &[], 127, || ()), Vec::new());
        assert!(render_stability(&empty).contains("none"));
    }
}
