//! What a step decided for one image: which window of it is seen, at what size, mirrored or not.
//! The decision is made once and then applied to pixels, mask and boxes alike.

use abn_boxes::BoundingBox;
use image::ImageBuffer;

use super::interpolation::{Channels, resized};
use crate::DataError;

/// A rectangle in pixels; it may reach beyond the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Left edge.
    pub x: i64,
    /// Upper edge.
    pub y: i64,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// What becomes of an image of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// The part that is seen; beyond the image it is black.
    pub window: Window,
    /// Width and height to which the part is resized.
    pub size: (u32, u32),
    /// Whether it is mirrored left and right, at last.
    pub flipped: bool,
}

impl Placement {
    /// An image as it is.
    pub(super) fn whole((width, height): (u32, u32)) -> Self {
        Self::of(Window {
            x: 0,
            y: 0,
            width,
            height,
        })
    }

    /// A window of an image at its own size.
    pub(super) fn of(window: Window) -> Self {
        Self {
            window,
            size: (window.width, window.height),
            flipped: false,
        }
    }

    /// The same, resized.
    pub(super) fn at(self, size: (u32, u32)) -> Self {
        Self { size, ..self }
    }

    /// What is seen of the pixels of an image, or of its mask.
    ///
    /// # Errors
    /// [`DataError::Size`] if the result would have no pixels or a side beyond 32768.
    pub fn pixels<P: Channels>(
        &self,
        image: ImageBuffer<P, Vec<u8>>,
    ) -> Result<ImageBuffer<P, Vec<u8>>, DataError> {
        let (width, height) = self.size;
        let mut seen = resized(self.seen(image), (width.into(), height.into()))?;
        if self.flipped {
            mirror(&mut seen);
        }
        Ok(seen)
    }

    /// The part of the image that lies in the window, on black.
    fn seen<P: Channels>(&self, image: ImageBuffer<P, Vec<u8>>) -> ImageBuffer<P, Vec<u8>> {
        let Window {
            x,
            y,
            width,
            height,
        } = self.window;
        if (x, y) == (0, 0) && (width, height) == image.dimensions() {
            return image;
        }
        let mut seen = ImageBuffer::new(width, height);
        let inside = |from: i64, length: u32, side: u32| {
            let end = from.saturating_add(length.into()).min(side.into());
            from.clamp(0, end.max(0))..end.max(0)
        };
        let columns = inside(x, width, image.width());
        let rows = inside(y, height, image.height());
        if columns.is_empty() {
            return seen;
        }
        let channels = usize::from(P::CHANNEL_COUNT);
        let length = channels * (columns.end - columns.start) as usize;
        let (source, target): (&[u8], &mut [u8]) = (&image, &mut seen);
        // Copied row by row: pixel by pixel, this is a good part of what an augmentation costs.
        for row in rows {
            let place = |column: i64, row: i64, width: u32| {
                channels * (row as usize * width as usize + column as usize)
            };
            let from = place(columns.start, row, image.width());
            let to = place(columns.start - x, row - y, width);
            target[to..][..length].copy_from_slice(&source[from..][..length]);
        }
        seen
    }

    /// Where a box of the image goes; it may lie beyond what is seen.
    #[must_use]
    pub fn bounds(&self, bounds: &BoundingBox) -> BoundingBox {
        let Window {
            x,
            y,
            width,
            height,
        } = self.window;
        let (columns, rows) = (f64::from(self.size.0), f64::from(self.size.1));
        let column = |at: f64| (at - x as f64) * (columns / f64::from(width));
        let row = |at: f64| (at - y as f64) * (rows / f64::from(height));
        let moved = BoundingBox::new(
            column(bounds.x1),
            row(bounds.y1),
            column(bounds.x2),
            row(bounds.y2),
        );
        match self.flipped {
            true => moved.flip(self.size.0 as usize),
            false => moved,
        }
    }

    /// Where a box of the image lies in what is seen, `[x0, y0, x1, y1]` in pixels; `None` if none
    /// of it is seen.
    #[must_use]
    pub fn xyxy(&self, [x0, y0, x1, y1]: [f32; 4]) -> Option<[f32; 4]> {
        let Window {
            x,
            y,
            width,
            height,
        } = self.window;
        let (columns, rows) = (self.size.0 as f32, self.size.1 as f32);
        let column = |at: f32| ((at - x as f32) * columns / width as f32).clamp(0.0, columns);
        let row = |at: f32| ((at - y as f32) * rows / height as f32).clamp(0.0, rows);
        let (left, right) = match (column(x0), column(x1)) {
            (left, right) if self.flipped => (columns - right, columns - left),
            sides => sides,
        };
        let (top, bottom) = (row(y0), row(y1));
        (left < right && top < bottom).then_some([left, top, right, bottom])
    }
}

/// Mirrors left and right.
fn mirror<P: Channels>(image: &mut ImageBuffer<P, Vec<u8>>) {
    let channels = usize::from(P::CHANNEL_COUNT);
    let row = channels * image.width() as usize;
    for row in image.chunks_exact_mut(row.max(1)) {
        // The bytes of each pixel are brought back into their order.
        row.reverse();
        row.chunks_exact_mut(channels).for_each(<[u8]>::reverse);
    }
}

#[cfg(test)]
mod tests {
    use abn_boxes::Size;
    use image::{GrayImage, Luma, Rgb, RgbImage, imageops};

    use super::*;

    /// A mask of a box, of whole pixels.
    fn mask([x0, y0, x1, y1]: [f32; 4], (width, height): (u32, u32)) -> GrayImage {
        GrayImage::from_fn(width, height, |x, y| {
            let inside = |at: u32, from: f32, to: f32| (from..to).contains(&(at as f32 + 0.5));
            Luma([if inside(x, x0, x1) && inside(y, y0, y1) {
                255
            } else {
                0
            }])
        })
    }

    #[test]
    fn windows_and_mirrors_are_those_of_the_image_library() {
        let image = RgbImage::from_fn(7, 5, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
        let mut seen = 0;
        for (x, y) in (-9..9).flat_map(|x| (-7..7).map(move |y| (x, y))) {
            for (width, height) in [(1, 1), (4, 3), (7, 5), (16, 12)] {
                let window = Window {
                    x,
                    y,
                    width,
                    height,
                };
                let mut expected = RgbImage::new(width, height);
                imageops::replace(&mut expected, &image, -x, -y);
                let straight = Placement::of(window);
                let flipped = Placement {
                    flipped: true,
                    ..straight
                };
                assert_eq!(flipped.pixels(image.clone()).unwrap(), {
                    imageops::flip_horizontal(&expected)
                });
                assert_eq!(straight.pixels(image.clone()).unwrap(), expected);
                seen += usize::from(expected.pixels().any(|pixel| pixel.0 != [0; 3]));
            }
        }
        assert!(seen > 300, "{seen}");
        let far = Window {
            x: i64::MAX,
            y: i64::MIN + 1,
            width: 2,
            height: 2,
        };
        assert_eq!(
            Placement::of(far).pixels(image).unwrap(),
            RgbImage::new(2, 2)
        );
    }

    #[test]
    fn boxes_go_where_the_pixels_go() {
        let size = (10, 8);
        let xyxy = [2.0, 1.0, 6.0, 5.0];
        for (x, y, width, height, flipped) in [
            (0, 0, 10, 8, false),
            (0, 0, 10, 8, true),
            (1, 1, 6, 4, true),
            (-3, -2, 12, 9, false),
            (4, 3, 9, 9, true),
        ] {
            let window = Window {
                x,
                y,
                width,
                height,
            };
            for factor in [1, 2] {
                let placement = Placement {
                    window,
                    size: (factor * width, factor * height),
                    flipped,
                };
                let moved = placement.pixels(mask(xyxy, size)).unwrap();
                let expected = mask(placement.xyxy(xyxy).unwrap(), placement.size);
                // Resizing blurs the border between two pixels; half of it belongs to the box.
                let differ = moved.pixels().zip(expected.pixels());
                let differ = differ
                    .filter(|(a, b)| (a[0] >= 128) != (b[0] >= 128))
                    .count();
                assert_eq!(differ, 0, "{placement:?}");
                let size = Size::new(placement.size.1 as usize, placement.size.0 as usize);
                let bounds = placement.bounds(&xyxy.map(f64::from).into()).clip(size);
                let same = <[f64; 4]>::from(bounds).map(|at| at as f32);
                assert_eq!(placement.xyxy(xyxy), Some(same));
            }
        }
    }

    #[test]
    fn a_box_outside_the_window_is_gone() {
        let window = Window {
            x: 5,
            y: 0,
            width: 5,
            height: 8,
        };
        assert_eq!(Placement::of(window).xyxy([0.0, 0.0, 5.0, 8.0]), None);
        let cut = Placement::of(window).xyxy([0.0, -3.0, 7.0, 20.0]);
        assert_eq!(cut, Some([0.0, 0.0, 2.0, 8.0]));
    }
}
