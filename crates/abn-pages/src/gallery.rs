//! Test images with their maps, the right and the wrong predictions apart.

use std::collections::HashMap;

use abn_core::explain::AttentionMap;
use image::{GrayImage, RgbImage};
use maud::{Markup, html};

use crate::heatmap::Drawing;
use crate::numbers::percent;
use crate::picture::{Picture, color_bar};

/// Shots of each kind, correct and wrong.
const SHOTS: usize = 12;
/// Shots that wait for being forgotten.
const PENDING: usize = 64;
/// Pixels of the longer side of a picture in the gallery.
const SIDE: u32 = 320;

/// One test image, what the network said about it and where it looked.
#[derive(Debug, Clone)]
pub struct Shot {
    /// The image as the network saw it, before normalisation.
    pub image: RgbImage,
    /// Its attention map; `None` for a network without an attention branch.
    pub map: Option<AttentionMap>,
    /// The label that the map is of, where each has its own.
    pub map_of: Option<String>,
    /// The object (above 127), where the data set knows it; of any size.
    pub mask: Option<GrayImage>,
    /// Its file, where that is to be told.
    pub file: Option<String>,
    /// What the network said, label by label.
    pub verdicts: Vec<Verdict>,
}

/// One label of an image beside what the network said.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What the label is about; `None` where there is one label.
    pub group: Option<String>,
    /// Name of the true class.
    pub label: String,
    /// Name of the predicted class.
    pub predicted: String,
    /// Probability of the predicted class, in [0, 1].
    pub probability: f64,
    /// Whether the prediction is the label.
    pub correct: bool,
}

impl Shot {
    /// Whether every label is told rightly.
    pub fn correct(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.correct)
    }

    /// What the image is, for those who do not see it.
    fn name(&self) -> String {
        let labels = self.verdicts.iter().map(|verdict| verdict.label.as_str());
        format!(
            "an image of class {}",
            labels.collect::<Vec<_>>().join(", ")
        )
    }
}

/// The best shots so far: correct predictions of as many classes as possible, and the wrong ones
/// that the network was surest of. Only they are kept, so a thousand photographs need no memory of
/// their own.
pub struct Chosen {
    /// Shots of each kind that are kept, correct and wrong.
    most: [usize; 2],
    /// Correct predictions of each class so far, or of each combination of several labels.
    seen: HashMap<Vec<String>, usize>,
    /// Correct ones, each with its number in its class.
    correct: Vec<(usize, Shot)>,
    wrong: Vec<Shot>,
}

impl Default for Chosen {
    fn default() -> Self {
        Self::of([SHOTS, SHOTS])
    }
}

impl Chosen {
    /// Only wrong predictions, at most so many.
    pub fn wrong(most: usize) -> Self {
        Self::of([0, most])
    }

    fn of(most: [usize; 2]) -> Self {
        Self {
            most,
            seen: HashMap::new(),
            correct: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// Adds a shot.
    pub fn add(&mut self, shot: Shot) {
        if !shot.correct() {
            self.wrong.push(shot);
            if self.wrong.len() > 2 * self.most[1] + PENDING {
                self.prune();
            }
            return;
        }
        let labels = shot.verdicts.iter().map(|verdict| verdict.label.clone());
        let seen = self.seen.entry(labels.collect()).or_default();
        self.correct.push((*seen, shot));
        *seen += 1;
        if self.correct.len() > 2 * self.most[0] + PENDING {
            self.prune();
        }
    }

    /// Forgets what will not be shown: keeps the first of every class, then the second of every class; and the surest of the wrong
    /// ones. Both sorts are stable: among equals the order of the images decides.
    fn prune(&mut self) {
        self.correct.sort_by_key(|(number, _)| *number);
        self.correct.truncate(self.most[0]);
        self.wrong
            .sort_by(|a, b| surest_miss(b).total_cmp(&surest_miss(a)));
        self.wrong.truncate(self.most[1]);
    }

    /// The shots to show, correct ones first.
    pub fn into_shots(mut self) -> Vec<Shot> {
        self.prune();
        self.correct
            .into_iter()
            .map(|(_, shot)| shot)
            .chain(self.wrong)
            .collect()
    }
}

/// The highest probability of a class that is wrong.
fn surest_miss(shot: &Shot) -> f64 {
    let wrong = shot.verdicts.iter().filter(|verdict| !verdict.correct);
    wrong.map(|verdict| verdict.probability).fold(0.0, f64::max)
}

/// The gallery: how to read it, then correct and wrong predictions. Nothing without shots.
pub(crate) fn gallery(shots: &[Shot], drawing: &Drawing) -> Markup {
    let (correct, wrong): (Vec<&Shot>, Vec<&Shot>) = shots.iter().partition(|shot| shot.correct());
    html! {
        @if !shots.is_empty() {
            section aria-labelledby="gallery" {
                h2 #gallery { "Where it looks" }
                @if shots.iter().any(|shot| shot.map.is_some()) {
                    p.note {
                        @if shots.iter().any(|shot| shot.map_of.is_some()) {
                            "Test images, each beside the attention map of one of its labels."
                        } @else {
                            "Test images, each beside its attention map."
                        }
                        @if shots.iter().any(|shot| shot.mask.is_some()) {
                            " The thin line is the outline of the object."
                        }
                    }
                    (color_bar(drawing))
                }
                (group("Correct predictions", &correct, drawing))
                (group("Wrong predictions", &wrong, drawing))
            }
        }
    }
}

fn group(title: &str, shots: &[&Shot], drawing: &Drawing) -> Markup {
    html! {
        h3 { (title) }
        @if shots.is_empty() {
            p.note { "None among the images shown." }
        } @else {
            (cards(shots, drawing))
        }
    }
}

/// Cards of shots without more about them.
pub(crate) fn cards(shots: &[&Shot], drawing: &Drawing) -> Markup {
    html! {
        div.gallery { @for shot in shots { (card(shot, drawing)) } }
    }
}

fn card(shot: &Shot, drawing: &Drawing) -> Markup {
    let name = shot.name();
    let picture = Picture {
        image: &shot.image,
        map: shot.map.as_ref(),
        mask: shot.mask.as_ref(),
        name: &name,
    };
    html! {
        figure.shot {
            (picture.pair(drawing, SIDE))
            figcaption {
                @for verdict in &shot.verdicts { (told(verdict)) }
                @if let Some(file) = &shot.file { p.small { (file) } }
                @if let Some(span) = picture.span() {
                    p.small { @if let Some(label) = &shot.map_of { (label) ": " } (span) }
                }
            }
        }
    }
}

/// What the network said of a label, and what is true if that is something else.
fn told(verdict: &Verdict) -> Markup {
    html! {
        p.verdict {
            @if let Some(group) = &verdict.group { span.small.group { (group) } }
            span.class.wrong[!verdict.correct] { (breakable(&verdict.predicted)) }
            span.value { (percent(verdict.probability)) }
        }
        @if !verdict.correct { p.truth { "true class " span.class { (breakable(&verdict.label)) } } }
    }
}

/// The name of a class, which may end a line after any of its underscores.
fn breakable(name: &str) -> Markup {
    html! {
        @for part in name.split_inclusive('_') {
            (part) @if part.ends_with('_') { wbr; }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(label: &str, correct: bool, probability: f64) -> Shot {
        Shot {
            image: RgbImage::new(1, 1),
            map: None,
            map_of: None,
            mask: None,
            file: None,
            verdicts: vec![Verdict {
                group: None,
                label: label.to_owned(),
                predicted: String::new(),
                probability,
                correct,
            }],
        }
    }

    #[test]
    fn forgetting_early_changes_no_choice() {
        let shots = || {
            (0..60).map(|index| {
                let label = if index < 30 {
                    "a"
                } else {
                    ["b", "c", "a"][index % 3]
                };
                shot(label, index % 4 != 1, (index * 7 % 60) as f64)
            })
        };
        let chosen = |batch: usize| {
            let mut chosen = Chosen::default();
            for (index, shot) in shots().enumerate() {
                chosen.add(shot);
                if index % batch == 0 {
                    chosen.prune();
                }
            }
            let name = |shot: &Shot| {
                let verdict = &shot.verdicts[0];
                (verdict.label.clone(), verdict.correct, verdict.probability)
            };
            chosen.into_shots().iter().map(name).collect::<Vec<_>>()
        };
        let (late, early) = (chosen(1000), chosen(1));
        assert_eq!(late, early);
        let labels: Vec<&str> = late
            .iter()
            .take(4)
            .map(|(label, _, _)| label.as_str())
            .collect();
        assert_eq!((labels, late.len()), (vec!["a", "b", "c", "a"], 24));
    }
}
