//! The charts of a run and the table of the same numbers.

use std::borrow::Cow;

use abn_boxes::coco::Stats;
use abn_run::measure::attributes::Attributes;
use abn_run::measure::best::BestFigure;
use abn_run::measure::objects::PrecisionByRecall;
use abn_run::measure::records::{EpochRecord, EpochTiming, MapHealth, Summary};
use maud::{Markup, html};

use crate::axis::AxisScale;
use crate::chart::{Chart, Series, Unit};
use crate::figures::{capitalised, head};
use crate::numbers::{percent, short, significant};

/// What the curves of the maps say.
const READING: &str = "Attention maps of the test images: an entropy of 100% is a map without a \
    preference; a saturated share near 100% is a map whose sigmoid hardly learns any more. Drift \
    is how far the maps of the same images moved since the epoch before: while it stays high, \
    where the network looks is not settled, however good its accuracy. The causal effect is the \
    share of the class probabilities that a uniform map of the same mean would send elsewhere: 0% \
    is decoration. A scale near 0 makes flat maps.";

/// All curves of a run, with a note where the maps are in trouble.
pub(crate) fn curves(
    epochs: &[EpochRecord],
    timing: &[EpochTiming],
    chosen_by: Option<BestFigure>,
) -> Markup {
    let best = epochs
        .iter()
        .rev()
        .find(|record| record.best)
        .map(|record| record.epoch);
    html! {
        section aria-labelledby="curves" {
            h2 #curves { "Training" }
            @if let Some(trouble) = epochs.last().and_then(trouble) { p.notice { (trouble) } }
            div.charts {
                @for chart in charts(epochs, timing, best) { (chart.figure()) }
            }
            @if let Some(record) = epochs.last().filter(|_| best.is_some()) {
                p.note {
                    "The dashed line marks the epoch with the best test "
                    (record.test.figures.best_name_by(chosen_by)) "."
                }
            }
            @if epochs.iter().any(|record| health(record, |maps| maps.entropy).is_some()) {
                p.note { (READING) }
            }
            (table(epochs, best))
        }
    }
}

fn charts(epochs: &[EpochRecord], timing: &[EpochTiming], best: Option<usize>) -> Vec<Chart> {
    let name = epochs.last().map(|record| record.test.figures.best_name());
    let name = capitalised(name.unwrap_or_default());
    let mut charts = vec![
        train_and_test(name, Unit::Percent, epochs, |summary| {
            summary.figures.best()
        }),
        train_and_test("Loss", Unit::Number, epochs, |summary| Some(summary.loss)),
    ];
    charts.extend(detection(epochs));
    charts.extend(labels(epochs));
    charts.extend(attributes(epochs));
    if epochs
        .iter()
        .any(|record| record.test.attention_loss.is_some())
    {
        let attention = line("attention", "ink-attention", epochs, |record| {
            record.test.attention_loss
        });
        let perception = line("perception", "ink-test", epochs, |record| {
            Some(record.test.perception_loss)
        });
        charts.push(chart(
            "Test loss of the branches",
            Unit::Number,
            epochs,
            vec![attention, perception],
        ));
    }
    if epochs.iter().any(|record| record.maps.is_some()) {
        let mean = line("mean", "ink-attention", epochs, |record| {
            Some(record.maps?.mean)
        });
        let spread = line("spread within a map", "ink-spread", epochs, |record| {
            Some(record.maps?.spread)
        });
        let between = line("between images", "ink-test", epochs, |record| {
            health(record, |maps| maps.between)
        });
        let mut lines = vec![mean, spread];
        lines.extend(known(&between).then_some(between));
        charts.push(chart("Attention maps", Unit::Number, epochs, lines));
    }
    charts.extend(shape_and_drift(epochs));
    for chart in &mut charts {
        chart.marked = best;
    }
    charts.extend(precision_by_recall(epochs));
    let rate = line("rate", "ink-train", epochs, |record| {
        Some(record.learning_rate)
    });
    let rate = chart("Learning rate", Unit::Number, epochs, vec![rate]);
    charts.push(Chart {
        scale: rate_scale(epochs),
        ..rate
    });
    if !timing.is_empty() {
        charts.push(speed(timing));
    }
    charts
}

/// Top-1 of each of several labels, as long as their lines can be told apart.
fn labels(epochs: &[EpochRecord]) -> Option<Chart> {
    const INKS: [&str; 4] = ["ink-test", "ink-attention", "ink-spread", "ink-train"];
    let groups = epochs.last()?.test.figures.groups();
    let names = groups.iter().map(|group| group.name.clone()).enumerate();
    let lines = names.zip(INKS).map(|((place, name), ink)| {
        line(name, ink, epochs, |record| {
            let group = record.test.figures.groups().get(place)?;
            Some(group.hits.top1)
        })
    });
    let title = "Test top-1 of each label";
    (2..=INKS.len())
        .contains(&groups.len())
        .then(|| chart(title, Unit::Percent, epochs, lines.collect()))
}

/// What the loss of a detector is made of, and how well objects are found by size and by overlap.
fn detection(epochs: &[EpochRecord]) -> Vec<Chart> {
    const INKS: [&str; 5] = [
        "ink-test",
        "ink-attention",
        "ink-spread",
        "ink-train",
        "ink-good",
    ];
    let Some(losses) = epochs
        .last()
        .and_then(|record| record.test.figures.losses())
    else {
        return Vec::new();
    };
    let names = losses.named().into_iter().map(|(name, _)| name).enumerate();
    let losses = names.zip(INKS).map(|((place, name), ink)| {
        line(name, ink, epochs, |record| {
            let losses = record.train.figures.losses()?;
            losses.named().get(place).map(|(_, loss)| *loss)
        })
    });
    let found = |figure: fn(&Stats) -> f64| {
        move |record: &EpochRecord| {
            let value = figure(&record.test.figures.objects()?.stats);
            (value >= 0.0).then_some(value)
        }
    };
    let by_overlap = [
        line("at 50 %", "ink-test", epochs, found(|stats| stats.ap50)),
        line(
            "at 75 %",
            "ink-attention",
            epochs,
            found(|stats| stats.ap75),
        ),
    ];
    let by_size = [
        line("small", "ink-test", epochs, found(|stats| stats.ap_small)),
        line(
            "medium",
            "ink-attention",
            epochs,
            found(|stats| stats.ap_medium),
        ),
        line("large", "ink-spread", epochs, found(|stats| stats.ap_large)),
    ];
    let percent = |title: &'static str, lines: Vec<Series>| {
        let lines: Vec<Series> = lines.into_iter().filter(known).collect();
        chart(title, Unit::Percent, epochs, lines)
    };
    vec![
        chart("Training losses", Unit::Number, epochs, losses.collect()),
        percent("Test AP by overlap", by_overlap.into()),
        percent("Test AP by size of the object", by_size.into()),
    ]
}

/// Precision over recall at the best epoch.
fn precision_by_recall(epochs: &[EpochRecord]) -> Option<Chart> {
    let best = epochs.iter().rev().find(|record| record.best)?;
    let found = &best.test.figures.objects()?.precision;
    let line = |name: &'static str, ink, curve: &[f64]| Series {
        name: name.into(),
        ink,
        values: curve.iter().copied().map(Some).collect(),
    };
    let lines = [
        line("overlap 50 %", "ink-test", &found.at50),
        line("overlap 75 %", "ink-attention", &found.at75),
    ];
    (!found.at50.is_empty()).then(|| Chart {
        title: "Precision by recall, best epoch".into(),
        over: "recall in percent",
        unit: Unit::Percent,
        scale: AxisScale::Linear,
        xs: PrecisionByRecall::RECALLS.to_vec(),
        series: lines.into(),
        marked: None,
    })
}

/// What labels of two classes are compared by beside their mean accuracy.
fn attributes(epochs: &[EpochRecord]) -> Option<Chart> {
    let of = |figure: fn(&Attributes) -> Option<f64>| {
        move |record: &EpochRecord| record.test.figures.attributes().and_then(figure)
    };
    let balanced = of(|found| found.balanced_accuracy);
    let precision = of(|found| found.mean_average_precision);
    let lines = [
        line("balanced accuracy", "ink-test", epochs, balanced),
        line("mAP", "ink-attention", epochs, precision),
    ];
    let lines: Vec<Series> = lines.into_iter().filter(known).collect();
    let title = "Test figures of all labels";
    (!lines.is_empty()).then(|| chart(title, Unit::Percent, epochs, lines))
}

/// Charts of what earlier versions did not record.
fn shape_and_drift(epochs: &[EpochRecord]) -> Vec<Chart> {
    let entropy = line("entropy", "ink-attention", epochs, |record| {
        health(record, |maps| maps.entropy)
    });
    let saturated = line("saturated", "ink-spread", epochs, |record| {
        health(record, |maps| maps.saturated)
    });
    let drift = line(
        "since the epoch before",
        "ink-attention",
        epochs,
        |record| health(record, |maps| maps.drift),
    );
    let gain = line("gain", "ink-attention", epochs, |record| {
        health(record, |maps| maps.gain)
    });
    let effect = line("effect", "ink-attention", epochs, |record| {
        health(record, |maps| maps.effect)
    });
    let mut charts = Vec::new();
    if known(&entropy) {
        charts.push(chart(
            "Shape of the maps",
            Unit::Percent,
            epochs,
            [entropy, saturated].into_iter().filter(known).collect(),
        ));
    }
    if known(&drift) {
        charts.push(chart(
            "Drift of the maps",
            Unit::Number,
            epochs,
            vec![drift],
        ));
    }
    if known(&effect) {
        let title = "Causal effect of the maps";
        charts.push(chart(title, Unit::Percent, epochs, vec![effect]));
    }
    if known(&gain) {
        let title = "Scale before the sigmoid";
        charts.push(chart(title, Unit::Number, epochs, vec![gain]));
    }
    charts
}

fn known(series: &Series) -> bool {
    series.values.iter().any(Option::is_some)
}

fn health(record: &EpochRecord, figure: impl Fn(&MapHealth) -> Option<f64>) -> Option<f64> {
    record.maps.as_ref().and_then(figure)
}

fn train_and_test(
    title: impl Into<Cow<'static, str>>,
    unit: Unit,
    epochs: &[EpochRecord],
    value: impl Fn(&Summary) -> Option<f64>,
) -> Chart {
    let train = line("train", "ink-train", epochs, |record| value(&record.train));
    let test = line("test", "ink-test", epochs, |record| value(&record.test));
    let lines = [train, test].into_iter().filter(known).collect();
    chart(title, unit, epochs, lines)
}

fn chart(
    title: impl Into<Cow<'static, str>>,
    unit: Unit,
    epochs: &[EpochRecord],
    series: Vec<Series>,
) -> Chart {
    let xs = epochs.iter().map(|record| record.epoch).collect();
    Chart {
        title: title.into(),
        over: "epoch",
        unit,
        scale: AxisScale::Linear,
        xs,
        series,
        marked: None,
    }
}

fn line(
    name: impl Into<Cow<'static, str>>,
    ink: &'static str,
    epochs: &[EpochRecord],
    value: impl Fn(&EpochRecord) -> Option<f64>,
) -> Series {
    Series {
        name: name.into(),
        ink,
        values: epochs.iter().map(value).collect(),
    }
}

/// Steps divide the rate by ten again and again, which only a log axis shows; smooth schedules fall
/// to near zero, which only a linear axis shows.
fn rate_scale(epochs: &[EpochRecord]) -> AxisScale {
    let changes = epochs
        .windows(2)
        .filter(|pair| pair[0].learning_rate != pair[1].learning_rate)
        .count();
    if changes > 0 && changes * 4 < epochs.len() {
        AxisScale::Log
    } else {
        AxisScale::Linear
    }
}

fn speed(timing: &[EpochTiming]) -> Chart {
    let values = timing
        .iter()
        .map(|epoch| Some(epoch.images_per_second))
        .collect();
    Chart {
        title: "Training speed".into(),
        over: "epoch",
        unit: Unit::Count,
        scale: AxisScale::Linear,
        xs: timing.iter().map(|epoch| epoch.epoch).collect(),
        series: vec![Series {
            name: "images per second".into(),
            ink: "ink-train",
            values,
        }],
        marked: None,
    }
}

/// Which shares of the last epoch's maps explain nothing; `None` if all is well.
fn trouble(last: &EpochRecord) -> Option<String> {
    let maps = last.maps.as_ref()?;
    let kinds = [
        (maps.not_finite, "hold values that are not finite"),
        (maps.zero, "are 0 everywhere"),
        (maps.one, "are 1 everywhere"),
        (maps.constant, "are constant"),
    ];
    let found: Vec<String> = kinds
        .into_iter()
        .filter(|(share, _)| *share > 0.0)
        .map(|(share, what)| format!("{} {what}", percent(share)))
        .collect();
    (!found.is_empty()).then(|| {
        format!(
            "Of the attention maps of the last epoch, {}.",
            found.join(", ")
        )
    })
}

/// The same numbers for those who read or copy them.
fn table(epochs: &[EpochRecord], best: Option<usize>) -> Markup {
    html! {
        details {
            summary { "Every epoch as a table" }
            // Focusable, so that the keyboard can scroll it.
            div.scroll tabindex="0" role="region" aria-label="Every epoch" {
                table.numbers {
                    (head(columns(epochs)))
                    tbody {
                        @for record in epochs { (row(record, best)) }
                    }
                }
            }
        }
    }
}

fn columns(epochs: &[EpochRecord]) -> Vec<String> {
    let figures = epochs.last().map(|record| record.test.figures.main());
    let figures = figures.unwrap_or_default();
    let learned = epochs.last().and_then(|record| record.train.figures.best());
    let train = figures
        .iter()
        .take(usize::from(learned.is_some()))
        .map(|(name, _)| format!("train {name}"));
    let test = figures.iter().map(|(name, _)| format!("test {name}"));
    let losses = ["epoch", "rate", "train loss", "test loss"].map(str::to_owned);
    losses.into_iter().chain(train).chain(test).collect()
}

fn row(record: &EpochRecord, best: Option<usize>) -> Markup {
    html! {
        tr.best[Some(record.epoch) == best] {
            th scope="row" { (record.epoch) }
            td { (short(record.learning_rate)) }
            td { (significant(record.train.loss)) }
            td { (significant(record.test.loss)) }
            @if let Some(figure) = record.train.figures.best() { td { (percent(figure)) } }
            @for (_, figure) in record.test.figures.main() { td { (percent(figure)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use abn_run::measure::records::{Figures, Hits};

    use super::*;

    fn scale(rates: &[f64]) -> AxisScale {
        let summary = Summary {
            images: 1,
            loss: 1.0,
            perception_loss: 1.0,
            attention_loss: None,
            map_loss: None,
            figures: Figures::Label(Hits {
                top1: 0.0,
                top5: 0.0,
            }),
        };
        let record = |&learning_rate: &f64| EpochRecord {
            epoch: 1,
            learning_rate,
            train: summary.clone(),
            test: summary.clone(),
            maps: None,
            best: false,
        };
        rate_scale(&rates.iter().map(record).collect::<Vec<_>>())
    }

    #[test]
    fn only_steps_of_the_rate_are_drawn_on_a_log_axis() {
        assert_eq!(
            scale(&[0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.001]),
            AxisScale::Log
        );
        assert_eq!(
            scale(&[0.1, 0.08, 0.05, 0.02, 0.0]),
            AxisScale::Linear,
            "cosine"
        );
        assert_eq!(scale(&[0.1, 0.1, 0.1]), AxisScale::Linear, "constant");
    }
}
