//! The features of regions, each from the level of the pyramid that fits its size (Lin et al. 2017,
//! equation 1; He et al. 2017, section 3).

use abn_boxes::{BoundingBox, RoiLevels, Size, roi_scale};
use abn_kernels::ops::roi_align;
use abn_kernels::roi_align::{Grid, Region};
use burn::tensor::{Int, Tensor};

/// How regions are pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pooling {
    /// Rows and columns of a region.
    pub side: usize,
    /// Samples of a bin along each axis; 0 for as many as it has positions.
    pub samples: usize,
}

impl Pooling {
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
    ) -> Tensor<4> {
        let scales: Vec<f64> = levels
            .iter()
            .map(|level| {
                let [_, _, height, width] = level.dims();
                roi_scale(Size { height, width }, largest)
            })
            .collect();
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
        if levels.len() == 1 {
            return aligned(0, &all);
        }
        let chosen = RoiLevels::of_scales(&scales);
        let level_of: Vec<usize> = regions
            .iter()
            .flatten()
            .map(|bounds| chosen.level(bounds))
            .collect();
        // Level by level, then back into the order in which they came.
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
        if pooled.is_empty() {
            return aligned(0, &[]);
        }
        let places = Tensor::<1, Int>::from_ints(places.as_slice(), &levels[0].device());
        Tensor::cat(pooled, 0).select(0, places)
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
        let found = pooling.forward(&levels, &regions, Size::new(256, 256));
        let found: Vec<f32> = found.into_data().iter().collect();
        assert_eq!(found, [3.0, 1.0, 2.0]);
    }
}
