//! Images at another size: what `abn-resize` does, within bounds.

use image::{ImageBuffer, Luma, Pixel, Rgb};

use super::{MAX_SIDE, checked};
use crate::DataError;

/// Pixels that a transform can move: colours, and the grey ones of masks.
pub trait Channels: Pixel<Subpixel = u8> + 'static {
    /// The image at that width and height; `None` if it has no pixels, or is to have none.
    #[doc(hidden)]
    fn interpolated(
        image: &ImageBuffer<Self, Vec<u8>>,
        to: (u32, u32),
    ) -> Option<ImageBuffer<Self, Vec<u8>>>;
}

impl Channels for Luma<u8> {
    fn interpolated(
        image: &ImageBuffer<Self, Vec<u8>>,
        to: (u32, u32),
    ) -> Option<ImageBuffer<Self, Vec<u8>>> {
        abn_resize::gray(image, to)
    }
}

impl Channels for Rgb<u8> {
    fn interpolated(
        image: &ImageBuffer<Self, Vec<u8>>,
        to: (u32, u32),
    ) -> Option<ImageBuffer<Self, Vec<u8>>> {
        abn_resize::rgb(image, to)
    }
}

/// The image at exactly that size. An image that has it already stays as it is.
pub(super) fn resized<P: Channels>(
    image: ImageBuffer<P, Vec<u8>>,
    to: (u64, u64),
) -> Result<ImageBuffer<P, Vec<u8>>, DataError> {
    let from = image.dimensions();
    let size = checked("resizing", from, to)?;
    if from == size {
        return Ok(image);
    }
    P::interpolated(&image, size).ok_or(DataError::Size {
        step: "resizing",
        from,
        to,
        limit: MAX_SIDE,
    })
}
