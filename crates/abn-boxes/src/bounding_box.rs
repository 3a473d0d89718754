//! Rectangles along the axes.
//!
//! Corners are points between pixels: the first pixel of an image reaches from 0 to 1, and a width
//! is `x2 - x1` without a 1 added, as in torchvision and COCO.

use serde::{Deserialize, Serialize};

use crate::Size;

/// A box by its corners `x1`, `y1`, `x2`, `y2`, in pixels; x to the right, y downwards.
///
/// Arithmetic is that of double precision in torchvision's order, so that results are those of its
/// detectors in double precision, bit by bit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "[f64; 4]", into = "[f64; 4]")]
pub struct BoundingBox {
    /// The left edge.
    pub x1: f64,
    /// The upper edge.
    pub y1: f64,
    /// The right edge.
    pub x2: f64,
    /// The lower edge.
    pub y2: f64,
}

impl From<[f64; 4]> for BoundingBox {
    /// Of the corners `x1, y1, x2, y2`.
    fn from([x1, y1, x2, y2]: [f64; 4]) -> Self {
        Self { x1, y1, x2, y2 }
    }
}

impl From<BoundingBox> for [f64; 4] {
    /// The corners `x1, y1, x2, y2`.
    fn from(bounds: BoundingBox) -> Self {
        [bounds.x1, bounds.y1, bounds.x2, bounds.y2]
    }
}

impl BoundingBox {
    /// The box of these corners.
    #[must_use]
    pub const fn new(x1: f64, y1: f64, x2: f64, y2: f64) -> Self {
        Self { x1, y1, x2, y2 }
    }

    /// The box of a corner and a size, as COCO writes it.
    #[must_use]
    pub fn from_xywh([x, y, width, height]: [f64; 4]) -> Self {
        Self::new(x, y, x + width, y + height)
    }

    /// Left and upper edge, width and height.
    #[must_use]
    pub fn xywh(&self) -> [f64; 4] {
        [self.x1, self.y1, self.width(), self.height()]
    }

    /// `x2 - x1`: not positive if the box is degenerate.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.x2 - self.x1
    }

    /// `y2 - y1`: not positive if the box is degenerate.
    #[must_use]
    pub fn height(&self) -> f64 {
        self.y2 - self.y1
    }

    /// Width by height.
    #[must_use]
    pub fn area(&self) -> f64 {
        self.width() * self.height()
    }

    /// No corner is infinite or not a number.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        <[f64; 4]>::from(*self).iter().all(|at| at.is_finite())
    }

    /// It is finite and has an inside. A network cannot be trained with another.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.is_finite() && self.width() > 0.0 && self.height() > 0.0
    }

    /// Both sides have this length at least; not so if one is not a number.
    #[must_use]
    pub fn has_sides_of(&self, least: f64) -> bool {
        self.width() >= least && self.height() >= least
    }

    /// What of it lies in an image. Outside of it nothing is left but an edge or a corner, which is
    /// degenerate.
    #[must_use]
    pub fn clip(&self, image: Size) -> Self {
        let (width, height) = (image.width as f64, image.height as f64);
        Self {
            x1: self.x1.clamp(0.0, width),
            y1: self.y1.clamp(0.0, height),
            x2: self.x2.clamp(0.0, width),
            y2: self.y2.clamp(0.0, height),
        }
    }

    /// The same box after its image was resized. Each axis has the factor of its own whole sizes,
    /// which are not quite that of the image.
    #[must_use]
    pub fn resize(&self, from: Size, to: Size) -> Self {
        let x = to.width as f64 / from.width as f64;
        let y = to.height as f64 / from.height as f64;
        Self::new(self.x1 * x, self.y1 * y, self.x2 * x, self.y2 * y)
    }

    /// The same box after its image was mirrored left to right.
    #[must_use]
    pub fn flip(&self, image_width: usize) -> Self {
        let width = image_width as f64;
        Self::new(width - self.x2, self.y1, width - self.x1, self.y2)
    }

    /// Area of the intersection; 0 if there is none.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> f64 {
        let width = lesser(self.x2, other.x2) - greater(self.x1, other.x1);
        let height = lesser(self.y2, other.y2) - greater(self.y1, other.y1);
        greater(width, 0.0) * greater(height, 0.0)
    }

    /// Intersection over union, from 0 to 1; 0 of two boxes without an inside.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f64 {
        let shared = self.intersection(other);
        if shared > 0.0 {
            shared / (self.area() + other.area() - shared)
        } else {
            0.0
        }
    }
}

// `f64::max` and `f64::min` take care of what is not a number, which costs a loop its vectors.
pub(crate) fn greater(one: f64, other: f64) -> f64 {
    if one > other { one } else { other }
}

pub(crate) fn lesser(one: f64, other: f64) -> f64 {
    if one < other { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(10, 20);

    #[test]
    fn sides_have_no_one_added() {
        let bounds = BoundingBox::new(1.0, 2.0, 4.0, 7.0);
        assert_eq!((bounds.width(), bounds.height()), (3.0, 5.0));
        assert_eq!(bounds.area(), 15.0);
        assert_eq!(bounds.xywh(), [1.0, 2.0, 3.0, 5.0]);
        assert_eq!(BoundingBox::from_xywh(bounds.xywh()), bounds);
    }

    #[test]
    fn intersection_over_union_by_hand() {
        let one = BoundingBox::new(0.0, 0.0, 4.0, 4.0);
        let iou = |x1, y1, x2, y2| one.iou(&BoundingBox::new(x1, y1, x2, y2));
        // 2 x 2 of 16 + 16 - 4.
        assert_eq!(iou(2.0, 2.0, 6.0, 6.0), 4.0 / 28.0);
        assert_eq!(iou(0.0, 0.0, 4.0, 4.0), 1.0);
        assert_eq!(iou(1.0, 1.0, 3.0, 3.0), 4.0 / 16.0);
        // An edge, a corner, nothing, and far away on both axes.
        assert_eq!(iou(4.0, 0.0, 8.0, 4.0), 0.0);
        assert_eq!(iou(4.0, 4.0, 8.0, 8.0), 0.0);
        assert_eq!(iou(5.0, 5.0, 8.0, 8.0), 0.0);
        assert_eq!(iou(2.0, 2.0, 2.0, 2.0), 0.0);
        let point = BoundingBox::default();
        assert_eq!(point.iou(&point), 0.0);
    }

    #[test]
    fn clipping_leaves_an_edge_of_what_is_outside() {
        let clip = |x1, y1, x2, y2| BoundingBox::new(x1, y1, x2, y2).clip(SIZE);
        let inside = BoundingBox::new(1.0, 2.0, 3.0, 4.0);
        assert_eq!(inside.clip(SIZE), inside);
        assert_eq!(
            clip(-5.0, -1.0, 30.0, 10.5),
            BoundingBox::new(0.0, 0.0, 20.0, 10.0)
        );
        let outside = clip(21.0, 3.0, 25.0, 5.0);
        assert_eq!(outside, BoundingBox::new(20.0, 3.0, 20.0, 5.0));
        assert!(!outside.is_valid());
    }

    #[test]
    fn resizing_has_a_factor_for_each_axis() {
        let bounds = BoundingBox::new(2.0, 2.0, 4.0, 5.0);
        let resized = bounds.resize(SIZE, Size::new(20, 10));
        assert_eq!(resized, BoundingBox::new(1.0, 4.0, 2.0, 10.0));
        assert_eq!(resized.resize(Size::new(20, 10), SIZE), bounds);
    }

    #[test]
    fn flipping_twice_is_nothing() {
        let bounds = BoundingBox::new(2.0, 1.0, 5.0, 3.0);
        assert_eq!(bounds.flip(20), BoundingBox::new(15.0, 1.0, 18.0, 3.0));
        assert_eq!(bounds.flip(20).flip(20), bounds);
    }

    #[test]
    fn validity() {
        let valid = |x1, y1, x2, y2| BoundingBox::new(x1, y1, x2, y2).is_valid();
        assert!(valid(-1.0, 0.0, 0.0, 0.5));
        assert!(!valid(0.0, 0.0, 0.0, 1.0));
        assert!(!valid(2.0, 0.0, 1.0, 1.0));
        assert!(!valid(f64::NAN, 0.0, 1.0, 1.0));
        assert!(!valid(0.0, 0.0, f64::INFINITY, 1.0));
        assert!(!BoundingBox::new(f64::NAN, 0.0, 1.0, 1.0).has_sides_of(0.0));
        assert!(BoundingBox::new(0.0, 0.0, 1.0, 2.0).has_sides_of(1.0));
    }

    #[test]
    fn written_as_four_numbers() {
        let bounds = BoundingBox::new(1.0, 2.5, 3.0, 4.0);
        let text = serde_json::to_string(&bounds).unwrap();
        assert_eq!(text, "[1.0,2.5,3.0,4.0]");
        assert_eq!(serde_json::from_str::<BoundingBox>(&text).unwrap(), bounds);
    }
}
