//! COCO's instances as they lie: a file a split, and folders of images.
//!
//! ```text
//! annotations/instances_train2017.json     images, annotations and categories
//! train2017/000000000009.jpg ...           or below images/, or all in one folder
//! ```
//!
//! Detectors have cut the 40,504 images of val2014 in two: `valminusminival2014` is learned from
//! beside train2014, `minival2014` is held out, and the images of both lie in `val2014/`.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use abn_boxes::CocoError;
use abn_boxes::coco::{Category, Instances};

use super::names::{no_image, plain_name};
use crate::decode::open_bounded;
use crate::error::{listed, shown};
use crate::folder::role::{Role, role_of};
use crate::folder::table::files;
use crate::{DataError, Split};

/// That of 118,287 images has 0.45 GB.
const MAX_FILE: u64 = 4 << 30;
const EXPECTED: &str = "COCO's instances";
/// The halves of val2014, by what stands before the year.
const LARGER_HALF: &str = "valminusminival";
const SMALLER_HALF: &str = "minival";
const WHOLE: &str = "val";

/// The files of a folder.
pub(crate) struct Files {
    /// The folder that they lie in.
    pub(crate) folder: PathBuf,
    /// Files whose names tell a split, or one whose name tells none.
    of: Vec<File>,
    /// What is to be said of others.
    pub(crate) notes: Vec<String>,
}

/// A file.
pub(crate) struct File {
    /// What its images are for, if its name tells.
    pub(crate) role: Option<Role>,
    /// What follows `instances_` in its name.
    part: String,
    path: PathBuf,
}

impl Files {
    /// The files in `dir`, if there are any.
    ///
    /// # Errors
    /// Two are of the same split, several are of none, or the folder cannot be read.
    pub(crate) fn find(dir: &Path) -> Result<Option<Self>, DataError> {
        let folder = dir.join("annotations");
        if !folder.is_dir() {
            return Ok(None);
        }
        let paths = files(&folder, &["json"])?.into_iter();
        let (wholes, all): (Vec<File>, Vec<File>) = {
            let all: Vec<File> = paths.filter_map(File::of).collect();
            let parts: Vec<String> = all.iter().map(|file| file.part.clone()).collect();
            all.into_iter().partition(|file| file.is_cut(&parts))
        };
        let mut notes: Vec<String> = wholes
            .iter()
            .map(|file| {
                let name = file.name();
                format!("not read: {name}, whose images are those of the two parts beside it")
            })
            .collect();
        let (mut of, others): (Vec<File>, Vec<File>) =
            all.into_iter().partition(|file| file.role.is_some());
        let names = |files: &[File]| files.iter().map(File::name).collect::<Vec<_>>();
        match (of.is_empty(), others.len()) {
            (_, 0) => {}
            (true, 1) => of = others,
            (true, _) => {
                let names = listed(&names(&others));
                let reason = format!("none of {names} is called train or val: name the split");
                let path = folder;
                return Err(DataError::Lists { path, reason });
            }
            (false, _) => notes.push(format!(
                "not read, for their names tell no split: {}",
                listed(&names(&others))
            )),
        }
        of.sort_by_key(|file| file.role);
        for pair in of.windows(2) {
            if pair[0].role == pair[1].role && !pair.iter().any(|file| file.is_half(LARGER_HALF)) {
                let (path, names) = (folder, names(pair));
                let reason = format!("{} are of the same split: keep one", names.join(" and "));
                return Err(DataError::Lists { path, reason });
            }
        }
        Ok((!of.is_empty()).then_some(Self { folder, of, notes }))
    }

    /// Whether their names tell what images are for.
    pub(crate) fn are_split(&self) -> bool {
        self.of.iter().all(|file| file.role.is_some())
    }

    /// Reads the files that a split needs, one after the other. They have the same categories,
    /// which come back in the order of their ids.
    ///
    /// # Errors
    /// One of them cannot be read or contradicts itself or another, or `take` refuses it: the
    /// reason.
    pub(crate) fn read(
        &self,
        split: Split,
        mut take: impl FnMut(&File, &Instances) -> Result<(), String>,
    ) -> Result<Vec<Category>, DataError> {
        let mut categories: Option<Vec<Category>> = None;
        let held_out = |file: &File| file.role != Some(Role::Train);
        for file in &self.of {
            // Nobody who measures needs the images to learn from, whose file is by far the largest.
            if split != Split::Train && !held_out(file) && self.of.iter().any(held_out) {
                continue;
            }
            let wrong = |reason| DataError::Lists {
                path: file.path.clone(),
                reason,
            };
            let instances = file.read()?;
            let own = instances.categories();
            if own.is_empty() {
                return Err(wrong("it has no categories".to_owned()));
            }
            if *categories.get_or_insert_with(|| own.to_vec()) != own {
                let reason = "its categories are not those of the other file";
                return Err(wrong(reason.to_owned()));
            }
            take(file, &instances).map_err(wrong)?;
        }
        Ok(categories.unwrap_or_default())
    }
}

impl File {
    /// What a file of that path is; `None` if it is none of instances.
    fn of(path: PathBuf) -> Option<Self> {
        let part = path.file_stem()?.to_str()?.strip_prefix("instances_")?;
        Some(Self {
            role: role_of(part).filter(|role| *role != Role::Unclear),
            part: part.to_owned(),
            path,
        })
    }

    fn name(&self) -> String {
        shown(&format!("instances_{}.json", self.part))
    }

    fn is_half(&self, half: &str) -> bool {
        self.year_behind(half).is_some()
    }

    /// What follows a word in its name, if it begins with that.
    fn year_behind(&self, word: &str) -> Option<&str> {
        let year = self.part.strip_prefix(word)?;
        year.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(year)
    }

    /// Whether both halves of its images are among these.
    fn is_cut(&self, parts: &[String]) -> bool {
        let Some(year) = self.year_behind(WHOLE) else {
            return false;
        };
        let halves = [LARGER_HALF, SMALLER_HALF].map(|half| format!("{half}{year}"));
        halves.iter().all(|half| parts.contains(half))
    }

    fn read(&self) -> Result<Instances, DataError> {
        let (file, size) = open_bounded(&self.path, MAX_FILE, EXPECTED)?;
        let path = || self.path.clone();
        if size == 0 {
            return Err(DataError::Empty {
                path: path(),
                expected: EXPECTED,
            });
        }
        Instances::read(file.take(MAX_FILE)).map_err(|error| match error {
            CocoError::Read(source) => DataError::Read {
                path: path(),
                source,
            },
            error => DataError::Lists {
                path: path(),
                reason: error.to_string(),
            },
        })
    }

    /// The path below `dir` of an image that the file names. One that was there `once` counts.
    ///
    /// # Errors
    /// It is not there, or its name leads elsewhere: the reason.
    pub(crate) fn image(
        &self,
        dir: &Path,
        once: &BTreeSet<String>,
        name: &str,
    ) -> Result<String, String> {
        let (name, part) = (plain_name(name)?, &self.part);
        let mut halves = [LARGER_HALF, SMALLER_HALF].into_iter();
        let whole = halves.find_map(|half| self.year_behind(half));
        let whole = whole.map(|year| format!("{WHOLE}{year}"));
        let folders = [Some(part), whole.as_ref()].into_iter().flatten();
        let folders: Vec<String> = folders
            .flat_map(|folder| [format!("{folder}/"), format!("images/{folder}/")])
            .chain(["images/".to_owned(), String::new()])
            .collect();
        let is_there = |path: &String| dir.join(path).is_file() || once.contains(path);
        let mut places = folders.iter().map(|folder| format!("{folder}{name}"));
        let found = places.find(is_there);
        found.ok_or_else(|| no_image(&format!("{}/{name}", whole.as_ref().unwrap_or(part))))
    }
}
