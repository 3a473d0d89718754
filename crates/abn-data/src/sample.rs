//! What every data set yields: an image, what is right for it and, where it is known, where the
//! object lies.

use std::path::PathBuf;
use std::sync::Arc;

use burn_dataset::Dataset;
use burn_dataset::transform::PartialDataset;
use image::{GrayImage, RgbImage};

use crate::{DataError, Labels, Target};

/// One labelled image.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The picture, before any transform.
    pub image: RgbImage,
    /// What is right for it.
    pub target: Target,
    /// 255 on the object, 0 elsewhere, in the size of the image; only where the data set knows it.
    pub mask: Option<GrayImage>,
}

/// Any data set of labelled images, shared between threads.
pub type ImageDataset = Arc<dyn Dataset<Sample, DataError>>;

/// Which part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// The images to learn from.
    Train,
    /// The images to choose the epoch by, which no training sees.
    HeldOut,
    /// The images to measure on at the end, where they lie apart; else those held out.
    Test,
    /// Every image of photographs that nobody has split.
    All,
}

/// One split of a data set with its labels.
#[derive(Clone)]
pub struct Collection {
    /// The images.
    pub samples: ImageDataset,
    /// What is to be told of each image.
    pub labels: Labels,
    /// Whether images may have a mask.
    pub masked: bool,
    /// What a user should know of how the images were found, a sentence each.
    pub notes: Vec<String>,
    /// The file of each image, if it has one of its own.
    pub files: Option<Arc<dyn Files>>,
}

/// The files of a data set of photographs.
pub trait Files: Send + Sync {
    /// What the image of that index is called: its path below the folder of the data set, or in
    /// the archive that holds it, with `/` between folders.
    fn name(&self, index: usize) -> String;

    /// The file of that image; `None` if it lies in an archive.
    fn path(&self, index: usize) -> Option<PathBuf>;

    /// Number of images of each class, before any [limit](Collection::limit).
    fn counts(&self) -> Vec<usize>;
}

impl Collection {
    /// The first `count` samples, or all of them if there are fewer.
    #[must_use]
    pub fn limit(self, count: usize) -> Self {
        if count >= self.samples.len() {
            return self;
        }
        Self {
            samples: Arc::new(PartialDataset::new(self.samples, 0, count)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shapes;

    #[test]
    fn limit_keeps_the_first_samples() {
        let whole = Shapes::new(3, Split::HeldOut, 5).collection();
        let part = whole.clone().limit(2);
        assert_eq!(part.samples.len(), 2);
        assert_eq!(part.samples.get(1).unwrap(), whole.samples.get(1).unwrap());
        assert_eq!(part.limit(9).samples.len(), 2);
        assert_eq!(whole.limit(0).samples.len(), 0);
    }
}
