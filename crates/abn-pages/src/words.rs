//! Words drawn into a picture that stands alone.

use image::{Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// Longer side of a picture, in pixels, from which on letters are twice as large.
const LARGE: u32 = 1280;
/// Stands for what the font lacks.
const UNKNOWN: char = '\u{fffd}';

/// Letters of one size.
#[derive(Debug, Clone, Copy)]
struct Letters {
    height: RasterHeight,
    /// Pixels of a picture for each of the font's.
    times: u32,
}

impl Letters {
    /// Those that can be read in a picture of that size.
    fn of(picture: &RgbImage) -> Self {
        let longer = picture.width().max(picture.height());
        match longer / LARGE {
            0 => Self {
                height: RasterHeight::Size16,
                times: 1,
            },
            times => Self {
                height: RasterHeight::Size32,
                times,
            },
        }
    }

    fn width(self) -> u32 {
        get_raster_width(FontWeight::Regular, self.height) as u32 * self.times
    }

    fn height(self) -> u32 {
        self.height.val() as u32 * self.times
    }

    /// How much of a pixel is ink, from 0 to 255.
    fn ink(self, letter: char, x: u32, y: u32) -> u8 {
        let raster = |letter| get_raster(letter, FontWeight::Regular, self.height);
        let raster = raster(letter).or_else(|| raster(UNKNOWN));
        let (x, y) = (x / self.times, y / self.times);
        raster
            .and_then(|raster| raster.pixel(x as usize, y as usize))
            .unwrap_or(0)
    }
}

/// Writes words in black on a strip of that colour. It stands on the point, or below it where there
/// is no room above, and is moved to the left where it would leave the picture.
pub(crate) fn write(picture: &mut RgbImage, words: &str, [left, top]: [i64; 2], strip: Rgb<u8>) {
    let letters = Letters::of(picture);
    let margin = letters.width() / 2;
    let width = letters.width() * words.chars().count() as u32 + 2 * margin;
    let (right, bottom) = (i64::from(picture.width()), i64::from(picture.height()));
    let height = i64::from(letters.height());
    let left = left.min(right - i64::from(width)).max(0);
    let top = match top < height {
        true => top,
        false => top - height,
    };
    let top = top.min(bottom - height).max(0);
    for (x, place) in (0..width).zip(left..right) {
        let letter = x.checked_sub(margin).and_then(|x| {
            let letter = words.chars().nth((x / letters.width()) as usize)?;
            Some((letter, x % letters.width()))
        });
        for (y, line) in (0..letters.height()).zip(top..bottom) {
            let ink = letter.map_or(0, |(letter, x)| letters.ink(letter, x, y));
            let shade = |part: u8| (u32::from(part) * u32::from(255 - ink) / 255) as u8;
            picture.put_pixel(place as u32, line as u32, Rgb(strip.0.map(shade)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRIP: Rgb<u8> = Rgb([200, 100, 50]);

    /// The corners of what differs from a black picture.
    fn written(width: u32, height: u32, words: &str, at: [i64; 2]) -> Option<[u32; 4]> {
        let mut picture = RgbImage::new(width, height);
        write(&mut picture, words, at, STRIP);
        let strip = picture
            .enumerate_pixels()
            .filter(|(.., pixel)| **pixel == STRIP);
        strip.fold(None, |corners, (x, y, _)| {
            let [x1, y1, x2, y2] = corners.unwrap_or([x, y, x, y]);
            Some([x1.min(x), y1.min(y), x2.max(x), y2.max(y)])
        })
    }

    #[test]
    fn words_stand_above_below_or_beside_the_point() {
        // Two letters of 7 pixels between margins of 3.
        assert_eq!(written(100, 50, "ab", [10, 40]), Some([10, 24, 29, 39]));
        assert_eq!(written(100, 50, "ab", [10, 5]), Some([10, 5, 29, 20]));
        assert_eq!(written(100, 50, "ab", [95, 40]), Some([80, 24, 99, 39]));
    }

    #[test]
    fn words_that_are_larger_than_the_picture_are_cut() {
        for (width, height) in [(1, 1), (5, 40), (40, 5), (2000, 3)] {
            for at in [
                [0, 0],
                [-50, -50],
                [5000, 5000],
                [i64::MAX / 2, i64::MIN / 2],
            ] {
                written(width, height, "a long name 0.99", at);
            }
        }
    }

    #[test]
    fn letters_are_written_and_those_that_the_font_lacks_are_marked() {
        let drawn = |words: &str| {
            let mut picture = RgbImage::new(60, 16);
            write(&mut picture, words, [0, 0], STRIP);
            picture
        };
        assert_ne!(drawn("a"), drawn("b"));
        assert_ne!(drawn("é"), drawn("e"));
        assert_eq!(drawn("犬"), drawn("猫"));
        assert_ne!(drawn("犬"), drawn(" "));
    }

    #[test]
    fn letters_grow_with_the_picture() {
        let [_, top, _, bottom] = written(1300, 1000, "a", [0, 900]).unwrap();
        assert_eq!(bottom + 1 - top, 32);
        let [_, top, _, bottom] = written(2600, 1000, "a", [0, 900]).unwrap();
        assert_eq!(bottom + 1 - top, 64);
    }
}
