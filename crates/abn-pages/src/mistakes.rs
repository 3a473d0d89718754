//! The page of `abn eval --failures`: what a network is surest of and wrong about.

use maud::html;

use crate::confusion::ConfusedClasses;
use crate::gallery::{Shot, cards};
use crate::heatmap::Drawing;
use crate::numbers::grouped;
use crate::page::page;
use crate::picture::color_bar;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct MistakesPage {
    /// Heading of the page.
    pub title: String,
    /// What was measured.
    pub subtitle: String,
    /// Number of images that were told.
    pub images: usize,
    /// Wrong predictions, the surest first.
    pub shots: Vec<Shot>,
    /// How their maps are drawn.
    pub drawing: Drawing,
    /// What is told for what; of one label.
    pub confused: Option<ConfusedClasses>,
}

/// The page as one self-contained HTML file; a pure function.
pub fn render_mistakes(shown: &MistakesPage) -> String {
    let has_maps = shown.shots.iter().any(|shot| shot.map.is_some());
    let body = html! {
        section aria-labelledby="mistakes" {
            h2 #mistakes { "The surest mistakes" }
            @if shown.shots.is_empty() {
                p.note { "All " (grouped(shown.images as f64)) " images are told rightly." }
            } @else {
                p.note {
                    "The " (shown.shots.len()) " wrong predictions of "
                    (grouped(shown.images as f64)) " images that the network was surest of"
                    @if has_maps { ", each beside its attention map" }
                    ". What it is sure of and wrong about is often mislabelled, ambiguous or unlike \
                     what it has learned."
                }
                @if has_maps { (color_bar(&shown.drawing)) }
                (cards(&shown.shots.iter().collect::<Vec<_>>(), &shown.drawing))
            }
        }
        @if let Some(confused) = &shown.confused { (confused.section()) }
    };
    page(&shown.title, &shown.subtitle, &body)
}
