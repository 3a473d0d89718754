//! Images with their objects, decoded when asked for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn_dataset::Dataset;

use super::told::Image;
use crate::decode::upright;
use crate::pack::Entries;
use crate::{DataError, Files, ObjectMasks, Sample, Target};

/// The images of a split.
pub(super) struct Photographs {
    pub(super) source: Source,
    pub(super) images: Vec<Image>,
    pub(super) class_numbers: Vec<Option<u64>>,
}

/// Where images are read.
pub(super) enum Source {
    Folder(PathBuf),
    /// By the number of each name.
    Pack(Entries, HashMap<String, usize>),
}

impl Dataset<Sample, DataError> for Photographs {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let image = &self.images[index];
        let name = &image.name;
        let (picture, objects) = match &self.source {
            Source::Folder(dir) => {
                let path = dir.join(name);
                let (picture, orientation) = upright(&path)?;
                let objects = image.placed(&path, picture.dimensions(), orientation)?;
                (picture, objects)
            }
            Source::Pack(entries, numbers) => {
                let (picture, orientation) = entries.upright(numbers[name], name)?;
                let objects = image.placed(Path::new(name), picture.dimensions(), orientation);
                let objects = objects.map_err(|error| entries.damaged(name, &error.in_full()))?;
                (picture, objects)
            }
        };
        Ok(Sample {
            image: picture,
            target: Target::Objects(objects),
            masks: ObjectMasks::Unknown,
        })
    }

    fn len(&self) -> usize {
        self.images.len()
    }
}

impl Files for Photographs {
    fn name(&self, index: usize) -> String {
        self.images[index].name.clone()
    }

    fn path(&self, index: usize) -> Option<PathBuf> {
        match &self.source {
            Source::Folder(dir) => Some(dir.join(&self.images[index].name)),
            Source::Pack(..) => None,
        }
    }

    fn sha256(&self, index: usize) -> Option<[u8; 32]> {
        match &self.source {
            Source::Folder(_) => None,
            Source::Pack(entries, numbers) => {
                Some(entries.source_of(numbers[&self.images[index].name]))
            }
        }
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
