//! Which images there are: names read from folders and kept in little memory.

use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

use crate::DataError;

/// Endings of the names of images, in any case.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];
/// Folders within a class folder; a link to a folder above would otherwise never end.
const MOST_LEVELS: usize = 8;

/// Names of images by class: one text and where each name ends in it.
#[derive(Debug, Default)]
pub(super) struct Listing {
    names: String,
    /// End of each name in `names`.
    ends: Vec<usize>,
    /// Number of names up to and including each class.
    classes: Vec<usize>,
}

impl Listing {
    /// Appends a class with its images.
    pub(super) fn push(&mut self, images: Vec<String>) {
        for image in images {
            self.names.push_str(&image);
            self.ends.push(self.names.len());
        }
        self.classes.push(self.ends.len());
    }

    /// Name of the image at that place, below its class folder.
    pub(super) fn name(&self, place: usize) -> &str {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.names[start..self.ends[place]]
    }

    /// Class of the image at that place.
    pub(super) fn class_of(&self, place: usize) -> usize {
        self.classes.partition_point(|end| *end <= place)
    }

    /// All places: the first of every class, the second of every class, and so on.
    pub(super) fn by_turns(&self) -> Vec<u32> {
        let starts = std::iter::once(0).chain(self.classes.iter().copied());
        let turn_of =
            |(start, end): (usize, &usize)| (start..*end).map(move |place| (place - start, place));
        let mut turns: Vec<(u32, u32)> = starts
            .zip(&self.classes)
            .flat_map(turn_of)
            // No file system holds four thousand million images.
            .map(|(turn, place)| (turn as u32, place as u32))
            .collect();
        turns.sort_unstable();
        turns.into_iter().map(|(_, place)| place).collect()
    }
}

/// Names of the folders in `root`, sorted. Hidden ones are left out.
pub(super) fn class_folders(root: &Path) -> Result<Vec<String>, DataError> {
    let mut folders = vec![];
    for entry in entries(root)? {
        if is_folder(&entry)? {
            folders.push(name_of(&entry)?);
        }
    }
    folders.sort_unstable();
    Ok(folders)
}

/// Names of the images of a class below its folder, with `/` between folders, in torchvision's
/// order: folder by folder, each sorted.
pub(super) fn images_in(root: &Path, class: &str) -> Result<Vec<String>, DataError> {
    let folder = root.join(class);
    let mut images = vec![];
    collect(&folder, "", MOST_LEVELS, &mut images)?;
    if images.is_empty() {
        return Err(DataError::EmptyClass { path: folder });
    }
    let place = |name: &String| {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        (folder.to_owned(), file.to_owned())
    };
    images.sort_by_cached_key(place);
    Ok(images)
}

fn collect(
    folder: &Path,
    prefix: &str,
    levels: usize,
    images: &mut Vec<String>,
) -> Result<(), DataError> {
    for entry in entries(folder)? {
        if is_folder(&entry)? {
            if levels == 0 {
                return Err(DataError::TooDeep {
                    path: entry.path(),
                    limit: MOST_LEVELS,
                });
            }
            let inner = format!("{prefix}{}/", name_of(&entry)?);
            collect(&entry.path(), &inner, levels - 1, images)?;
        } else if is_image(&entry.file_name()) {
            images.push(format!("{prefix}{}", name_of(&entry)?));
        }
    }
    Ok(())
}

/// What is in a folder and not hidden.
fn entries(folder: &Path) -> Result<Vec<DirEntry>, DataError> {
    let failed = |source: io::Error| DataError::Read {
        path: folder.into(),
        source,
    };
    let entries: Vec<DirEntry> = fs::read_dir(folder)
        .map_err(failed)?
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let hidden = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    Ok(entries.into_iter().filter(|entry| !hidden(entry)).collect())
}

/// Links are followed; only they cost a look at the file itself.
fn is_folder(entry: &DirEntry) -> Result<bool, DataError> {
    let failed = |source: io::Error| DataError::Read {
        path: entry.path(),
        source,
    };
    let kind = entry.file_type().map_err(failed)?;
    if kind.is_symlink() {
        Ok(entry.path().metadata().map_err(failed)?.is_dir())
    } else {
        Ok(kind.is_dir())
    }
}

fn is_image(name: &OsString) -> bool {
    let ending = Path::new(name).extension();
    ending.is_some_and(|ending| {
        ENDINGS
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

fn name_of(entry: &DirEntry) -> Result<String, DataError> {
    entry
        .file_name()
        .into_string()
        .map_err(|_| DataError::FileName { path: entry.path() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_names_and_classes_agree() {
        let mut listing = Listing::default();
        for class in [&["a", "bb", "c"][..], &["dd"], &["e", "f/g"]] {
            listing.push(class.iter().map(ToString::to_string).collect());
        }
        let names: Vec<&str> = (0..6).map(|place| listing.name(place)).collect();
        assert_eq!(names, ["a", "bb", "c", "dd", "e", "f/g"]);
        assert_eq!(
            (0..6)
                .map(|place| listing.class_of(place))
                .collect::<Vec<_>>(),
            [0, 0, 0, 1, 2, 2]
        );
        let turns: Vec<&str> = listing
            .by_turns()
            .iter()
            .map(|place| listing.name(*place as usize))
            .collect();
        assert_eq!(turns, ["a", "dd", "e", "bb", "f/g", "c"]);
    }
}
