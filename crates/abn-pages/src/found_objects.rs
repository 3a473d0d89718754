//! The page of what a detector finds in images and why: a list of boxes, each with its maps.
//!
//! Whoever points at a box, in the picture or in the list, sees its maps; whoever chooses one keeps
//! them. No script is needed: every map lies there, and rules show the one that is meant.

use std::fmt::Write as _;

use abn_boxes::BoundingBox;
use abn_core::explain::AttentionMap;
use image::{Rgb, RgbImage};
use maud::{Markup, html};

use crate::boxes::{Marked, Verdict, boxed};
use crate::encode::EncodeError;
use crate::heatmap::{Drawing, enlarge, overlay, side_by_side};
use crate::overlay_png::overlay_png;
use crate::page::page_with;
use crate::picture::{embedded, fitted, span};
use crate::words;

/// Boxes of an image that have maps on a page.
pub const MOST_BOXES: usize = 20;
/// Pixels of the longer side of a picture.
const SIDE: u32 = 320;
/// Boxes of a picture file, a row each.
const ROWS: usize = 4;
const STYLE: &str = include_str!("found_objects.css");

/// An image with what is found in it.
#[derive(Debug, Clone)]
pub struct FoundImage {
    /// Its file as typed.
    pub file: String,
    /// The image as it is.
    pub image: RgbImage,
    /// What is found, the surest first.
    pub found: Vec<FoundBox>,
    /// How many more are found than are shown.
    pub more: usize,
}

/// Something that is found, with the reasons for it.
#[derive(Debug, Clone)]
pub struct FoundBox {
    /// Where, in pixels of the image.
    pub bounds: BoundingBox,
    /// What.
    pub class: String,
    /// How sure.
    pub score: f64,
    /// Why, by each method.
    pub maps: Vec<BoxMap>,
}

impl FoundBox {
    /// What it is, and how sure.
    fn words(&self) -> String {
        format!("{} {:.2}", self.class, self.score)
    }
}

/// A map over the whole image.
#[derive(Debug, Clone)]
pub struct BoxMap {
    /// What the method is called.
    pub method: String,
    /// The map as it came.
    pub map: AttentionMap,
    /// How it is drawn.
    pub drawing: Drawing,
}

impl FoundImage {
    /// The surest boxes as rows of one picture: the box alone and what it is, then each method's map over the
    /// image. Without boxes the image alone.
    pub fn picture(&self) -> RgbImage {
        let large = enlarge(&self.image, SIDE);
        let rows: Vec<RgbImage> = self
            .found
            .iter()
            .take(ROWS)
            .map(|found| {
                let mut pictures = vec![large.clone()];
                pictures.extend(
                    found
                        .maps
                        .iter()
                        .map(|map| overlay(&large, &map.map, &map.drawing)),
                );
                for (place, picture) in pictures.iter_mut().enumerate() {
                    let corner = frame(picture, &found.bounds, self.image.dimensions(), WHITE);
                    if place == 0 {
                        words::write(picture, &found.words(), corner, WHITE);
                    }
                }
                side_by_side(&pictures)
            })
            .collect();
        match rows.is_empty() {
            true => large,
            false => below_each_other(&rows),
        }
    }

    /// The image with a frame around all that is found, and what it is.
    pub fn framed(&self) -> RgbImage {
        let mut picture = enlarge(&self.image, SIDE);
        for found in self.found.iter().rev() {
            let ink = ink_of(&found.class);
            let corner = frame(&mut picture, &found.bounds, self.image.dimensions(), ink);
            words::write(&mut picture, &found.words(), corner, ink);
        }
        picture
    }
}

const WHITE: Rgb<u8> = Rgb([255; 3]);

/// The same colour for the same class in all pictures.
fn ink_of(class: &str) -> Rgb<u8> {
    const INKS: [[u8; 3]; 8] = [
        [90, 200, 250],
        [255, 149, 60],
        [120, 220, 120],
        [255, 110, 160],
        [250, 220, 80],
        [170, 140, 255],
        [80, 230, 210],
        [255, 90, 80],
    ];
    let sum = class.bytes().fold(7_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    Rgb(INKS[sum % INKS.len()])
}

/// Draws the frame of a box of the image over a picture of it, two pixels wide, dark around it.
/// Returns its upper left corner.
fn frame(
    picture: &mut RgbImage,
    bounds: &BoundingBox,
    image: (u32, u32),
    ink: Rgb<u8>,
) -> [i64; 2] {
    let (width, height) = picture.dimensions();
    let scale = [width, height].into_iter().zip([image.0, image.1]);
    let scale: Vec<f64> = scale
        .map(|(to, from)| f64::from(to) / f64::from(from.max(1)))
        .collect();
    let place = |at: f64, scale: f64| (at * scale).round() as i64;
    let (left, right) = (place(bounds.x1, scale[0]), place(bounds.x2, scale[0]));
    let (top, bottom) = (place(bounds.y1, scale[1]), place(bounds.y2, scale[1]));
    let mut line = |by: i64, ink: Rgb<u8>| {
        let (x1, x2, y1, y2) = (left - by, right - 1 + by, top - by, bottom - 1 + by);
        let inside = |x: i64, y: i64| {
            (0..i64::from(width)).contains(&x) && (0..i64::from(height)).contains(&y)
        };
        // What lies beyond the picture is not looked at.
        let columns = x1.max(0)..=x2.min(i64::from(width) - 1);
        let rows = y1.max(0)..=y2.min(i64::from(height) - 1);
        let along = columns.flat_map(|x| [(x, y1), (x, y2)]);
        let down = rows.flat_map(|y| [(x1, y), (x2, y)]);
        for (x, y) in along.chain(down).filter(|(x, y)| inside(*x, *y)) {
            picture.put_pixel(x as u32, y as u32, ink);
        }
    };
    line(2, Rgb([0; 3]));
    line(-1, Rgb([0; 3]));
    line(1, ink);
    line(0, ink);
    [left - 1, top - 1]
}

fn below_each_other(rows: &[RgbImage]) -> RgbImage {
    const GAP: u32 = 4;
    let width = rows.iter().map(RgbImage::width).max().unwrap_or(1);
    let height: u32 = rows.iter().map(|row| row.height() + GAP).sum();
    let mut all = RgbImage::from_pixel(width, height.saturating_sub(GAP).max(1), WHITE);
    let mut top = 0;
    for row in rows {
        image::imageops::replace(&mut all, row, 0, top);
        top += i64::from(row.height() + GAP);
    }
    all
}

/// The page, image by image.
#[derive(Debug, Default)]
pub struct FoundPage {
    images: Vec<Markup>,
    most: usize,
}

impl FoundPage {
    /// Number of images so far.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// Adds an image; nothing of it is kept but what the page shows.
    ///
    /// # Errors
    /// A map cannot be encoded.
    pub fn add(&mut self, image: &FoundImage) -> Result<(), EncodeError> {
        let number = self.images.len() + 1;
        self.most = self.most.max(image.found.len());
        self.images.push(section(image, number)?);
        Ok(())
    }

    /// One HTML file.
    pub fn render(&self, title: &str, subtitle: &str) -> String {
        let body = html! {
            p.note {
                "Point at a box, in a picture or in its list, to see why it is there; choose one to \
                 keep it. Maps of ODAM and Grad-CAM run from the least to the most of each map."
            }
            @for image in &self.images { (image) }
        };
        page_with(
            &(STYLE.to_owned() + &rules(self.most)),
            title,
            subtitle,
            &body,
        )
    }
}

/// What is shown of so many boxes: those of the one that is pointed at, or else of the chosen one.
fn rules(boxes: usize) -> String {
    (0..boxes).fold(String::new(), |mut rules, number| {
        let shown = format!(".m{number}");
        let _ = writeln!(
            rules,
            ".found:not(:has(.h:hover)):has(.b{number} input:checked) {shown}, \
             .found:has(.h.b{number}:hover) {shown} {{ opacity: 1; }}"
        );
        rules
    })
}

fn section(image: &FoundImage, number: usize) -> Result<Markup, EncodeError> {
    let picture = fitted(&image.image, SIDE);
    let name = format!("image {number}");
    let methods: Vec<&str> = image.found.first().map_or(vec![], |found| {
        found.maps.iter().map(|map| map.method.as_str()).collect()
    });
    let mut panes = Vec::new();
    for (place, method) in methods.iter().enumerate() {
        let mut layers = Vec::new();
        for found in &image.found {
            let BoxMap { map, drawing, .. } = &found.maps[place];
            layers.push((overlay_png(map, drawing)?, span(map)));
        }
        panes.push((*method, layers));
    }
    let marked = |found: &FoundBox| Marked {
        bounds: found.bounds,
        class: found.class.clone(),
        verdict: Verdict::Found(found.score),
    };
    let all: Vec<Marked> = image.found.iter().map(marked).collect();
    Ok(html! {
        section.found aria-labelledby=(format!("image-{number}")) {
            h2 id=(format!("image-{number}")) { (image.file) }
            @if image.found.is_empty() {
                (embedded(&picture, &name))
                p.note { "Nothing is found in it." }
            } @else {
                div.panes {
                    figure {
                        (boxed(&picture, &image.image, &all, &name, true))
                        figcaption { "Found" }
                    }
                    @for (method, layers) in &panes {
                        figure {
                            div.boxed {
                                (embedded(&picture, &format!("{method} over {name}")))
                                @for (place, (uri, _)) in layers.iter().enumerate() {
                                    img class=(format!("layer m{place}")) src=(uri) alt="";
                                }
                                (frames(&picture, image))
                            }
                            figcaption {
                                (method) " "
                                span.spans {
                                    @for (place, (_, span)) in layers.iter().enumerate() {
                                        span class=(format!("layer m{place}")) { (span) }
                                    }
                                }
                            }
                        }
                    }
                }
                ol.choices {
                    @for (place, found) in image.found.iter().enumerate() {
                        li class=(format!("h b{place}")) {
                            label {
                                input type="radio" name=(format!("box-{number}"))
                                    checked[place == 0];
                                " " (found.class) " "
                                span.small { (format!("{:.2}", found.score)) }
                            }
                        }
                    }
                }
                @if image.more > 0 {
                    p.note { "And " (image.more) " more, which are not shown." }
                }
            }
        }
    })
}

/// Of each box a frame that comes with its map.
fn frames(picture: &RgbImage, image: &FoundImage) -> Markup {
    let (width, height) = picture.dimensions();
    let across = f64::from(width) / f64::from(image.image.width().max(1));
    let down = f64::from(height) / f64::from(image.image.height().max(1));
    html! {
        svg viewBox=(format!("0 0 {width} {height}")) aria-hidden="true" {
            @for (place, found) in image.found.iter().enumerate() {
                @let BoundingBox { x1, y1, .. } = found.bounds;
                rect class=(format!("layer m{place}"))
                    x=(format!("{:.1}", x1 * across)) y=(format!("{:.1}", y1 * down))
                    width=(format!("{:.1}", found.bounds.width() * across))
                    height=(format!("{:.1}", found.bounds.height() * down)) {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(boxes: usize) -> FoundImage {
        let map = AttentionMap {
            height: 2,
            width: 2,
            values: vec![0.0, 0.25, 0.5, 1.0],
        };
        let found = (0..boxes).map(|place| FoundBox {
            bounds: BoundingBox::new(place as f64, 1.0, place as f64 + 3.0, 6.0),
            class: format!("<cat {place}>"),
            score: 0.75,
            maps: vec![BoxMap {
                method: "ODAM".to_owned(),
                map: map.clone(),
                drawing: Drawing::default(),
            }],
        });
        FoundImage {
            file: "a&b.png".to_owned(),
            image: RgbImage::new(16, 8),
            found: found.collect(),
            more: 0,
        }
    }

    #[test]
    fn every_box_has_its_map_and_a_rule_that_shows_it() {
        let mut page = FoundPage::default();
        page.add(&image(2)).unwrap();
        page.add(&image(0)).unwrap();
        let html = page.render("What it finds", "");
        assert_eq!(html.matches("class=\"layer m1\" src=").count(), 1);
        assert!(html.contains(".found:has(.h.b1:hover) .m1"));
        assert!(!html.contains(".b2:hover"));
        assert!(html.contains("a&amp;b.png") && html.contains("&lt;cat 0&gt;"));
        assert!(html.contains("Nothing is found"));
        assert!(!html.contains("<script") && !html.contains("http://"));
    }

    #[test]
    fn frames_stay_within_the_picture() {
        let mut large = RgbImage::new(32, 16);
        let bounds = BoundingBox::new(-5.0, 2.0, 8.0, 50.0);
        frame(&mut large, &bounds, (16, 8), WHITE);
        // The upper edge lies at the fourth row, from the left side to the middle.
        assert_eq!(large.get_pixel(0, 4), &WHITE);
        assert_eq!(large.get_pixel(15, 4), &WHITE);
        assert_eq!(large.get_pixel(25, 4), &Rgb([0; 3]));
        let pictures = image(6).picture();
        assert_eq!(pictures.height(), 4 * 160 + 3 * 4);
        assert_eq!(image(0).picture().dimensions(), (320, 160));
        assert_eq!(image(1).framed().dimensions(), (320, 160));
    }
}
