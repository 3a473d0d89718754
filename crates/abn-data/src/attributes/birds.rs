//! The attributes of CUB-200-2011: 312 of every bird, of which people said how sure they were.
//!
//! ```text
//! images.txt                               `1 001.Black_footed_Albatross/Black_..._0046_18.jpg`
//! train_test_split.txt                     `1 0`: 1 to learn, 0 to test
//! attributes/image_attribute_labels.txt    `1 1 0 3 27.7`: image, attribute, is it there, certainty
//! attributes.txt                           `1 has_bill_shape::curved_(up_or_down)`, or a folder above
//! bounding_boxes.txt                       `1 60.0 27.0 325.0 304.0`: x, y, width and height
//! ```
//!
//! Certainty 1 says that the place was not to be seen: the label is unknown. Some lines of the
//! published file have a word too many, behind what is read.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::cells::wrong;
use super::crop::Crops;
use super::objects::{Objects, asked};
use super::told::{MOST_LABELS, Rows, Told, binary};
use crate::annotations::names::{check_name, no_image, plain_name};
use crate::error::shown;
use crate::folder::boxes::Xyxy;
use crate::folder::role::Role;
use crate::folder::table::MAX_FILE;
use crate::folder::text::read_text;
use crate::{DataError, Truth};

const LABELS: &str = "attributes/image_attribute_labels.txt";
/// The certainty of what was not to be seen.
const NOT_VISIBLE: &str = "1";

/// The lists of a folder.
pub(super) struct Lists {
    labels: PathBuf,
    names: PathBuf,
}

impl Lists {
    /// The lists in `dir`, if they are there.
    pub(super) fn find(dir: &Path) -> Option<Self> {
        let labels = dir.join(LABELS);
        if !labels.is_file() || !dir.join("images.txt").is_file() {
            return None;
        }
        let folders = [dir.to_owned(), dir.join("attributes"), dir.join("..")];
        let mut names = folders
            .map(|folder| folder.join("attributes.txt"))
            .into_iter();
        let usual = dir.join("attributes.txt");
        let names = names.find(|path| path.is_file()).unwrap_or(usual);
        Some(Self { labels, names })
    }

    /// What they tell.
    ///
    /// # Errors
    /// One of them cannot be read or contradicts another, or an image is not there.
    pub(super) fn read(
        self,
        dir: &Path,
        once: &BTreeSet<String>,
        truth: Option<Truth>,
    ) -> Result<Told, DataError> {
        asked(dir, truth, Some(Truth::Boxes))?;
        let (names, labels) = self.attributes()?;
        let splits = splits(&dir.join("train_test_split.txt"))?;
        let path = dir.join("images.txt");
        let (mut rows, mut places) = (Rows::of(names.len()), HashMap::new());
        each(&path, 2, |line, cells| {
            let bad = |reason| wrong(&path, line, 2, reason);
            let name = format!("images/{}", plain_name(cells[1]).map_err(bad)?);
            if !dir.join(&name).is_file() && !once.contains(&name) {
                return Err(bad(no_image(&name)));
            }
            let split = splits.get(cells[0]).copied();
            let split = split.ok_or_else(|| bad("train_test_split.txt lacks it".to_owned()))?;
            let place = rows.push(name, Some(split), line).map_err(bad)?;
            match places.insert(cells[0].to_owned(), place) {
                None => Ok(()),
                Some(_) => Err(bad(format!("the id {} is there twice", shown(cells[0])))),
            }
        })?;
        each(&self.labels, 4, |line, cells| {
            let bad = |column, reason| wrong(&self.labels, line, column, reason);
            let unknown = |what: &str, id: &str| format!("there is no {what} {}", shown(id));
            let place = places.get(cells[0]);
            let place = *place.ok_or_else(|| bad(1, unknown("image", cells[0])))?;
            let label = labels.get(cells[1]);
            let label = *label.ok_or_else(|| bad(2, unknown("attribute", cells[1])))?;
            let class = match cells[2] {
                _ if cells[3] == NOT_VISIBLE => None,
                "0" => Some(0),
                "1" => Some(1),
                other => {
                    let reason = format!("it says {}: expected 0 or 1", shown(other));
                    return Err(bad(3, reason));
                }
            };
            rows.tell(place, label, class);
            Ok(())
        })?;
        let list = dir.join("bounding_boxes.txt");
        let boxes = boxes(&list, &places)?;
        let of_image = boxes.iter().map(|found| found.map(|(_, corners)| corners));
        let of_image = of_image.collect();
        let crops = match list.is_file() {
            true => Crops::List(list, boxes),
            false => Crops::None,
        };
        Ok(Told {
            source: self.labels,
            groups: binary(names),
            columns: vec![],
            objects: Objects::One(of_image),
            crops,
            rows,
            notes: vec![],
        })
    }

    /// The names of the attributes in their order, and the place of each id.
    fn attributes(&self) -> Result<(Vec<String>, HashMap<String, usize>), DataError> {
        let (mut names, mut places) = (Vec::new(), HashMap::new());
        each(&self.names, 2, |line, cells| {
            let bad = |column, reason| wrong(&self.names, line, column, reason);
            if names.iter().any(|name| name == cells[1]) {
                return Err(bad(
                    2,
                    format!("{} is named a second time", shown(cells[1])),
                ));
            }
            check_name(cells[1]).map_err(|reason| bad(2, reason))?;
            if names.len() == MOST_LABELS {
                return Err(bad(
                    1,
                    format!("there are more than {MOST_LABELS} attributes"),
                ));
            }
            if places.insert(cells[0].to_owned(), names.len()).is_some() {
                return Err(bad(1, format!("the id {} is there twice", shown(cells[0]))));
            }
            names.push(cells[1].to_owned());
            Ok(())
        })?;
        Ok((names, places))
    }
}

/// What the image of each id is for.
fn splits(path: &Path) -> Result<HashMap<String, Role>, DataError> {
    let mut splits = HashMap::new();
    each(path, 2, |line, cells| {
        let role = match cells[1] {
            "1" => Role::Train,
            "0" => Role::Test,
            other => {
                let reason = format!("it says {}: expected 0 or 1", shown(other));
                return Err(wrong(path, line, 2, reason));
            }
        };
        splits.insert(cells[0].to_owned(), role);
        Ok(())
    })?;
    Ok(splits)
}

/// A box, and the line that tells it.
type Line = (u64, Xyxy);

/// The box of each image by its place; none if there is no such list.
fn boxes(path: &Path, places: &HashMap<String, usize>) -> Result<Vec<Option<Line>>, DataError> {
    let mut boxes = vec![None; places.len()];
    if !path.is_file() {
        return Ok(boxes);
    }
    each(path, 5, |line, cells| {
        let number = |column: usize| {
            let number = cells[column].parse().ok();
            number
                .filter(|number: &f32| number.is_finite())
                .ok_or_else(|| {
                    let reason = format!("it says {}: expected a number", shown(cells[column]));
                    wrong(path, line, column + 1, reason)
                })
        };
        let (x, y, width, height) = (number(1)?, number(2)?, number(3)?, number(4)?);
        if let Some(place) = places.get(cells[0]) {
            boxes[*place] = Some((line, Xyxy([x, y, x + width, y + height])));
        }
        Ok(())
    })?;
    Ok(boxes)
}

/// Calls `each` for every line that is not empty with its number and its words, of which there are
/// so many or more.
fn each(
    path: &Path,
    words: usize,
    mut each: impl FnMut(u64, &[&str]) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let text = read_text(path, MAX_FILE, "a list of CUB-200-2011")?;
    for (number, line) in text.lines().enumerate() {
        let line_number = number as u64 + 1;
        let cells: Vec<&str> = line.split_whitespace().collect();
        if cells.is_empty() {
            continue;
        }
        if cells.len() < words {
            let reason = format!("it has {} cells: expected {words}", cells.len());
            return Err(wrong(path, line_number, cells.len(), reason));
        }
        each(line_number, &cells)?;
    }
    Ok(())
}
