//! The page of `abn score RUN FILE...`: for each image what the network says while the pixels of
//! the highest map values go, and while they come back.

use abn_core::explain::{Curve, Method};
use abn_explain::score::{ImageCurves, MethodCurves};
use image::RgbImage;
use maud::{Markup, html};

use crate::axis::AxisScale;
use crate::chart::{Chart, Series, Unit};
use crate::explanations::MethodMaps;
use crate::heatmap::{Drawing, overlay};
use crate::numbers::percent;
use crate::page::page;
use crate::picture::{embedded, fitted};

/// Pixels of the longer side of a picture.
const SIDE: u32 = 160;
/// Colours that can be told apart in one chart.
const INKS: [&str; 6] = [
    "ink-attention",
    "ink-test",
    "ink-spread",
    "ink-train",
    "ink-good",
    "ink-bad",
];
/// Methods that the page has colours for.
pub const MOST_METHODS: usize = INKS.len();

/// The page, grown image by image.
#[derive(Debug, Default)]
pub struct CurvePage {
    articles: Vec<Markup>,
}

/// An image on the page.
#[derive(Debug, Clone, Copy)]
pub struct CurvedImage<'a> {
    /// Its file.
    pub file: &'a str,
    /// What the network sees of it.
    pub image: &'a RgbImage,
    /// Name of the class that is explained.
    pub class: &'a str,
    /// What was measured.
    pub curves: &'a ImageCurves,
}

impl CurvePage {
    /// Adds an image.
    pub fn add(&mut self, shown: CurvedImage, drawing: &Drawing) {
        self.articles.push(article(shown, drawing));
    }

    /// One self-contained HTML file.
    pub fn render(&self, title: &str, subtitle: &str) -> String {
        let body = html! {
            section aria-label="How to read this" {
                p.note {
                    "In deletion, the pixels of the highest map values are set to the mean colour \
                     first, an equal share of all pixels at every step: a good map makes the \
                     probability fall at once, so less area under the curve is better. In \
                     insertion, they return to the blurred image first: more area is better. One \
                     image proves little: " code { "abn score RUN" } " measures a whole data set."
                }
            }
            @for article in &self.articles { (article) }
        };
        page(title, subtitle, &body)
    }
}

fn article(shown: CurvedImage, drawing: &Drawing) -> Markup {
    let CurvedImage {
        file,
        image,
        class,
        curves,
    } = shown;
    let small = fitted(image, SIDE);
    html! {
        section aria-label=(file) {
            h2 { (file) }
            p.note { "Explained: " b { (class) } ", " (percent(curves.probability)) }
            figure.strip {
                div.maps {
                    div { (embedded(&small, file)) p.small { "image" } }
                    @for of in &curves.methods {
                        @let maps = MethodMaps { method: of.method, label: None, maps: of.map.clone() };
                        @let (map, drawing) = maps.drawn(drawing);
                        @let name = of.method.title();
                        div {
                            (embedded(&overlay(&small, map, &drawing), &format!("{name} over {file}")))
                            p.small { (name) }
                        }
                    }
                }
            }
            div.charts {
                (chart("Deletion", curves, |of| &of.deletion).figure())
                (chart("Insertion", curves, |of| &of.insertion).figure())
            }
        }
    }
}

fn chart(title: &'static str, curves: &ImageCurves, of: fn(&MethodCurves) -> &Curve) -> Chart {
    let line = |(methods, ink): (&MethodCurves, &'static str)| {
        let curve = of(methods);
        Series {
            name: named(methods.method, curve).into(),
            ink,
            values: curve.probabilities.iter().copied().map(Some).collect(),
        }
    };
    let points = curves.methods.first();
    let points = points.map_or(0, |first| of(first).probabilities.len());
    Chart {
        title: title.into(),
        over: "step",
        unit: Unit::Percent,
        scale: AxisScale::Linear,
        xs: (0..points).collect(),
        series: curves.methods.iter().zip(INKS).map(line).collect(),
        marked: None,
    }
}

/// A method with the area under its curve.
fn named(method: Method, curve: &Curve) -> String {
    format!("{} {}", method.name(), percent(curve.area()))
}

#[cfg(test)]
mod tests {
    use abn_core::explain::{AttentionMap, Explanation};

    use super::*;

    #[test]
    fn every_method_has_its_curve_with_its_area() {
        let raw = AttentionMap::new(1, 2, vec![0.25, 0.5]).unwrap();
        let methods = [Method::Attention, Method::GradCam].map(|method| MethodCurves {
            method,
            map: Explanation {
                normalized: raw.clone().normalized(),
                raw: raw.clone(),
            },
            deletion: Curve {
                probabilities: vec![1.0, 0.5, 0.0],
            },
            insertion: Curve {
                probabilities: vec![0.0, 1.0, 1.0],
            },
        });
        let curves = ImageCurves {
            class: 0,
            probability: 0.9,
            methods: methods.into(),
        };
        let mut page = CurvePage::default();
        let shown = CurvedImage {
            file: "<b>.png",
            image: &RgbImage::new(4, 4),
            class: "cat",
            curves: &curves,
        };
        page.add(shown, &Drawing::default());
        let html = page.render("Curves", "");
        assert_eq!(html.matches("<svg").count(), 2);
        assert_eq!(html.matches("<img").count(), 3);
        for text in [
            "attention 50.0%",
            "grad-cam 75.0%",
            "&lt;b&gt;.png",
            "90.0%",
        ] {
            assert!(html.contains(text), "{text}");
        }
        assert!(!html.contains("<b>.png"));
    }
}
