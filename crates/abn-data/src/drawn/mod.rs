//! What generated images are drawn of: silhouettes, clutter around them, textures and colours.
//!
//! Drawing uses only arithmetic and square roots, which IEEE 754 rounds alike everywhere: the same
//! images on every machine.

mod clutter;
mod color;
mod form;
mod ground;
mod mark;
mod scene;
mod silhouette;
mod texture;

use image::{GrayImage, Luma};
use rand::{Rng, RngExt};

use clutter::Fragment;
pub(crate) use clutter::{strokes, wedges};
use color::mix;
pub(crate) use color::{Color, color, color_within, darker};
pub(crate) use form::Form;
pub(crate) use ground::Ground;
pub(crate) use scene::Scene;
pub(crate) use silhouette::{Silhouette, tilted};
pub(crate) use texture::Texture;

/// The middle of a pixel.
pub(crate) fn center(pixel: u32) -> f32 {
    pixel as f32 + 0.5
}

/// 255 at the pixels that belong to something.
pub(crate) fn region(side: u32, inside: impl Fn(u32, u32) -> bool) -> GrayImage {
    GrayImage::from_fn(side, side, |x, y| Luma([255 * u8::from(inside(x, y))]))
}

/// A direction drawn uniformly: a point of the unit disc, scaled to length 1.
pub(crate) fn direction(rng: &mut impl Rng) -> [f32; 2] {
    loop {
        let [x, y] = std::array::from_fn(|_| rng.random_range(-1.0..1.0_f32));
        let length = (x * x + y * y).sqrt();
        // Too short a vector has too few bits to give every direction its chance.
        if (0.1..=1.0).contains(&length) {
            return [x / length, y / length];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Split, random};

    #[test]
    fn directions_are_unit_vectors_of_all_quadrants() {
        let mut rng = random::shape(0, Split::Train, 0);
        let mut quadrants = [0; 4];
        for _ in 0..400 {
            let [x, y] = direction(&mut rng);
            assert!((x * x + y * y - 1.0).abs() < 1e-5);
            quadrants[usize::from(x > 0.0) + 2 * usize::from(y > 0.0)] += 1;
        }
        assert!(quadrants.iter().all(|count| *count > 60), "{quadrants:?}");
    }
}
