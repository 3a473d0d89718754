//! The boxes of VOC's annotations, class by class.

use std::path::{Path, PathBuf};

use crate::annotations::voc::Annotation;
use crate::folder::boxes::{Xyxy, mask_of};
use crate::{DataError, ObjectMasks};

/// The annotations of a data set.
pub(super) struct Annotations {
    folder: PathBuf,
    /// The class that each label is about.
    classes: Vec<String>,
}

impl Annotations {
    pub(super) fn of(folder: PathBuf, classes: Vec<String>) -> Self {
        Self { folder, classes }
    }

    /// The boxes of each class in the image of that name and size; of an image without annotation
    /// nothing is known.
    ///
    /// # Errors
    /// The annotation cannot be read, or is none.
    pub(super) fn masks(&self, image: &str, size: (u32, u32)) -> Result<ObjectMasks, DataError> {
        let objects = match Annotation::read(&self.path(image)) {
            Err(DataError::Missing { .. }) => return Ok(ObjectMasks::Unknown),
            read => read?.objects,
        };
        let of_class = |class: &String| {
            let own = objects.iter().filter(|object| object.name == *class);
            let single = |corners: [f64; 4]| Xyxy(corners.map(|corner| corner as f32));
            let boxes: Vec<Xyxy> = own.map(|object| single(object.corners)).collect();
            mask_of(&boxes, size)
        };
        Ok(ObjectMasks::OfEach(
            self.classes.iter().map(of_class).collect(),
        ))
    }

    /// Bytes that change when the boxes of an image do.
    pub(super) fn state_of(&self, image: &str) -> Vec<u8> {
        std::fs::read(self.path(image)).unwrap_or_default()
    }

    fn path(&self, image: &str) -> PathBuf {
        let stem = Path::new(image).file_stem().unwrap_or_default();
        // A stem may have dots of its own.
        let mut name = stem.to_owned();
        name.push(".xml");
        self.folder.join(name)
    }
}
