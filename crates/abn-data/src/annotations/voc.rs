//! What PASCAL VOC tells of an image, in an XML file of its own.
//!
//! ```text
//! <annotation><size><width>500</width><height>375</height></size>
//!   <object><name>dog</name><difficult>0</difficult>
//!     <bndbox><xmin>48</xmin><ymin>240</ymin><xmax>195</xmax><ymax>371</ymax></bndbox>
//!     <part><name>head</name><bndbox>...</bndbox></part>
//!   </object></annotation>
//! ```
//!
//! Pixels count from 1, and a box holds those that it ends with. Parts of an object are passed
//! over.

use std::path::Path;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use crate::DataError;
use crate::error::shown;
use crate::folder::text::read_text;

/// Those of VOC have some kilobytes.
const MAX_FILE: u64 = 4 << 20;
const MOST_OBJECTS: usize = 10_000;
const MOST_LEVELS: usize = 32;
/// The elements of a corner, in the order of our boxes.
const CORNERS: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// What is told of an image.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Annotation {
    /// Whether the file is one of VOC at all.
    pub(crate) is_one: bool,
    /// Width and height, where they are told.
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) objects: Vec<Object>,
}

/// An object in it.
#[derive(Debug, PartialEq)]
pub(crate) struct Object {
    pub(crate) name: String,
    /// Left, upper, right and lower edge, between pixels: the first pixel reaches from 0 to 1. They
    /// are finite as 32-bit numbers too.
    pub(crate) corners: [f64; 4],
    /// `None` if what is told of it is neither yes nor no.
    pub(crate) difficult: Option<bool>,
}

impl Annotation {
    /// Reads a file.
    ///
    /// # Errors
    /// It is not there, cannot be read, or is no XML.
    pub(crate) fn read(path: &Path) -> Result<Self, DataError> {
        let text = read_text(path, MAX_FILE, "an annotation of VOC")?;
        Self::of(&text).map_err(|reason| DataError::Annotation {
            path: path.into(),
            reason,
        })
    }

    /// What a text tells.
    ///
    /// # Errors
    /// It is no annotation: the reason.
    fn of(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        let mut within: Vec<String> = Vec::new();
        let (mut found, mut draft) = (Self::default(), Draft::default());
        let mut size = [None; 2];
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
                    found.is_one |= is(&within, &[]);
                    if is(&within, &["object"]) {
                        draft = Draft::default();
                    }
                }
                Event::End(_) => {
                    if is(&within, &["object"]) {
                        found.objects.push(draft.finished().map_err(broken)?);
                    }
                    if found.objects.len() > MOST_OBJECTS {
                        return Err(broken(format!(
                            "there are more than {MOST_OBJECTS} objects"
                        )));
                    }
                    within.pop();
                }
                Event::Text(words) => {
                    for (side, name) in size.iter_mut().zip(["width", "height"]) {
                        if is(&within, &["size", name]) {
                            *side = words.trim().parse().ok().filter(|side| *side > 0);
                        }
                    }
                    draft.take(&within, &words);
                }
                Event::GeneralRef(entity) => {
                    // Those that a file defines are not looked up.
                    let letter = resolve_predefined_entity(&entity).unwrap_or_default();
                    if is(&within, &["object", "name"]) {
                        draft.name.push_str(letter);
                    }
                }
                Event::Eof if within.is_empty() => {
                    found.size = size[0].zip(size[1]);
                    return Ok(found);
                }
                Event::Eof => return Err(broken("it ends within an element".to_owned())),
                _ => {}
            }
        }
    }
}

/// What is known so far of an object.
#[derive(Default)]
struct Draft {
    name: String,
    corners: [Option<f64>; 4],
    difficult: String,
}

impl Draft {
    /// Takes what stands in an element.
    fn take(&mut self, within: &[String], words: &str) {
        if is(within, &["object", "name"]) {
            self.name.push_str(words);
        }
        if is(within, &["object", "difficult"]) {
            self.difficult.push_str(words.trim());
        }
        for (corner, name) in self.corners.iter_mut().zip(CORNERS) {
            if is(within, &["object", "bndbox", name]) {
                let number = words.trim().parse::<f64>().ok();
                *corner = number.filter(|number| (*number as f32).is_finite());
            }
        }
    }

    fn finished(&self) -> Result<Object, String> {
        let name = self.name.trim();
        let [Some(x1), Some(y1), Some(x2), Some(y2)] = self.corners else {
            return Err(format!(
                "the object {} has no box of four numbers",
                shown(name)
            ));
        };
        Ok(Object {
            name: name.to_owned(),
            corners: [x1 - 1.0, y1 - 1.0, x2, y2],
            difficult: match self.difficult.as_str() {
                "" | "0" => Some(false),
                "1" => Some(true),
                _ => None,
            },
        })
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
            <name> cat &amp; mouse&b;\n</name><difficult>1</difficult></object></annotation>\n";
        let found = Annotation::of(text).unwrap();
        let objects = found
            .objects
            .iter()
            .map(|object| (&*object.name, object.corners, object.difficult));
        let expected = [
            ("dog", [0.0, 1.0, 3.5, 4.0], Some(false)),
            ("cat & mouse", [0.0, 0.0, 1.0, 1.0], Some(true)),
        ];
        assert_eq!(objects.collect::<Vec<_>>(), expected);
        assert_eq!((found.is_one, found.size), (true, None));
    }

    #[test]
    fn sizes_and_difficulties_are_what_is_told_of_them() {
        let with = |sides: &str, difficult: &str| {
            let text = format!(
                "<annotation><size>{sides}</size><object><name>a</name>{difficult}<bndbox>\
                 <xmin>1</xmin><ymin>1</ymin><xmax>1</xmax><ymax>1</ymax></bndbox></object>\
                 </annotation>"
            );
            let found = Annotation::of(&text).unwrap();
            (found.size, found.objects[0].difficult)
        };
        let sides = "<height>3</height><width> 4 </width><depth>3</depth>";
        assert_eq!(with(sides, ""), (Some((4, 3)), Some(false)));
        assert_eq!(
            with("<height>0</height><width>4</width>", ""),
            (None, Some(false))
        );
        assert_eq!(with("", "<difficult>maybe</difficult>"), (None, None));
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
            (
                "<annotation><object><bndbox><xmin>1e39</xmin></bndbox></object>",
                "four numbers",
            ),
            (&deep, "32 deep"),
        ] {
            let reason = Annotation::of(text).unwrap_err();
            assert!(reason.contains(words), "no `{words}` in {reason}");
        }
        let found = Annotation::of("no xml at all").unwrap();
        assert_eq!(found, Annotation::default());
        // Entities of its own are not looked up, so none can grow.
        let text = "<!DOCTYPE a [<!ENTITY b \"bb\">]><annotation>&b;</annotation>";
        assert_eq!(Annotation::of(text).unwrap().objects, []);
    }
}
