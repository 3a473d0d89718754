//! Attention maps as pictures: resizing, colours, overlays. Pure functions of pixels, without
//! files.
//!
//! ```text
//! map [h, w] --resize_to--> [H, W] --Range--> position in [0, 1] --Colors--> RGB --opacity--> over the image [H, W]
//! ```
//!
//! A map is resized as values and coloured afterwards; interpolated colours would not lie on the
//! colour scale.

use abn_core::AttentionConfig;
use abn_core::explain::AttentionMap;
use colorgrad::Gradient;
use image::{Rgb, RgbImage, imageops};

/// What a pixel becomes whose map value is not a finite number, so that a broken map is seen as
/// broken.
pub const NOT_FINITE: Rgb<u8> = Rgb([128, 128, 128]);

/// How maps are drawn: one value for every picture of a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawing {
    /// Colour scale.
    pub colors: Colors,
    /// Which map values the two ends of the scale stand for.
    pub range: Range,
    /// Share of the colours in the overlay, the rest is the image: 0 shows the image alone, 1 the
    /// map alone.
    pub opacity: f32,
}

impl Default for Drawing {
    fn default() -> Self {
        Self {
            colors: Colors::default(),
            range: Range::default(),
            opacity: 0.55,
        }
    }
}

impl Drawing {
    /// The drawing that shows the maps of that branch: those without an upper bound each on a scale
    /// of its own.
    pub fn of(attention: Option<&AttentionConfig>) -> Self {
        let unbounded = attention.is_some_and(|attention| !attention.map.is_bounded());
        Self {
            range: if unbounded {
                Range::PerImage
            } else {
                Range::default()
            },
            ..Self::default()
        }
    }
}

/// Colour scales for maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Colors {
    /// Black, purple, orange, pale yellow. Perceptually uniform, and its lightness follows the
    /// value: over a photograph it works like a lamp that lights what the network looks at and
    /// leaves the rest in the dark.
    #[default]
    Inferno,
    /// Purple, green, yellow. Perceptually uniform; changes the colours of the image more than
    /// inferno.
    Viridis,
    /// Blue, green, yellow, red, as in the pictures of the papers. Not uniform: it draws edges at
    /// green and yellow where the map has none, and red is no lighter than blue.
    Jet,
}

impl Colors {
    /// The scale in 256 steps, low to high.
    pub fn palette(self) -> Vec<Rgb<u8>> {
        match self {
            Self::Inferno => sample(&colorgrad::preset::inferno()),
            Self::Viridis => sample(&colorgrad::preset::viridis()),
            Self::Jet => (0..256).map(|step| jet(step as f32 / 255.0)).collect(),
        }
    }
}

fn sample(gradient: &impl Gradient) -> Vec<Rgb<u8>> {
    let color = |step: u16| {
        let [red, green, blue, _] = gradient.at(f32::from(step) / 255.0).to_rgba8();
        Rgb([red, green, blue])
    };
    (0..256).map(color).collect()
}

/// MATLAB's and OpenCV's JET: three ramps of slope 4, a quarter apart.
fn jet(position: f32) -> Rgb<u8> {
    Rgb([3.0, 2.0, 1.0].map(|centre: f32| {
        let ramp = (1.5 - (4.0 * position - centre).abs()).clamp(0.0, 1.0);
        (ramp * 255.0).round() as u8
    }))
}

/// Which map values the two ends of the colour scale stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Range {
    /// 0 and 1 for every map, as ABN draws its sigmoid maps: colours of different images compare.
    /// Values outside take the colour of the nearer end.
    #[default]
    Unit,
    /// The least and the greatest value of each map: shows the structure of maps that span a narrow
    /// band, but the same colour means different values in different images. A constant map gets
    /// the middle of the scale.
    PerImage,
}

impl Range {
    /// The map values at the two ends of the colour scale.
    pub fn limits(self, map: &AttentionMap) -> (f32, f32) {
        match self {
            Self::Unit => (0.0, 1.0),
            Self::PerImage => map.extent().unwrap_or((0.0, 1.0)),
        }
    }
}

/// The image under its map, at the size of the image. Pixels without a finite map value are flat
/// grey.
pub fn overlay(image: &RgbImage, map: &AttentionMap, drawing: &Drawing) -> RgbImage {
    let palette = drawing.colors.palette();
    let limits = drawing.range.limits(map);
    let map = map.resize_to(image.width() as usize, image.height() as usize);
    let mut picture = image.clone();
    for (pixel, &value) in picture.pixels_mut().zip(&map.values) {
        *pixel = match step(value, limits) {
            Some(step) => blend(*pixel, palette[step], drawing.opacity),
            None => NOT_FINITE,
        };
    }
    picture
}

/// Index into the palette; `None` for a value that is not finite.
fn step(value: f32, limits: (f32, f32)) -> Option<usize> {
    position(value, limits).map(|position| (position * 255.0).round() as usize)
}

/// Where a value lies on the colour scale, in [0, 1]; `None` for a value that is not finite.
pub fn position(value: f32, (low, high): (f32, f32)) -> Option<f32> {
    let position = if high > low {
        ((value - low) / (high - low)).clamp(0.0, 1.0)
    } else {
        0.5
    };
    value.is_finite().then_some(position)
}

fn blend(below: Rgb<u8>, above: Rgb<u8>, opacity: f32) -> Rgb<u8> {
    let channel = |i: usize| {
        let (below, above) = (f32::from(below[i]), f32::from(above[i]));
        (below * (1.0 - opacity) + above * opacity).round() as u8
    };
    Rgb([channel(0), channel(1), channel(2)])
}

/// A small image made comfortable to look at: enlarged by the largest whole factor that keeps its
/// longer side within `side`. Nearest neighbour, so that the pixels the network saw stay visible;
/// larger images are returned as they are.
pub fn enlarge(image: &RgbImage, side: u32) -> RgbImage {
    let longer = image.width().max(image.height()).max(1);
    let factor = (side / longer).max(1);
    imageops::resize(
        image,
        image.width() * factor,
        image.height() * factor,
        imageops::FilterType::Nearest,
    )
}

/// Pictures between each other, in pixels.
const GAP: u32 = 4;
/// More pictures than this stand in several rows.
const IN_A_ROW: usize = 12;

/// Pictures side by side, with gaps; of many, row below row, left to right and top to bottom.
pub fn side_by_side(pictures: &[RgbImage]) -> RgbImage {
    if pictures.len() <= IN_A_ROW {
        return in_a_row(pictures);
    }
    // Half as wide again as high.
    let columns = (1.5 * pictures.len() as f64).sqrt().ceil() as usize;
    let rows: Vec<RgbImage> = pictures.chunks(columns).map(in_a_row).collect();
    let width = rows.iter().map(RgbImage::width).max().unwrap_or(0);
    let heights = rows.iter().map(|row| row.height() + GAP);
    let height = heights.sum::<u32>().saturating_sub(GAP);
    let mut all = RgbImage::from_pixel(width, height, Rgb([255, 255, 255]));
    let mut top = 0;
    for row in rows {
        imageops::replace(&mut all, &row, 0, top);
        top += i64::from(row.height() + GAP);
    }
    all
}

fn in_a_row(pictures: &[RgbImage]) -> RgbImage {
    let width = pictures
        .iter()
        .map(|picture| picture.width() + GAP)
        .sum::<u32>()
        .saturating_sub(GAP);
    let height = pictures.iter().map(RgbImage::height).max().unwrap_or(0);
    let mut all = RgbImage::from_pixel(width, height, Rgb([255, 255, 255]));
    let mut left = 0;
    for picture in pictures {
        imageops::replace(&mut all, picture, left, 0);
        left += i64::from(picture.width() + GAP);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(height: usize, width: usize, values: &[f32]) -> AttentionMap {
        AttentionMap::new(height, width, values.to_vec()).unwrap()
    }

    const OPAQUE: Drawing = Drawing {
        colors: Colors::Jet,
        range: Range::Unit,
        opacity: 1.0,
    };

    #[test]
    fn jet_has_the_corner_colours_of_opencv() {
        let palette = Colors::Jet.palette();
        assert_eq!(palette[0], Rgb([0, 0, 128]));
        assert_eq!(palette[255], Rgb([128, 0, 0]));
        // The middle: green full, red and blue half.
        assert_eq!((palette[127].0[1], palette[128].0[1]), (255, 255));
    }

    #[test]
    fn uniform_scales_grow_lighter_all_the_way() {
        for colors in [Colors::Inferno, Colors::Viridis] {
            let light = |c: &Rgb<u8>| {
                2126 * i32::from(c[0]) + 7152 * i32::from(c[1]) + 722 * i32::from(c[2])
            };
            let palette = colors.palette();
            assert_eq!(palette.len(), 256);
            // Half a grey level of slack for the rounding of the three channels.
            assert!(
                palette
                    .windows(2)
                    .all(|pair| light(&pair[1]) > light(&pair[0]) - 5000),
                "{colors:?}"
            );
            assert!(
                light(&palette[255]) - light(&palette[0]) > 10_000 * 120,
                "{colors:?}"
            );
        }
    }

    #[test]
    fn opaque_overlay_shows_the_scale_and_clamps_to_it() {
        let image = RgbImage::from_pixel(4, 1, Rgb([9, 9, 9]));
        let picture = overlay(&image, &map(1, 4, &[0.0, 1.0, -3.0, 7.0]), &OPAQUE);
        let expected = [[0, 0, 128], [128, 0, 0], [0, 0, 128], [128, 0, 0]].map(Rgb);
        assert!(picture.pixels().eq(expected.iter()));
    }

    #[test]
    fn opacity_weighs_colour_against_image() {
        let image = RgbImage::from_pixel(1, 1, Rgb([100, 200, 40]));
        let drawn = |opacity| {
            *overlay(&image, &map(1, 1, &[0.0]), &Drawing { opacity, ..OPAQUE }).get_pixel(0, 0)
        };
        assert_eq!(drawn(0.0), Rgb([100, 200, 40]));
        // A quarter of (0, 0, 128) and three quarters of the image.
        assert_eq!(drawn(0.25), Rgb([75, 150, 62]));
    }

    #[test]
    fn per_image_range_stretches_a_narrow_band_and_unit_does_not() {
        let image = RgbImage::new(2, 1);
        let narrow = map(1, 2, &[0.50, 0.51]);
        let stretched = overlay(
            &image,
            &narrow,
            &Drawing {
                range: Range::PerImage,
                ..OPAQUE
            },
        );
        assert_eq!(
            (stretched[(0, 0)], stretched[(1, 0)]),
            (Rgb([0, 0, 128]), Rgb([128, 0, 0]))
        );
        let fixed = overlay(&image, &narrow, &OPAQUE);
        // 0.50 and 0.51 are steps 128 and 130 of 255.
        assert_eq!(
            (fixed[(0, 0)], fixed[(1, 0)]),
            (jet(128.0 / 255.0), jet(130.0 / 255.0))
        );
    }

    #[test]
    fn a_constant_map_has_the_middle_colour_when_stretched() {
        let drawing = Drawing {
            range: Range::PerImage,
            ..OPAQUE
        };
        let picture = overlay(&RgbImage::new(1, 1), &map(1, 1, &[0.9]), &drawing);
        assert_eq!(picture[(0, 0)], jet(128.0 / 255.0));
    }

    #[test]
    fn values_that_are_not_finite_are_grey_and_spoil_only_their_surroundings() {
        let image = RgbImage::from_pixel(4, 1, Rgb([255, 0, 0]));
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for range in [Range::Unit, Range::PerImage] {
                let drawing = Drawing {
                    range,
                    ..Drawing::default()
                };
                let picture = overlay(&image, &map(1, 4, &[0.0, 0.5, 1.0, broken]), &drawing);
                assert_eq!(picture[(3, 0)], NOT_FINITE);
                assert_ne!(picture[(2, 0)], NOT_FINITE);
            }
        }
        let nowhere = overlay(&image, &map(1, 1, &[f32::NAN]), &OPAQUE);
        assert!(nowhere.pixels().all(|pixel| *pixel == NOT_FINITE));
    }

    #[test]
    fn a_map_whose_fields_disagree_is_drawn_as_broken() {
        let lie = AttentionMap {
            height: 2,
            width: 2,
            values: vec![0.0; 2],
        };
        let picture = overlay(&RgbImage::new(2, 2), &lie, &OPAQUE);
        assert_eq!(
            (picture[(0, 0)], picture[(0, 1)]),
            (Rgb([0, 0, 128]), NOT_FINITE)
        );
    }

    #[test]
    fn pictures_stand_side_by_side() {
        let picture = |width, height, value| RgbImage::from_pixel(width, height, Rgb([value; 3]));
        let all = side_by_side(&[picture(2, 3, 10), picture(1, 2, 20), picture(1, 3, 30)]);
        assert_eq!(all.dimensions(), (2 + 4 + 1 + 4 + 1, 3));
        let row = |y| (0..12).map(|x| all.get_pixel(x, y)[0]).collect::<Vec<_>>();
        assert_eq!(
            row(0),
            [10, 10, 255, 255, 255, 255, 20, 255, 255, 255, 255, 30]
        );
        assert_eq!(row(2)[6], 255, "below a lower picture");
        let many: Vec<RgbImage> = (0..41).map(|value| picture(2, 3, value)).collect();
        let all = side_by_side(&many);
        // Eight columns, six rows.
        assert_eq!(all.dimensions(), (8 * 6 - 4, 6 * 7 - 4));
        assert_eq!(all.get_pixel(6, 7)[0], 9, "the second of the second row");
        assert_eq!(all.get_pixel(43, 37)[0], 255, "behind the last");
    }

    #[test]
    fn enlarging_repeats_pixels_by_a_whole_factor() {
        let mut small = RgbImage::new(2, 1);
        small.put_pixel(1, 0, Rgb([7, 8, 9]));
        let large = enlarge(&small, 7);
        assert_eq!(large.dimensions(), (6, 3));
        assert_eq!(
            (large[(2, 2)], large[(3, 0)]),
            (Rgb([0, 0, 0]), Rgb([7, 8, 9]))
        );
        assert_eq!(enlarge(&small, 1), small, "never smaller");
    }
}
