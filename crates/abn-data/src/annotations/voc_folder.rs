//! Where the folder of PASCAL VOC may lie, and which lists of images it has.

use std::path::Path;

use crate::DataError;
use crate::folder::role::Role;

/// The folder of all lists.
pub(crate) const LISTS: &str = "ImageSets/Main";
/// The folder of all images.
pub(crate) const IMAGES: &str = "JPEGImages";
/// The folder of what is told of each image.
pub(crate) const ANNOTATIONS: &str = "Annotations";
/// What lists are called, as a whole or behind the name of a class, and what they are for.
pub(crate) const PARTS: [(&str, Role); 4] = [
    ("train", Role::Train),
    ("val", Role::Validation),
    ("test", Role::Test),
    (TRAINVAL, Role::Train),
];
/// The list that stands for the images to learn from where it is alone.
const TRAINVAL: &str = "trainval";
const FOLDERS: [&str; 5] = [
    "",
    "VOC2012",
    "VOC2007",
    "VOCdevkit/VOC2012",
    "VOCdevkit/VOC2007",
];

/// The folder in or below `dir` that is one: its path from there on with a slash behind it, or
/// nothing.
///
/// # Errors
/// There are two.
pub(crate) fn within(
    dir: &Path,
    is_one: impl Fn(&Path) -> bool,
) -> Result<Option<String>, DataError> {
    let found: Vec<&str> = FOLDERS
        .into_iter()
        .filter(|folder| is_one(&dir.join(folder)))
        .collect();
    match found[..] {
        [] => Ok(None),
        [""] => Ok(Some(String::new())),
        [folder] => Ok(Some(format!("{folder}/"))),
        [first, second, ..] => {
            let first = if first.is_empty() {
                "one data set"
            } else {
                first
            };
            let reason = format!("it holds {first} and {second}: name the folder of one");
            let path = dir.into();
            Err(DataError::Lists { path, reason })
        }
    }
}

/// Whether a list of these is left out, because others tell the same more exactly.
pub(crate) fn is_told_by_others<'a>(part: &str, mut all: impl Iterator<Item = &'a str>) -> bool {
    part == TRAINVAL && all.any(|other| ["train", "val"].contains(&other))
}
