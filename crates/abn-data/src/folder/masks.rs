//! Where the objects lie: one mask an image, in folders that mirror those of the images.

use std::fs;
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, Luma};

use crate::DataError;
use crate::decode::{Gray, read_gray};

/// What the values of a mask file mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// Anything but 0 is the object.
    Mask,
    /// 1 object, 2 background, 3 the border between them: the Oxford-IIIT pets.
    Trimap,
}

/// A folder of masks.
#[derive(Debug, Clone)]
pub(crate) struct Masks {
    root: PathBuf,
    values: Values,
}

impl Masks {
    /// `masks/` or `trimaps/` in `dir`. In a set that is held out by hand they have `train/` and
    /// `val/`, too, the last part of the path `within` to the class folders.
    pub(super) fn find(dir: &Path, within: &Path) -> Option<Self> {
        let (root, values) = folder(dir)?;
        let apart = Some(root.join(within)).filter(|apart| apart.is_dir());
        Some(Self {
            root: apart.unwrap_or(root),
            values,
        })
    }

    /// Where the mask of an image would lie, below the folder of masks.
    pub(super) fn path_of(&self, image: &Path) -> PathBuf {
        self.root.join(image).with_extension("png")
    }

    /// The bytes of the mask of an image and what they mean; if there is no such file, none.
    pub(super) fn file_of(&self, image: &Path) -> Vec<u8> {
        let mut bytes = fs::read(self.path_of(image)).unwrap_or_default();
        bytes.push(self.values as u8);
        bytes
    }

    /// The mask of the image of that name and size, if there is one.
    pub(super) fn read(
        &self,
        image: &Path,
        size: (u32, u32),
        orientation: Orientation,
    ) -> Result<Option<GrayImage>, DataError> {
        let path = self.path_of(image);
        let values = match read_gray(&path) {
            Err(DataError::Missing { .. }) => return Ok(None),
            read => fitted(read?, size, orientation, path)?,
        };
        let covered = |value: u16| match self.values {
            Values::Mask => value > 0,
            Values::Trimap => value == 1,
        };
        Ok(Some(mask_of(values, covered)))
    }
}

/// The folder of all masks in `dir`.
pub(super) fn folder_in(dir: &Path) -> Option<PathBuf> {
    folder(dir).map(|(folder, _)| folder)
}

fn folder(dir: &Path) -> Option<(PathBuf, Values)> {
    let kinds = [("masks", Values::Mask), ("trimaps", Values::Trimap)];
    kinds
        .into_iter()
        .map(|(name, values)| (dir.join(name), values))
        .find(|(folder, _)| folder.is_dir())
}

/// The values of a mask in the size of its image, which had to be turned upright by that
/// orientation. A mask that was drawn on the picture as it is stored is turned with it.
///
/// # Errors
/// It has another size.
pub(crate) fn fitted(
    values: Gray,
    size: (u32, u32),
    orientation: Orientation,
    path: PathBuf,
) -> Result<Gray, DataError> {
    if values.dimensions() == size {
        return Ok(values);
    }
    let found = values.dimensions();
    let mut mask = DynamicImage::ImageLuma16(values);
    mask.apply_orientation(orientation);
    let values = mask.into_luma16();
    if values.dimensions() == size {
        return Ok(values);
    }
    Err(DataError::MaskSize {
        path,
        found,
        expected: size,
        turned: orientation != Orientation::NoTransforms,
    })
}

/// 255 where a value is on the object.
pub(crate) fn mask_of(values: Gray, covered: impl Fn(u16) -> bool) -> GrayImage {
    GrayImage::from_fn(values.width(), values.height(), |x, y| {
        Luma([if covered(values.get_pixel(x, y)[0]) {
            255
        } else {
            0
        }])
    })
}
