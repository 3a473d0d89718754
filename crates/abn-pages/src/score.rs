//! The page of `abn score`: methods by measures with their intervals, and what is left of each map
//! while the network is drawn anew.

use abn_core::explain::{Layer, Method};
use abn_explain::bootstrap::Interval;
use abn_explain::score::{Better, Plan, ScoreRow, Scores, UsesMap};
use maud::{Markup, html};

use crate::figures::head;
use crate::page::page;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct ScorePage {
    /// Heading of the page.
    pub title: String,
    /// What was measured.
    pub subtitle: String,
    /// The figures.
    pub scores: Scores,
    /// The parts of the network that are drawn anew, from the prediction down.
    pub parts: Vec<String>,
    /// What the figures support.
    pub sentences: Vec<String>,
    /// Names of the classes of the label that is explained.
    pub classes: Vec<String>,
    /// What was asked.
    pub plan: Plan,
}

/// The page as one self-contained HTML file; a pure function.
pub fn render_scores(shown: &ScorePage) -> String {
    let body = html! {
        section.headline aria-label="Conclusions" {
            ul.conclusions { @for sentence in &shown.sentences { li { (sentence) } } }
        }
        (measures(&shown.scores))
        @if let Some(uses) = &shown.scores.uses_map { (uses_map(uses)) }
        @if !shown.scores.changes.is_empty() { (changes(&shown.scores)) }
        @if !shown.scores.classes.is_empty() { (classes(shown)) }
        @if !shown.scores.reliability.is_empty() { (reliability(shown)) }
        @if !shown.parts.is_empty() { (cascade(shown)) }
        (meanings(shown))
    };
    page(&shown.title, &shown.subtitle, &body)
}

fn measures(scores: &Scores) -> Markup {
    html! {
        section aria-labelledby="measures" {
            h2 #measures { "Methods by measures" }
            p.note {
                "Means in percent with their 95 % intervals (bootstrap over images). An arrow says \
                 which way is better. "
                "The best mean of a row is bold; it is filled where the interval of the \
                 difference, image by image, tells it from every other method. Uniform, centre and \
                 gradient are controls that a good explanation must beat."
            }
            div.scroll tabindex="0" role="region" aria-label="Methods by measures" {
                table.numbers.scores {
                    (head(columns("measure", &scores.methods)))
                    tbody { @for shown in &scores.metrics { (row(shown)) } }
                }
            }
        }
    }
}

/// Names of the columns: what the lines are, then the methods.
fn columns(lines: &'static str, methods: &[Method]) -> Vec<&'static str> {
    let methods = methods.iter().map(|method| method.name());
    std::iter::once(lines).chain(methods).collect()
}

fn row(shown: &ScoreRow) -> Markup {
    let arrow = match shown.metric.better() {
        Better::More => "↑",
        Better::Less => "↓",
        Better::Neither => "",
    };
    let best = shown.verdict.as_ref().map(|verdict| verdict.best);
    let certain = shown
        .verdict
        .as_ref()
        .is_some_and(|verdict| verdict.ties.is_empty());
    html! {
        tr {
            th scope="row" title=(shown.metric.meaning()) { (shown.metric.name()) " " (arrow) }
            @for (method, cell) in shown.cells.iter().enumerate() {
                @let winner = best == Some(method);
                td.winner[winner].certain[winner && certain] { (interval(cell.interval)) }
            }
        }
    }
}

fn interval(interval: Option<Interval>) -> Markup {
    html! {
        @match interval {
            Some(Interval { mean, low, high }) => {
                (format!("{:.1}", 100.0 * mean)) br;
                span.small { (format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high)) }
            }
            None => span.small { "not defined" },
        }
    }
}

fn uses_map(uses: &UsesMap) -> Markup {
    html! {
        section aria-labelledby="uses" {
            h2 #uses { "Does the network use its map?" }
            p.note {
                "The same features under other maps than the branch's own, in percent with 95 % \
                 intervals. What no substitute changes is decoration."
            }
            div.scroll tabindex="0" role="region" aria-label="Answers under other maps" {
                table.numbers.scores {
                    (head(vec!["map", "accuracy", "accuracy lost", "predictions changed",
                        "probability moved"]))
                    tbody {
                        tr {
                            th scope="row" { "its own map" }
                            td { (interval(Some(uses.accuracy))) }
                            td {} td {} td {}
                        }
                        @for effect in &uses.under {
                            tr {
                                th scope="row" { (effect.under.words()) }
                                @for figure in
                                    [effect.accuracy, effect.lost, effect.changed, effect.moved] {
                                    td { (interval(Some(figure))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn changes(scores: &Scores) -> Markup {
    let logit = |Interval { mean, low, high }: Interval| {
        html! {
            (format!("{mean:.2}")) br;
            span.small { (format!("{low:.2} to {high:.2}")) }
        }
    };
    html! {
        section aria-labelledby="changes" {
            h2 #changes { "What the network goes by" }
            p.note {
                "Every scene is made again with one of its things changed, which nothing but a \
                 generator can: by how much the logit of the explained class, beside the mean of \
                 all, was higher before, and how often something else is predicted then. These \
                 effects are what the measure " i { "intervention" } " holds the maps against."
            }
            div.scroll tabindex="0" role="region" aria-label="Effects of changes" {
                table.numbers.scores {
                    (head(vec!["scene", "images", "effect on the logit", "said otherwise, %"]))
                    tbody {
                        @for row in &scores.changes {
                            tr {
                                th scope="row" { (row.change) }
                                td { (row.images) }
                                td { (logit(row.effect)) }
                                td { (interval(Some(row.other))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn classes(shown: &ScorePage) -> Markup {
    let figure = |value: Option<f64>| value.map(|value| format!("{:.1}", 100.0 * value));
    html! {
        section aria-labelledby="classes" {
            h2 #classes { "The trained map class by class" }
            p.note {
                "Means in percent. A map is inverted for a class if its AUC on the objects is below \
                 50, or, where no objects are known, if its order is opposite to Grad-CAM's."
            }
            div.scroll tabindex="0" role="region" aria-label="Maps by class" {
                table.numbers.scores {
                    (head(vec!["class", "images", "AUC", "like Grad-CAM", ""]))
                    tbody {
                        @for class in &shown.scores.classes {
                            tr {
                                th scope="row" {
                                    @match shown.classes.get(class.class) {
                                        Some(name) => (name),
                                        None => (class.class),
                                    }
                                }
                                td { (class.images) }
                                td { (figure(class.auc).unwrap_or_default()) }
                                td { (figure(class.like_grad_cam).unwrap_or_default()) }
                                td { @if class.inverted { strong { "inverted" } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn reliability(shown: &ScorePage) -> Markup {
    let first = shown
        .plan
        .methods
        .first()
        .map_or("", |method| method.title());
    html! {
        section aria-labelledby="believe" {
            h2 #believe { "Which measures to believe" }
            p.note {
                "The measures themselves, tried on the maps of " (first) ". " b { "By a nudge" }
                ": change by noise of a fiftieth of the map's range, as a share of the spread over \
                 images; a measure should not see it (below 0.25). " b { "Sees a wreck" }
                ": share of the images of which the map is judged worse once its values lie in \
                 random places; 50 is chance. " b { "Prefers a Gaussian" }
                ": share of the images in which a Gaussian in the middle is judged better. "
                b { "Agreement" }
                ": mean rank correlation with the other measures, of the order of the methods."
            }
            div.scroll tabindex="0" role="region" aria-label="Check of the measures" {
                table.numbers.scores {
                    (head(vec!["measure", "by a nudge", "sees a wreck, %",
                        "prefers a Gaussian, %", "agreement", "believe it"]))
                    tbody {
                        @for row in &shown.scores.reliability {
                            tr {
                                th scope="row" title=(row.metric.meaning()) { (row.metric.name()) }
                                td { (format!("{:.2}", row.nudged)) }
                                td { (interval(Some(row.wrecked))) }
                                td { (interval(row.prefers_centre)) }
                                td {
                                    @if let Some(agreement) = row.agreement {
                                        (format!("{agreement:.2}"))
                                    }
                                }
                                td { @if row.believed { "yes" } @else { strong { "no" } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cascade(shown: &ScorePage) -> Markup {
    html! {
        section aria-labelledby="cascade" {
            h2 #cascade { "While the network is drawn anew" }
            p.note {
                "Absolute rank correlation, in percent, of each map with that of the same network \
                 after the weights of one part more, from the prediction down, were replaced by \
                 random ones (" (shown.plan.randomised) " images). "
                "A map that keeps its order although the parts it should depend on are gone shows \
                 the image, not the network. The controls that never look at the network have 100 \
                 or no order at all."
            }
            div.scroll tabindex="0" role="region" aria-label="Rank correlation after each part" {
                table.numbers.scores {
                    (head(columns("drawn anew", &shown.scores.methods)))
                    tbody {
                        @for (place, part) in shown.parts.iter().enumerate() {
                            tr {
                                th scope="row" { @if place > 0 { "+ " } (part) }
                                @for method in &shown.scores.cascade {
                                    td { (interval(method.get(place).copied().flatten())) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn meanings(shown: &ScorePage) -> Markup {
    let plan = &shown.plan;
    html! {
        section aria-labelledby="meanings" {
            h2 #meanings { "What was measured" }
            dl.meanings {
                @for row in &shown.scores.metrics {
                    dt { (row.metric.name()) }
                    dd { (row.metric.meaning()) "." }
                }
            }
            p.note {
                "All maps are normalised per image to [0, 1], one that is the same everywhere to 0. "
                @if let Some(group) = &plan.group {
                    "Classes are those of the label " b { (group) } ". "
                }
                "Deletion and insertion in " (plan.steps) " steps. Grad-CAM and what came after it look at "
                (match plan.layer {
                    Layer::Refined => "the last features",
                    Layer::Features => "the features before the last stage",
                })
                ". Weights " code { (plan.weights.get(..16).unwrap_or(&plan.weights)) } ", "
                (plan.images) "."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use abn_explain::score::{ClassChoice, Examined, Metric, Row};

    use super::*;

    fn shown() -> ScorePage {
        let row = |method, insertion| Row {
            image: 0,
            label: 0,
            predicted: 0,
            class: 0,
            probability: 0.5,
            method,
            values: BTreeMap::from([(Metric::Insertion, insertion)]),
            cascade: vec![Some(0.25)],
        };
        let methods = vec![Method::GradCam, Method::Centre];
        let images = vec![Examined {
            rows: vec![row(methods[0], 0.125), row(methods[1], 0.5)],
            ..Examined::default()
        }];
        ScorePage {
            title: "<b>t".to_owned(),
            subtitle: String::new(),
            scores: Scores::of(&methods, &images),
            parts: vec!["head".to_owned()],
            sentences: vec!["a < b".to_owned()],
            classes: vec!["a".to_owned()],
            plan: Plan {
                weights: "w".to_owned(),
                images: "1 image".to_owned(),
                objects: None,
                methods,
                layer: Layer::Refined,
                class: ClassChoice::Predicted,
                group: None,
                steps: 20,
                randomised: 1,
                files: None,
                fine_tuned: None,
                check: false,
            },
        }
    }

    #[test]
    fn the_best_is_marked_and_text_is_escaped() {
        let html = render_scores(&shown());
        assert!(html.contains("&lt;b&gt;t") && html.contains("a &lt; b") && !html.contains("<b>"));
        assert!(
            html.contains(r#"<td class="winner certain">50.0"#),
            "{html}"
        );
        assert!(html.contains(r#"<td class="">12.5"#), "{html}");
        assert!(html.contains("25.0"), "the cascade");
    }

    #[test]
    fn the_page_is_as_it_was_looked_at() {
        let html = render_scores(&shown());
        let (_, body) = html.split_once("</style>").unwrap();
        insta::assert_snapshot!(body.replace("><", ">\n<"));
    }

    #[test]
    fn without_randomised_weights_there_is_no_cascade() {
        let html = render_scores(&ScorePage {
            parts: vec![],
            ..shown()
        });
        assert!(!html.contains("drawn anew</h2>"));
    }
}
