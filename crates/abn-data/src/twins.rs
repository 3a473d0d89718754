//! The same file in two collections: an image that is learned from and measured on, too.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::hash::{DefaultHasher, Hasher};
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
/// a set without twins hardly anything is read, and each file is read once. What cannot be read has
/// no twin.
#[must_use]
pub fn twins(here: &Collection, there: &Collection) -> Twins {
    let mut twins = Twins {
        count: 0,
        first: None,
        all: true,
    };
    if here.files.is_none() || there.files.is_none() {
        return twins;
    }
    let some = |all: bool| Twins {
        all,
        ..twins.clone()
    };
    if here.samples.len() + there.samples.len() > MOST_FILES {
        return some(false);
    }
    match (sums(here), sums(there)) {
        (None, None) => {}
        (Some(ours), Some(theirs)) => return by_sum(here, &ours, there, &theirs),
        // A folder and a pack: the files of the one are not there to be compared.
        _ => return some(false),
    }
    let (here, there) = (by_size(here), by_size(there));
    let both: Vec<u64> = here
        .keys()
        .filter(|size| there.contains_key(size))
        .copied()
        .collect();
    let bytes_of = |size: &u64| size * (here[size].len() + there[size].len()) as u64;
    if both.iter().map(bytes_of).sum::<u64>() > MOST_BYTES {
        return some(false);
    }
    for size in both {
        let known: HashMap<u64, &PathBuf> = there[&size]
            .iter()
            .filter_map(|path| Some((digest(&fs::read(path).ok()?), path)))
            .collect();
        for path in &here[&size] {
            let Ok(content) = fs::read(path) else {
                continue;
            };
            let Some(twin) = known.get(&digest(&content)) else {
                continue;
            };
            if fs::read(twin).is_ok_and(|other| other == content) {
                twins.count += 1;
                twins
                    .first
                    .get_or_insert_with(|| [path.clone(), (*twin).clone()]);
            }
        }
    }
    twins
}

/// The SHA-256 of every file of a collection, if it lies in an archive that knows them.
fn sums(collection: &Collection) -> Option<Vec<[u8; 32]>> {
    let files = collection.files.as_ref()?;
    let sum = |index| files.sha256(index);
    (0..collection.samples.len()).map(sum).collect()
}

/// The files whose SHA-256 is in both collections.
fn by_sum(here: &Collection, ours: &[[u8; 32]], there: &Collection, theirs: &[[u8; 32]]) -> Twins {
    let name = |of: &Collection, index| -> PathBuf {
        let name = of.files.as_ref().map(|files| files.name(index));
        name.unwrap_or_default().into()
    };
    let known: HashMap<_, usize> = theirs
        .iter()
        .enumerate()
        .map(|(index, sum)| (sum, index))
        .collect();
    let twins: Vec<[usize; 2]> = ours
        .iter()
        .enumerate()
        // Zeros stand for a file that nobody could read.
        .filter(|(_, sum)| **sum != [0; 32])
        .filter_map(|(index, sum)| Some([index, *known.get(sum)?]))
        .collect();
    Twins {
        count: twins.len(),
        first: twins
            .first()
            .map(|[one, other]| [name(here, *one), name(there, *other)]),
        all: true,
    }
}

/// The files of a collection by their size in bytes, sizes and files in order.
fn by_size(collection: &Collection) -> BTreeMap<u64, Vec<PathBuf>> {
    let mut of_size: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
    let Some(files) = &collection.files else {
        return of_size;
    };
    for path in (0..collection.samples.len()).filter_map(|index| files.path(index)) {
        if let Ok(metadata) = path.metadata() {
            of_size.entry(metadata.len()).or_default().push(path);
        }
    }
    of_size
}

fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(content);
    hasher.finish()
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
            once: None,
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
