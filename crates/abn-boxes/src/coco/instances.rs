//! The truth: images, categories, and a box for each object.
//!
//! A file is read as a stream. Outlines, which are most of it, never lie in memory: of the 448 MB of
//! `instances_train2017.json`, its 860,001 annotations take 72 bytes each.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::bounded::{Bounded, Entry, read_json};
use super::numbers::{box_fault, flag};
use crate::error::{CocoError, shown};
use crate::{BoundingBox, Size};

/// The truth of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Instances {
    images: Vec<Image>,
    categories: Vec<Category>,
    annotations: Vec<Annotation>,
    /// Where the annotations of each image end.
    ends: Vec<usize>,
    /// The places of the images in the order in which they were given.
    given: Vec<usize>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// COCO's number of it.
    pub id: u64,
    /// As the file has it; empty where it has none.
    pub file_name: String,
    /// Where it is told.
    pub size: Option<Size>,
}

/// A class of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// COCO's number of it: those of COCO's 80 go to 90.
    pub id: u64,
    /// What it is called.
    pub name: String,
}

/// An object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Annotation {
    /// COCO's number of it.
    pub id: u64,
    /// The image that it is in.
    pub image_id: u64,
    /// What it is.
    pub category_id: u64,
    /// Left and upper edge, width and height in pixels. It may have no inside and may reach beyond
    /// the image.
    pub xywh: [f64; 4],
    /// That of its outline, which decides whether it is small; of its box where none is told.
    pub area: f64,
    /// It is a group of objects: whoever finds any of them is neither right nor wrong.
    pub crowd: bool,
}

impl Annotation {
    /// Its box.
    #[must_use]
    pub fn bounds(&self) -> BoundingBox {
        BoundingBox::from_xywh(self.xywh)
    }

    /// What training learns it from: the part of its box that lies in the image, if it is one object
    /// and has an inside there.
    #[must_use]
    pub fn target(&self, image: Size) -> Option<BoundingBox> {
        let bounds = self.bounds().clip(image);
        (!self.crowd && bounds.is_valid()).then_some(bounds)
    }
}

impl Instances {
    /// Reads a file of COCO's instances.
    ///
    /// # Errors
    /// It cannot be read, is not COCO's, or contradicts itself, as [`Instances::new`] says.
    pub fn read(input: impl Read) -> Result<Self, CocoError> {
        let file: File = read_json(input)?;
        let images = file.images.into_iter().map(|image| Image {
            size: image.size(),
            id: image.id,
            file_name: image.file_name.unwrap_or_default(),
        });
        let categories = file.categories.into_iter().map(|category| Category {
            id: category.id,
            name: category.name,
        });
        let annotations = file.annotations.into_iter().map(|told| Annotation {
            id: told.id,
            image_id: told.image_id,
            category_id: told.category_id,
            xywh: told.bbox,
            area: told.area.unwrap_or(told.bbox[2] * told.bbox[3]),
            crowd: told.iscrowd,
        });
        Self::new(
            images.collect(),
            categories.collect(),
            annotations.collect(),
        )
    }

    /// Puts images and categories in the order of their ids, and annotations in that of their
    /// images; those of an image stay in the order in which they are given.
    ///
    /// # Errors
    /// Two images, categories or annotations have the same id, two categories the same name, an
    /// annotation has an image or a category that is not there, or a box that is none.
    pub fn new(
        mut images: Vec<Image>,
        mut categories: Vec<Category>,
        mut annotations: Vec<Annotation>,
    ) -> Result<Self, CocoError> {
        let given: Vec<u64> = images.iter().map(|image| image.id).collect();
        images.sort_by_key(|image| image.id);
        categories.sort_by_key(|category| category.id);
        different("images", images.iter().map(|image| image.id))?;
        different("categories", categories.iter().map(|category| category.id))?;
        let mut names = BTreeSet::new();
        for Category { id, name } in &categories {
            if name.is_empty() || name.contains(char::is_control) || name.chars().count() > 200 {
                return Err(CocoError::Contradiction(format!(
                    "the category with the id {id} has the name {:?}: expected 1 to 200 letters \
                     without control characters",
                    shown(name)
                )));
            }
            if !names.insert(name) {
                return Err(CocoError::Contradiction(format!(
                    "two categories have the name {:?}: give each its own",
                    shown(name)
                )));
            }
        }
        let mut ids: Vec<u64> = annotations.iter().map(|annotation| annotation.id).collect();
        ids.sort_unstable();
        different("annotations", ids.into_iter())?;
        annotations.sort_by_key(|annotation| annotation.image_id);
        // Different ids, so each is found.
        let place = |id: &u64| images.partition_point(|image| image.id < *id);
        let mut instances = Self {
            given: given.iter().map(place).collect(),
            ends: Vec::with_capacity(images.len()),
            images,
            categories,
            annotations,
        };
        let mut end = 0;
        for annotation in &instances.annotations {
            instances.check(annotation)?;
        }
        for image in &instances.images {
            let rest = &instances.annotations[end..];
            end += rest.partition_point(|annotation| annotation.image_id <= image.id);
            instances.ends.push(end);
        }
        Ok(instances)
    }

    fn check(&self, annotation: &Annotation) -> Result<(), CocoError> {
        let Annotation {
            id,
            image_id,
            category_id,
            xywh,
            area,
            ..
        } = annotation;
        let reason = if self.image_place(*image_id).is_none() {
            format!("is in the image with the id {image_id}, which is not there")
        } else if self.category_place(*category_id).is_none() {
            format!("is of the category with the id {category_id}, which is not there")
        } else if let Some(fault) = box_fault(xywh).or_else(|| area_fault(*area)) {
            fault
        } else {
            return Ok(());
        };
        let reason = format!("the annotation with the id {id} {reason}");
        Err(CocoError::Contradiction(reason))
    }

    /// All images, by id.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// All images in the order in which they were given, each with its place among them by id.
    pub fn as_given(&self) -> impl Iterator<Item = (usize, &Image)> {
        self.given
            .iter()
            .map(|place| (*place, &self.images[*place]))
    }

    /// All categories, by id.
    #[must_use]
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// All annotations, image by image.
    #[must_use]
    pub fn annotations(&self) -> &[Annotation] {
        &self.annotations
    }

    /// Those of the image at a place among all, in the order of the file.
    ///
    /// # Panics
    /// There is no such image.
    #[must_use]
    pub fn annotations_of(&self, image: usize) -> &[Annotation] {
        &self.annotations[self.range_of(image)]
    }

    fn range_of(&self, image: usize) -> Range<usize> {
        let start = image.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[image]
    }

    /// The place of an image among all.
    #[must_use]
    pub fn image_place(&self, id: u64) -> Option<usize> {
        self.images.binary_search_by_key(&id, |of| of.id).ok()
    }

    /// The place of a category among all: its label is one more where 0 is the background.
    #[must_use]
    pub fn category_place(&self, id: u64) -> Option<usize> {
        self.categories.binary_search_by_key(&id, |of| of.id).ok()
    }
}

/// No two of ascending ids are equal.
fn different(what: &str, ids: impl Iterator<Item = u64>) -> Result<(), CocoError> {
    let mut last = None;
    for id in ids {
        if last.replace(id) == Some(id) {
            let reason = format!("two {what} have the id {id}: give each its own");
            return Err(CocoError::Contradiction(reason));
        }
    }
    Ok(())
}

fn area_fault(area: f64) -> Option<String> {
    let fits = area.is_finite() && area >= 0.0;
    (!fits).then(|| format!("has an area of {area}: expected 0 or more"))
}

/// What is read of a file.
struct File {
    images: Vec<ImageOfFile>,
    annotations: Vec<AnnotationOfFile>,
    categories: Vec<CategoryOfFile>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Images,
    Annotations,
    Categories,
    #[serde(other)]
    Unknown,
}

// What serde derives takes lists for structures too: a results file would be told off for its first
// value.
impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(format: D) -> Result<Self, D::Error> {
        format.deserialize_map(FileVisitor)
    }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = File;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("COCO's instances, an object with `images`, `annotations` and `categories`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
        let (mut images, mut annotations, mut categories) = (None, None, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Images => once(&mut images, "images", &mut map)?,
                Field::Annotations => once(&mut annotations, "annotations", &mut map)?,
                Field::Categories => once(&mut categories, "categories", &mut map)?,
                Field::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let missing = A::Error::missing_field;
        Ok(File {
            images: images.ok_or_else(|| missing("images"))?,
            annotations: annotations.ok_or_else(|| missing("annotations"))?,
            categories: categories.ok_or_else(|| missing("categories"))?,
        })
    }
}

fn once<'de, T: Entry, A: MapAccess<'de>>(
    list: &mut Option<Vec<T>>,
    name: &'static str,
    map: &mut A,
) -> Result<(), A::Error> {
    if list.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *list = Some(map.next_value::<Bounded<T>>()?.0);
    Ok(())
}

#[derive(Deserialize)]
struct ImageOfFile {
    id: u64,
    file_name: Option<String>,
    height: Option<u32>,
    width: Option<u32>,
}

impl ImageOfFile {
    /// Zeros are what some programs write where they know none.
    fn size(&self) -> Option<Size> {
        let (height, width) = (self.height? as usize, self.width? as usize);
        (height > 0 && width > 0).then_some(Size { height, width })
    }
}

impl Entry for ImageOfFile {
    const LIST: &'static str = "images";
    const MOST: usize = 5_000_000;

    fn fault(&self, _: usize) -> Option<String> {
        None
    }
}

#[derive(Deserialize)]
struct AnnotationOfFile {
    id: u64,
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    area: Option<f64>,
    #[serde(default, deserialize_with = "flag")]
    iscrowd: bool,
}

impl Entry for AnnotationOfFile {
    const LIST: &'static str = "annotations";
    const MOST: usize = 10_000_000;

    fn fault(&self, _: usize) -> Option<String> {
        let fault = box_fault(&self.bbox).or_else(|| area_fault(self.area?));
        fault.map(|fault| format!("the annotation with the id {} {fault}", self.id))
    }
}

#[derive(Deserialize)]
struct CategoryOfFile {
    id: u64,
    name: String,
}

impl Entry for CategoryOfFile {
    const LIST: &'static str = "categories";
    /// LVIS has 1,203.
    const MOST: usize = 10_000;

    fn fault(&self, _: usize) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Instances, CocoError> {
        Instances::read(text.as_bytes())
    }

    /// A file with these annotations, of images 3 and 0 and of categories 0 and 90.
    fn with(annotations: &str) -> Result<Instances, CocoError> {
        read(&format!(
            r#"{{"info": {{"year": 2017}}, "annotations": [{annotations}],
            "images": [{{"id": 3, "file_name": "c.jpg", "height": 20, "width": 30}}, {{"id": 0}}],
            "categories": [{{"id": 90, "name": "toothbrush", "supercategory": "indoor"}},
            {{"id": 0, "name": "person"}}]}}"#
        ))
    }

    #[track_caller]
    fn refused(annotations: &str, words: &[&str]) {
        let error = with(annotations).unwrap_err().to_string();
        let missing: Vec<_> = words
            .iter()
            .filter(|word| !error.contains(**word))
            .collect();
        assert!(missing.is_empty(), "{error} lacks {missing:?}");
    }

    #[test]
    fn ids_with_gaps_and_zeros_in_any_order() {
        let found = with(
            r#"{"id": 0, "image_id": 3, "category_id": 90, "bbox": [1, 2, 3, 4], "area": 5.5,
               "iscrowd": 1, "segmentation": {"counts": [1, [2, {"a": null}]], "size": [1, 1]}},
               {"id": 9, "image_id": 0, "category_id": 0, "bbox": [0.5, 0, 1e1, 2], "iscrowd": false},
               {"id": 7, "image_id": 3, "category_id": 0, "bbox": [0, 0, 0, 0]}"#,
        )
        .unwrap();
        let ids: Vec<u64> = found.images().iter().map(|image| image.id).collect();
        assert_eq!(ids, [0, 3]);
        let given: Vec<_> = found
            .as_given()
            .map(|(place, image)| (place, image.id))
            .collect();
        assert_eq!(given, [(1, 3), (0, 0)]);
        assert_eq!(found.images()[1].size, Some(Size::new(20, 30)));
        assert_eq!(
            (&*found.images()[0].file_name, found.images()[0].size),
            ("", None)
        );
        assert_eq!(found.categories()[0].name, "person");
        assert_eq!(found.category_place(90), Some(1));
        assert_eq!(found.category_place(1), None);
        let of = |image| {
            let annotations = found.annotations_of(image).iter();
            annotations
                .map(|annotation| annotation.id)
                .collect::<Vec<_>>()
        };
        assert_eq!((of(0), of(1)), (vec![9], vec![0, 7]));
        let [without_area, crowd, empty] = found.annotations() else {
            panic!("there are others");
        };
        assert_eq!((without_area.area, without_area.crowd), (20.0, false));
        assert_eq!((crowd.area, crowd.crowd), (5.5, true));
        assert_eq!(crowd.bounds(), BoundingBox::new(1.0, 2.0, 4.0, 6.0));
        let size = Size::new(20, 30);
        assert_eq!((crowd.target(size), empty.target(size)), (None, None));
        let clipped = without_area.target(Size::new(1, 8)).unwrap();
        assert_eq!(clipped, BoundingBox::new(0.5, 0.0, 8.0, 1.0));
    }

    #[test]
    fn an_image_without_annotations_and_none_at_all() {
        let found = with("").unwrap();
        assert!(found.annotations_of(0).is_empty() && found.annotations_of(1).is_empty());
        let found = read(r#"{"images": [], "annotations": [], "categories": []}"#).unwrap();
        assert!(found.images().is_empty());
    }

    #[test]
    fn what_contradicts_itself_is_named_by_id() {
        let annotation = r#"{"id": 5, "image_id": 3, "category_id": 90, "bbox": [0, 0, 1, 1]}"#;
        refused(
            &format!("{annotation}, {annotation}"),
            &["annotations", "id 5"],
        );
        let of = |from, to| annotation.replace(from, to);
        refused(
            &of("\"image_id\": 3", "\"image_id\": 4"),
            &["id 5", "image with the id 4"],
        );
        refused(&of(": 90", ": 1"), &["id 5", "category with the id 1"]);
        refused(
            &of("1, 1]", "-1, 1]"),
            &["id 5", "-1 by 1", "line 1, column"],
        );
        refused(
            &of("[0, 0, 1", "[1e308, 0, 1e308"),
            &["id 5", "without an end"],
        );
        refused(&of("}", ", \"area\": -2}"), &["id 5", "area of -2"]);
    }

    #[test]
    fn doubled_images_and_categories() {
        let image = r#"{"id": 3}"#;
        let text =
            format!(r#"{{"images": [{image}, {image}], "annotations": [], "categories": []}}"#);
        let error = read(&text).unwrap_err().to_string();
        assert_eq!(error, "two images have the id 3: give each its own");
        for (second, expected) in [
            (
                r#"{"id": 1, "name": "dog"}"#,
                "two categories have the id 1",
            ),
            (
                r#"{"id": 2, "name": "cat"}"#,
                "two categories have the name \"cat\"",
            ),
            (r#"{"id": 2, "name": ""}"#, "the id 2 has the name \"\""),
        ] {
            let error = read(&format!(
                r#"{{"images": [], "annotations": [],
                "categories": [{{"id": 1, "name": "cat"}}, {second}]}}"#
            ));
            let error = error.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_no_number_is_named_by_its_place() {
        let annotation = r#"{"id": 5, "image_id": 3, "category_id": 90, "bbox": [0, 0, 1, 1]}"#;
        let of = |from, to| annotation.replace(from, to);
        refused(
            &of("0, 0, 1, 1", "0, 0, 1"),
            &["line 1, column", "length 3"],
        );
        refused(&of("0, 0, 1, 1", "0, 0, 1, 1, 1"), &["line 1, column"]);
        refused(&of("0, 0, 1, 1", "0, NaN, 1, 1"), &["line 1, column"]);
        refused(
            &of("0, 0, 1, 1", "0, 1e999, 1, 1"),
            &["line 1, column", "out of range"],
        );
        refused(
            &of("0, 0, 1, 1", "0, null, 1, 1"),
            &["line 1, column", "null"],
        );
        refused(&of("\"id\": 5", "\"id\": -5"), &["line 1, column", "-5"]);
        refused(
            &of("\"id\": 5", "\"id\": \"\\u001b[2J\""),
            &["line 1, column"],
        );
        refused(
            &of("\"id\": 5, ", ""),
            &["line 1, column", "missing field `id`"],
        );
        refused(
            &of("}", ", \"iscrowd\": 2}"),
            &["line 1, column", "expected 0 or 1"],
        );
        let error = read("\n [[], [], []]").unwrap_err().to_string();
        assert!(error.contains("expected COCO's instances"), "{error}");
        assert!(error.starts_with("line 2, column "), "{error}");
        let error = read(r#"{"images": [], "images": []}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("duplicate field `images`"), "{error}");
    }

    #[test]
    fn truncated() {
        let whole = r#"{"images": [{"id": 1}], "annotations": [], "categories": []}"#;
        read(whole).unwrap();
        for length in 0..whole.len() {
            let error = read(&whole[..length]).unwrap_err();
            assert!(
                matches!(error, CocoError::Truncated { .. }),
                "{length}: {error}"
            );
        }
        let error = read(&format!("{whole}]")).unwrap_err();
        assert!(error.to_string().contains("trailing characters"), "{error}");
    }

    #[test]
    fn deep_nesting_is_passed_over() {
        let depth = 1_000_000;
        let deep = "[".repeat(depth) + &"]".repeat(depth);
        let text = format!(r#"{{"x": {deep}, "images": [], "annotations": [], "categories": []}}"#);
        read(&text).unwrap();
        assert!(read(&text.replace(']', "")).is_err());
        let text = format!(r#"{{"images": {deep}}}"#);
        let error = read(&text).unwrap_err().to_string();
        assert!(error.starts_with("line 1, column 1"), "{error}");
    }
}
