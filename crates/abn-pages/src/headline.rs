//! The figures a reader wants first: accuracy, how well the map finds the object, time.

use std::collections::BTreeSet;

use abn_run::measure::best::BestFigure;
use abn_run::measure::objects::ClassFigures;
use abn_run::measure::records::{
    EpochRecord, EpochTiming, GroupFigures, InvertedClass, LabelPointing, LeftOut, Pointing,
    Results, Summary, words_of,
};
use abn_run::unreadable::UNREADABLE;
use maud::{Markup, html};

use crate::attributes::attributes;
use crate::figures::{bar, capitalised, figure, head};
use crate::numbers::{duration, grouped, percent};

/// Tables of at most so many classes are open.
const OPEN: usize = 24;

/// The headline of a finished run, or of the epochs so far.
pub(crate) fn headline(
    epochs: &[EpochRecord],
    timing: &[EpochTiming],
    results: Option<&Results>,
    chosen_by: Option<BestFigure>,
) -> Markup {
    // Where it is another than the figure that this stands under.
    let by = |summary: &Summary| match chosen_by {
        Some(_) => format!(" by {}", summary.figures.best_name_by(chosen_by)),
        None => String::new(),
    };
    let best = match results {
        Some(Results {
            best,
            best_epoch,
            epochs,
            ..
        }) => Some((
            best,
            format!("best epoch{}, {best_epoch} of {epochs}", by(best)),
        )),
        None => {
            let so_far = epochs.iter().rev().find(|record| record.best);
            so_far.map(|EpochRecord { epoch, test, .. }| {
                (test, format!("best epoch so far{}, {epoch}", by(test)))
            })
        }
    };
    html! {
        section.headline aria-label="Headline figures" {
            @if results.is_none() { (unfinished(epochs.last())) }
            dl.figures {
                @if let Some((summary, epoch)) = &best { (accuracy(summary, epoch)) }
                @if !timing.is_empty() { (time(timing)) }
            }
            @if let Some(left_out) = results.and_then(|results| results.left_out) {
                (unreadable(left_out))
            }
            @if let Some(results) = results.filter(|results| !results.inverted.is_empty()) {
                (inverted(&results.inverted))
            }
            @if let Some((summary, _)) = &best { (labels(summary)) (classes(summary)) }
            @if let Some((pointing, labels)) = results
                .and_then(|results| Some((results.pointing?, &results.pointing_by_label))) {
                (pointing_game(&pointing, labels))
            }
            @if let Some(found) = best.and_then(|(summary, _)| summary.figures.attributes()) {
                (attributes(found, results.map_or(&[], |results| &results.pointing_by_label)))
            }
        }
    }
}

fn unfinished(last: Option<&EpochRecord>) -> Markup {
    html! {
        p.notice {
            @match last {
                Some(record) => {
                    "This run is not finished. Its last epoch so far is " (record.epoch) "."
                }
                None => "This run has not finished an epoch yet.",
            }
        }
    }
}

/// What the figures are without.
fn unreadable(LeftOut { train, test }: LeftOut) -> Markup {
    html! {
        p.notice {
            (train) " training and " (test) " test images could not be read and are in none of "
            "these figures. The run's " code { (UNREADABLE) } " names them."
        }
    }
}

/// Maps that mislead.
fn inverted(classes: &[InvertedClass]) -> Markup {
    html! {
        p.notice {
            "The map of some classes is inverted, dark on the object or against the order of \
             Grad-CAM: "
            (words_of(classes)) "."
        }
    }
}

/// The figures that compare networks: the first with its epoch, the second with its images.
fn accuracy(summary: &Summary, epoch: &str) -> Markup {
    let images = format!("on {} test images", grouped(summary.images as f64));
    let notes = [epoch, &images].into_iter().chain(std::iter::repeat(""));
    html! {
        @for ((name, value), note) in summary.figures.main().into_iter().zip(notes) {
            (figure(&capitalised(name), &percent(value), note))
        }
    }
}

/// How often each of several labels is told rightly; nothing of one, or of labels that have a
/// table.
fn labels(summary: &Summary) -> Markup {
    let figures = &summary.figures;
    let in_table = figures.attributes().is_some();
    let groups = figures.groups();
    html! {
        @if !groups.is_empty() && !in_table {
            div.pointing {
                h2 { "Label by label" }
                p.note { "Top-1 of each label, and the share of images found in its top-5." }
                dl.bars {
                    @for GroupFigures { name, hits } in groups {
                        (bar(&format!("{name} top-1"), hits.top1, "ink-test"))
                        @if hits.top5 < 1.0 { (bar(&format!("{name} top-5"), hits.top5, "ink-train")) }
                    }
                }
            }
        }
    }
}

/// How well the objects of each class are found, the best first; nothing of classifiers.
fn classes(summary: &Summary) -> Markup {
    let found = summary.figures.objects();
    let mut classes: Vec<&ClassFigures> =
        found.iter().flat_map(|found| &found.categories).collect();
    classes.retain(|class| class.coco.stats.ap >= 0.0);
    classes.sort_by(|a, b| b.coco.stats.ap.total_cmp(&a.coco.stats.ap));
    html! {
        @if !classes.is_empty() {
            div.classes {
            h2 { "Class by class" }
            details open[classes.len() <= OPEN] {
                summary { "The figures of " (classes.len()) " classes" }
                div.scroll tabindex="0" role="region" aria-label="Classes" {
                    table.numbers {
                        (head(["class", "objects", "AP", "AP50", "AP75", "VOC AP", "AR100"]))
                        tbody {
                            @for class in classes {
                                @let stats = &class.coco.stats;
                                tr {
                                    th scope="row" { (class.coco.name) }
                                    td { (class.coco.objects) }
                                    @for value in [
                                        stats.ap, stats.ap50, stats.ap75, class.voc_ap, stats.ar100,
                                    ] { td { (percent(value)) } }
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

fn time(timing: &[EpochTiming]) -> Markup {
    let train: f64 = timing.iter().map(|epoch| epoch.train_seconds).sum();
    let test: f64 = timing.iter().map(|epoch| epoch.test_seconds).sum();
    let images: f64 = timing
        .iter()
        .map(|epoch| epoch.images_per_second * epoch.train_seconds)
        .sum();
    let speed = images / train;
    let note = if speed.is_finite() {
        // Of slow networks a digit behind the point says something.
        let speed = match speed < 9.95 {
            true => format!("{speed:.1}"),
            false => grouped(speed.floor()),
        };
        format!("{speed} images/s in training")
    } else {
        String::new()
    };
    figure("Time", &duration(train + test), &(note + &places(timing)))
}

/// Where it was computed, if not on the CPU alone.
fn places(timing: &[EpochTiming]) -> String {
    let named = timing.iter().map(|epoch| epoch.device.as_str());
    let devices: BTreeSet<&str> = named.filter(|device| !device.is_empty()).collect();
    if devices.iter().all(|device| *device == "cpu") {
        return String::new();
    }
    let devices: Vec<&str> = devices.into_iter().collect();
    format!(" on {}", devices.join(", "))
}

/// The pointing game as three bars, since only the comparison says something.
fn pointing_game(pointing: &Pointing, labels: &[LabelPointing]) -> Markup {
    // With a map for each label, each of their objects counts by itself.
    let of_labels: usize = labels.iter().map(|label| label.pointing.images).sum();
    let counted = match of_labels == pointing.images {
        true => " objects of labels in the test images",
        false => " images with a mask",
    };
    let rows = [
        ("trained", pointing.trained, "ink-attention"),
        ("untrained", pointing.untrained, "ink-train"),
        ("chance", pointing.chance, "ink-train"),
    ];
    html! {
        div.pointing {
            h2 { "Pointing game" }
            p.note {
                "How often the maximum of the map lies on the object, on "
                (grouped(pointing.images as f64))
                (counted) ". Chance is the share of the image that the object covers."
            }
            dl.bars {
                @for (name, value, ink) in rows { (bar(name, value, ink)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_where_one_is_not_the_cpu() {
        let on = |devices: &[&str]| {
            let timing = |device: &&str| EpochTiming {
                epoch: 1,
                train_seconds: 1.0,
                images_per_second: 1.0,
                test_seconds: 1.0,
                device: (*device).to_owned(),
            };
            places(&devices.iter().map(timing).collect::<Vec<_>>())
        };
        assert_eq!(on(&["", "cpu"]), "");
        assert_eq!(on(&["cuda:1", "cpu", "cuda:1"]), " on cpu, cuda:1");
    }
}
