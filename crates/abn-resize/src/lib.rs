//! The one place where pixels are interpolated.
//!
//! Networks are trained and published with Pillow's antialiased bilinear filter (what torchvision's
//! `Resize` calls on images), and their accuracy depends on it. `fast_image_resize` follows
//! Pillow's convolution with coarser coefficients; `tests/fixtures/resize` of the workspace holds it
//! to Pillow's result within one grey level.
//!
//! The library is compiled by whoever names a kind of pixels, for every instruction set, which takes
//! minutes. Therefore this crate has but two functions, and none is generic.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use image::{GrayImage, ImageBuffer, Pixel, RgbImage};

/// A greyscale image at that width and height.
///
/// `None` if it has no pixels, or is to have none.
#[must_use]
pub fn gray(image: &GrayImage, to: (u32, u32)) -> Option<GrayImage> {
    resized::<_, U8>(image, to)
}

/// A coloured image at that width and height.
///
/// `None` if it has no pixels, or is to have none.
#[must_use]
pub fn rgb(image: &RgbImage, to: (u32, u32)) -> Option<RgbImage> {
    resized::<_, U8x3>(image, to)
}

fn resized<P: Pixel<Subpixel = u8>, Q: PixelTrait>(
    image: &ImageBuffer<P, Vec<u8>>,
    (width, height): (u32, u32),
) -> Option<ImageBuffer<P, Vec<u8>>> {
    let from = image.dimensions();
    if [from.0, from.1, width, height].contains(&0) {
        return None;
    }
    // Left on its own, the library resizes columns first. Each pass rounds to bytes, so only
    // Pillow's order, rows first, gives Pillow's values: on photographs 1 in 100 differs by one
    // grey level instead of 1 in 7.
    let narrow = convolved::<_, Q>(image, width, from.1)?;
    convolved::<_, Q>(&narrow, width, height)
}

/// `None` only if the buffers did not fit the sizes, which an `ImageBuffer` rules out.
fn convolved<P: Pixel<Subpixel = u8>, Q: PixelTrait>(
    image: &ImageBuffer<P, Vec<u8>>,
    width: u32,
    height: u32,
) -> Option<ImageBuffer<P, Vec<u8>>> {
    let mut resized = ImageBuffer::new(width, height);
    let source = TypedImageRef::<Q>::from_buffer(image.width(), image.height(), image).ok()?;
    let mut target = TypedImage::<Q>::from_buffer(width, height, &mut resized).ok()?;
    // A triangle filter as wide as the reduction: every pixel of the source counts.
    let bilinear = ResizeAlg::Convolution(FilterType::Bilinear);
    let options = ResizeOptions::new().resize_alg(bilinear).use_alpha(false);
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .ok()?;
    Some(resized)
}
