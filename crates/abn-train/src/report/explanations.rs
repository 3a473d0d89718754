//! The page of `abn explain`: every image with its overlay and the most probable classes.

use abn_core::explain::AttentionMap;
use image::RgbImage;
use maud::{Markup, html};

use super::headline::bar;
use super::page::page;
use super::picture::{Picture, color_bar};
use crate::heatmap::Drawing;

/// Pixels of the longer side of a picture on the page; the overlay files have the full size.
const SIDE: u32 = 480;

/// One image and what the network says about it.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Name of the image file.
    pub file: String,
    /// The image as the network saw it, before normalisation.
    pub image: RgbImage,
    /// Where the network looked.
    pub map: AttentionMap,
    /// Classes and their probabilities in [0, 1], most probable first.
    pub predictions: Vec<(String, f32)>,
    /// Path of the overlay as a file, relative to the page.
    pub overlay_file: Option<String>,
}

/// One self-contained HTML page; a pure function.
pub fn render_explanations(
    title: &str,
    subtitle: &str,
    explanations: &[Explanation],
    drawing: &Drawing,
) -> String {
    let body = html! {
        section aria-label="Explanations" {
            @if explanations.is_empty() { p.note { "No images." } } @else { (color_bar(drawing)) }
            div.explanations {
                @for explanation in explanations { (article(explanation, drawing)) }
            }
        }
    };
    page(title, subtitle, &body)
}

fn article(explanation: &Explanation, drawing: &Drawing) -> Markup {
    let Explanation { file, image, map, predictions, overlay_file } = explanation;
    let picture = Picture { image, map: Some(map), mask: None, name: file };
    html! {
        article {
            (picture.pair(drawing, SIDE))
            div.words {
                h2.file { (file) }
                dl.bars {
                    @for (rank, (class, probability)) in predictions.iter().enumerate() {
                        (bar(class, f64::from(*probability), if rank == 0 { "ink-test" } else { "ink-train" }))
                    }
                }
                p.small {
                    (picture.span().unwrap_or_default())
                    @if let Some(path) = overlay_file { " · " a href=(relative(path)) { "overlay in full size" } }
                }
            }
        }
    }
}

/// A path as a link relative to the page. Every byte that could mean something else in a link is escaped: a file
/// may be called `javascript:...` or `a?b#c.png`.
fn relative(path: &str) -> String {
    let mut link = "./".to_owned();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                link.push(byte.into())
            }
            _ => link.push_str(&format!("%{byte:02X}")),
        }
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation() -> Explanation {
        Explanation {
            file: "<script>alert(1)</script>.png".to_owned(),
            image: RgbImage::new(4, 4),
            map: AttentionMap::new(1, 1, vec![0.5]).unwrap(),
            predictions: vec![("<b>cat".to_owned(), 0.875), ("dog".to_owned(), 0.125)],
            overlay_file: Some("over/a b.png".to_owned()),
        }
    }

    #[test]
    fn links_stay_relative_whatever_the_file_is_called() {
        assert_eq!(relative("overlays/a b.png"), "./overlays/a%20b.png");
        assert_eq!(relative("javascript:alert(1)"), "./javascript%3Aalert%281%29");
        assert_eq!(relative("é?#%\"<"), "./%C3%A9%3F%23%25%22%3C");
    }

    #[test]
    fn the_page_shows_every_class_and_escapes_every_name() {
        let html = render_explanations("t", "", &[explanation()], &Drawing::default());
        assert!(html.contains("87.5%") && html.contains("12.5%"));
        assert!(html.contains("&lt;b&gt;cat") && !html.contains("<b>"));
        assert!(html.contains("&lt;script&gt;alert") && !html.contains("<script"));
        assert!(html.contains(r#"href="./over/a%20b.png""#));
    }

    #[test]
    fn a_page_without_images_says_so() {
        assert!(render_explanations("t", "", &[], &Drawing::default()).contains("No images."));
    }
}
