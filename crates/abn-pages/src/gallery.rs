//! Test images with their maps, the right and the wrong predictions apart.

use abn_core::explain::AttentionMap;
use image::{GrayImage, RgbImage};
use maud::{Markup, html};

use super::headline::percent;
use super::picture::{Picture, color_bar};
use crate::heatmap::Drawing;

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
    /// Name of the true class.
    pub label: String,
    /// Name of the predicted class.
    pub predicted: String,
    /// Probability of the predicted class, in [0, 1].
    pub probability: f32,
    /// Whether the prediction is the label.
    pub correct: bool,
}

/// The gallery: how to read it, then correct and wrong predictions. Nothing without shots.
pub(super) fn gallery(shots: &[Shot], drawing: &Drawing) -> Markup {
    let (correct, wrong): (Vec<&Shot>, Vec<&Shot>) = shots.iter().partition(|shot| shot.correct);
    html! {
        @if !shots.is_empty() {
            section aria-labelledby="gallery" {
                h2 #gallery { "Where it looks" }
                @if shots.iter().any(|shot| shot.map.is_some()) {
                    p.note {
                        "Test images, each beside its attention map."
                        @if shots.iter().any(|shot| shot.mask.is_some()) { " The thin line is the outline of the object." }
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
    let name = format!("an image of class {}", shot.label);
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
                p.verdict {
                    span.class.wrong[!shot.correct] { (shot.predicted) }
                    span.value { (percent(f64::from(shot.probability))) }
                }
                @if !shot.correct { p.truth { "true class " span.class { (shot.label) } } }
                @if let Some(span) = picture.span() { p.small { (span) } }
            }
        }
    }
}
