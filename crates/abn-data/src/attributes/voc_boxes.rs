//! The boxes of VOC's annotations, each in an XML file of its image.
//!
//! ```text
//! <annotation><object><name>dog</name>
//!   <bndbox><xmin>48</xmin><ymin>240</ymin><xmax>195</xmax><ymax>371</ymax></bndbox>
//!   <part><name>head</name><bndbox>...</bndbox></part>
//! </object></annotation>
//! ```
//!
//! Pixels count from 1, and a box holds those that it ends with. Parts of an object are passed over.

use std::path::{Path, PathBuf};

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::error::shown;
use crate::folder::boxes::{Xyxy, mask_of};
use crate::folder::text::read_text;
use crate::{DataError, ObjectMasks};

/// Those of VOC have some kilobytes.
const MAX_FILE: u64 = 4 << 20;
const MOST_OBJECTS: usize = 10_000;
const MOST_LEVELS: usize = 32;
/// The elements of a corner, in the order of our boxes.
const CORNERS: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// The annotations of a data set.
pub(super) struct Annotations {
    folder: PathBuf,
    /// The class that each label is about.
    classes: Vec<String>,
}

impl Annotations {
    pub(super) fn of(folder: PathBuf, classes: Vec<String>) -> Self {
        Self { folder, classes }
    }

    /// The boxes of each class in the image of that name and size; of an image without annotation
    /// nothing is known.
    ///
    /// # Errors
    /// The annotation cannot be read, or is none.
    pub(super) fn masks(&self, image: &str, size: (u32, u32)) -> Result<ObjectMasks, DataError> {
        let path = self.path(image);
        let text = match read_text(&path, MAX_FILE, "an annotation of VOC") {
            Err(DataError::Missing { .. }) => return Ok(ObjectMasks::Unknown),
            text => text?,
        };
        let objects = objects(&text).map_err(|reason| DataError::Annotation { path, reason })?;
        let of_class = |class: &String| {
            let own = objects.iter().filter(|(name, _)| name == class);
            let boxes: Vec<Xyxy> = own.map(|(_, corners)| *corners).collect();
            mask_of(&boxes, size)
        };
        Ok(ObjectMasks::OfEach(
            self.classes.iter().map(of_class).collect(),
        ))
    }

    /// Bytes that change when the boxes of an image do.
    pub(super) fn state_of(&self, image: &str) -> Vec<u8> {
        std::fs::read(self.path(image)).unwrap_or_default()
    }

    fn path(&self, image: &str) -> PathBuf {
        let stem = Path::new(image).file_stem().unwrap_or_default();
        self.folder.join(stem).with_extension("xml")
    }
}

/// What is known so far of an object.
#[derive(Default)]
struct Object {
    name: String,
    corners: [Option<f32>; 4],
}

/// Name and box of each object.
///
/// # Errors
/// The text is no annotation: the reason.
fn objects(text: &str) -> Result<Vec<(String, Xyxy)>, String> {
    let mut reader = Reader::from_str(text);
    let mut within: Vec<String> = Vec::new();
    let (mut objects, mut object) = (Vec::new(), Object::default());
    loop {
        let at = reader.buffer_position();
        let broken = |reason: String| format!("line {}: {reason}", line_of(text, at));
        let event = reader.read_event();
        match event.map_err(|error| broken(shown(&error.to_string())))? {
            Event::Start(start) => {
                if within.len() == MOST_LEVELS {
                    return Err(broken(format!("elements lie more than {MOST_LEVELS} deep")));
                }
                within.push(start.name().as_ref().to_owned());
                if is(&within, &["object"]) {
                    object = Object::default();
                }
            }
            Event::End(_) => {
                if is(&within, &["object"]) {
                    objects.push(finished(&object).map_err(broken)?);
                }
                if objects.len() > MOST_OBJECTS {
                    return Err(broken(format!(
                        "there are more than {MOST_OBJECTS} objects"
                    )));
                }
                within.pop();
            }
            Event::Text(words) => {
                let words = words.trim();
                if is(&within, &["object", "name"]) {
                    object.name.push_str(words);
                }
                for (corner, name) in object.corners.iter_mut().zip(CORNERS) {
                    if is(&within, &["object", "bndbox", name]) {
                        *corner = words.parse().ok().filter(|number: &f32| number.is_finite());
                    }
                }
            }
            Event::Eof if within.is_empty() => return Ok(objects),
            Event::Eof => return Err(broken("it ends within an element".to_owned())),
            _ => {}
        }
    }
}

/// Whether an element is that of an annotation.
fn is(within: &[String], path: &[&str]) -> bool {
    within.len() == path.len() + 1
        && within[0] == "annotation"
        && within[1..]
            .iter()
            .zip(path)
            .all(|(found, name)| found == name)
}

fn finished(object: &Object) -> Result<(String, Xyxy), String> {
    let name = shown(&object.name);
    match object.corners {
        [Some(x0), Some(y0), Some(x1), Some(y1)] => {
            Ok((object.name.clone(), Xyxy([x0 - 1.0, y0 - 1.0, x1, y1])))
        }
        _ => Err(format!("the object {name} has no box of four numbers")),
    }
}

/// The line of that byte, from 1 on.
fn line_of(text: &str, at: u64) -> usize {
    let before = text.bytes().take(usize::try_from(at).unwrap_or(usize::MAX));
    before.filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_objects_are_read_and_those_of_parts_are_not() {
        let text = "<annotation><filename>a.jpg</filename><size><width>9</width></size>\n\
            <object><name>dog</name><difficult>0</difficult>\n\
            <bndbox><ymin>2</ymin><xmin>1</xmin><xmax>3.5</xmax><ymax>4</ymax></bndbox>\n\
            <part><name>head</name><bndbox><xmin>7</xmin></bndbox></part></object>\n\
            <object><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>1</xmax><ymax>1</ymax></bndbox>\n\
            <name>cat</name></object></annotation>\n";
        let expected = [
            ("dog".to_owned(), Xyxy([0.0, 1.0, 3.5, 4.0])),
            ("cat".to_owned(), Xyxy([0.0, 0.0, 1.0, 1.0])),
        ];
        assert_eq!(objects(text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_annotation_is_refused_with_its_line() {
        let deep = "<a>".repeat(100);
        for (text, words) in [
            (
                "<annotation>\n<object>\n<name>dog</name></object>",
                "line 3: the object dog has no box",
            ),
            (
                "<annotation>\n<object>",
                "line 2: it ends within an element",
            ),
            ("<annotation>\n</object>", "line 2"),
            (
                "<annotation><object><bndbox><xmin>one</xmin></bndbox></object>",
                "four numbers",
            ),
            (&deep, "32 deep"),
        ] {
            let reason = objects(text).unwrap_err();
            assert!(reason.contains(words), "no `{words}` in {reason}");
        }
        assert_eq!(objects("no xml at all").unwrap(), []);
        // Entities of its own are not looked up, so none can grow.
        let text = "<!DOCTYPE a [<!ENTITY b \"bb\">]><annotation>&b;</annotation>";
        assert_eq!(objects(text).unwrap(), []);
    }
}
