//! The page of `abn explain`: every image with the maps of all methods over it, one at a time or
//! side by side.
//!
//! Without a script: each image has a group of radio buttons, and the style sheet lays the map of
//! the one that is checked, or hovered over, on the picture. So it works by mouse, by touch and by
//! keyboard.

use std::path::Path;

use abn_core::explain::{AttentionMap, Explanation, Method};
use image::RgbImage;
use maud::{Markup, PreEscaped, html};

use crate::encode::{EncodeError, is_small, photograph};
use crate::figures::bar;
use crate::heatmap::{Drawing, Range};
use crate::numbers::percent;
use crate::overlay_png::overlay_png;
use crate::page::page_with;
use crate::picture::{scale, span};

/// Longest part of an image's name that its files keep, in characters.
const LONGEST_STEM: usize = 60;
const STYLE: &str = include_str!("explanations.css");

/// One image, what the network says about it and where each method has it look.
#[derive(Debug, Clone)]
pub struct ExplainedImage {
    /// Number of the image, from 1 on.
    pub number: usize,
    /// Name of the image file.
    pub file: String,
    /// The image as the network saw it, before normalisation.
    pub image: RgbImage,
    /// Where it looks, by each method.
    pub maps: Vec<MethodMaps>,
    /// What the network says, label by label.
    pub predictions: Vec<Prediction>,
    /// The class that the maps are of, and its probability, unless it is the most probable.
    pub asked: Option<(String, f64)>,
    /// Its files beside the page.
    pub files: Files,
}

/// What the network says of one label.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// What the label is about; `None` where there is one label.
    pub group: Option<String>,
    /// Classes and their probabilities in [0, 1], most probable first.
    pub classes: Vec<(String, f64)>,
}

/// Names of an image's files, which lie beside the page.
#[derive(Debug, Clone)]
pub struct Files {
    /// The pictures side by side.
    pub overlays: String,
    /// The raw maps, if they are written.
    pub raw: Option<String>,
}

impl Files {
    /// Those of the image at `path`. Images from different folders may share a name; the number
    /// keeps their files apart and in order.
    pub fn of(path: &Path, number: usize, raw: bool) -> Self {
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let stem: String = stem.chars().take(LONGEST_STEM).collect();
        let name = format!("{number:04}-{stem}");
        Self {
            overlays: format!("{name}.png"),
            raw: raw.then(|| format!("{name}.json")),
        }
    }
}

/// The maps of one image by one method.
#[derive(Debug, Clone)]
pub struct MethodMaps {
    /// The method.
    pub method: Method,
    /// The label that they are of, where those of several labels are shown side by side.
    pub label: Option<String>,
    /// Raw and normalised.
    pub maps: Explanation,
}

impl MethodMaps {
    /// What the map is called: by its method, or its label and any method but the trained map.
    pub fn title(&self) -> String {
        match (&self.label, self.method) {
            (None, method) => method.title().to_owned(),
            (Some(label), Method::Attention) => label.clone(),
            (Some(label), method) => format!("{label}, {}", method.title()),
        }
    }

    /// The map that is drawn, and how: the trained map as it is, by the range asked for; every
    /// other, whose values have no scale of their own, normalised.
    pub fn drawn(&self, drawing: &Drawing) -> (&AttentionMap, Drawing) {
        match self.method {
            Method::Attention => (&self.maps.raw, *drawing),
            _ => (
                &self.maps.normalized,
                Drawing {
                    range: Range::Unit,
                    ..*drawing
                },
            ),
        }
    }
}

/// The page, grown image by image, so that nothing but small pictures is kept.
#[derive(Debug)]
pub struct ExplanationPage {
    methods: Vec<Method>,
    drawing: Drawing,
    articles: Vec<String>,
    /// Most maps of an image.
    most: usize,
}

impl ExplanationPage {
    /// A page without images.
    pub fn new(methods: Vec<Method>, drawing: Drawing) -> Self {
        Self {
            methods,
            drawing,
            articles: Vec::new(),
            most: 0,
        }
    }

    /// Adds an image.
    ///
    /// # Errors
    /// The image has no pixels.
    pub fn add(&mut self, explained: &ExplainedImage) -> Result<(), EncodeError> {
        self.most = self.most.max(explained.maps.len());
        self.articles
            .push(article(explained, &self.drawing)?.into_string());
        Ok(())
    }

    /// Images so far.
    pub fn images(&self) -> usize {
        self.articles.len()
    }

    /// One self-contained HTML file.
    pub fn render(&self, title: &str, subtitle: &str) -> String {
        let body = html! {
            section aria-label="Explanations" {
                (legend(&self.methods, &self.drawing))
                @if self.articles.is_empty() { p.note { "No images." } }
                div.explanations {
                    @for article in &self.articles { (PreEscaped(article)) }
                }
            }
        };
        let style = format!("{STYLE}{}", choices(self.most));
        page_with(&style, title, subtitle, &body)
    }
}

/// The rules by which the map that is chosen lies on the picture, of as many maps, or none of them.
/// One under the pointer wins; a finger does not hover, and would leave its last touch hovered.
fn choices(maps: usize) -> String {
    let rule = |state: &str, number: usize| {
        let shown = match number {
            0 => "none".to_owned(),
            map => format!("var(--map-{map})"),
        };
        let way = number + 1;
        format!("article:has(.way:nth-of-type({way}){state}) {{ --shown: {shown}; }}\n")
    };
    let rules = |state: &str| -> String { (0..=maps).map(|number| rule(state, number)).collect() };
    let (chosen, hovered) = (rules(" :checked"), rules(":hover"));
    format!("{chosen}@media (hover: hover) {{\n{hovered}}}\n")
}

/// What the colours and the methods mean.
fn legend(methods: &[Method], drawing: &Drawing) -> Markup {
    let attention = methods.contains(&Method::Attention);
    let others = methods.iter().any(|method| *method != Method::Attention);
    let (ends, meaning) = match (drawing.range, attention, others) {
        (Range::Unit, true, false) => (
            ["0", "1"],
            "value of the attention map, the same scale for every image",
        ),
        (Range::Unit, true, true) => (
            ["0", "1"],
            "value of the attention map, the same scale for every image; each map of another \
             method from its lowest to its highest value",
        ),
        _ => (
            ["lowest", "highest"],
            "value of each map: colours of different images do not compare",
        ),
    };
    html! {
        (scale(drawing, ends, meaning))
        details.meanings {
            summary { "What the maps show" }
            dl {
                @for method in methods {
                    div { dt { (method.title()) } dd { (method.meaning()) } }
                }
            }
            p.note {
                "Hover over a name, or choose it, to lay its map over the picture; the arrow keys \
                 go from one to the next. The figures under a name are the lowest and the highest \
                 value of the map as computed."
            }
        }
    }
}

fn article(explained: &ExplainedImage, drawing: &Drawing) -> Result<Markup, EncodeError> {
    let ExplainedImage {
        file, image, maps, ..
    } = explained;
    // The pictures are held by the article and shown by whatever in it refers to them.
    let mut held = format!("--photo:url({})", photograph(image)?);
    for (index, maps) in maps.iter().enumerate() {
        let (map, drawing) = maps.drawn(drawing);
        let picture = overlay_png(map, &drawing)?;
        held.push_str(&format!(";--map-{}:url({picture})", index + 1));
    }
    let shape = format!("aspect-ratio:{}/{}", image.width(), image.height());
    let titles: Vec<String> = maps.iter().map(MethodMaps::title).collect();
    let alt = format!("{file} with a map laid over it: {}", titles.join(", "));
    Ok(html! {
        article.pixels[is_small(image)] style=(held) {
            div.stage { div.look role="img" aria-label=(alt) style=(shape) {} }
            div.words {
                h2.file { (file) }
                (predictions(explained))
                (ways(explained, &shape))
                (links(&explained.files))
            }
        }
    })
}

fn predictions(explained: &ExplainedImage) -> Markup {
    html! {
        @for Prediction { group, classes } in &explained.predictions {
            @if let Some(group) = group { p.small { (group) } }
            dl.bars {
                @for (rank, (class, probability)) in classes.iter().enumerate() {
                    (bar(class, *probability, if rank == 0 { "ink-test" } else { "ink-train" }))
                }
            }
        }
        @if let Some((class, probability)) = &explained.asked {
            p.asked { "Maps of the class " b { (class) } ", " (percent(*probability)) }
        }
    }
}

/// A button for the image alone and for each map, with what it would show.
fn ways(explained: &ExplainedImage, shape: &str) -> Markup {
    let group = format!("way-{}", explained.number);
    let way = |index: usize, title: &str, values: &str| {
        let map = if index == 0 {
            "none".to_owned()
        } else {
            format!("var(--map-{index})")
        };
        html! {
            label.way {
                input type="radio" name=(group) checked[index == 1];
                span.look style={ "--map:" (map) ";" (shape) } {}
                span.name { (title) }
                span.small { (values) }
            }
        }
    };
    html! {
        fieldset.ways {
            legend { "Maps over " (explained.file) }
            (way(0, "Image", ""))
            @for (index, maps) in explained.maps.iter().enumerate() {
                (way(index + 1, &maps.title(), &span(&maps.maps.raw)))
            }
        }
    }
}

fn links(files: &Files) -> Markup {
    html! {
        p.small {
            a href=(relative(&files.overlays)) { "all in full size" }
            @if let Some(raw) = &files.raw { " · " a href=(relative(raw)) { "maps as numbers" } }
        }
    }
}

/// A path as a link relative to the page. Every byte that could mean something else in a link is
/// escaped: a file may be called `javascript:...` or `a?b#c.png`.
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

    fn maps(method: Method, values: [f32; 2]) -> MethodMaps {
        let raw = AttentionMap::new(1, 2, values.to_vec()).unwrap();
        MethodMaps {
            method,
            label: None,
            maps: Explanation {
                normalized: raw.clone().normalized(),
                raw,
            },
        }
    }

    fn explained() -> ExplainedImage {
        ExplainedImage {
            number: 3,
            file: "<script>alert(1)</script>.png".to_owned(),
            image: RgbImage::new(4, 4),
            maps: vec![
                maps(Method::Attention, [0.25, 0.5]),
                maps(Method::GradCam, [-3.0, 40.0]),
            ],
            predictions: vec![Prediction {
                group: None,
                classes: vec![("<b>cat".to_owned(), 0.875), ("dog".to_owned(), 0.125)],
            }],
            asked: None,
            files: Files::of(Path::new("over/a b.jpg"), 3, false),
        }
    }

    fn page(explained: &ExplainedImage) -> String {
        let methods = explained.maps.iter().map(|maps| maps.method).collect();
        let mut page = ExplanationPage::new(methods, Drawing::default());
        page.add(explained).unwrap();
        page.render("t", "")
    }

    #[test]
    fn links_stay_relative_whatever_the_file_is_called() {
        assert_eq!(relative("overlays/a b.png"), "./overlays/a%20b.png");
        assert_eq!(
            relative("javascript:alert(1)"),
            "./javascript%3Aalert%281%29"
        );
        assert_eq!(relative("é?#%\"<"), "./%C3%A9%3F%23%25%22%3C");
    }

    #[test]
    fn the_page_shows_every_class_and_escapes_every_name() {
        let html = page(&explained());
        assert!(html.contains("87.5%") && html.contains("12.5%"));
        assert!(html.contains("&lt;b&gt;cat") && !html.contains("<b>cat"));
        assert!(html.contains("&lt;script&gt;alert") && !html.contains("<script"));
        assert!(html.contains(r#"href="./0003-a%20b.png""#) && !html.contains("as numbers"));
    }

    #[test]
    fn every_method_has_a_button_and_the_first_is_chosen() {
        let html = page(&explained());
        assert_eq!(html.matches(r#"type="radio" name="way-3""#).count(), 3);
        assert_eq!(html.matches("checked>").count(), 1);
        for text in [
            "Grad-CAM",
            "-3.00 to 40.00",
            "0.25 to 0.50",
            "--map-2:url(data:image/png",
        ] {
            assert!(html.contains(text), "{text}");
        }
        assert!(!html.contains("Maps of the class"));
        let asked = ExplainedImage {
            asked: Some(("frog".to_owned(), 0.01)),
            ..explained()
        };
        assert!(page(&asked).contains("Maps of the class <b>frog</b>, 1.0%"));
    }

    /// Normalised maps always span the scale; a range of each image's own would light up one that
    /// is all zero.
    #[test]
    fn only_the_trained_map_follows_the_range() {
        let per_image = Drawing {
            range: Range::PerImage,
            ..Drawing::default()
        };
        let explained = explained();
        let (map, drawing) = explained.maps[0].drawn(&per_image);
        assert_eq!((map.values[0], drawing.range), (0.25, Range::PerImage));
        let (map, drawing) = explained.maps[1].drawn(&per_image);
        assert_eq!((map.values[0], drawing.range), (0.0, Range::Unit));
    }

    #[test]
    fn a_page_without_images_says_so() {
        let page = ExplanationPage::new(vec![Method::Cam], Drawing::default());
        assert!(page.render("t", "").contains("No images."));
    }

    /// A panel of many labels by several methods has as many ways as that.
    #[test]
    fn every_map_can_be_chosen() {
        let rules = choices(80);
        for (way, shown) in [(1, "none"), (2, "var(--map-1)"), (81, "var(--map-80)")] {
            for state in [" :checked", ":hover"] {
                let rule =
                    format!("article:has(.way:nth-of-type({way}){state}) {{ --shown: {shown}; }}");
                assert_eq!(rules.matches(&rule).count(), 1, "{rule}");
            }
        }
        assert!(!rules.contains("nth-of-type(82)"));
    }
}
