//! The one place where pixels are interpolated.
//!
//! Networks are trained and published with Pillow's antialiased bilinear filter (what torchvision's
//! `Resize` calls on images), and their accuracy depends on it. `fast_image_resize` follows
//! Pillow's convolution with coarser coefficients; `tests/fixtures/resize` holds it to Pillow's
//! result within one grey level.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{ImageBuffer, Pixel};

use super::{MAX_SIDE, checked};
use crate::DataError;

/// The image at exactly that size. An image that has it already stays as it is.
pub(super) fn resized<P>(
    image: ImageBuffer<P, Vec<u8>>,
    to: (u64, u64),
) -> Result<ImageBuffer<P, Vec<u8>>, DataError>
where
    P: Pixel<Subpixel = u8>,
{
    let from = image.dimensions();
    let (width, height) = checked("resizing", from, to)?;
    if from == (width, height) {
        return Ok(image);
    }
    let impossible = || DataError::Size {
        step: "resizing",
        from,
        to,
        limit: MAX_SIDE,
    };
    if from.0 == 0 || from.1 == 0 {
        return Err(impossible());
    }
    // Left on its own, the library resizes columns first. Each pass rounds to bytes, so only
    // Pillow's order, rows first, gives Pillow's values: on photographs 1 in 100 differs by one
    // grey level instead of 1 in 7.
    let narrow = convolved(&image, width, from.1).ok_or_else(impossible)?;
    convolved(&narrow, width, height).ok_or_else(impossible)
}

/// `None` only if the buffers did not fit the sizes, which an `ImageBuffer` rules out.
fn convolved<P>(
    image: &ImageBuffer<P, Vec<u8>>,
    width: u32,
    height: u32,
) -> Option<ImageBuffer<P, Vec<u8>>>
where
    P: Pixel<Subpixel = u8>,
{
    let kind = match P::CHANNEL_COUNT {
        1 => PixelType::U8,
        2 => PixelType::U8x2,
        3 => PixelType::U8x3,
        _ => PixelType::U8x4,
    };
    let source = ImageRef::new(image.width(), image.height(), image.as_raw(), kind).ok()?;
    let mut target = Image::new(width, height, kind);
    // A triangle filter as wide as the reduction: every pixel of the source counts.
    let bilinear = ResizeAlg::Convolution(FilterType::Bilinear);
    let options = ResizeOptions::new().resize_alg(bilinear).use_alpha(false);
    Resizer::new().resize(&source, &mut target, &options).ok()?;
    ImageBuffer::from_raw(width, height, target.into_vec())
}

#[cfg(test)]
mod tests {
    use image::{Luma, Rgb, RgbImage};

    use super::*;

    #[test]
    fn a_reduction_averages_with_triangular_weights() {
        // Reducing by 2, the triangle reaches 2 pixels to each side of a centre between two pixels:
        // weights 1, 3, 3, 1 of 8 inside, 3, 3, 1 of 7 at the border.
        let image = ImageBuffer::<Luma<u8>, _>::from_raw(6, 1, vec![70, 0, 0, 80, 4, 31]).unwrap();
        let small = resized(image, (3, 1)).unwrap();
        // 3 * 70 / 7; (3 * 80 + 4) / 8 = 30.5, rounded up; (80 + 3 * 4 + 3 * 31) / 7 = 26.4.
        assert_eq!(small.into_raw(), [30, 31, 26]);
    }

    #[test]
    fn an_enlargement_interpolates_between_the_centres() {
        let image = RgbImage::from_raw(2, 1, vec![0, 40, 200, 80, 40, 100]).unwrap();
        let large = resized(image, (4, 1)).unwrap();
        let expected = [[0, 40, 200], [20, 40, 175], [60, 40, 125], [80, 40, 100]].map(Rgb);
        assert!(large.pixels().eq(expected.iter()), "{large:?}");
    }
}
