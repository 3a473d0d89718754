//! Images with their objects, decoded when asked for.

use std::path::PathBuf;

use burn_dataset::Dataset;

use super::orientation::turned;
use super::told::Image;
use crate::decode::upright;
use crate::{DataError, Files, ObjectMasks, Sample, Target};

/// The images of a split.
pub(super) struct Photographs {
    pub(super) dir: PathBuf,
    pub(super) images: Vec<Image>,
    pub(super) class_numbers: Vec<Option<u64>>,
}

impl Photographs {
    fn path_of(&self, index: usize) -> PathBuf {
        self.dir.join(&self.images[index].name)
    }
}

impl Dataset<Sample, DataError> for Photographs {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let path = self.path_of(index);
        let (image, orientation) = upright(&path)?;
        let Image { size, objects, .. } = &self.images[index];
        let mut objects = objects.clone();
        let found = image.dimensions();
        match size.filter(|told| *told != found) {
            None => {}
            // They were drawn on the picture as it is stored: turned with it, they fit.
            Some(told) if swaps(orientation) && told == (found.1, found.0) => {
                for object in &mut objects {
                    object.bounds = turned(object.bounds, orientation, told);
                }
            }
            Some(told) => return Err(DataError::ImageSize { path, found, told }),
        }
        Ok(Sample {
            image,
            target: Target::Objects(objects),
            masks: ObjectMasks::Unknown,
        })
    }

    fn len(&self) -> usize {
        self.images.len()
    }
}

/// Whether width and height change places.
fn swaps(orientation: image::metadata::Orientation) -> bool {
    use image::metadata::Orientation as By;
    matches!(
        orientation,
        By::Rotate90 | By::Rotate270 | By::Rotate90FlipH | By::Rotate270FlipH
    )
}

impl Files for Photographs {
    fn name(&self, index: usize) -> String {
        self.images[index].name.clone()
    }

    fn path(&self, index: usize) -> Option<PathBuf> {
        Some(self.path_of(index))
    }

    fn target(&self, index: usize) -> Option<Target> {
        Some(Target::Objects(self.images[index].objects.clone()))
    }

    fn size(&self, index: usize) -> Option<(u32, u32)> {
        self.images[index].size
    }

    fn number(&self, index: usize) -> Option<u64> {
        self.images[index].number
    }

    fn class_numbers(&self) -> Vec<Option<u64>> {
        self.class_numbers.clone()
    }

    fn counts(&self) -> Vec<usize> {
        Vec::new()
    }
}
