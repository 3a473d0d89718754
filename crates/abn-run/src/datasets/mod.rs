//! Data sets by name, and where they lie.

use std::path::{Path, PathBuf};

use abn_data::{
    Collection, DataError, Sample, Shapes, Split, Truth, cifar10, cifar100, image_folder,
    imagenet_classes,
};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::digest::sha256;

/// Environment variable that names the folder of all data sets.
const FOLDER_VARIABLE: &str = "ABN_DATASETS";

/// Images of the built-in set.
const SHAPES_TRAIN: usize = 2000;
/// Held-out images of the built-in set.
const SHAPES_TEST: usize = 500;
/// The built-in set is one fixed set: the seed of a run changes the training, not the images.
const SHAPES_SEED: u64 = 2019;
/// Which photographs of a folder are held out is fixed as well: runs with different seeds are
/// measured on the same images, and no run on images that another one has learned.
const SPLIT_SEED: u64 = 2019;

/// The data sets that can be trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum DatasetName {
    /// Built in: generated textured objects on cluttered backgrounds, with the mask of the object
    Shapes,
    /// CIFAR-10, binary version
    Cifar10,
    /// CIFAR-100, binary version, fine labels
    Cifar100,
    /// ImageNet: train/ and val/ with one folder a class
    Imagenet,
    /// Your photographs: one folder a class, split by chance, or train/ and val/ (needs --data)
    Folder,
}

impl DatasetName {
    /// The name as typed and stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shapes => "shapes",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Imagenet => "imagenet",
            Self::Folder => "folder",
        }
    }

    /// Whether its images are photographs of any size.
    pub fn has_photographs(self) -> bool {
        matches!(self, Self::Imagenet | Self::Folder)
    }

    /// Its classes if they are known without the images.
    pub fn known_classes(self) -> Option<Vec<String>> {
        (self == Self::Imagenet).then(imagenet_classes)
    }

    /// Where the data set lies: in `given`, where it was `last`, or below the folder of all data
    /// sets. Absolute; `None` for the built-in set.
    ///
    /// # Errors
    /// The current folder is unknown, or the data set lies nowhere unless said where.
    pub fn folder(self, given: Option<&Path>, last: Option<&Path>) -> Result<Option<PathBuf>> {
        if self == Self::Shapes {
            ensure!(
                given.is_none(),
                "--data is of no use: the data set shapes is built in"
            );
            return Ok(None);
        }
        // A folder that was moved may have come to its usual place.
        let last = last.filter(|last| self == Self::Folder || last.exists());
        let folder = given
            .or(last)
            .map(Path::to_owned)
            .or_else(|| self.usual_folder());
        let folder = folder.context(
            "--dataset folder needs --data DIR: a folder with one folder of photographs a class, \
             or with train/ and val/",
        )?;
        Ok(Some(
            std::path::absolute(folder).context("--data is not a usable path")?,
        ))
    }

    /// Where it lies unless said otherwise.
    fn usual_folder(self) -> Option<PathBuf> {
        match self {
            Self::Shapes | Self::Folder => None,
            // Their own folders are looked for in it.
            Self::Cifar10 | Self::Cifar100 => Some(folder_of_all()),
            Self::Imagenet => Some(folder_of_all().join(self.name())),
        }
    }

    /// Opens one split in a folder that [`folder`](Self::folder) gave, with where the objects lie
    /// if that is known. `truth` asks photographs for masks or for boxes.
    ///
    /// # Errors
    /// The folder or a file in it is missing or damaged.
    pub fn open(
        self,
        split: Split,
        folder: Option<&Path>,
        truth: Option<Truth>,
    ) -> Result<Collection, DataError> {
        let folder = || {
            folder
                .map(Path::to_owned)
                .or_else(|| self.usual_folder())
                .unwrap_or_default()
        };
        match self {
            Self::Shapes => {
                let count = if split == Split::Train {
                    SHAPES_TRAIN
                } else {
                    SHAPES_TEST
                };
                Ok(Shapes::new(SHAPES_SEED, split, count).collection())
            }
            Self::Cifar10 => cifar10(&folder(), split),
            Self::Cifar100 => cifar100(&folder(), split),
            Self::Imagenet | Self::Folder => image_folder(&folder(), split, SPLIT_SEED, truth),
        }
    }
}

/// `ABN_DATASETS`, or `datasets` in the current folder.
fn folder_of_all() -> PathBuf {
    let named = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty());
    named.map_or_else(|| PathBuf::from("datasets"), PathBuf::from)
}

/// A short digest of a split: its size and a few dozen of its images and labels, evenly spread. It
/// tells other data in the same place without reading everything.
///
/// # Errors
/// A sample cannot be read.
pub fn fingerprint(collection: &Collection) -> Result<String> {
    let digest = digest(collection, |sample, bytes| {
        bytes.extend(sample.label.to_le_bytes());
        bytes.extend(sample.image.as_raw());
    })?;
    Ok(format!("{} images, {digest}", collection.samples.len()))
}

/// The same of the objects in the images; `None` if they are not known.
///
/// # Errors
/// A sample cannot be read.
pub fn fingerprint_of_objects(collection: &Collection) -> Result<Option<String>> {
    let bytes_of = |sample: &Sample, bytes: &mut Vec<u8>| match &sample.mask {
        Some(mask) => bytes.extend(mask.as_raw()),
        None => bytes.push(1),
    };
    collection
        .masked
        .then(|| digest(collection, bytes_of))
        .transpose()
}

/// 16 hexadecimal digits for what `bytes_of` appends for each of a few dozen samples.
fn digest(collection: &Collection, bytes_of: impl Fn(&Sample, &mut Vec<u8>)) -> Result<String> {
    const LOOKED_AT: usize = 64;
    let count = collection.samples.len();
    let mut bytes = count.to_le_bytes().to_vec();
    for place in 0..LOOKED_AT.min(count) {
        bytes_of(
            &collection
                .samples
                .get(place * count / LOOKED_AT.min(count))?,
            &mut bytes,
        );
    }
    Ok(sha256(&bytes)[..16].to_owned())
}
