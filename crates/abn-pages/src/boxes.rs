//! Images with boxes over them: what a detector finds, and what it misses.
//!
//! Boxes are vectors over the picture, so that they stay sharp and their words can be read out.

use abn_boxes::BoundingBox;
use abn_core::explain::AttentionMap;
use image::RgbImage;
use maud::{Markup, html};

use crate::heatmap::{self, Drawing};
use crate::numbers::percent;
use crate::picture::{color_bar, embedded, fitted};

/// Pixels of the longer side of a picture.
const SIDE: u32 = 320;
/// Pixels that a letter of a box's words takes, about.
const LETTER: f64 = 6.2;
/// Height of the words.
const WORDS: f64 = 13.0;

/// One image with what a detector says of it.
#[derive(Debug, Clone)]
pub struct BoxedShot {
    /// The image as it is.
    pub image: RgbImage,
    /// Where its attention branch looks, over the whole image; `None` without one.
    pub map: Option<AttentionMap>,
    /// The boxes, in pixels of the image.
    pub marked: Vec<Marked>,
}

/// A box with what is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Marked {
    /// Where.
    pub bounds: BoundingBox,
    /// The class.
    pub class: String,
    /// Who says so.
    pub verdict: Verdict,
}

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Found with that score, where nobody knows what is there.
    Found(f64),
    /// Found with that score, and there.
    Right(f64),
    /// Found with that score, and not there.
    Wrong(f64),
    /// There, and not found.
    Missed,
}

impl Marked {
    fn ink(&self) -> &'static str {
        match self.verdict {
            Verdict::Found(_) => "box-found",
            Verdict::Right(_) => "box-right",
            Verdict::Wrong(_) => "box-wrong",
            Verdict::Missed => "box-missed",
        }
    }

    fn words(&self) -> String {
        match self.verdict {
            Verdict::Found(score) | Verdict::Right(score) | Verdict::Wrong(score) => {
                format!("{} {score:.2}", self.class)
            }
            Verdict::Missed => self.class.clone(),
        }
    }
}

/// The section of a report; nothing without shots.
pub(crate) fn found(shots: &[BoxedShot], drawing: &Drawing) -> Markup {
    let has_maps = shots.iter().any(|shot| shot.map.is_some());
    html! {
        @if !shots.is_empty() {
            section aria-labelledby="found" {
                h2 #found { "What it finds" }
                p.note {
                    "The first test images, with what is found at a score of 0.5 or more. "
                    span.key.box-right { "right" } " "
                    span.key.box-wrong { "wrong" } " "
                    span.key.box-missed { "missed" }
                    @if has_maps {
                        " Beside each, where the attention branch looks in the whole image."
                    }
                }
                @if has_maps { (color_bar(drawing)) }
                div.gallery {
                    @for (shot, number) in shots.iter().zip(1..) { (figure(shot, number, drawing)) }
                }
            }
        }
    }
}

fn figure(shot: &BoxedShot, number: usize, drawing: &Drawing) -> Markup {
    let picture = fitted(&shot.image, SIDE);
    let name = format!("test image {number}");
    let overlay = shot
        .map
        .as_ref()
        .map(|map| heatmap::overlay(&picture, map, drawing));
    let right = shot
        .marked
        .iter()
        .filter(|marked| matches!(marked.verdict, Verdict::Right(_)));
    let wrong = shot
        .marked
        .iter()
        .filter(|marked| matches!(marked.verdict, Verdict::Wrong(_)));
    let missed = shot
        .marked
        .iter()
        .filter(|marked| marked.verdict == Verdict::Missed);
    let (right, wrong, missed) = (right.count(), wrong.count(), missed.count());
    let found = percent(right as f64 / (right + missed).max(1) as f64);
    html! {
        figure.shot {
            div.pair {
                (boxed(&picture, &shot.image, &shot.marked, &name, false))
                @if let Some(overlay) = &overlay {
                    (embedded(overlay, &format!("Attention over {name}")))
                }
            }
            figcaption {
                (right) " of " (right + missed) " found (" (found) ")"
                @if wrong > 0 { ", " (wrong) " wrong" }
            }
        }
    }
}

/// A picture of an image with boxes over it, which may be pointed at.
pub(crate) fn boxed(
    picture: &RgbImage,
    image: &RgbImage,
    marked: &[Marked],
    name: &str,
    pointed: bool,
) -> Markup {
    let (width, height) = picture.dimensions();
    let across = f64::from(width) / f64::from(image.width().max(1));
    let down = f64::from(height) / f64::from(image.height().max(1));
    html! {
        div.boxed {
            (embedded(picture, name))
            svg viewBox=(format!("0 0 {width} {height}")) aria-hidden="true" {
                @for (number, marked) in marked.iter().enumerate().rev() {
                    @let class = match pointed {
                        true => format!("{} h b{number}", marked.ink()),
                        false => marked.ink().to_owned(),
                    };
                    g class=(class) {
                        (one(marked, [across, down], [width, height].map(f64::from)))
                    }
                }
            }
        }
    }
}

/// One box with its words above it, or within where there is no room above.
fn one(marked: &Marked, [across, down]: [f64; 2], [width, height]: [f64; 2]) -> Markup {
    let BoundingBox { x1, y1, x2, y2 } = marked.bounds;
    let (left, right) = (
        (x1 * across).clamp(0.0, width),
        (x2 * across).clamp(0.0, width),
    );
    let (top, bottom) = (
        (y1 * down).clamp(0.0, height),
        (y2 * down).clamp(0.0, height),
    );
    let number = |value: f64| format!("{value:.1}");
    let words = marked.words();
    let long = LETTER * words.chars().count() as f64 + 4.0;
    let above = if top >= WORDS { top - WORDS } else { top };
    let start = left.min((width - long).max(0.0));
    html! {
        title { (words) }
        rect x=(number(left)) y=(number(top)) width=(number(right - left))
            height=(number(bottom - top)) {}
        rect.words x=(number(start)) y=(number(above)) width=(number(long))
            height=(number(WORDS)) {}
        text x=(number(start + 2.0)) y=(number(above + 10.0)) { (words) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(verdicts: &[Verdict]) -> BoxedShot {
        let marked = verdicts.iter().enumerate().map(|(place, verdict)| Marked {
            bounds: BoundingBox::new(place as f64, 2.0, place as f64 + 4.0, 8.0),
            class: "<dog>".to_owned(),
            verdict: *verdict,
        });
        BoxedShot {
            image: RgbImage::new(16, 8),
            map: None,
            marked: marked.collect(),
        }
    }

    #[test]
    fn boxes_lie_over_the_enlarged_picture() {
        let page = found(&[shot(&[Verdict::Right(0.875)])], &Drawing::default()).into_string();
        assert!(page.contains(r#"viewBox="0 0 320 160""#), "{page}");
        assert!(
            page.contains(r#"<rect x="0.0" y="40.0" width="80.0" height="120.0">"#),
            "{page}"
        );
        assert!(page.contains("&lt;dog&gt; 0.88") && !page.contains("<dog>"));
        assert!(page.contains("1 of 1 found (100"), "{page}");
    }

    #[test]
    fn what_is_missed_and_wrong_is_counted() {
        let verdicts = [Verdict::Right(0.9), Verdict::Wrong(0.8), Verdict::Missed];
        let page = found(&[shot(&verdicts)], &Drawing::default()).into_string();
        assert!(page.contains("1 of 2 found (50"), "{page}");
        assert!(page.contains(", 1 wrong"));
        assert_eq!(found(&[], &Drawing::default()).into_string(), "");
    }
}
