//! A planted mark that gives the class away: a shortcut past the silhouette, whose place is known.

use image::GrayImage;
use rand::{Rng, RngExt};

use super::Color;

/// Side of a mark in pixels.
const MARK: u32 = 5;

/// A square of a plain colour, which tells one class.
pub(crate) struct Mark {
    left: u32,
    top: u32,
    color: Color,
}

impl Mark {
    /// A mark of that class in a square picture, anywhere but on what is covered.
    pub(crate) fn draw(
        side: u32,
        class: usize,
        covered: impl Fn(u32, u32) -> bool,
        rng: &mut impl Rng,
    ) -> Self {
        let range = 0..=side - MARK;
        let free = |left: u32, top: u32| {
            let pixels = (0..MARK * MARK).map(|k| (left + k % MARK, top + k / MARK));
            pixels.into_iter().all(|(x, y)| !covered(x, y))
        };
        let places: Vec<(u32, u32)> = range
            .clone()
            .flat_map(|top| range.clone().map(move |left| (left, top)))
            .filter(|(left, top)| free(*left, *top))
            .collect();
        // An object of at most 19 pixels leaves a corner of 32 free.
        let (left, top) = match places.len() {
            0 => (0, 0),
            count => places[rng.random_range(0..count as u32) as usize],
        };
        Self {
            left,
            top,
            color: color_of(class),
        }
    }

    /// Its colour at a pixel, if it lies there.
    pub(crate) fn at(&self, x: u32, y: u32) -> Option<Color> {
        let within = |start: u32, at: u32| (start..start + MARK).contains(&at);
        (within(self.left, x) && within(self.top, y)).then_some(self.color)
    }

    /// 255 where it lies.
    pub(crate) fn region(&self, side: u32) -> GrayImage {
        super::region(side, |x, y| self.at(x, y).is_some())
    }
}

/// A corner of the cube of colours for each of eight classes; no texture is that pure.
fn color_of(class: usize) -> Color {
    std::array::from_fn(|channel| 255.0 * ((class >> channel) & 1) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Split, random};

    #[test]
    fn marks_keep_off_what_is_covered_and_differ_by_class() {
        let covered = |x: u32, y: u32| (6..26).contains(&x) && (6..26).contains(&y);
        for index in 0..100 {
            let mark = Mark::draw(
                32,
                index % 8,
                covered,
                &mut random::mark(0, Split::Train, index),
            );
            let region = mark.region(32);
            let pixels = region
                .enumerate_pixels()
                .filter(|(_, _, pixel)| pixel[0] > 0);
            let places: Vec<(u32, u32)> = pixels.map(|(x, y, _)| (x, y)).collect();
            assert_eq!(places.len(), 25);
            assert!(places.iter().all(|(x, y)| !covered(*x, *y)));
        }
        let mut colors: Vec<[u8; 3]> = (0..8)
            .map(|class| color_of(class).map(|value| value as u8))
            .collect();
        colors.sort_unstable();
        colors.dedup();
        assert_eq!(colors.len(), 8);
    }
}
