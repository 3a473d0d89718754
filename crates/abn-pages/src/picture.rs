//! An image beside its attention overlay, as PNG data URIs, and the colour bar that says what the
//! colours mean.

use abn_core::explain::AttentionMap;
use image::{GrayImage, Rgb, RgbImage, imageops};
use maud::{Markup, html};

use crate::encode::{data_uri, png};
use crate::heatmap::{self, Drawing, Range};

/// A mask pixel above this belongs to the object.
const MASK_THRESHOLD: u8 = 127;

/// What one figure shows.
pub(crate) struct Picture<'a> {
    pub(crate) image: &'a RgbImage,
    pub(crate) map: Option<&'a AttentionMap>,
    /// The object, outlined; of any size.
    pub(crate) mask: Option<&'a GrayImage>,
    /// What the image is, for those who do not see it.
    pub(crate) name: &'a str,
}

impl Picture<'_> {
    /// The image and, where there is a map, its overlay beside it. The longer side of each has
    /// about `side` pixels.
    pub(crate) fn pair(&self, drawing: &Drawing, side: u32) -> Markup {
        let mut image = fitted(self.image, side);
        let mut overlay = self.map.map(|map| heatmap::overlay(&image, map, drawing));
        if let Some(mask) = self.mask {
            outline(overlay.as_mut().unwrap_or(&mut image), mask);
        }
        html! {
            div.pair {
                (embedded(&image, self.name))
                @if let Some(overlay) = &overlay {
                    (embedded(overlay, &format!("Attention over {}", self.name)))
                }
            }
        }
    }

    /// The values the map spans, to be read beside the colour bar.
    pub(crate) fn span(&self) -> Option<String> {
        self.map.map(|map| format!("map {}", span(map)))
    }
}

/// The values that a map spans.
pub(crate) fn span(map: &AttentionMap) -> String {
    let broken = map.values.iter().filter(|value| !value.is_finite()).count();
    let Some((low, high)) = map.extent() else {
        return "not finite".to_owned();
    };
    // Gradients are small.
    let places = if low.abs().max(high.abs()) < 0.05 {
        4
    } else {
        2
    };
    let span = format!("{low:.places$} to {high:.places$}");
    if broken == 0 {
        span
    } else {
        format!("{span}, {broken} values not finite")
    }
}

/// The image at a size to look at: small ones enlarged by a whole factor, large ones shrunk to
/// `side`.
pub(crate) fn fitted(image: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let longer = width.max(height);
    if longer <= side {
        return heatmap::enlarge(image, side);
    }
    let scaled =
        |length: u32| (u64::from(length) * u64::from(side) / u64::from(longer)).max(1) as u32;
    imageops::resize(
        image,
        scaled(width),
        scaled(height),
        imageops::FilterType::CatmullRom,
    )
}

/// Draws the edge of the mask: white on its inside, dark on its outside, so that it shows on any
/// ground.
pub(crate) fn outline(picture: &mut RgbImage, mask: &GrayImage) {
    let (width, height) = picture.dimensions();
    if mask.width() == 0 || mask.height() == 0 {
        return;
    }
    let mask = imageops::resize(mask, width, height, imageops::FilterType::Nearest);
    let inside = |x: u32, y: u32| {
        mask.get_pixel_checked(x, y)
            .map(|pixel| pixel[0] > MASK_THRESHOLD)
    };
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let here = inside(x, y);
        let around = [
            (x.wrapping_sub(1), y),
            (x + 1, y),
            (x, y.wrapping_sub(1)),
            (x, y + 1),
        ];
        // Beyond the image there is neither inside nor outside: a mask that reaches the border
        // stays open there.
        if around
            .into_iter()
            .filter_map(|(x, y)| inside(x, y))
            .any(|there| Some(there) != here)
        {
            let (color, share) = if here == Some(true) {
                (255.0, 0.85)
            } else {
                (0.0, 0.45)
            };
            *pixel = Rgb(pixel
                .0
                .map(|c| (f32::from(c) * (1.0 - share) + color * share).round() as u8));
        }
    }
}

/// An `img` that carries its pixels.
pub(crate) fn embedded(image: &RgbImage, alt: &str) -> Markup {
    html! {
        @match png(image, "") {
            Ok(file) => {
                img src=(data_uri("png", &file)) alt=(alt)
                    width=(image.width()) height=(image.height());
            }
            Err(_) => span.missing { "empty image" },
        }
    }
}

/// The colour scale with the map values at its ends.
pub fn color_bar(drawing: &Drawing) -> Markup {
    match drawing.range {
        Range::Unit => scale(
            drawing,
            ["0", "1"],
            "map value, the same scale for every image",
        ),
        Range::PerImage => {
            let meaning = "value of each map: colours of different images do not compare";
            scale(drawing, ["lowest", "highest"], meaning)
        }
    }
}

/// The colour scale between its ends.
pub(crate) fn scale(drawing: &Drawing, [low, high]: [&str; 2], meaning: &str) -> Markup {
    let palette = drawing.colors.palette();
    let stops: Vec<String> = palette
        .iter()
        .step_by(15)
        .map(|Rgb([red, green, blue])| format!("rgb({red} {green} {blue})"))
        .collect();
    html! {
        p.bar {
            span.end { (low) }
            span.scale style={ "background:linear-gradient(90deg," (stops.join(",")) ")" } {}
            span.end { (high) }
            span.meaning { (meaning) }
        }
    }
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;

    fn picture<'a>(image: &'a RgbImage, map: Option<&'a AttentionMap>) -> Picture<'a> {
        Picture {
            image,
            map,
            mask: None,
            name: "a cat",
        }
    }

    #[test]
    fn sizes_fit_the_page_and_keep_the_shape() {
        let size = |width, height| fitted(&RgbImage::new(width, height), 320).dimensions();
        assert_eq!(size(32, 32), (320, 320));
        assert_eq!(size(1000, 500), (320, 160));
        assert_eq!(size(300, 200), (300, 200));
        assert_eq!(size(1, 5000), (1, 320));
    }

    #[test]
    fn a_map_adds_a_second_picture() {
        let image = RgbImage::new(4, 4);
        let map = AttentionMap::new(1, 2, vec![0.25, 0.5]).unwrap();
        let count = |map| {
            picture(&image, map)
                .pair(&Drawing::default(), 8)
                .into_string()
                .matches("<img")
                .count()
        };
        assert_eq!((count(None), count(Some(&map))), (1, 2));
        assert_eq!(
            picture(&image, Some(&map)).span().unwrap(),
            "map 0.25 to 0.50"
        );
    }

    #[test]
    fn broken_maps_are_named() {
        let image = RgbImage::new(4, 4);
        let span = |values| {
            picture(&image, Some(&AttentionMap::new(1, 2, values).unwrap()))
                .span()
                .unwrap()
        };
        assert_eq!(span(vec![f32::NAN, f32::NAN]), "map not finite");
        assert_eq!(
            span(vec![0.5, f32::INFINITY]),
            "map 0.50 to 0.50, 1 values not finite"
        );
        assert_eq!(span(vec![0.0, 0.0012]), "map 0.0000 to 0.0012");
    }

    #[test]
    fn an_image_without_pixels_is_said_to_be_empty() {
        let empty = RgbImage::new(0, 0);
        assert!(
            picture(&empty, None)
                .pair(&Drawing::default(), 8)
                .into_string()
                .contains("empty image")
        );
    }

    #[test]
    fn the_outline_runs_along_both_sides_of_the_edge_only() {
        let mut picture = RgbImage::from_pixel(6, 1, Rgb([100, 100, 100]));
        // The object covers the left half and reaches the border of the image.
        outline(
            &mut picture,
            &GrayImage::from_fn(6, 1, |x, _| Luma([if x < 3 { 255 } else { 0 }])),
        );
        let row: Vec<u8> = picture.pixels().map(|pixel| pixel[0]).collect();
        // 100 * 0.15 + 255 * 0.85 inside, 100 * 0.55 outside.
        assert_eq!(row, [100, 100, 232, 55, 100, 100]);
    }

    #[test]
    fn a_mask_of_another_size_is_fitted() {
        let mut picture = RgbImage::from_pixel(4, 1, Rgb([100, 100, 100]));
        outline(
            &mut picture,
            &GrayImage::from_fn(2, 1, |x, _| Luma([if x == 0 { 255 } else { 0 }])),
        );
        let row: Vec<u8> = picture.pixels().map(|pixel| pixel[0]).collect();
        assert_eq!(row, [100, 232, 55, 100]);
        outline(&mut picture, &GrayImage::new(0, 0));
    }
}
