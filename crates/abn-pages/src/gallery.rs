//! Test images with their maps, the right and the wrong predictions apart.

use abn_core::explain::AttentionMap;
use image::{GrayImage, RgbImage};
use maud::{Markup, html};

use crate::heatmap::Drawing;
use crate::numbers::percent;
use crate::picture::{Picture, color_bar};

/// Pixels of the longer side of a picture in the gallery.
const SIDE: u32 = 320;

/// One test image, what the network said about it and where it looked.
#[derive(Debug, Clone)]
pub struct Shot {
    /// The image as the network saw it, before normalisation.
    pub image: RgbImage,
    /// Its attention map; `None` for a network without an attention branch.
    pub map: Option<AttentionMap>,
    /// The object (above 127), where the data set knows it; of any size.
    pub mask: Option<GrayImage>,
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

/// The gallery: how to read it, then correct and wrong predictions. Nothing without shots.
pub(crate) fn gallery(shots: &[Shot], drawing: &Drawing) -> Markup {
    let (correct, wrong): (Vec<&Shot>, Vec<&Shot>) = shots.iter().partition(|shot| shot.correct());
    html! {
        @if !shots.is_empty() {
            section aria-labelledby="gallery" {
                h2 #gallery { "Where it looks" }
                @if shots.iter().any(|shot| shot.map.is_some()) {
                    p.note {
                        "Test images, each beside its attention map."
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
            div.gallery {
                @for shot in shots { (card(shot, drawing)) }
            }
        }
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
                @if let Some(span) = picture.span() { p.small { (span) } }
            }
        }
    }
}

/// What the network said of a label, and what is true if that is something else.
fn told(verdict: &Verdict) -> Markup {
    html! {
        p.verdict {
            @if let Some(group) = &verdict.group { span.small { (group) } }
            span.class.wrong[!verdict.correct] { (verdict.predicted) }
            span.value { (percent(verdict.probability)) }
        }
        @if !verdict.correct { p.truth { "true class " span.class { (verdict.label) } } }
    }
}
