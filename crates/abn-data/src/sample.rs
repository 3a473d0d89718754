//! What every data set yields: an image, what is right for it and, where it is known, where the
//! object lies.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use burn_dataset::Dataset;
use burn_dataset::transform::PartialDataset;
use image::RgbImage;

use crate::interventions::{self, Interventions};
use crate::{DataError, Labels, ObjectMasks, Target};

/// One labelled image.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The picture, before any transform.
    pub image: RgbImage,
    /// What is right for it.
    pub target: Target,
    /// Where the objects lie, in the size of the image; only where the data set knows it.
    pub masks: ObjectMasks,
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
    /// What the images would be without their things, if they can be made again.
    pub interventions: Option<Arc<dyn Interventions>>,
}

/// The files of a data set of photographs.
pub trait Files: Send + Sync {
    /// What the image of that index is called: its path below the folder of the data set, or in
    /// the archive that holds it, with `/` between folders.
    fn name(&self, index: usize) -> String;

    /// The file of that image; `None` if it lies in an archive.
    fn path(&self, index: usize) -> Option<PathBuf>;

    /// The SHA-256 of the file of that image, if an archive knows it.
    fn sha256(&self, _index: usize) -> Option<[u8; 32]> {
        None
    }

    /// What is right for that image, if a list tells it without the image.
    fn target(&self, _index: usize) -> Option<Target> {
        None
    }

    /// Width and height of that image, if a list tells them without the image. Nobody may have
    /// compared them with it.
    fn size(&self, _index: usize) -> Option<(u32, u32)> {
        None
    }

    /// The number of that image in the list that tells its objects, if images have one there.
    fn number(&self, _index: usize) -> Option<u64> {
        None
    }

    /// The number of each class in that list; `None` of a class that it does not have.
    fn class_numbers(&self) -> Vec<Option<u64>> {
        Vec::new()
    }

    /// Number of images of each class, with those that are [left out](Collection::without); before
    /// any [limit](Collection::limit) where [`target`](Self::target) does not tell. Empty where
    /// images have objects instead of labels.
    fn counts(&self) -> Vec<usize>;
}

impl Collection {
    /// The first `count` samples, or all of them if there are fewer.
    #[must_use]
    pub fn limit(self, count: usize) -> Self {
        if count >= self.samples.len() {
            return self;
        }
        let first = self.first_of_each_label();
        let files = self
            .files
            .map(|of| -> Arc<dyn Files> { Arc::new(First { of, count, first }) });
        Self {
            samples: Arc::new(PartialDataset::new(self.samples, 0, count)),
            files,
            ..self
        }
    }

    /// Number of the first class of each label, and of one behind the last.
    fn first_of_each_label(&self) -> Vec<usize> {
        let labels = 0..=self.labels.groups().len();
        labels.map(|label| self.labels.first_of(label)).collect()
    }

    /// The samples but those of these indices.
    #[must_use]
    pub fn without(self, indices: &BTreeSet<usize>) -> Self {
        if indices.is_empty() {
            return self;
        }
        let places: Vec<usize> = (0..self.samples.len())
            .filter(|index| !indices.contains(index))
            .collect();
        let files = self.files.map(|of| -> Arc<dyn Files> {
            let places = places.clone();
            Arc::new(Chosen { of, places })
        });
        let again = self.interventions;
        let interventions = again.map(|of| interventions::chosen(of, places.clone()));
        let of = self.samples;
        Self {
            samples: Arc::new(Chosen { of, places }),
            files,
            interventions,
            ..self
        }
    }
}

/// The files of the first images.
struct First {
    of: Arc<dyn Files>,
    count: usize,
    /// Number of the first class of each label, and of one behind the last.
    first: Vec<usize>,
}

impl Files for First {
    fn name(&self, index: usize) -> String {
        self.of.name(index)
    }

    fn path(&self, index: usize) -> Option<PathBuf> {
        self.of.path(index)
    }

    fn sha256(&self, index: usize) -> Option<[u8; 32]> {
        self.of.sha256(index)
    }

    fn target(&self, index: usize) -> Option<Target> {
        self.of.target(index)
    }

    fn size(&self, index: usize) -> Option<(u32, u32)> {
        self.of.size(index)
    }

    fn number(&self, index: usize) -> Option<u64> {
        self.of.number(index)
    }

    fn class_numbers(&self) -> Vec<Option<u64>> {
        self.of.class_numbers()
    }

    fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.first.last().copied().unwrap_or_default()];
        if self.of.counts().is_empty() {
            return Vec::new();
        }
        for index in 0..self.count {
            let Some(target) = self.of.target(index) else {
                return self.of.counts();
            };
            for (first, class) in self.first.iter().zip(target.classes()) {
                if let Some(class) = class {
                    counts[first + class] += 1;
                }
            }
        }
        counts
    }
}

/// Some of others.
pub(crate) struct Chosen<T: ?Sized> {
    pub(crate) of: Arc<T>,
    /// The index of each among the others.
    pub(crate) places: Vec<usize>,
}

/// Burn's selection of a data set knows no errors but Burn's.
impl Dataset<Sample, DataError> for Chosen<dyn Dataset<Sample, DataError>> {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        self.of.get(self.places[index])
    }

    fn len(&self) -> usize {
        self.places.len()
    }
}

impl Files for Chosen<dyn Files> {
    fn name(&self, index: usize) -> String {
        self.of.name(self.places[index])
    }

    fn path(&self, index: usize) -> Option<PathBuf> {
        self.of.path(self.places[index])
    }

    fn sha256(&self, index: usize) -> Option<[u8; 32]> {
        self.of.sha256(self.places[index])
    }

    fn target(&self, index: usize) -> Option<Target> {
        self.of.target(self.places[index])
    }

    fn size(&self, index: usize) -> Option<(u32, u32)> {
        self.of.size(self.places[index])
    }

    fn number(&self, index: usize) -> Option<u64> {
        self.of.number(self.places[index])
    }

    fn class_numbers(&self) -> Vec<Option<u64>> {
        self.of.class_numbers()
    }

    fn counts(&self) -> Vec<usize> {
        self.of.counts()
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

    #[test]
    fn the_others_move_up() {
        let whole = Shapes::new(3, Split::HeldOut, 5).collection();
        let part = whole.clone().without(&BTreeSet::from([0, 3]));
        let expected = [1, 2, 4].map(|index| whole.samples.get(index).unwrap());
        assert_eq!(part.samples.len(), 3);
        for (index, sample) in expected.into_iter().enumerate() {
            assert_eq!(part.samples.get(index).unwrap(), sample);
        }
    }
}
