//! Boxes that were drawn on a photograph as it is stored, on the photograph as it is meant.

use abn_boxes::BoundingBox;
use image::metadata::Orientation;

/// A box in an image of that width and height, after the image was turned so.
pub(super) fn turned(
    bounds: BoundingBox,
    orientation: Orientation,
    (width, height): (u32, u32),
) -> BoundingBox {
    let (width, height) = (f64::from(width), f64::from(height));
    let point = |x: f64, y: f64| match orientation {
        Orientation::NoTransforms => (x, y),
        Orientation::Rotate90 => (height - y, x),
        Orientation::Rotate180 => (width - x, height - y),
        Orientation::Rotate270 => (y, width - x),
        Orientation::FlipHorizontal => (width - x, y),
        Orientation::FlipVertical => (x, height - y),
        Orientation::Rotate90FlipH => (y, x),
        Orientation::Rotate270FlipH => (height - y, width - x),
    };
    let (x1, y1) = point(bounds.x1, bounds.y1);
    let (x2, y2) = point(bounds.x2, bounds.y2);
    // What is turned round has its edges the other way round.
    let (swaps_x, swaps_y) = match orientation {
        Orientation::NoTransforms | Orientation::Rotate90FlipH => (false, false),
        Orientation::Rotate90 | Orientation::FlipHorizontal => (true, false),
        Orientation::Rotate270 | Orientation::FlipVertical => (false, true),
        Orientation::Rotate180 | Orientation::Rotate270FlipH => (true, true),
    };
    let (x1, x2) = if swaps_x { (x2, x1) } else { (x1, x2) };
    let (y1, y2) = if swaps_y { (y2, y1) } else { (y1, y2) };
    BoundingBox::new(x1, y1, x2, y2)
}

/// Whether width and height change places.
pub(super) fn swaps(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, GrayImage, Luma};

    use super::*;

    #[test]
    fn boxes_turn_with_their_pixels() {
        // A box of 2 x 1 pixels, on neither axis in the middle.
        let drawn =
            GrayImage::from_fn(7, 4, |x, y| Luma([u8::from((1..3).contains(&x) && y == 2)]));
        let bounds = BoundingBox::new(1.0, 2.0, 3.0, 3.0);
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut image = DynamicImage::ImageLuma8(drawn.clone());
            image.apply_orientation(orientation);
            let image = image.into_luma8();
            let there = || image.enumerate_pixels().filter(|(.., pixel)| pixel[0] > 0);
            let edges = |of: fn((u32, u32)) -> u32| {
                let all = || there().map(|(x, y, _)| of((x, y)));
                (all().min().unwrap(), all().max().unwrap() + 1)
            };
            let ((x1, x2), (y1, y2)) = (edges(|(x, _)| x), edges(|(_, y)| y));
            let expected = [x1, y1, x2, y2].map(f64::from).into();
            assert_eq!(
                turned(bounds, orientation, (7, 4)),
                expected,
                "{orientation:?}"
            );
        }
    }
}
