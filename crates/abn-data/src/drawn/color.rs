//! Colours, and which stand out in front of which.

use std::ops::Range;

use rand::{Rng, RngExt};

/// Red, green and blue, 0 to 255; values beyond are clipped when a picture is finished.
pub(crate) type Color = [f32; 3];

/// How much brighter an object is than what lies behind it, of 255. Without this, 3000 images are
/// too few for a small network to find out what an object is at all.
const CONTRAST: f32 = 50.0;

/// Any colour but the extreme ones.
pub(crate) fn color(rng: &mut impl Rng) -> Color {
    std::array::from_fn(|_| rng.random_range(20.0..235.0))
}

/// A colour in front of which `front` stands out.
pub(crate) fn darker(front: Color, rng: &mut impl Rng) -> Color {
    color_within(0.0..brightness(front) - CONTRAST, rng)
}

/// A colour whose brightness is in the range.
pub(crate) fn color_within(range: Range<f32>, rng: &mut impl Rng) -> Color {
    loop {
        let color = color(rng);
        if range.contains(&brightness(color)) {
            return color;
        }
    }
}

fn brightness(color: Color) -> f32 {
    color.iter().sum::<f32>() / 3.0
}

/// A colour that covers a share of another.
pub(crate) fn mix(below: Color, above: Color, share: f32) -> Color {
    std::array::from_fn(|c| below[c] + share * (above[c] - below[c]))
}
