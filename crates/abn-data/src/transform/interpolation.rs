//! The one place where pixels are interpolated.
//!
//! Networks are trained and published with Pillow's antialiased bilinear filter (what torchvision's
//! `Resize` calls on images), and their accuracy depends on it. `fast_image_resize` follows
//! Pillow's convolution with coarser coefficients; `tests/fixtures/resize` holds it to Pillow's
//! result within one grey level.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use image::{ImageBuffer, Luma, Pixel, Rgb};

use super::{MAX_SIDE, checked};
use crate::DataError;

/// Pixels that a transform can move: colours, and the grey ones of masks.
///
/// Known by their type, so that the resizing of these two alone is compiled: the library has it for
/// a dozen kinds of pixels and every instruction set, which takes minutes.
pub trait Channels: Pixel<Subpixel = u8> + 'static {
    /// What they are called where they are interpolated.
    #[doc(hidden)]
    type Interpolated: PixelTrait;
}

impl Channels for Luma<u8> {
    type Interpolated = U8;
}

impl Channels for Rgb<u8> {
    type Interpolated = U8x3;
}

/// The image at exactly that size. An image that has it already stays as it is.
pub(super) fn resized<P: Channels>(
    image: ImageBuffer<P, Vec<u8>>,
    to: (u64, u64),
) -> Result<ImageBuffer<P, Vec<u8>>, DataError> {
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
fn convolved<P: Channels>(
    image: &ImageBuffer<P, Vec<u8>>,
    width: u32,
    height: u32,
) -> Option<ImageBuffer<P, Vec<u8>>> {
    let mut resized = ImageBuffer::new(width, height);
    let source =
        TypedImageRef::<P::Interpolated>::from_buffer(image.width(), image.height(), image).ok()?;
    let mut target =
        TypedImage::<P::Interpolated>::from_buffer(width, height, &mut resized).ok()?;
    // A triangle filter as wide as the reduction: every pixel of the source counts.
    let bilinear = ResizeAlg::Convolution(FilterType::Bilinear);
    let options = ResizeOptions::new().resize_alg(bilinear).use_alpha(false);
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .ok()?;
    Some(resized)
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

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
