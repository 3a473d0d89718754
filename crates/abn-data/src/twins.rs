//! The same file in two collections: an image that is learned from and measured on, too.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use crate::Collection;

/// Bytes that are read to compare files of the same size.
const MOST_BYTES: u64 = 1 << 30;
/// Files that are looked at.
const MOST_FILES: usize = 200_000;

/// Files of a collection whose content is in the other one, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twins {
    /// How many there are.
    pub count: usize,
    /// The first of them, with its twin.
    pub first: Option<[PathBuf; 2]>,
    /// Whether all files were compared; very large sets are not.
    pub all: bool,
}

/// The files of `here` that are byte by byte also in `there`. Sizes are compared first, so that of
/// a set without twins hardly anything is read. What cannot be read has no twin.
#[must_use]
pub fn twins(here: &Collection, there: &Collection) -> Twins {
    let mut twins = Twins {
        count: 0,
        first: None,
        all: true,
    };
    let (Some(files), Some(others)) = (&here.files, &there.files) else {
        return twins;
    };
    let counts = [here.samples.len(), there.samples.len()];
    if counts.iter().sum::<usize>() > MOST_FILES {
        return Twins {
            all: false,
            ..twins
        };
    }
    let size_of = |path: &PathBuf| path.metadata().map(|metadata| metadata.len()).ok();
    let mut of_size: HashMap<u64, Vec<PathBuf>> = HashMap::new();
    for path in (0..counts[1]).map(|index| others.path(index)) {
        if let Some(size) = size_of(&path) {
            of_size.entry(size).or_default().push(path);
        }
    }
    let mut left = MOST_BYTES;
    for path in (0..counts[0]).map(|index| files.path(index)) {
        let Some((size, alike)) = size_of(&path).and_then(|size| Some((size, of_size.get(&size)?)))
        else {
            continue;
        };
        let Some(rest) = left.checked_sub(size * (1 + alike.len() as u64)) else {
            twins.all = false;
            break;
        };
        left = rest;
        let Ok(content) = fs::read(&path) else {
            continue;
        };
        let same = |other: &&PathBuf| fs::read(other).is_ok_and(|other| other == content);
        if let Some(other) = alike.iter().find(same) {
            twins.count += 1;
            twins.first.get_or_insert_with(|| [path, other.clone()]);
        }
    }
    twins
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{ImageFolder, Split, image_folder};

    fn open(dir: &Path, split: Split) -> Collection {
        image_folder(&ImageFolder {
            dir,
            split,
            seed: 0,
            truth: None,
            classes: None,
        })
        .unwrap()
    }

    #[test]
    fn the_same_content_is_found_under_another_name() {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("train/a/1.png", "one"),
            ("train/b/1.png", "two"),
            ("val/a/x.png", "thr"),
            ("val/b/y.png", "one"),
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let (train, held_out) = (
            open(dir.path(), Split::Train),
            open(dir.path(), Split::HeldOut),
        );
        let found = twins(&held_out, &train);
        let [here, there] = found.first.unwrap();
        assert_eq!((found.count, found.all), (1, true));
        assert!(here.ends_with("val/b/y.png") && there.ends_with("train/a/1.png"));
        fs::write(dir.path().join("val/b/y.png"), "fou").unwrap();
        assert_eq!(twins(&held_out, &train).count, 0);
    }
}
