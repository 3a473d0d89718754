//! COCO's instances as they lie: which of eighty classes a picture shows, and boxes of all of them.
//!
//! ```text
//! annotations/instances_train2017.json     images, annotations and categories
//! train2017/000000000009.jpg ...           or below images/
//! ```
//!
//! A file is read as a stream: outlines, which are most of it, never lie in memory. Crowds count:
//! the class is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::{BufReader, Read};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::cells::check_name;
use super::crop::Crops;
use super::objects::{Objects, asked};
use super::table::{no_image, plain_name};
use super::told::{MOST_LABELS, Rows, Told, binary};
use crate::decode::open_bounded;
use crate::error::shown;
use crate::folder::boxes::Xyxy;
use crate::folder::role::{Role, role_of};
use crate::folder::table::files;
use crate::{DataError, Split, Truth};

/// That of 118,287 images has 0.45 GB.
const MAX_FILE: u64 = 4 << 30;
const MOST_IMAGES: usize = 5_000_000;
/// Those of that file are 860,001.
const MOST_ANNOTATIONS: usize = 10_000_000;
const EXPECTED: &str = "COCO's instances";

/// The files of a folder.
pub(super) struct Files {
    folder: PathBuf,
    /// What follows `instances_` in the name of each.
    of: BTreeMap<Role, (String, PathBuf)>,
}

impl Files {
    /// The files in `dir`, if there are any.
    ///
    /// # Errors
    /// Two are of the same split, or the folder cannot be read.
    pub(super) fn find(dir: &Path) -> Result<Option<Self>, DataError> {
        let folder = dir.join("annotations");
        if !folder.is_dir() {
            return Ok(None);
        }
        let mut of: BTreeMap<Role, (String, PathBuf)> = BTreeMap::new();
        for path in files(&folder, &["json"])? {
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            let Some(part) = stem.strip_prefix("instances_") else {
                continue;
            };
            let Some(role) = role_of(part).filter(|role| *role != Role::Unclear) else {
                continue;
            };
            let part = part.to_owned();
            if let Some((_, other)) = of.insert(role, (part, path.clone())) {
                return Err(DataError::TwoTables {
                    path: other,
                    other: path,
                });
            }
        }
        Ok((!of.is_empty()).then_some(Self { folder, of }))
    }

    /// What they tell of the images of a split, and of others.
    ///
    /// # Errors
    /// One of them cannot be read or contradicts itself or another, or an image is not there.
    pub(super) fn read(
        self,
        dir: &Path,
        split: Split,
        once: &BTreeSet<String>,
        truth: Option<Truth>,
    ) -> Result<Told, DataError> {
        asked(dir, truth, Some(Truth::Boxes))?;
        let mut set: Option<Set> = None;
        for (role, (part, path)) in &self.of {
            // Nobody who measures needs the images to learn from, whose file is by far the largest.
            if *role == Role::Train && split != Split::Train && self.of.len() > 1 {
                continue;
            }
            let lists = |reason| DataError::Lists {
                path: path.clone(),
                reason,
            };
            let instances = Instances::read(path)?;
            let categories = instances.sorted().map_err(lists)?;
            let set = set.get_or_insert_with(|| Set::of(&categories));
            if set.categories != categories {
                return Err(lists(
                    "its categories are not those of the other file".into(),
                ));
            }
            let folder = Images { dir, once, part };
            set.add(&folder, *role, instances).map_err(lists)?;
        }
        let Set {
            categories,
            rows,
            boxes,
        } = set.unwrap_or_else(|| Set::of(&[]));
        Ok(Told {
            source: self.folder,
            groups: binary(categories.into_iter().map(|(_, name)| name)),
            columns: vec![],
            rows,
            objects: Objects::Boxes(boxes),
            crops: Crops::None,
            notes: vec![],
        })
    }
}

/// The images that files have told so far.
struct Set {
    /// Ids and names, sorted by id.
    categories: Vec<(u64, String)>,
    rows: Rows,
    /// Label and box of each object, by row.
    boxes: Vec<Vec<(usize, Xyxy)>>,
}

/// Where the images of a file lie.
struct Images<'a> {
    dir: &'a Path,
    once: &'a BTreeSet<String>,
    part: &'a str,
}

impl Images<'_> {
    fn find(&self, name: &str) -> Result<String, String> {
        let name = plain_name(name)?;
        let places = [
            format!("{}/{name}", self.part),
            format!("images/{}/{name}", self.part),
            format!("images/{name}"),
            name.clone(),
        ];
        let is_there = |path: &String| self.dir.join(path).is_file() || self.once.contains(path);
        let found = places.into_iter().find(is_there);
        found.ok_or_else(|| no_image(&format!("{}/{name}", self.part)))
    }
}

impl Set {
    fn of(categories: &[(u64, String)]) -> Self {
        Self {
            rows: Rows::of(categories.len()),
            categories: categories.to_vec(),
            boxes: vec![],
        }
    }

    fn add(&mut self, folder: &Images, role: Role, instances: Instances) -> Result<(), String> {
        let labels = self.categories.iter().enumerate();
        let labels: HashMap<u64, usize> = labels.map(|(label, (id, _))| (*id, label)).collect();
        let mut places = HashMap::new();
        for image in instances.images.0 {
            let name = folder.find(&image.file_name)?;
            if self.rows.place(&name).is_some() {
                return Err(format!("the image {} is there twice", shown(&name)));
            }
            let place = self.rows.push(name, Some(role), 1)?;
            self.boxes.push(vec![]);
            if places.insert(image.id, place).is_some() {
                return Err(format!("two images have the id {}", image.id));
            }
            (0..labels.len()).for_each(|label| self.rows.tell(place, label, Some(0)));
        }
        for annotation in instances.annotations.0 {
            let Annotation {
                image_id,
                category_id,
                bbox,
            } = annotation;
            let place = places.get(&image_id);
            let place = *place.ok_or_else(|| format!("no image has the id {image_id}"))?;
            let label = labels.get(&category_id);
            let label = *label.ok_or_else(|| format!("no category has the id {category_id}"))?;
            self.rows.tell(place, label, Some(1));
            let [x, y, width, height] = bbox;
            let corners = [x, y, x + width, y + height];
            if !corners.iter().all(|corner| corner.is_finite()) {
                return Err(format!(
                    "a box in the image with the id {image_id} has no end"
                ));
            }
            self.boxes[place].push((label, Xyxy(corners)));
        }
        Ok(())
    }
}

/// What is read of a file.
#[derive(Deserialize)]
struct Instances {
    images: Bounded<Image, MOST_IMAGES>,
    annotations: Bounded<Annotation, MOST_ANNOTATIONS>,
    categories: Bounded<Category, MOST_LABELS>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
    /// x, y, width and height in pixels.
    bbox: [f32; 4],
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    name: String,
}

impl Instances {
    fn read(path: &Path) -> Result<Self, DataError> {
        let (file, size) = open_bounded(path, MAX_FILE, EXPECTED)?;
        if size == 0 {
            let path = path.into();
            return Err(DataError::Empty {
                path,
                expected: EXPECTED,
            });
        }
        let input = BufReader::with_capacity(1 << 20, file.take(MAX_FILE));
        serde_json::from_reader(input).map_err(|error| DataError::Lists {
            path: path.into(),
            reason: shown(&error.to_string()),
        })
    }

    /// Ids and names of the categories, sorted by id.
    fn sorted(&self) -> Result<Vec<(u64, String)>, String> {
        let named = self.categories.0.iter();
        let mut categories: Vec<(u64, String)> = named
            .map(|category| (category.id, category.name.clone()))
            .collect();
        categories.sort();
        let names: BTreeSet<&String> = categories.iter().map(|(_, name)| name).collect();
        let ids: BTreeSet<u64> = categories.iter().map(|(id, _)| *id).collect();
        if names.len() < categories.len() || ids.len() < categories.len() {
            return Err("two categories have the same id or name".to_owned());
        }
        if categories.is_empty() {
            return Err("it has no categories".to_owned());
        }
        names.into_iter().try_for_each(|name| check_name(name))?;
        Ok(categories)
    }
}

/// A list that is not read beyond so many values.
struct Bounded<T, const MOST: usize>(Vec<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(format: D) -> Result<Self, D::Error> {
        format.deserialize_seq(Values::<T, MOST>(PhantomData))
    }
}

struct Values<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Values<T, MOST> {
    type Value = Bounded<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a list of at most {MOST} values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            if values.len() == MOST {
                return Err(A::Error::custom(format!(
                    "there are more than {MOST} values"
                )));
            }
            values.push(value);
        }
        Ok(Bounded(values))
    }
}
