//! The tables of `abn eval`: of all labels together, and of each where there is more to tell.

use abn_explain::attributes::{AttributeIntervals, PrecisionRecallIntervals};
use abn_explain::bootstrap::Interval;
use abn_explain::columns::columns;
use abn_explain::groups::GroupIntervals;
use abn_run::measure::attributes::Attributes;
use abn_run::measure::records::GroupFigures;

use super::eval::{AtBestThreshold, Constant};
use super::{ends, percent};

/// A figure of all labels by name, with how sure it is and what whoever does not look gets.
type Figure = (&'static str, Option<f64>, Option<Interval>, Option<f64>);

/// The figures of labels of two classes together, a line each; at the best thresholds beside those
/// at a half, if they were asked for.
pub(super) fn together(
    found: &Attributes,
    intervals: &AttributeIntervals,
    constant: &Constant,
    at_best: Option<&AtBestThreshold>,
) -> String {
    let means = [
        (
            "mean accuracy",
            Some(found.mean_accuracy),
            intervals.mean_accuracy,
            Some(constant.mean_accuracy),
        ),
        (
            "balanced accuracy",
            found.balanced_accuracy,
            intervals.balanced_accuracy,
            Some(constant.balanced_accuracy),
        ),
        (
            "mAP",
            found.mean_average_precision,
            intervals.mean_average_precision,
            Some(constant.mean_average_precision),
        ),
    ];
    let figures = found.together.named().into_iter();
    let figures = figures.zip(ends_of(&intervals.together));
    let constants = constant.together.named().map(|(_, value)| value);
    let figures = figures.zip(constants);
    let figures = figures.map(|(((name, value), sure), constant)| (name, value, sure, constant));
    let at_best = at_best.map(|at| {
        let values = at.found.together.named().map(|(_, value)| value);
        let sure = ends_of(&at.intervals.together);
        values.into_iter().zip(sure).collect::<Vec<_>>()
    });
    let row = |(number, (name, value, sure, constant)): (usize, Figure)| {
        let mut row = vec![name.to_owned(), known(value), ends(sure), known(constant)];
        if let Some(at_best) = &at_best {
            // What no threshold has a part in comes first.
            let of_threshold = number.checked_sub(means.len());
            let (value, sure) = of_threshold.map(|place| at_best[place]).unzip();
            row.push(value.map_or(String::new(), known));
            row.push(ends(sure.flatten()));
        }
        row
    };
    let rows = means.into_iter().chain(figures).enumerate();
    let rows = rows.map(row).collect();
    let mut names = vec!["all labels", "at a half", "95 %", "without looking"];
    if at_best.is_some() {
        names.extend(["at best threshold", "95 %"]);
    }
    columns(names.into_iter().map(str::to_owned).collect(), rows, 1)
}

/// In the order of the figures.
fn ends_of(intervals: &PrecisionRecallIntervals) -> [Option<Interval>; 6] {
    [
        intervals.precision_micro,
        intervals.recall_micro,
        intervals.f1_micro,
        intervals.precision_macro,
        intervals.recall_macro,
        intervals.f1_macro,
    ]
}

/// The labels at the thresholds of the training images.
pub(super) fn at_best_threshold(at: &AtBestThreshold) -> String {
    let names = ["label", "threshold", "precision", "recall", "F1", "95 %"];
    let labels = at.found.labels.iter().zip(&at.intervals.labels);
    let rows = labels.map(|(label, sure)| {
        vec![
            label.name.clone(),
            percent(label.threshold),
            known(label.precision),
            known(label.recall),
            known(label.f1),
            ends(sure.f1),
        ]
    });
    columns(names.map(str::to_owned).into(), rows.collect(), 1)
}

/// Several labels of any number of classes, each and together.
pub(super) fn groups(groups: &[GroupFigures], intervals: &GroupIntervals) -> String {
    let together = [
        ("all right", intervals.all_right),
        ("mean top-1", intervals.mean_top1),
    ];
    let together = together.map(|(name, sure)| {
        let value = sure.map(|sure| sure.mean);
        vec![name.to_owned(), known(value), ends(sure), String::new()]
    });
    let each = groups.iter().zip(&intervals.groups).map(|(group, sure)| {
        vec![
            group.name.clone(),
            percent(group.hits.top1),
            ends(sure.top1),
            percent(group.hits.top5),
        ]
    });
    let names = ["label", "top-1", "95 %", "top-5"].map(str::to_owned);
    let rows = each.chain(together).collect();
    columns(names.into(), rows, 1)
}

fn known(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), percent)
}
