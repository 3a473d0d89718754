//! How a folder of photographs is laid out.

use std::path::{Path, PathBuf};

use super::class_folders;
use crate::{DataError, Split};

/// Names of the folder with the held-out images, in order of preference.
const HELD_OUT: [&str; 2] = ["val", "test"];

/// Where the class folders lie.
#[derive(Debug)]
pub(super) enum Layout {
    /// Training and held-out images apart.
    HeldOut {
        /// Class folders to learn from.
        train: PathBuf,
        /// Class folders to measure on.
        test: PathBuf,
    },
    /// All images together.
    Whole {
        /// The class folders.
        root: PathBuf,
    },
}

impl Layout {
    /// The layout of `dir`.
    ///
    /// A class may be named train or images, too: `train/` counts as the training images only
    /// beside `val/` or `test/` or if it is alone, and `images/` as the place of all images only if
    /// it has folders in it. `val/` alone is enough to measure on.
    pub(super) fn find(dir: &Path) -> Result<Self, DataError> {
        if !dir.is_dir() {
            return Err(missing(
                dir,
                "a folder with one folder of images a class",
                "check the path",
            ));
        }
        let train = dir.join("train");
        let test = HELD_OUT
            .iter()
            .map(|name| dir.join(name))
            .find(|test| test.is_dir());
        let alone = || class_folders(dir).map(|folders| folders.len() == 1);
        match test {
            Some(test) if train.is_dir() || alone()? => return Ok(Self::HeldOut { train, test }),
            None if train.is_dir() && alone()? => {
                let advice =
                    "add it, or name the folder train itself to have one image in five held out";
                return Err(missing(
                    &dir.join(HELD_OUT[0]),
                    "the held-out images beside train/",
                    advice,
                ));
            }
            _ => {}
        }
        let images = dir.join("images");
        if images.is_dir() && !class_folders(&images)?.is_empty() {
            return Ok(Self::Whole { root: images });
        }
        Ok(Self::Whole { root: dir.into() })
    }

    /// The class folders, which must be the same for training and held-out images.
    pub(super) fn classes(&self, split: Split) -> Result<Vec<String>, DataError> {
        match self {
            Self::Whole { root } => at_least_two(root),
            Self::HeldOut { train, test } if !train.is_dir() => match split {
                Split::Train => Err(missing(
                    train,
                    "the images to learn from beside those held out",
                    "add it",
                )),
                Split::HeldOut => at_least_two(test),
            },
            Self::HeldOut { train, test } => {
                let classes = at_least_two(train)?;
                let held_out = at_least_two(test)?;
                all_in(&classes, &held_out, train, test)?;
                all_in(&held_out, &classes, test, train)?;
                Ok(classes)
            }
        }
    }
}

fn at_least_two(root: &Path) -> Result<Vec<String>, DataError> {
    let folders = class_folders(root)?;
    match folders.len() {
        0 | 1 => Err(DataError::NoClasses {
            path: root.into(),
            found: folders,
        }),
        _ => Ok(folders),
    }
}

/// Every class of `here` must be in `there`, too. Both are sorted.
fn all_in(here: &[String], there: &[String], has: &Path, lacks: &Path) -> Result<(), DataError> {
    let missing: Vec<String> = here
        .iter()
        .filter(|class| there.binary_search(class).is_err())
        .cloned()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(DataError::UnequalClasses {
        path: lacks.into(),
        other: has.into(),
        missing,
    })
}

fn missing(path: &Path, expected: &str, advice: &str) -> DataError {
    DataError::Missing {
        path: path.into(),
        expected: expected.into(),
        advice: advice.into(),
    }
}
