//! PASCAL VOC 2007 and 2012 as they lie: which of twenty classes a picture shows.
//!
//! ```text
//! VOCdevkit/VOC2012/ImageSets/Main/dog_train.txt     `2008_000008 -1`; 1 is there, 0 is difficult
//! VOCdevkit/VOC2012/JPEGImages/2008_000008.jpg
//! VOCdevkit/VOC2012/Annotations/2008_000008.xml      boxes, which are where the class is
//! ```
//!
//! What only an object shows that VOC calls difficult is neither there nor not: it is unknown, as
//! VOC's own measures leave it out. Where there are `train` and `val`, these are learned from and
//! held out; `trainval` stands for the images to learn from where it is alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::cells::wrong;
use super::crop::Crops;
use super::objects::{Objects, asked};
use super::told::{MOST_LABELS, Rows, Told, binary};
use super::voc_boxes::Annotations;
use crate::annotations::names::{check_name, no_image, plain_name};
use crate::annotations::voc_folder::{
    ANNOTATIONS, IMAGES, LISTS, PARTS, is_told_by_others, within,
};
use crate::error::shown;
use crate::folder::role::Role;
use crate::folder::table::{MAX_FILE, files};
use crate::folder::text::read_text;
use crate::{DataError, Truth};

/// The lists of a folder: that of each class by part.
pub(super) struct Lists {
    /// The folder from that of the data set on, with a slash behind it, or nothing.
    within: String,
    main: PathBuf,
    of: BTreeMap<String, BTreeMap<String, PathBuf>>,
}

impl Lists {
    /// The lists in `dir`, if there are any.
    ///
    /// # Errors
    /// There are two data sets, or a folder cannot be read.
    pub(super) fn find(dir: &Path) -> Result<Option<Self>, DataError> {
        let Some(within) = within(dir, |folder| folder.join(LISTS).is_dir())? else {
            return Ok(None);
        };
        let main = dir.join(&within).join(LISTS);
        let mut of: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
        for path in files(&main, &["txt"])? {
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            let Some((class, part)) = stem.rsplit_once('_') else {
                continue;
            };
            if PARTS.iter().any(|(name, _)| *name == part) {
                let lists = of.entry(part.to_owned()).or_default();
                lists.insert(class.to_owned(), path.clone());
            }
        }
        Ok((!of.is_empty()).then_some(Self { within, main, of }))
    }

    /// What they tell.
    ///
    /// # Errors
    /// One of them cannot be read or contradicts another, or an image is not there.
    pub(super) fn read(
        mut self,
        dir: &Path,
        once: &BTreeSet<String>,
        truth: Option<Truth>,
    ) -> Result<Told, DataError> {
        let parts: Vec<String> = self.of.keys().cloned().collect();
        let parts = || parts.iter().map(String::as_str);
        self.of.retain(|part, _| !is_told_by_others(part, parts()));
        let names: BTreeSet<&String> = self.of.values().flat_map(BTreeMap::keys).collect();
        let names: Vec<String> = names.into_iter().cloned().collect();
        let bad = match names.iter().find_map(|name| check_name(name).err()) {
            None if names.len() > MOST_LABELS => {
                Some("it has lists of too many classes".to_owned())
            }
            bad => bad,
        };
        if let Some(reason) = bad {
            let path = self.main;
            return Err(DataError::Lists { path, reason });
        }
        let mut rows = Rows::of(names.len());
        for (part, role) in PARTS {
            let Some(lists) = self.of.get(part) else {
                continue;
            };
            let mut first = None;
            for (label, name) in names.iter().enumerate() {
                let path = lists.get(name).cloned();
                let path = path.unwrap_or_else(|| self.main.join(format!("{name}_{part}.txt")));
                let list = List::read(&path)?;
                let (from, to) = match first {
                    Some(range) => range,
                    None => {
                        let from = rows.len();
                        self.push(dir, once, role, &list, &mut rows)?;
                        *first.insert((from, rows.len()))
                    }
                };
                self.tell(&list, label, (from, to), &mut rows)?;
            }
        }
        let annotations = dir.join(&self.within).join(ANNOTATIONS);
        let has_boxes = annotations.is_dir().then_some(Truth::Boxes);
        asked(dir, truth, has_boxes)?;
        let objects = match has_boxes {
            Some(_) => Objects::Voc(Annotations::of(annotations, names.clone())),
            None => Objects::None,
        };
        Ok(Told {
            source: self.main,
            groups: binary(names),
            columns: vec![],
            rows,
            objects,
            crops: Crops::None,
            notes: vec![],
        })
    }

    /// Adds the images of a list.
    fn push(
        &self,
        dir: &Path,
        once: &BTreeSet<String>,
        role: Role,
        list: &List,
        rows: &mut Rows,
    ) -> Result<(), DataError> {
        for (line, image, _) in &list.lines {
            let bad = |reason| wrong(&list.path, *line, 1, reason);
            let name = self.name_of(image).map_err(bad)?;
            if !dir.join(&name).is_file() && !once.contains(&name) {
                return Err(bad(no_image(&name)));
            }
            rows.push(name, Some(role), *line).map_err(bad)?;
        }
        Ok(())
    }

    /// The path of an image that lists call so.
    fn name_of(&self, image: &str) -> Result<String, String> {
        let image = plain_name(image)?;
        Ok(format!("{}{IMAGES}/{image}.jpg", self.within))
    }

    /// Says what a list does of its class, for all images from one place to another.
    fn tell(
        &self,
        list: &List,
        label: usize,
        (from, to): (usize, usize),
        rows: &mut Rows,
    ) -> Result<(), DataError> {
        let mut told = vec![false; to - from];
        for (line, image, class) in &list.lines {
            let bad = |reason| wrong(&list.path, *line, 1, reason);
            let name = self.name_of(image).map_err(bad)?;
            let place = rows.place(&name).filter(|place| (from..to).contains(place));
            let place = place.ok_or_else(|| bad(format!("other classes lack {}", shown(image))))?;
            if std::mem::replace(&mut told[place - from], true) {
                return Err(bad(format!("{} is named a second time", shown(image))));
            }
            rows.tell(place, label, *class);
        }
        match told.iter().position(|told| !told) {
            None => Ok(()),
            Some(lacking) => Err(DataError::Lists {
                path: list.path.clone(),
                reason: format!(
                    "it lacks {}, which other classes have",
                    rows.name(from + lacking)
                ),
            }),
        }
    }
}

/// The list of a class: line, image and class of each.
struct List {
    path: PathBuf,
    lines: Vec<(u64, String, Option<usize>)>,
}

impl List {
    fn read(path: &Path) -> Result<Self, DataError> {
        let text = read_text(path, MAX_FILE, "a list of the images of a class")?;
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let number = number as u64 + 1;
            let cells: Vec<&str> = line.split_whitespace().collect();
            let class = match cells[..] {
                [] => continue,
                [_, "1"] => Some(1),
                [_, "-1"] => Some(0),
                [_, "0"] => None,
                [_, other] => {
                    let reason = format!("it says {}: expected 1, 0 or -1", shown(other));
                    return Err(wrong(path, number, 2, reason));
                }
                _ => {
                    let reason = format!("it has {} cells: expected 2", cells.len());
                    return Err(wrong(path, number, cells.len().min(2), reason));
                }
            };
            lines.push((number, cells[0].to_owned(), class));
        }
        let path = path.into();
        Ok(Self { path, lines })
    }
}
