//! Anchors: the boxes that a region proposal network starts from (Ren et al. 2015, section 3.1.1),
//! a few at each cell of each level of features.
//!
//! ```text
//! anchors [level][y][x][ratio][size]      ratio = height / width
//! ```
//!
//! That is the order of a network's outputs `[B, anchors, H, W]` after they were laid out as
//! `[B, H, W, anchors]`, one level behind the other.

use serde::{Deserialize, Serialize};

use crate::{BoundingBox, Size};

/// Sizes and shapes of anchors, as torchvision's `AnchorGenerator` has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorGenerator {
    /// Square roots of areas, in pixels of the resized image: a list a level.
    pub sizes: Vec<Vec<f64>>,
    /// Height by width, the same at all levels.
    pub ratios: Vec<f64>,
}

/// The anchors of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Anchors {
    /// All, level by level.
    pub boxes: Vec<BoundingBox>,
    /// How many each level has.
    pub levels: Vec<usize>,
}

impl AnchorGenerator {
    /// How many anchors a cell of a level has.
    ///
    /// # Panics
    /// There is no such level.
    #[must_use]
    pub fn per_cell(&self, level: usize) -> usize {
        self.sizes[level].len() * self.ratios.len()
    }

    /// The anchors of a level around the origin, with whole corners: halves go to the even number.
    ///
    /// # Panics
    /// There is no such level.
    #[must_use]
    pub fn at_origin(&self, level: usize) -> Vec<BoundingBox> {
        let of_ratio = |ratio: &f64| {
            let tall = ratio.sqrt();
            let wide = 1.0 / tall;
            self.sizes[level].iter().map(move |size| {
                let (x, y) = (wide * size / 2.0, tall * size / 2.0);
                let (x, y) = (x.round_ties_even(), y.round_ties_even());
                BoundingBox::new(-x, -y, x, y)
            })
        };
        self.ratios.iter().flat_map(of_ratio).collect()
    }

    /// The anchors of an image. The centre of a cell is its number by its stride, without half a
    /// cell added; the stride is the padded image's size divided by the grid's, rounded down, for
    /// each axis. Anchors reach beyond the image, and none is left out.
    ///
    /// # Panics
    /// There are other than one grid a level, or a grid has no cells.
    #[must_use]
    pub fn anchors(&self, padded: Size, grids: &[Size]) -> Anchors {
        assert_eq!(grids.len(), self.sizes.len(), "a grid for each level");
        let levels: Vec<usize> = grids
            .iter()
            .enumerate()
            .map(|(level, grid)| grid.height * grid.width * self.per_cell(level))
            .collect();
        let mut boxes = Vec::with_capacity(levels.iter().sum());
        for (level, grid) in grids.iter().enumerate() {
            let at_origin = self.at_origin(level);
            let (down, right) = (padded.height / grid.height, padded.width / grid.width);
            for y in 0..grid.height {
                for x in 0..grid.width {
                    let (x, y) = ((x * right) as f64, (y * down) as f64);
                    let moved = |anchor: &BoundingBox| {
                        BoundingBox::new(x + anchor.x1, y + anchor.y1, x + anchor.x2, y + anchor.y2)
                    };
                    boxes.extend(at_origin.iter().map(moved));
                }
            }
        }
        Anchors { boxes, levels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DetectorConstants;

    fn corners(boxes: &[BoundingBox]) -> Vec<[f64; 4]> {
        boxes.iter().map(|bounds| (*bounds).into()).collect()
    }

    #[test]
    fn those_of_torchvision() {
        let anchors = DetectorConstants::fpn().anchors;
        // 32 / sqrt(.5) / 2 = 22.6, 32 * sqrt(.5) / 2 = 11.3.
        let first = [
            [-23.0, -11.0, 23.0, 11.0],
            [-16.0, -16.0, 16.0, 16.0],
            [-11.0, -23.0, 11.0, 23.0],
        ];
        assert_eq!(corners(&anchors.at_origin(0)), first);
        let widest: Vec<f64> = (0..5).map(|level| anchors.at_origin(level)[0].x2).collect();
        assert_eq!(widest, [23.0, 45.0, 91.0, 181.0, 362.0]);
        let lowest: Vec<f64> = (0..5).map(|level| anchors.at_origin(level)[0].y2).collect();
        assert_eq!(lowest, [11.0, 23.0, 45.0, 91.0, 181.0]);
    }

    #[test]
    fn halves_go_to_the_even_number() {
        let sizes = vec![vec![5.0, 7.0]];
        let anchors = AnchorGenerator {
            sizes,
            ratios: vec![1.0],
        };
        let halves: Vec<f64> = anchors.at_origin(0).iter().map(|of| of.x2).collect();
        assert_eq!(halves, [2.0, 4.0]);
    }

    #[test]
    fn ratios_are_outside_sizes() {
        let sizes = vec![vec![2.0, 4.0]];
        let ratios = vec![1.0, 4.0];
        let anchors = AnchorGenerator { sizes, ratios };
        let expected = [
            [-1.0, -1.0, 1.0, 1.0],
            [-2.0, -2.0, 2.0, 2.0],
            [-0.0, -2.0, 0.0, 2.0],
            [-1.0, -4.0, 1.0, 4.0],
        ];
        assert_eq!(corners(&anchors.at_origin(0)), expected);
    }

    #[test]
    fn strides_are_whole_and_differ_by_axis() {
        let anchors = AnchorGenerator {
            sizes: vec![vec![2.0], vec![4.0]],
            ratios: vec![1.0],
        };
        // 8 / 2 and 11 / 3; 8 / 1 and 11 / 2.
        let found = anchors.anchors(Size::new(8, 11), &[Size::new(2, 3), Size::new(1, 2)]);
        assert_eq!(found.levels, [6, 2]);
        let left: Vec<f64> = found.boxes.iter().map(|bounds| bounds.x1 + 1.0).collect();
        assert_eq!(left, [0.0, 3.0, 6.0, 0.0, 3.0, 6.0, -1.0, 4.0]);
        let upper: Vec<f64> = found.boxes.iter().map(|bounds| bounds.y1 + 1.0).collect();
        assert_eq!(upper, [0.0, 0.0, 0.0, 4.0, 4.0, 4.0, -1.0, -1.0]);
    }

    #[test]
    fn as_many_as_torchvision_has_of_an_image_of_coco() {
        let grids = [(200, 304), (100, 152), (50, 76), (25, 38), (13, 19)];
        let grids = grids.map(|(height, width)| Size::new(height, width));
        let found = DetectorConstants::fpn()
            .anchors
            .anchors(Size::new(800, 1216), &grids);
        assert_eq!(found.boxes.len(), 242_991);
        // The last cell of the coarsest level: strides 61 and 64.
        let last = found.boxes[242_990 - 1];
        assert_eq!(
            (last.x1 + 256.0, last.y1 + 256.0),
            (18.0 * 64.0, 12.0 * 61.0)
        );
    }
}
