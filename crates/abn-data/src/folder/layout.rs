//! How a folder of photographs is laid out: where the class folders of each split lie.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use super::entries::{Entries, entries};
use super::left_out::LeftOut;
use super::listing::images_in;
use super::role::{Role, holds_annotations, holds_images, role_of};
use super::table;
use crate::attributes::tells_several;
use crate::{DataError, Split};

/// Names of the folder of held-out images, as they are asked for where there is none.
const USUAL_HELD_OUT: &str = "val";
/// Folders of images within folders of images.
const IMAGE_LEVELS: usize = 2;

/// Where the images of each class lie.
#[derive(Debug)]
pub(crate) enum Layout {
    /// Splits apart. At least one is there.
    Apart {
        /// To learn from.
        train: Option<Place>,
        /// To choose the epoch by.
        validation: Option<Place>,
        /// To measure on at the end.
        test: Option<Place>,
    },
    /// All images together.
    Whole(Place),
}

/// The images of a split, by class.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// What the paths of its images begin with.
    pub(crate) root: PathBuf,
    pub(crate) classes: BTreeMap<String, Images>,
}

/// The images of a class in a split.
#[derive(Debug, Clone)]
pub(crate) enum Images {
    /// Those in that folder below the root.
    In(String),
    /// Those of these paths below the root.
    Named(Vec<String>),
    /// Those that were in that folder when it was listed, see [`Contents`](super::contents).
    Listed {
        folder: String,
        names: Vec<String>,
        /// Number of the first among all that were listed.
        first: usize,
        left_out: LeftOut,
    },
}

impl Place {
    /// The folder of the class below the root and the paths of its images below that, in order.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub(super) fn images(
        &self,
        class: &str,
        left_out: &mut LeftOut,
    ) -> Result<(String, Vec<String>), DataError> {
        match self.classes.get(class) {
            None => Ok(Default::default()),
            Some(Images::In(folder)) => {
                let images = images_in(&self.root.join(folder), left_out)?;
                Ok((folder.clone(), images))
            }
            Some(Images::Named(names)) => Ok((String::new(), names.clone())),
            Some(Images::Listed {
                folder,
                names,
                left_out: then,
                ..
            }) => {
                left_out.extend(then);
                Ok((folder.clone(), names.clone()))
            }
        }
    }

    /// The path from the folder of the data set to the class folders.
    pub(super) fn within(&self, dir: &Path) -> &Path {
        self.root.strip_prefix(dir).unwrap_or(&self.root)
    }

    fn names(&self) -> Vec<String> {
        self.classes.keys().cloned().collect()
    }
}

impl Layout {
    /// The layout of `dir`, which `once` had those images, and what is to be said of it.
    ///
    /// # Errors
    /// There is no such folder, or what lies in it is not understood.
    pub(super) fn find(
        dir: &Path,
        once: &BTreeSet<String>,
        notes: &mut Vec<String>,
    ) -> Result<Self, DataError> {
        if !dir.is_dir() {
            return Err(missing(
                dir,
                "a folder with one folder of images a class",
                "check the path",
            ));
        }
        if let Some(layout) = table::published(dir, once)? {
            return Ok(layout);
        }
        let tables = table::Tables::in_folder(dir)?;
        let folders = || find_in(dir, once, IMAGE_LEVELS, &mut vec![]);
        if tables.are_meant() || !tables.is_empty() && folders().is_err() {
            return tables.layout(dir, once, notes);
        }
        notes.extend(tables.not_used());
        find_in(dir, once, IMAGE_LEVELS, notes).map_err(|error| match error {
            DataError::NoClasses { .. } | DataError::NoLabels { .. } if tells_several(dir) => {
                DataError::SeveralLabels { path: dir.into() }
            }
            error => error,
        })
    }

    /// Where the images of a split lie, and what is to be said of that.
    ///
    /// # Errors
    /// There are none.
    pub(super) fn place(
        &self,
        dir: &Path,
        split: Split,
    ) -> Result<(&Place, Option<String>), DataError> {
        let (train, validation, test) = match self {
            Self::Whole(place) => {
                let note = "there are no test images apart: these are the held-out ones";
                return Ok((place, (split == Split::Test).then(|| note.to_owned())));
            }
            Self::Apart {
                train,
                validation,
                test,
            } => (train, validation, test),
        };
        let name = |place: &Place| shown(dir, &place.root);
        match (split, train, validation, test) {
            (Split::Train, Some(train), _, _) => Ok((train, None)),
            (Split::Train, None, ..) => Err(missing(
                &dir.join("train"),
                "the images to learn from beside those held out",
                "add it",
            )),
            (Split::HeldOut, _, Some(validation), Some(test)) => {
                let note = format!("{} is not used to choose the epoch by", name(test));
                Ok((validation, Some(note)))
            }
            (Split::Test, _, Some(validation), None) => {
                let note = format!(
                    "there are no test images apart: these are the held-out ones of {}",
                    name(validation)
                );
                Ok((validation, Some(note)))
            }
            (Split::Test, _, _, Some(test)) | (Split::HeldOut, _, None, Some(test)) => {
                Ok((test, None))
            }
            (Split::HeldOut, _, Some(validation), None) => Ok((validation, None)),
            (Split::All, ..) => Err(DataError::SplitApart { path: dir.into() }),
            (_, _, None, None) => Err(missing(
                &dir.join(USUAL_HELD_OUT),
                "the held-out images beside train/",
                "add it",
            )),
        }
    }

    /// The splits that lie apart from each other, or all images together.
    pub(super) fn splits(&self) -> Vec<Split> {
        match self {
            Self::Whole(_) => vec![Split::All],
            Self::Apart {
                train,
                validation,
                test,
            } => {
                let splits = [
                    (Split::Train, train),
                    (Split::HeldOut, validation),
                    (Split::Test, test),
                ];
                let there = splits.into_iter().filter(|(_, place)| place.is_some());
                there.map(|(split, _)| split).collect()
            }
        }
    }

    /// Names of the classes, sorted: those to learn from, if there are such; else those of the
    /// split.
    ///
    /// # Errors
    /// The split, or what is held out of the training images, has classes that these lack.
    pub(super) fn classes(&self, dir: &Path, split: Split) -> Result<Vec<String>, DataError> {
        let measured = match split {
            Split::Train => Split::HeldOut,
            other => other,
        };
        let (place, _) = self.place(dir, measured)?;
        let Self::Apart {
            train: Some(train), ..
        } = self
        else {
            return Ok(place.names());
        };
        let unknown = lacking(train, place);
        if unknown.is_empty() {
            return Ok(train.names());
        }
        Err(DataError::UnequalClasses {
            path: place.root.clone(),
            other: train.root.clone(),
            missing: lacking(place, train),
            unknown,
        })
    }
}

/// Classes of `there` that are not `here`.
fn lacking(here: &Place, there: &Place) -> Vec<String> {
    let lacks = |name: &&String| !here.classes.contains_key(*name);
    there.classes.keys().filter(lacks).cloned().collect()
}

/// A path as somebody who named `dir` would write it.
fn shown(dir: &Path, path: &Path) -> String {
    let below = path.strip_prefix(dir).unwrap_or(path);
    format!("{}/", below.display())
}

/// The folders of a data set by what they are called.
struct Sorted<'a> {
    train: Vec<&'a str>,
    validation: Vec<&'a str>,
    test: Vec<&'a str>,
    unclear: Vec<&'a str>,
    others: Vec<&'a str>,
}

impl<'a> Sorted<'a> {
    fn of(folders: &'a [String]) -> Self {
        let with = |role: Option<Role>| -> Vec<&str> {
            let named = folders.iter().map(String::as_str);
            named.filter(|name| role_of(name) == role).collect()
        };
        Self {
            train: with(Some(Role::Train)),
            validation: with(Some(Role::Validation)),
            test: with(Some(Role::Test)),
            unclear: with(Some(Role::Unclear)),
            others: with(None),
        }
    }

    /// Folders that may be classes, or something else that nobody asked for.
    fn unasked(&self) -> Vec<&'a str> {
        let others = self.others.iter().filter(|name| !is_beside(name));
        others.chain(&self.unclear).copied().collect()
    }

    fn held_out(&self) -> bool {
        !self.validation.is_empty() || !self.test.is_empty()
    }

    /// Whether the folders are splits, and not classes one of which sounds like a split.
    ///
    /// # Errors
    /// They may be either, or two are the same split.
    fn are_splits(&self, dir: &Path) -> Result<bool, DataError> {
        let unclear = |folders: Vec<&str>, reason: &str| DataError::UnclearSplits {
            path: dir.into(),
            folders: folders.into_iter().map(str::to_owned).collect(),
            reason: reason.to_owned(),
        };
        for (names, role) in [
            (&self.train, "two of them are to train on"),
            (&self.validation, "two of them are to choose the epoch by"),
            (&self.test, "two of them are to test on"),
        ] {
            if names.len() > 1 {
                return Err(unclear(names.clone(), role));
            }
        }
        let classes = self.others.iter().any(|name| !is_beside(name));
        if self.held_out() && (!self.train.is_empty() || !classes) {
            return Ok(true);
        }
        if self.held_out() {
            let splits = [&self.validation[..], &self.test].concat();
            return Err(unclear(splits, "lie beside folders that may be classes"));
        }
        if self.unclear.len() > 1 || !self.unclear.is_empty() && !self.others.is_empty() {
            return Err(unclear(
                self.unclear.clone(),
                "nobody said what they are for",
            ));
        }
        if let ([name], true) = (&self.train[..], classes) {
            // A railway museum has the class train; its folder holds pictures.
            let inner = entries(&dir.join(name), &mut LeftOut::default())?;
            if inner.images.is_empty() && !inner.folders.is_empty() {
                let reason = "hold folders, as splits do, and lie beside others";
                return Err(unclear(self.train.clone(), reason));
            }
        }
        if !self.train.is_empty() && !classes {
            let advice =
                "add it, or name the folder train itself to have one image in five held out";
            return Err(missing(
                &dir.join(USUAL_HELD_OUT),
                "the held-out images beside train/",
                advice,
            ));
        }
        Ok(false)
    }
}

fn find_in(
    dir: &Path,
    once: &BTreeSet<String>,
    levels: usize,
    notes: &mut Vec<String>,
) -> Result<Layout, DataError> {
    let found = entries(dir, &mut LeftOut::default())?;
    let sorted = Sorted::of(&found.folders);
    if sorted.are_splits(dir)? {
        not_used(&sorted.unasked(), notes);
        return splits(dir, once, &sorted, notes);
    }
    let images = sorted.others.iter().find(|name| holds_images(name));
    if let Some(images) = images.filter(|_| levels > 0) {
        let inner = dir.join(images);
        if has_folders(&inner)? {
            not_used(&sorted.unasked(), notes);
            return find_in(&inner, once, levels - 1, notes);
        }
    }
    let loose = found.images.len();
    let place = class_place_of(dir, found, 0)?;
    at_least_two(&place)?;
    if loose > 0 {
        notes.push(format!(
            "{loose} images beside the class folders are left out"
        ));
    }
    Ok(Layout::Whole(place))
}

fn not_used(folders: &[&str], notes: &mut Vec<String>) {
    if !folders.is_empty() {
        notes.push(format!("not used: the folders {}", folders.join(", ")));
    }
}

/// The class folders of each split.
fn splits(
    dir: &Path,
    once: &BTreeSet<String>,
    sorted: &Sorted,
    notes: &mut Vec<String>,
) -> Result<Layout, DataError> {
    let folder = |names: &[&str]| names.first().map(|name| dir.join(name));
    let train = folder(&sorted.train)
        .map(|folder| class_place(&folder, IMAGE_LEVELS))
        .transpose()?;
    let classes = train.as_ref().map(Place::names).unwrap_or_default();
    // ImageNet's and Tiny-ImageNet's held-out images lie flat, with a list of their classes.
    let held_out = |folder: PathBuf| match class_place(&folder, IMAGE_LEVELS) {
        Err(error @ (DataError::NoLabels { .. } | DataError::NoClasses { .. })) => {
            table::flat_split(dir, &folder, &classes, once)?.ok_or(error)
        }
        place => place,
    };
    let validation = folder(&sorted.validation).map(held_out).transpose()?;
    let test = match folder(&sorted.test).map(held_out).transpose() {
        // Those of a contest lie there without classes.
        Err(DataError::NoLabels { path, .. } | DataError::NoClasses { path, .. })
            if validation.is_some() =>
        {
            notes.push(format!(
                "{} has no class folders and is not used",
                shown(dir, &path)
            ));
            None
        }
        test => test?,
    };
    if let Some(train) = &train {
        at_least_two(train)?;
    } else {
        for place in [&validation, &test].into_iter().flatten() {
            at_least_two(place)?;
        }
    }
    Ok(Layout::Apart {
        train,
        validation,
        test,
    })
}

/// Whether a folder of that name may lie beside class folders or splits without being one.
fn is_beside(name: &str) -> bool {
    holds_images(name) || holds_annotations(name)
}

fn has_folders(dir: &Path) -> Result<bool, DataError> {
    Ok(!entries(dir, &mut LeftOut::default())?.folders.is_empty())
}

/// The class folders in `root`, or in its only folder of images.
fn class_place(root: &Path, levels: usize) -> Result<Place, DataError> {
    let found = entries(root, &mut LeftOut::default())?;
    class_place_of(root, found, levels)
}

fn class_place_of(root: &Path, found: Entries, levels: usize) -> Result<Place, DataError> {
    let flat = |annotations: &[&String]| DataError::NoLabels {
        path: root.into(),
        images: found.images.len(),
        beside: annotations.iter().map(ToString::to_string).collect(),
    };
    let (beside, classes): (Vec<&String>, Vec<&String>) =
        found.folders.iter().partition(|name| is_beside(name));
    if classes.is_empty() && !beside.is_empty() {
        let images = beside.iter().find(|name| holds_images(name));
        if let Some(images) = images {
            let inner = root.join(images);
            if levels > 0 && has_folders(&inner)? {
                return class_place(&inner, levels - 1);
            }
        }
        return Err(flat(&beside));
    }
    if found.folders.is_empty() && !found.images.is_empty() {
        return Err(flat(&[]));
    }
    let mut taken = Vec::new();
    for name in &found.folders {
        if !is_beside(name) || is_class_beside(root, name, &classes)? {
            taken.push(name.clone());
        }
    }
    splits_within(root, &taken)?;
    let mut classes = BTreeMap::new();
    for name in taken {
        let composed: String = name.nfc().collect();
        if let Some(Images::In(other)) = classes.insert(composed, Images::In(name.clone())) {
            return Err(DataError::SameName {
                path: root.into(),
                names: [other, name],
            });
        }
    }
    Ok(Place {
        root: root.into(),
        classes,
    })
}

/// Whether a folder that is called as one of masks or images is a class all the same: `mask` beside
/// `no_mask`. One that holds folders is none, and what is called `masks` must not be guessed at.
fn is_class_beside(root: &Path, name: &str, classes: &[&String]) -> Result<bool, DataError> {
    if has_folders(&root.join(name))? {
        return Ok(false);
    }
    if name.to_lowercase().ends_with('s') {
        return Err(DataError::UnclearFolder {
            path: root.join(name),
            class: classes.first().map(ToString::to_string).unwrap_or_default(),
        });
    }
    Ok(true)
}

/// Refuses splits below the classes, `cat/train` and `cat/val`: the images of both would be one.
fn splits_within(root: &Path, classes: &[String]) -> Result<(), DataError> {
    for class in classes {
        let inner = entries(&root.join(class), &mut LeftOut::default())?.folders;
        let roles: Vec<Option<Role>> = inner.iter().map(|name| role_of(name)).collect();
        let has = |role| roles.contains(&Some(role));
        if has(Role::Train) && (has(Role::Validation) || has(Role::Test)) {
            return Err(DataError::SplitsInClass {
                path: root.join(class),
                folders: inner,
            });
        }
        // The others look the same, or else it is a matter of this one.
        if inner.is_empty() {
            return Ok(());
        }
    }
    Ok(())
}

fn at_least_two(place: &Place) -> Result<(), DataError> {
    match place.classes.len() {
        0 | 1 => Err(DataError::NoClasses {
            path: place.root.clone(),
            found: place.names(),
        }),
        _ => Ok(()),
    }
}

fn missing(path: &Path, expected: &str, advice: &str) -> DataError {
    DataError::Missing {
        path: path.into(),
        expected: expected.into(),
        advice: advice.into(),
    }
}
