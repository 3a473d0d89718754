//! Which archives a folder holds, and which split each of them is for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::refused;
use crate::folder::is_image_name;
use crate::folder::role::{Role, role_of};
use crate::{DataError, Split};

/// A kind of archive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// How its names end.
    pub(crate) ending: &'static str,
    /// What its files are called in messages.
    pub(crate) plural: &'static str,
    /// How names of compressed ones end, which cannot be read.
    pub(crate) compressed: &'static [&'static str],
}

impl Kind {
    fn is(self, path: &Path) -> bool {
        let ending = path.extension();
        ending.is_some_and(|ending| ending.eq_ignore_ascii_case(self.ending)) && path.is_file()
    }

    fn is_compressed(self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_lowercase();
        self.compressed.iter().any(|ending| name.ends_with(ending)) && path.is_file()
    }
}

/// The archives of a data set by split, sorted by path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Archives {
    of: BTreeMap<Option<Role>, Vec<PathBuf>>,
    /// How many of them are compressed, and not used.
    compressed: usize,
}

/// The archives of a split.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chosen<'a> {
    pub(crate) files: &'a [PathBuf],
    /// Whether nobody held images out by hand.
    pub(crate) whole: bool,
    /// What is to be said of the choice.
    pub(crate) note: Option<String>,
}

/// What lies in a folder, sorted.
#[derive(Debug, Default)]
struct Inside {
    files: Vec<PathBuf>,
    compressed: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    images: bool,
}

impl Inside {
    /// What cannot be read is not there: whoever opens the folder says why.
    fn of(dir: &Path, kind: Kind) -> Self {
        let mut inside = Self::default();
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if kind.is(&path) {
                inside.files.push(path);
            } else if kind.is_compressed(&path) {
                inside.compressed.push(path);
            } else if path.is_dir() {
                inside.folders.push(path);
            } else {
                inside.images |= is_image_name(&path);
            }
        }
        inside.files.sort_unstable();
        inside.folders.sort_unstable();
        inside
    }

    fn has_any(&self) -> bool {
        !self.files.is_empty() || !self.compressed.is_empty()
    }

    fn is_of_archives(&self) -> bool {
        self.has_any() && self.folders.is_empty() && !self.images
    }
}

/// Whether `path` is an archive of that kind, or a folder of such and of nothing else that may be
/// images: those of a data set in class folders that were left beside them are none.
pub(crate) fn holds(path: &Path, kind: Kind) -> bool {
    if kind.is(path) || kind.is_compressed(path) {
        return true;
    }
    let inside = Inside::of(path, kind);
    if inside.images {
        return false;
    }
    let mut below = inside.folders.iter().map(|folder| Inside::of(folder, kind));
    if !inside.has_any() {
        below.any(|inside| inside.is_of_archives())
    } else {
        !below.any(|inside| inside.images || !inside.folders.is_empty())
    }
}

impl Archives {
    /// Finds them in `dir`, or takes it for one.
    ///
    /// # Errors
    /// There are none, or it is not clear which split some are for.
    pub(crate) fn find(dir: &Path, kind: Kind) -> Result<Self, DataError> {
        if dir.is_file() {
            let of = BTreeMap::from([(None, vec![dir.to_owned()])]);
            return Ok(Self { of, compressed: 0 });
        }
        let missing = || DataError::Missing {
            path: dir.join(format!("*.{}", kind.ending)),
            expected: kind.plural.to_owned(),
            advice: "name the folder that holds them".to_owned(),
        };
        if !dir.is_dir() {
            let advice = "check the path".to_owned();
            return Err(DataError::Missing {
                path: dir.into(),
                expected: format!("a folder of {}", kind.plural),
                advice,
            });
        }
        let inside = Inside::of(dir, kind);
        let compressed = inside.compressed.len();
        if !inside.files.is_empty() {
            return Self::by_name(inside.files, compressed);
        }
        if let Some(file) = inside.compressed.first() {
            let reason = "it is compressed, and no image of it can be read alone; decompress it";
            return Err(refused(file, reason));
        }
        let holding: Vec<(PathBuf, Inside)> = inside
            .folders
            .into_iter()
            .map(|folder| (Inside::of(&folder, kind), folder))
            .filter_map(|(inside, folder)| inside.has_any().then_some((folder, inside)))
            .collect();
        let role = |folder: &Path| role_of(&folder.file_name()?.to_string_lossy());
        if holding.is_empty() {
            return Err(missing());
        }
        if let [(folder, _)] = &holding[..]
            && role(folder).is_none()
        {
            return Self::find(folder, kind);
        }
        let (mut of, mut compressed) = (BTreeMap::new(), 0);
        for (folder, inside) in holding {
            if let ([], [file, ..]) = (&inside.files[..], &inside.compressed[..]) {
                let reason =
                    "it is compressed, and no image of it can be read alone; decompress it";
                return Err(refused(file, reason));
            }
            compressed += inside.compressed.len();
            let known = role(&folder).filter(|role| *role != Role::Unclear);
            let reason = match known {
                None => "may hold one split, or another data set; name the folder that is meant",
                Some(_) if of.contains_key(&known) => {
                    "is for the same split as another folder beside it; move or rename one of them"
                }
                Some(_) => {
                    of.insert(known, inside.files);
                    continue;
                }
            };
            return Err(refused(&folder, reason));
        }
        Ok(Self { of, compressed }.split())
    }

    /// Files of a folder by the words in their names.
    fn by_name(files: Vec<PathBuf>, compressed: usize) -> Result<Self, DataError> {
        let mut of: BTreeMap<Option<Role>, Vec<PathBuf>> = BTreeMap::new();
        for file in files {
            let role = role_in(&file)?;
            of.entry(role).or_default().push(file);
        }
        if let (Some(others), true) = (of.get(&None), of.len() > 1) {
            let reason = "lies beside files that are called like splits, and it is not clear which \
                          one it is for; rename or move it";
            return Err(refused(&others[0], reason));
        }
        Ok(Self { of, compressed }.split())
    }

    /// The same, where a split that is alone stands for itself.
    fn split(mut self) -> Self {
        // Nothing is held out by hand.
        if self.of.len() == 1
            && let Some(files) = self.of.remove(&Some(Role::Train))
        {
            self.of.insert(None, files);
        }
        self
    }

    /// What is to be said of files that are not used.
    pub(crate) fn note(&self) -> Option<String> {
        let count = self.compressed;
        (count > 0).then(|| format!("{count} compressed files are not used"))
    }

    /// The archives of a split.
    ///
    /// # Errors
    /// There are none.
    pub(crate) fn of(&self, dir: &Path, split: Split) -> Result<Chosen<'_>, DataError> {
        let of = |role: Option<Role>| self.of.get(&role).map(Vec::as_slice);
        let chosen = |files, note: Option<&str>| Chosen {
            files,
            whole: false,
            note: note.map(str::to_owned),
        };
        if let Some(files) = of(None) {
            return Ok(Chosen {
                files,
                whole: split != Split::All,
                note: None,
            });
        }
        let missing = |role: &str| DataError::Missing {
            path: dir.join(role),
            expected: format!("files of the split {role}, by name or in a folder of that name"),
            advice: "add them, or name one file alone".to_owned(),
        };
        let (train, validation, test) = (
            of(Some(Role::Train)),
            of(Some(Role::Validation)),
            of(Some(Role::Test)),
        );
        match (split, validation, test) {
            (Split::All, ..) => Err(DataError::SplitApart { path: dir.into() }),
            (Split::Train, ..) => {
                let train = train.ok_or_else(|| missing("train"))?;
                Ok(chosen(train, None))
            }
            (Split::HeldOut, Some(validation), _) => {
                let note = test.map(|_| "the test images are not used to choose the epoch by");
                Ok(chosen(validation, note))
            }
            (Split::Test, _, Some(test)) | (Split::HeldOut, None, Some(test)) => {
                Ok(chosen(test, None))
            }
            (Split::Test, Some(validation), None) => {
                let note = "there are no test images apart: these are the held-out ones";
                Ok(chosen(validation, Some(note)))
            }
            (_, None, None) => Err(missing("val")),
        }
    }

    /// The archives to learn from, if they are apart from those of the split.
    pub(crate) fn train(&self) -> Option<&[PathBuf]> {
        self.of.get(&Some(Role::Train)).map(Vec::as_slice)
    }
}

/// The split that a word in the name of a file says: `imagenet-val-000001.tar`.
fn role_in(file: &Path) -> Result<Option<Role>, DataError> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let words = stem.split(|letter: char| !letter.is_alphabetic());
    let mut roles: Vec<Role> = words.filter_map(role_of).collect();
    roles.sort_unstable();
    roles.dedup();
    match roles[..] {
        [] => Ok(None),
        [role] if role != Role::Unclear => Ok(Some(role)),
        _ => {
            let reason = "its name does not say which split it is for; rename it, such as \
                          train-0001 or val-0001";
            Err(refused(file, reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const TAR: Kind = Kind {
        ending: "tar",
        plural: "tar shards",
        compressed: &[".tar.gz"],
    };

    fn folder(files: &[&str]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        dir
    }

    /// The files of each split below the folder, `!` for an error.
    #[track_caller]
    fn check(files: &[&str], expected: [&[&str]; 3]) {
        let dir = folder(files);
        let archives = Archives::find(dir.path(), TAR).unwrap();
        for (split, expected) in [Split::Train, Split::HeldOut, Split::Test]
            .into_iter()
            .zip(expected)
        {
            let found = match archives.of(dir.path(), split) {
                Ok(chosen) => chosen
                    .files
                    .iter()
                    .map(|file| below(dir.path(), file))
                    .collect(),
                Err(_) => vec!["!".to_owned()],
            };
            assert_eq!(found, expected, "{split:?}");
        }
    }

    fn below(dir: &Path, file: &Path) -> String {
        file.strip_prefix(dir).unwrap().display().to_string()
    }

    #[test]
    fn names_and_folders_say_the_split() {
        check(&["1.tar", "0.tar", "x.txt"], [&["0.tar", "1.tar"]; 3]);
        let (train, val) = ("im1k-train-0.tar", "im1k-validation-0.tar");
        check(&[train, val], [&[train], &[val], &[val]]);
        let test = "test-00-of-02.TAR";
        check(&[train, val, test], [&[train], &[val], &[test]]);
        check(&["a_train.tar", test], [&["a_train.tar"], &[test], &[test]]);
        check(&["val-0.tar"], [&["!"], &["val-0.tar"], &["val-0.tar"]]);
        check(&["train-0.tar"], [&["train-0.tar"]; 3]);
        let (train, val) = ("train/0.tar", "valid/0.tar");
        check(&[train, val, "notes/a.txt"], [&[train], &[val], &[val]]);
        check(
            &["data/train-0.tar", "data/val-0.tar"],
            [
                &["data/train-0.tar"],
                &["data/val-0.tar"],
                &["data/val-0.tar"],
            ],
        );
    }

    #[test]
    fn what_is_whole_is_split_by_seed() {
        let (whole, apart) = (
            folder(&["train-0.tar"]),
            folder(&["train-0.tar", "val-0.tar"]),
        );
        let archives = Archives::find(whole.path(), TAR).unwrap();
        assert!(archives.of(whole.path(), Split::Train).unwrap().whole);
        assert!(!archives.of(whole.path(), Split::All).unwrap().whole);
        assert_eq!(archives.train(), None);
        let archives = Archives::find(apart.path(), TAR).unwrap();
        assert!(!archives.of(apart.path(), Split::Train).unwrap().whole);
        assert!(archives.of(apart.path(), Split::All).is_err());
        assert_eq!(archives.train().unwrap().len(), 1);
        let file = whole.path().join("train-0.tar");
        let archives = Archives::find(&file, TAR).unwrap();
        assert_eq!(
            archives.of(&file, Split::HeldOut).unwrap().files,
            std::slice::from_ref(&file)
        );
    }

    #[test]
    fn what_is_unclear_is_refused() {
        for (files, words) in [
            (
                &["train-0.tar", "extra-0.tar"][..],
                "extra-0.tar: lies beside",
            ),
            (&["train-val-0.tar"], "its name does not say"),
            (&["trainval-0.tar"], "its name does not say"),
            (&["a/0.tar", "b/0.tar"], "may hold one split"),
            (&["train/0.tar", "training/0.tar"], "the same split"),
            (&["a.txt"], "*.tar does not exist"),
            (&["0.tar.gz"], "0.tar.gz: it is compressed"),
            (
                &["train/0.tar.gz", "val/0.tar"],
                "0.tar.gz: it is compressed",
            ),
        ] {
            let dir = folder(files);
            let error = Archives::find(dir.path(), TAR).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(Archives::find(Path::new("no/such"), TAR).is_err());
    }

    #[test]
    fn archives_beside_class_folders_are_no_data_set() {
        for (files, expected) in [
            (&["0.tar", "notes.txt"][..], true),
            (&["0.tar.gz"], true),
            (&["train/0.tar", "val/0.tar"], true),
            (&["data/train-0.tar", "README.md"], true),
            (&["cat/1.jpg", "dog/1.jpg", "images.tar"], false),
            (&["train/cat/1.jpg", "train/all.tar"], false),
            (&["1.jpg", "0.tar"], false),
            (&["0.tar", "notes/a.txt"], true),
            (&["0.tar", "train/cat/1.jpg"], false),
            (&["a.txt"], false),
        ] {
            assert_eq!(holds(folder(files).path(), TAR), expected, "{files:?}");
        }
        assert!(holds(&folder(&["0.tar"]).path().join("0.tar"), TAR));
        assert!(!holds(Path::new("no/such"), TAR));
    }
}
