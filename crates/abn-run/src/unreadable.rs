//! The images of a run that cannot be read, and which of them it does without: `unreadable.json`.
//!
//! An image that was left out once stays left out, repaired or not, and keeps its index when its
//! file is removed: so a data set that lacks just the files of the list continues the run bit by
//! bit. One that was only named is read again when its file is there.

use std::collections::{BTreeMap, BTreeSet};
#[cfg(feature = "files")]
use std::path::{Component, Path};
use std::sync::Arc;

use abn_data::{Collection, DataError, Skips};
use serde::{Deserialize, Serialize};

use crate::datasets::fingerprint_but;
use crate::measure::records::LeftOut;

/// Name of the list in the folder of a run.
pub const UNREADABLE: &str = "unreadable.json";
/// Version of its layout.
#[cfg(feature = "files")]
const VERSION: u32 = 1;
/// The share of a split that may be left out, unless said otherwise.
pub const MOST_LEFT_OUT: f64 = 0.05;

/// What becomes of a training or an evaluation that meets an image that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum OnCorrupt {
    /// It ends.
    #[default]
    Stop,
    /// It goes on without the image.
    Skip {
        /// The largest share of a split that may be left out, in [0, 1].
        most: f64,
    },
}

/// One image that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnreadableImage {
    /// Path below the folder of the data set, with `/` between folders.
    pub name: String,
    /// What is wrong.
    pub reason: String,
    /// Whether the run does without it, from the first time that it should have been read.
    pub left_out: bool,
}

/// The whole of `unreadable.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnreadableImages {
    version: u32,
    /// Fingerprint of the data set without these images.
    others: String,
    /// The images by name.
    pub images: Vec<UnreadableImage>,
}

impl UnreadableImages {
    /// Reads the list of the run in that folder; `None` if it has none.
    ///
    /// # Errors
    /// It cannot be read, is damaged or of another version.
    #[cfg(feature = "files")]
    pub fn of_run(run: &Path) -> Result<Option<Self>, crate::folder::FolderError> {
        use crate::folder::FolderError;

        let path = run.join(UNREADABLE);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(FolderError::reading(&path))?;
        let damaged = |source| FolderError::Damaged {
            path: path.clone(),
            source,
        };
        let list: Self = serde_json::from_str(&text).map_err(damaged)?;
        // A name from outside must not lead to files elsewhere.
        let down = |part: Component| matches!(part, Component::Normal(_));
        let leads_out = |image: &&UnreadableImage| !Path::new(&image.name).components().all(down);
        if let Some(image) = list.images.iter().find(leads_out) {
            let text = format!("{:?} leads out of the data set", image.name);
            return Err(damaged(serde::de::Error::custom(text)));
        }
        if list.version == VERSION {
            return Ok(Some(list));
        }
        let text = format!("version {} is not known, {VERSION} is", list.version);
        Err(damaged(serde::de::Error::custom(text)))
    }

    /// Names of all of them.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.images.iter().map(|image| image.name.clone()).collect()
    }

    /// The images of a collection that its run does without: those left out, and those whose files
    /// are gone.
    #[must_use]
    pub fn left_out(&self, collection: &Collection) -> BTreeMap<usize, String> {
        let mut places = places_of(&self.names(), collection);
        let files = collection.files.as_ref();
        let gone = |index| {
            files
                .and_then(|files| files.path(index))
                .is_some_and(|path| !path.exists())
        };
        let left_out = |image: &&UnreadableImage| {
            places
                .get(&image.name)
                .is_some_and(|index| image.left_out || gone(*index))
        };
        let images: Vec<&UnreadableImage> = self.images.iter().filter(left_out).collect();
        images
            .into_iter()
            .filter_map(|image| Some((places.remove(&image.name)?, image.reason.clone())))
            .collect()
    }

    /// Fingerprint of the data set without these images.
    pub(crate) fn others(&self) -> &str {
        &self.others
    }
}

/// The index of each image of these names.
pub(crate) fn places_of(
    names: &BTreeSet<String>,
    collection: &Collection,
) -> BTreeMap<String, usize> {
    let Some(files) = collection.files.as_ref().filter(|_| !names.is_empty()) else {
        return BTreeMap::new();
    };
    (0..collection.samples.len())
        .map(|index| (files.name(index), index))
        .filter(|(name, _)| names.contains(name))
        .collect()
}

/// A split with what is left out of it.
#[derive(Clone)]
struct Part {
    images: Collection,
    skips: Arc<Skips>,
}

/// The unreadable images of a run while it is trained.
#[derive(Clone)]
pub struct Unreadable {
    /// What was known when the training began.
    known: Option<UnreadableImages>,
    train: Part,
    test: Part,
}

impl Unreadable {
    pub(crate) fn new(
        known: Option<UnreadableImages>,
        policy: OnCorrupt,
        train: &Collection,
        test: &Collection,
    ) -> Self {
        let part = |images: &Collection| {
            let left_out = known
                .as_ref()
                .map(|known| known.left_out(images))
                .unwrap_or_default();
            let skips = match policy {
                OnCorrupt::Stop => Skips::known(left_out),
                OnCorrupt::Skip { most } => {
                    Skips::up_to((most * images.samples.len() as f64) as usize, left_out)
                }
            };
            Part {
                images: images.clone(),
                skips: Arc::new(skips),
            }
        };
        Self {
            train: part(train),
            test: part(test),
            known,
        }
    }

    /// The training images that are left out.
    #[must_use]
    pub fn of_training(&self) -> &Arc<Skips> {
        &self.train.skips
    }

    /// The held-out images that are left out.
    #[must_use]
    pub fn of_test(&self) -> &Arc<Skips> {
        &self.test.skips
    }

    /// How many images are left out; `None` if there are none.
    #[must_use]
    pub fn count(&self) -> Option<LeftOut> {
        let count = LeftOut {
            train: self.train.skips.len(),
            test: self.test.skips.len(),
        };
        (count.train + count.test > 0).then_some(count)
    }

    /// How many images are left out, in a line; `None` if there are none.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let LeftOut { train, test } = self.count()?;
        Some(format!(
            "{train} training and {test} test images cannot be read and are left out; {UNREADABLE} \
             in the run names them"
        ))
    }

    /// What the configuration says of the images: `before`, if these are the same without those of
    /// the list.
    pub(crate) fn fingerprint(&self, before: Option<&str>) -> Result<String, DataError> {
        let Some(known) = &self.known else {
            return self.fingerprint_but(&BTreeSet::new());
        };
        let others = self.fingerprint_but(&known.names())?;
        Ok(match before {
            Some(before) if others == known.others => before.to_owned(),
            _ => others,
        })
    }

    fn fingerprint_but(&self, names: &BTreeSet<String>) -> Result<String, DataError> {
        let of = |part: &Part| {
            let marked = places_of(names, &part.images).into_values().collect();
            fingerprint_but(&part.images, &marked, &part.skips)
        };
        Ok(format!(
            "train: {}; test: {}",
            of(&self.train)?,
            of(&self.test)?
        ))
    }
}

#[cfg(feature = "files")]
impl Unreadable {
    /// Writes the list into the folder of the run, if it is not there as it is: what is left out,
    /// and training and test images by index that were found to be unreadable.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn record(
        &self,
        run: &crate::folder::run_dir::RunDir,
        named: &[BTreeMap<usize, String>; 2],
    ) -> Result<(), crate::RunError> {
        let images = self.with_named(named);
        let last = UnreadableImages::of_run(run.path())?;
        if last.map(|list| list.images).unwrap_or_default() != images {
            run.write_json(UNREADABLE, &self.list(images)?)?;
        }
        Ok(())
    }

    /// All that are known, with training and test images by index that were found to be unreadable
    /// and are not left out.
    fn with_named(&self, named: &[BTreeMap<usize, String>; 2]) -> Vec<UnreadableImage> {
        let mut images: BTreeMap<String, UnreadableImage> = self
            .known
            .iter()
            .flat_map(|known| &known.images)
            .map(|image| (image.name.clone(), image.clone()))
            .collect();
        for (part, named) in [&self.train, &self.test].into_iter().zip(named) {
            let Some(files) = &part.images.files else {
                continue;
            };
            let found = named
                .iter()
                .map(|(index, reason)| (*index, reason.clone(), false));
            let skipped = part.skips.all().into_iter();
            let skipped = skipped.map(|(index, reason)| (index, reason, true));
            for (index, reason, left_out) in found.chain(skipped) {
                let name = files.name(index);
                images.insert(
                    name.clone(),
                    UnreadableImage {
                        name,
                        reason,
                        left_out,
                    },
                );
            }
        }
        images.into_values().collect()
    }

    /// The list of these images, as it is to be written.
    ///
    /// # Errors
    /// Another image cannot be read.
    fn list(&self, images: Vec<UnreadableImage>) -> Result<UnreadableImages, DataError> {
        let names = images.iter().map(|image| image.name.clone()).collect();
        Ok(UnreadableImages {
            version: VERSION,
            others: self.fingerprint_but(&names)?,
            images,
        })
    }
}

#[cfg(all(test, feature = "files"))]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_leads_elsewhere_is_refused() {
        let run = tempfile::tempdir().unwrap();
        let read = |name: &str| {
            let list = serde_json::json!({"version": 1, "others": "", "images": [
                {"name": name, "reason": "", "left_out": true}
            ]});
            std::fs::write(run.path().join(UNREADABLE), list.to_string()).unwrap();
            UnreadableImages::of_run(run.path())
        };
        assert_eq!(read("red/1.png").unwrap().unwrap().images.len(), 1);
        for name in ["red/../../1.png", "/red/1.png"] {
            assert!(read(name).is_err(), "{name}");
        }
    }
}
