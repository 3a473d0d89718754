//! PASCAL VOC's annotations: an XML file an image. Many other sets have the same form.
//!
//! ```text
//! VOCdevkit/VOC2012/Annotations/2008_000008.xml      or without the folders above
//! VOCdevkit/VOC2012/JPEGImages/2008_000008.jpg
//! VOCdevkit/VOC2012/ImageSets/Main/train.txt         the names of images, a line each
//! ```
//!
//! Classes are the names in the annotations of all splits, sorted. Where there are `train` and
//! `val`, these are learned from and held out; `trainval` stands for the images to learn from where
//! it is alone. A `test` without any annotation is not used. Without lists, the images are those
//! that have an annotation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use abn_boxes::BoundingBox;

use super::told::{Image, Images, Layout, Told, counted};
use crate::annotations::names::{check_name, no_image, plain_name};
use crate::annotations::voc::{Annotation, Object as Found};
use crate::annotations::voc_folder::{
    ANNOTATIONS, IMAGES, LISTS, PARTS, is_told_by_others, within,
};
use crate::error::shown;
use crate::folder::is_image_name;
use crate::folder::role::Role;
use crate::folder::table::{MAX_FILE, files};
use crate::folder::text::read_text;
use crate::{Counts, DataError, Object};

/// More classes than anybody has.
const MOST_CLASSES: usize = 10_000;
/// What the name of an image may end in, that of VOC first.
const ENDINGS: [&str; 8] = ["jpg", "jpeg", "png", "JPG", "JPEG", "PNG", "webp", "bmp"];

/// What the annotations in `dir` tell; `None` if there are none.
///
/// # Errors
/// There are two data sets, a list or an annotation cannot be read or contradicts another, or an
/// image is not there.
pub(super) fn read(dir: &Path, once: &BTreeSet<String>) -> Result<Option<Told>, DataError> {
    let is_one = |folder: &Path| {
        let parts = [ANNOTATIONS, IMAGES];
        parts.iter().all(|part| folder.join(part).is_dir())
    };
    let Some(within) = within(dir, is_one)? else {
        return Ok(None);
    };
    let place = Place { dir, within, once };
    let (named, notes) = match place.lists()? {
        lists if lists.is_empty() => place.annotated()?,
        lists => place.listed(lists)?,
    };
    let mut classes = Classes::default();
    let mut images = Images::default();
    for Named { name, xml, role } in named {
        let annotation = Annotation::read(&xml)?;
        let image = classes.image(name, role, annotation);
        let image = image.and_then(|image| images.push(image));
        image.map_err(|reason| DataError::Annotation { path: xml, reason })?;
    }
    let source = place.folder().join(ANNOTATIONS);
    let mut images = images.finish(&source)?;
    let names = classes.sorted(&mut images);
    if names.is_empty() {
        return Err(DataError::Lists {
            path: source,
            reason: "no object stands in any annotation".into(),
        });
    }
    Ok(Some(Told {
        layout: Layout::Voc,
        numbers: vec![None; names.len()],
        classes: names,
        images,
        source,
        notes,
    }))
}

/// An image and where its annotation lies.
struct Named {
    name: String,
    xml: PathBuf,
    role: Option<Role>,
}

/// The folder of a data set.
struct Place<'a> {
    dir: &'a Path,
    /// The path from `dir` to it, with a slash behind it, or nothing.
    within: String,
    once: &'a BTreeSet<String>,
}

impl Place<'_> {
    fn folder(&self) -> PathBuf {
        self.dir.join(&self.within)
    }

    /// The lists of images, and what they are for.
    fn lists(&self) -> Result<Vec<(PathBuf, Role)>, DataError> {
        let folder = self.folder().join(LISTS);
        let path = |part: &str| folder.join(format!("{part}.txt"));
        let there = || {
            let parts = PARTS.iter().filter(|(part, _)| path(part).is_file());
            parts.map(|(part, role)| (*part, *role))
        };
        let lists =
            there().filter(|(part, _)| !is_told_by_others(part, there().map(|(other, _)| other)));
        Ok(lists.map(|(part, role)| (path(part), role)).collect())
    }

    /// The images of lists, and what to say of lists that are not used.
    fn listed(&self, lists: Vec<(PathBuf, Role)>) -> Result<(Vec<Named>, Vec<String>), DataError> {
        let (mut all, mut notes) = (Vec::new(), Vec::new());
        for (path, role) in lists {
            let named = self.list(&path, role)?;
            // VOC publishes the test images of 2012 without their objects.
            if role == Role::Test && !named.iter().any(|image| image.xml.is_file()) {
                notes.push("not used: test.txt, of whose images none has an annotation".to_owned());
                continue;
            }
            all.extend(named);
        }
        Ok((all, notes))
    }

    /// The images of a list.
    fn list(&self, path: &Path, role: Role) -> Result<Vec<Named>, DataError> {
        let mut named = Vec::new();
        let text = read_text(path, MAX_FILE, "a list of images")?;
        for (number, line) in text.lines().enumerate() {
            let wrong = |reason| DataError::LabelTable {
                path: path.into(),
                line: number as u64 + 1,
                reason,
            };
            let cells: Vec<&str> = line.split_whitespace().collect();
            let stem = match cells[..] {
                [] => continue,
                [stem] => plain_name(stem).map_err(wrong)?,
                _ => {
                    let reason = format!("it has {} cells: expected 1", cells.len());
                    return Err(wrong(reason));
                }
            };
            let name = self.image(&stem);
            let name = name
                .ok_or_else(|| wrong(no_image(&format!("{}{IMAGES}/{stem}.jpg", self.within))))?;
            named.push(Named {
                name,
                xml: self.folder().join(ANNOTATIONS).join(format!("{stem}.xml")),
                role: Some(role),
            });
        }
        Ok(named)
    }

    /// The images that have an annotation, and what to say of others.
    fn annotated(&self) -> Result<(Vec<Named>, Vec<String>), DataError> {
        let folder = self.folder();
        let mut named = Vec::new();
        let mut stems = BTreeSet::new();
        for xml in files(&folder.join(ANNOTATIONS), &["xml"])? {
            let Some(stem) = xml.file_stem().and_then(|stem| stem.to_str()) else {
                return Err(DataError::FileName { path: xml });
            };
            let wrong = |reason| DataError::Annotation {
                path: xml.clone(),
                reason,
            };
            let stem = plain_name(stem).map_err(wrong)?;
            let name = self
                .image(&stem)
                .ok_or_else(|| wrong(no_image(&format!("{}{IMAGES}/{stem}.jpg", self.within))))?;
            stems.insert(stem);
            let role = None;
            named.push(Named { name, xml, role });
        }
        let path = folder.join(IMAGES);
        let entries = fs::read_dir(&path).map_err(|source| DataError::Read { path, source })?;
        let names = entries
            .flatten()
            .map(|entry| PathBuf::from(entry.file_name()));
        let other = |name: &PathBuf| {
            let stem = name.file_stem().and_then(|stem| stem.to_str());
            is_image_name(name) && !stem.is_some_and(|stem| stems.contains(stem))
        };
        let note = match names.filter(other).count() {
            0 => None,
            count => Some(format!(
                "not used, for nothing is told of their objects: {}",
                counted(count, "image")
            )),
        };
        Ok((named, note.into_iter().collect()))
    }

    /// The path below the folder of the data set of the image of that stem, if it is there or was.
    fn image(&self, stem: &str) -> Option<String> {
        let mut names = ENDINGS
            .iter()
            .map(|ending| format!("{}{IMAGES}/{stem}.{ending}", self.within));
        names.find(|name| self.dir.join(name).is_file() || self.once.contains(name))
    }
}

/// The names of classes, in the order in which they were met.
#[derive(Default)]
struct Classes {
    places: BTreeMap<String, usize>,
}

impl Classes {
    /// An image with the objects of its annotation.
    ///
    /// # Errors
    /// It is no annotation, or one of an object that cannot be right: the reason.
    fn image(
        &mut self,
        name: String,
        role: Option<Role>,
        annotation: Annotation,
    ) -> Result<Image, String> {
        if !annotation.is_one {
            return Err("it is no annotation of VOC".to_owned());
        }
        let objects = annotation.objects.into_iter();
        let objects = objects.map(|object| self.object(object));
        Ok(Image {
            name,
            role,
            size: annotation.size,
            number: None,
            objects: objects.collect::<Result<_, String>>()?,
        })
    }

    fn object(&mut self, found: Found) -> Result<Object, String> {
        let Found { name, corners, .. } = found;
        let Some(difficult) = found.difficult else {
            let name = shown(&name);
            return Err(format!(
                "whether the object {name} is difficult is neither 0 nor 1"
            ));
        };
        let class = match self.places.get(&name) {
            Some(place) => *place,
            None if self.places.len() == MOST_CLASSES => {
                return Err(format!("it has a class after {MOST_CLASSES} others"));
            }
            None => {
                check_name(&name)?;
                let place = self.places.len();
                self.places.insert(name, place);
                place
            }
        };
        let bounds = BoundingBox::from(corners);
        // The wrong way round, a box has no inside.
        let area = bounds.width().max(0.0) * bounds.height().max(0.0);
        Ok(Object {
            class,
            bounds,
            area,
            counts: match difficult {
                true => Counts::Difficult,
                false => Counts::Fully,
            },
        })
    }

    /// The names in their order, in which the classes of all objects are numbered from now on.
    fn sorted(self, images: &mut [Image]) -> Vec<String> {
        let mut sorted = vec![0; self.places.len()];
        for (place, met) in self.places.values().enumerate() {
            sorted[*met] = place;
        }
        for object in images.iter_mut().flat_map(|image| &mut image.objects) {
            object.class = sorted[object.class];
        }
        self.places.into_keys().collect()
    }
}
