//! The data sets, each one value in a file of its own: what it is called, what is told of its
//! images, where it lies, what its publications train with, how it opens.

mod attributes;
mod cifar10;
mod cifar100;
mod coco;
mod fingerprint;
mod folder;
mod imagenet;
mod scenes;
mod shapes;
mod svhn;
mod voc;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use abn_boxes::ByMode;
use abn_core::backbone::Family;
use abn_data::{Collection, DataError, Labels, Split, Truth, Within};

pub use self::attributes::ATTRIBUTES;
pub use self::cifar10::CIFAR10;
pub use self::cifar100::CIFAR100;
pub use self::coco::COCO;
pub use self::fingerprint::{fingerprint, fingerprint_but, fingerprint_of_objects};
pub use self::folder::FOLDER;
pub use self::imagenet::IMAGENET;
pub use self::scenes::SCENES;
pub use self::shapes::{PLAIN_SHAPES, SHAPES};
pub use self::svhn::SVHN;
pub use self::voc::VOC;
use crate::recipe::augmentation::Augmentation;
use crate::recipe::defaults::Defaults;
use crate::recipe::schedule::WarmUp;

/// All of them, in the order of lists.
pub static ALL: &[&DataSet] = &[
    &SHAPES,
    &PLAIN_SHAPES,
    &SCENES,
    &CIFAR10,
    &CIFAR100,
    &SVHN,
    &IMAGENET,
    &FOLDER,
    &ATTRIBUTES,
    &COCO,
    &VOC,
];

/// Environment variable that names the folder of all data sets.
const FOLDER_VARIABLE: &str = "ABN_DATASETS";

/// A data set that can be trained on.
pub struct DataSet {
    /// The name as typed and stored.
    pub name: &'static str,
    /// What it is, for a list of choices.
    pub about: &'static str,
    /// Where it lies unless said otherwise.
    pub place: Place,
    /// Whether its images are photographs of any size.
    pub photographs: bool,
    /// What can be told of its images, the usual choice first; empty if there is no choice.
    pub labels: &'static [&'static str],
    /// Whether lists beside its images tell their labels: then one of them may be chosen by name.
    pub tables: bool,
    /// Whether it is known where its objects are, for detectors.
    pub objects: Option<Objects>,
    /// Its classes, if they are known without the images.
    pub known_classes: Option<fn() -> Vec<String>>,
    /// What its publications train with.
    pub defaults: Defaults,
    /// What they train with for families that they train in another way.
    pub families: &'static [(Family, Defaults)],
    /// Opens one split.
    pub open: fn(&Request) -> Result<Collection, DataError>,
}

/// A data set for detectors.
pub struct Objects {
    /// Whether there is nothing but objects: no classifier learns it under this name.
    pub alone: bool,
    /// What is trained with.
    pub defaults: Defaults,
    /// How large images become.
    pub inputs: Within,
    /// How the learning rate rises.
    pub warm_up: WarmUp,
    /// Regions an image that are looked at in training, and at most otherwise, where images are too
    /// small for the usual number.
    pub regions: Option<ByMode>,
    /// Opens one split.
    pub open: fn(&Request) -> Result<Collection, DataError>,
}

/// Where a data set lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: it is made.
    BuiltIn,
    /// The folder of all data sets, where its reader looks for its own.
    AmongAll,
    /// That folder below the one of all data sets.
    Below(&'static str),
    /// Nobody knows.
    Anywhere,
}

/// What is opened of a data set.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Which images.
    pub split: Split,
    /// Where it lies; of no meaning for a built-in set.
    pub folder: &'a Path,
    /// Which of its labels are told, if not the usual ones.
    pub labels: Option<&'a str>,
    /// Whether photographs are asked for masks or for boxes.
    pub truth: Option<Truth>,
    /// The classes of a network, to which those of photographs are matched by name.
    pub classes: Option<&'a Labels>,
    /// Names of photographs that were there and keep their places, whether they still are or not.
    pub once: Option<&'a BTreeSet<String>>,
    /// Share of the built-in images that bear a planted mark.
    pub shortcut: Option<f64>,
    /// Whether images are cropped to the box of their object.
    pub crop: bool,
    /// Whether their objects are told instead of their labels.
    pub objects: bool,
}

impl<'a> Request<'a> {
    /// A split of what lies in a folder that [`folder`](DataSet::folder) gave, with its usual
    /// labels, and where the objects lie if that is known.
    pub fn of(split: Split, folder: Option<&'a Path>) -> Self {
        Self {
            split,
            folder: folder.unwrap_or(Path::new("")),
            labels: None,
            truth: None,
            classes: None,
            once: None,
            shortcut: None,
            crop: false,
            objects: false,
        }
    }
}

impl DataSet {
    /// The data set of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|dataset| dataset.name == name)
    }

    /// What its publications train a network of that family with.
    pub fn defaults_for(&self, family: Family) -> Defaults {
        let of_family = self.families.iter().find(|(known, _)| *known == family);
        of_family.map_or(self.defaults, |(_, defaults)| *defaults)
    }

    /// What its publications do with the images.
    pub fn augmentation(&self) -> Augmentation {
        Augmentation {
            augment: self.defaults.augment,
            side: self.defaults.side,
            photographs: self.photographs,
        }
    }

    /// Where the data set lies: in `given`, where it was `last`, or below the folder of all data
    /// sets. Absolute; `None` for the built-in set.
    ///
    /// # Errors
    /// The current folder is unknown, or the data set lies nowhere unless said where.
    pub fn folder(
        &self,
        given: Option<&Path>,
        last: Option<&Path>,
    ) -> Result<Option<PathBuf>, PlaceError> {
        let name = self.name;
        if self.place == Place::BuiltIn {
            return match given {
                Some(_) => Err(PlaceError::BuiltIn { name }),
                None => Ok(None),
            };
        }
        // A folder that was moved may have come to its usual place.
        let last = last.filter(|last| self.place == Place::Anywhere || last.exists());
        let folder = given
            .or(last)
            .map(Path::to_owned)
            .or_else(|| self.usual_folder());
        let expected = match self.tables {
            true => "photographs and a list of their labels",
            false => "a folder of photographs a class, or with train/ and val/",
        };
        let folder = folder.ok_or(PlaceError::Unknown { name, expected })?;
        std::path::absolute(folder)
            .map(Some)
            .map_err(PlaceError::Unusable)
    }

    /// Where it lies unless said otherwise.
    fn usual_folder(&self) -> Option<PathBuf> {
        match self.place {
            Place::BuiltIn | Place::Anywhere => None,
            Place::AmongAll => Some(folder_of_all()),
            Place::Below(folder) => Some(folder_of_all().join(folder)),
        }
    }

    /// Opens one split.
    ///
    /// # Errors
    /// The folder or a file in it is missing or damaged, or a network that is asked for lacks a
    /// class.
    pub fn open(&self, request: &Request) -> Result<Collection, DataError> {
        match &self.objects {
            Some(objects) if request.objects => (objects.open)(request),
            _ => (self.open)(request),
        }
    }
}

impl fmt::Debug for DataSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for DataSet {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for DataSet {}

/// Why a data set lies nowhere.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A folder for a set that needs none.
    #[error("the data set {name} is built in: a folder is of no use")]
    BuiltIn {
        /// The data set.
        name: &'static str,
    },
    /// No folder for a set that has no usual one.
    #[error("the data set {name} needs its folder: one with {expected}")]
    Unknown {
        /// The data set.
        name: &'static str,
        /// What should be in it.
        expected: &'static str,
    },
    /// A path that cannot be used.
    #[error("the folder of the data set is no usable path")]
    Unusable(#[source] std::io::Error),
}

/// Where data sets lie: `ABN_DATASETS`, or `datasets` in the current folder.
pub fn folder_of_all() -> PathBuf {
    let named = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty());
    named.map_or_else(|| PathBuf::from("datasets"), PathBuf::from)
}

/// A data set by its name on a command line.
#[cfg(feature = "clap")]
pub fn value_parser() -> impl clap::builder::TypedValueParser<Value = &'static DataSet> {
    use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

    let values = ALL
        .iter()
        .map(|dataset| PossibleValue::new(dataset.name).help(dataset.about));
    PossibleValuesParser::new(values)
        .try_map(|name| DataSet::named(&name).ok_or("there is no such data set"))
}

/// Data sets are stored by their names.
pub mod by_name {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{ALL, DataSet};

    /// Writes the name.
    ///
    /// # Errors
    /// Those of the format.
    pub fn serialize<S: Serializer>(dataset: &DataSet, format: S) -> Result<S::Ok, S::Error> {
        dataset.name.serialize(format)
    }

    /// Finds the data set of the name.
    ///
    /// # Errors
    /// There is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(format: D) -> Result<&'static DataSet, D::Error> {
        let name = String::deserialize(format)?;
        DataSet::named(&name).ok_or_else(|| {
            let known: Vec<&str> = ALL.iter().map(|dataset| dataset.name).collect();
            D::Error::custom(format!(
                "there is no data set `{name}`; there is {}",
                known.join(", ")
            ))
        })
    }
}
