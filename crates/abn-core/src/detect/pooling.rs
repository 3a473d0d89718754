//! The features of regions, each from the level of the pyramid that fits its size (Lin et al. 2017,
//! equation 1; He et al. 2017, section 3).

use abn_boxes::{BoundingBox, RoiLevels, Size, roi_scale};
use abn_kernels::ops::roi_align;
use abn_kernels::roi_align::{Grid, Region};
use burn::tensor::{Int, Tensor};

/// The features of regions, level by level.
#[derive(Debug, Clone)]
pub struct Pooled {
    /// `[R, C, side, side]`.
    pub features: Tensor<4>,
    /// Of each region in the order in which they were given its row; `None` where that is the order
    /// of the rows. To put a few numbers a region in order later is cheaper than to move features.
    pub rows: Option<Tensor<1, Int>>,
}

impl Pooled {
    /// Puts what was made of the rows into the order of the regions.
    pub(super) fn in_order<const D: usize>(
        rows: Option<&Tensor<1, Int>>,
        made: Tensor<D>,
    ) -> Tensor<D> {
        match rows {
            Some(rows) => made.select(0, rows.clone()),
            None => made,
        }
    }
}

/// How regions are pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pooling {
    /// Rows and columns of a region.
    pub side: usize,
    /// Samples of a bin along each axis; 0 for as many as it has positions.
    pub samples: usize,
}

impl Pooling {
    /// Factors from the image to levels.
    fn scales(levels: &[Tensor<4>], largest: Size) -> Vec<f64> {
        let scale = |level: &Tensor<4>| {
            let [_, _, height, width] = level.dims();
            roi_scale(Size { height, width }, largest)
        };
        levels.iter().map(scale).collect()
    }

    /// The level that a region is pooled from.
    ///
    /// `largest` is the size of the images before they were padded.
    pub fn level(levels: &[Tensor<4>], region: &BoundingBox, largest: Size) -> usize {
        match levels.len() {
            0 | 1 => 0,
            _ => RoiLevels::of_scales(&Self::scales(levels, largest)).level(region),
        }
    }

    /// The features of the regions of each image, one image after the other.
    ///
    /// `largest` is that of the images before they were padded.
    ///
    /// # Shapes
    /// Levels `[B, C, h, w]`, the finest first, to `[regions of all images, C, side, side]`.
    pub fn forward(
        &self,
        levels: &[Tensor<4>],
        regions: &[Vec<BoundingBox>],
        largest: Size,
    ) -> Pooled {
        let scales = Self::scales(levels, largest);
        let of_image = |(image, boxes): (usize, &Vec<BoundingBox>)| {
            let region = move |bounds: &BoundingBox| Region {
                image,
                bounds: (*bounds).into(),
            };
            boxes.iter().map(region).collect::<Vec<_>>()
        };
        let all: Vec<Region> = regions.iter().enumerate().flat_map(of_image).collect();
        let aligned = |level: usize, own: &[Region]| {
            let grid = Grid {
                bins: [self.side; 2],
                samples: self.samples,
                scale: scales[level],
                aligned: false,
            };
            roi_align(levels[level].clone(), own, grid)
        };
        let on = |level: usize| Pooled {
            features: aligned(level, &all),
            rows: None,
        };
        if levels.len() == 1 {
            return on(0);
        }
        let chosen = RoiLevels::of_scales(&scales);
        let level_of: Vec<usize> = regions
            .iter()
            .flatten()
            .map(|bounds| chosen.level(bounds))
            .collect();
        let first = level_of.first().copied().unwrap_or_default();
        if level_of.iter().all(|level| *level == first) {
            return on(first);
        }
        // Level by level.
        let (mut pooled, mut places) = (Vec::new(), vec![0_i64; all.len()]);
        let mut next = 0;
        for level in 0..levels.len() {
            let members = (0..all.len()).filter(|number| level_of[*number] == level);
            let members: Vec<usize> = members.collect();
            if members.is_empty() {
                continue;
            }
            for number in &members {
                places[*number] = next;
                next += 1;
            }
            let own: Vec<Region> = members.iter().map(|number| all[*number]).collect();
            pooled.push(aligned(level, &own));
        }
        let rows = Tensor::<1, Int>::from_ints(places.as_slice(), &levels[0].device());
        Pooled {
            features: Tensor::cat(pooled, 0),
            rows: Some(rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// Levels of one value each: what a region sees says where it was pooled.
    #[test]
    fn regions_come_back_in_their_order() {
        let device = Device::flex();
        let levels: Vec<Tensor<4>> = [(64, 1.0), (32, 2.0), (16, 3.0), (8, 4.0)]
            .map(|(side, value)| Tensor::full([2, 1, side, side], value, &device))
            .into();
        let at = |x: f64, side: f64| BoundingBox::new(x, 0.0, x + side, side);
        let regions = [vec![at(0.0, 250.0), at(3.0, 20.0), at(0.0, 120.0)], vec![]];
        let pooling = Pooling {
            side: 1,
            samples: 2,
        };
        let in_order = |regions: &[Vec<BoundingBox>]| -> Vec<f32> {
            let Pooled { features, rows } = pooling.forward(&levels, regions, Size::new(256, 256));
            let found = Pooled::in_order(rows.as_ref(), features);
            found.into_data().iter().collect()
        };
        assert_eq!(in_order(&regions), [3.0, 1.0, 2.0]);
        assert_eq!(
            in_order(&[vec![at(3.0, 20.0)], vec![at(9.0, 21.0)]]),
            [1.0, 1.0]
        );
        assert!(in_order(&[vec![], vec![]]).is_empty());
        let level = Pooling::level(&levels, &at(0.0, 250.0), Size::new(256, 256));
        assert_eq!(level, 2);
    }
}
