//! Labels of two classes in a table: what is told of each beside who always says the same, and
//! whether the map finds it.

use abn_run::measure::attributes::{Attribute, Attributes};
use abn_run::measure::records::{LabelPointing, Pointing};
use maud::{Markup, html};

use crate::figures::head;
use crate::numbers::percent;

/// The labels, those first of which the network knows the most.
pub(crate) fn attributes(found: &Attributes, pointing: &[LabelPointing]) -> Markup {
    let mut labels: Vec<&Attribute> = found.labels.iter().collect();
    labels.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
    let of = |label: &Attribute| {
        let game = pointing.iter().find(|game| game.name == label.name);
        game.map(|game| game.pointing)
    };
    let names = [
        "label",
        "present",
        "accuracy",
        "always the same",
        "gain",
        "balanced",
        "average precision",
        "F1",
    ];
    let game = (!pointing.is_empty()).then_some(["map on it", "by chance"]);
    html! {
        div.labels {
            h2 { "Label by label" }
            p.note {
                "Labels in the order of their gain over a predictor that always gives the same \
                 answer, which is right in " (percent(found.constant_accuracy)) " on average; its \
                 balanced accuracy is 50%, its average precision the share of images in which the \
                 label is present."
                @if game.is_some() {
                    " \"Map on it\": how often the maximum of the map lies on what the label is \
                     about, in the images that show it."
                }
            }
            div.scroll tabindex="0" role="region" aria-label="Labels" {
                table.numbers.scores {
                    (head(names.into_iter().chain(game.into_iter().flatten())))
                    tbody {
                        @for label in labels { (row(label, of(label), game.is_some())) }
                    }
                }
            }
        }
    }
}

fn gain(label: &Attribute) -> f64 {
    label.accuracy - label.constant
}

fn row(label: &Attribute, pointing: Option<Pointing>, with_pointing: bool) -> Markup {
    let known = |value: Option<f64>| value.map_or("–".to_owned(), percent);
    html! {
        tr {
            th scope="row" { (label.name) }
            td { (percent(label.positive)) }
            td { (percent(label.accuracy)) }
            td { (percent(label.constant)) }
            td { (format!("{:+.1}", 100.0 * gain(label)).replace('-', "−")) }
            td { (known(label.balanced_accuracy)) }
            td { (known(label.average_precision)) }
            td { (known(label.f1)) }
            @if with_pointing {
                td { (known(pointing.map(|game| game.trained))) }
                td { (known(pointing.map(|game| game.chance))) }
            }
        }
    }
}
