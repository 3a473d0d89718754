//! Which images there are: names read from folders and kept in little memory.

use std::collections::BTreeSet;
use std::path::Path;

use super::entries::entries;
use super::left_out::LeftOut;
use crate::DataError;

/// Folders within a class folder; a link to a folder above would otherwise never end.
const MOST_LEVELS: usize = 8;

/// Names of images by class: one text and where each name ends in it.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    names: String,
    /// End of each name in `names`.
    ends: Vec<usize>,
    /// Number of names up to and including each class.
    classes: Vec<usize>,
}

impl Listing {
    /// Appends a class with its images.
    pub(crate) fn push(&mut self, images: Vec<String>) {
        for image in images {
            self.names.push_str(&image);
            self.ends.push(self.names.len());
        }
        self.classes.push(self.ends.len());
    }

    /// Name of the image at that place, below its class folder.
    pub(crate) fn name(&self, place: usize) -> &str {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.names[start..self.ends[place]]
    }

    /// Class of the image at that place.
    pub(crate) fn class_of(&self, place: usize) -> usize {
        self.classes.partition_point(|end| *end <= place)
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Number of images of each class.
    pub(crate) fn counts(&self) -> impl Iterator<Item = usize> {
        let starts = std::iter::once(0).chain(self.classes.iter().copied());
        starts.zip(&self.classes).map(|(start, end)| end - start)
    }

    /// All places: the first of every class, the second of every class, and so on.
    pub(crate) fn by_turns(&self) -> Vec<u32> {
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

/// Names of the images of a class below its folder, with `/` between folders, in torchvision's
/// order: folder by folder, each sorted.
///
/// # Errors
/// A folder cannot be read, or lies too deep.
pub(super) fn images_in(folder: &Path, left_out: &mut LeftOut) -> Result<Vec<String>, DataError> {
    let mut images = vec![];
    collect(folder, "", MOST_LEVELS, &mut images, left_out)?;
    images.sort_by_cached_key(|name| place(name));
    Ok(images)
}

/// Puts further images to their places, each once.
pub(super) fn add<'a>(images: &mut Vec<String>, names: impl Iterator<Item = &'a str>) {
    let new: BTreeSet<&str> = names.collect();
    if !new.is_empty() {
        images.retain(|image| !new.contains(image.as_str()));
        images.extend(new.into_iter().map(str::to_owned));
        images.sort_by_cached_key(|name| place(name));
    }
}

/// Folder and file: what the images of a class are in the order of.
fn place(name: &str) -> (String, String) {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    (folder.to_owned(), file.to_owned())
}

fn collect(
    folder: &Path,
    prefix: &str,
    levels: usize,
    images: &mut Vec<String>,
    left_out: &mut LeftOut,
) -> Result<(), DataError> {
    let entries = entries(folder, left_out)?;
    images.extend(entries.images.iter().map(|name| format!("{prefix}{name}")));
    for name in entries.folders {
        let inner = folder.join(&name);
        if levels == 0 {
            return Err(DataError::TooDeep {
                path: inner,
                limit: MOST_LEVELS,
            });
        }
        collect(
            &inner,
            &format!("{prefix}{name}/"),
            levels - 1,
            images,
            left_out,
        )?;
    }
    Ok(())
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
