//! RoIAlign (He et al. 2017, section 3): the features of a region, sampled bilinearly on a grid of
//! bins, over channels-last values.
//!
//! The bilinear weights of a sample are products of one weight of its rows and one of its columns,
//! and so is what a bin takes of a position: both axes are walked by themselves, and a position
//! that several samples see is read once.

mod backward;
mod forward;
mod taps;

pub use backward::align_backward;
pub use forward::align;
pub use taps::{Axis, Tap};

/// The grid that every region is sampled on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Rows and columns of bins.
    pub bins: [usize; 2],
    /// Samples of a bin along each axis; 0 for as many as it has positions, rounded up.
    pub samples: usize,
    /// Positions of the features to a pixel of the image.
    pub scale: f64,
    /// Whether the centre of a pixel is half a pixel beside its number, as in Detectron2. Without
    /// it a region is at least one position wide and high, as in torchvision's detectors.
    pub aligned: bool,
}

/// A part of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// The number of the image in the batch.
    pub image: usize,
    /// Left, top, right and bottom, in pixels of the image.
    pub bounds: [f64; 4],
}

/// The features that regions are of, as they lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// Images.
    pub batch: usize,
    /// Channels of a position.
    pub channels: usize,
    /// Rows and columns of an image.
    pub size: [usize; 2],
}

impl Features {
    fn of_image(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }

    fn check(&self, regions: &[Region], values: usize) {
        assert_eq!(values, self.batch * self.of_image(), "values of {self:?}");
        assert!(
            regions.iter().all(|region| region.image < self.batch),
            "a region of an image beyond {}",
            self.batch
        );
    }
}
