//! The figures a reader wants first: accuracy, how well the map finds the object, time.

use maud::{Markup, html};

use super::Report;
use abn_run::measure::records::{EpochRecord, EpochTiming, Pointing, Summary};

/// The headline of a finished run, or of the epochs so far.
pub(super) fn headline(report: &Report) -> Markup {
    let best = match &report.results {
        Some(results) => Some((
            &results.best,
            format!("best epoch, {} of {}", results.best_epoch, results.epochs),
        )),
        None => {
            let so_far = report.epochs.iter().rev().find(|record| record.best);
            so_far.map(|record| (&record.test, format!("best epoch so far, {}", record.epoch)))
        }
    };
    html! {
        section.headline aria-label="Headline figures" {
            @if report.results.is_none() { (unfinished(report.epochs.last())) }
            dl.figures {
                @if let Some((summary, epoch)) = &best { (accuracy(summary, epoch)) }
                @if !report.timing.is_empty() { (time(&report.timing)) }
            }
            @if let Some(pointing) = report.results.as_ref().and_then(|results| results.pointing) {
                (pointing_game(&pointing))
            }
        }
    }
}

fn unfinished(last: Option<&EpochRecord>) -> Markup {
    html! {
        p.notice {
            @match last {
                Some(record) => { "This run is not finished. Its last epoch so far is " (record.epoch) "." },
                None => "This run has not finished an epoch yet.",
            }
        }
    }
}

fn accuracy(summary: &Summary, epoch: &str) -> Markup {
    html! {
        (figure("Top-1", &percent(summary.top1), epoch))
        (figure("Top-5", &percent(summary.top5), &format!("on {} test images", grouped(summary.images))))
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
        format!("{} images/s in training", grouped(speed as usize))
    } else {
        String::new()
    };
    figure("Time", &duration(train + test), &note)
}

pub(super) fn figure(name: &str, value: &str, note: &str) -> Markup {
    html! {
        div {
            dt { (name) }
            dd.value { (value) }
            dd.note { (note) }
        }
    }
}

/// The pointing game as three bars, since only the comparison says something.
fn pointing_game(pointing: &Pointing) -> Markup {
    let rows = [
        ("trained", pointing.trained, "ink-attention"),
        ("untrained", pointing.untrained, "ink-train"),
        ("chance", pointing.chance, "ink-train"),
    ];
    html! {
        div.pointing {
            h2 { "Pointing game" }
            p.note {
                "How often the maximum of the map lies on the object, on " (grouped(pointing.images))
                " images with a mask. Chance is the share of the image that the object covers."
            }
            dl.bars {
                @for (name, value, ink) in rows { (bar(name, value, ink)) }
            }
        }
    }
}

/// A row of a bar list: name, bar, percentage.
pub(super) fn bar(name: &str, fraction: f64, ink: &str) -> Markup {
    let length = if fraction.is_finite() {
        fraction.clamp(0.0, 1.0) * 100.0
    } else {
        0.0
    };
    html! {
        div class=(ink) {
            dt { (name) }
            dd { span.track { span.fill style={ "width:" (format!("{length:.1}")) "%" } {} } }
            dd.value { (percent(fraction)) }
        }
    }
}

/// A fraction as percent with one decimal.
pub(super) fn percent(fraction: f64) -> String {
    if fraction.is_finite() {
        format!("{:.1}%", fraction * 100.0)
    } else {
        "not finite".to_owned()
    }
}

/// A whole number with commas between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds in the two largest units that matter.
fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".to_owned();
    }
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{:.1} s", seconds.max(0.0)),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn durations_show_two_units() {
        let shown = [4.25, 59.7, 61.0, 3599.6, 7380.0, f64::NAN].map(duration);
        assert_eq!(
            shown,
            [
                "4.2 s",
                "1 min 00 s",
                "1 min 01 s",
                "1 h 00 min",
                "2 h 03 min",
                "unknown"
            ]
        );
    }

    #[test]
    fn bars_stay_in_their_track() {
        assert!(bar("x", 2.0, "").into_string().contains("width:100.0%"));
        assert!(bar("x", f64::NAN, "").into_string().contains("width:0.0%"));
    }
}
