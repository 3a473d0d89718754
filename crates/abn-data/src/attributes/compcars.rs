//! CompCars as it lies: the make and the model of a car, and its box.
//!
//! ```text
//! train_test_split/classification/train.txt, test.txt    `78/1/2014/3ac218c0c6c378.jpg`
//! image/78/1/2014/3ac218c0c6c378.jpg                      make, model and year
//! label/78/1/2014/3ac218c0c6c378.txt                      view, 1, and `x1 y1 x2 y2` from 1 on
//! misc/make_model_name.mat                                names, by the ids of makes and models
//! ```
//!
//! All of it may lie in `data/`. The classes are the makes and models of the images to learn from,
//! sorted by their ids.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::cells::wrong;
use super::crop::Crops;
use super::objects::{Objects, asked};
use super::told::{Rows, Told};
use crate::annotations::names::{check_name, no_image, plain_name};
use crate::error::shown;
use crate::folder::boxes::{Xyxy, mask_of};
use crate::folder::role::Role;
use crate::folder::table::MAX_FILE;
use crate::folder::text::read_text;
use crate::mat::texts;
use crate::{DataError, Group, ObjectMasks, Truth};

const FOLDERS: [&str; 2] = ["", "data"];
const LISTS: &str = "train_test_split/classification";
const PARTS: [(&str, Role); 2] = [("train.txt", Role::Train), ("test.txt", Role::Test)];
/// Ids beyond this have no name.
const MOST_NAMES: u32 = 100_000;
/// Those of CompCars have 20 bytes.
const MAX_LABEL: u64 = 1 << 12;

/// What is told of a car.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Make,
    Model,
    Both,
}

impl Choice {
    /// The choice of that name, or the usual one.
    pub(super) fn named(name: Option<&str>) -> Option<Self> {
        match name {
            Some("make") => Some(Self::Make),
            Some("model") | None => Some(Self::Model),
            Some("both") => Some(Self::Both),
            Some(_) => None,
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Make => "make",
            Self::Model => "model",
            Self::Both => "both",
        }
    }

    fn levels(self) -> &'static [Level] {
        match self {
            Self::Make => &[Level::Make],
            Self::Model => &[Level::Model],
            Self::Both => &[Level::Make, Level::Model],
        }
    }
}

/// A part of the path of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Make,
    Model,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Make => "make",
            Self::Model => "model",
        }
    }
}

/// The lists of a folder.
pub(super) struct Lists {
    /// The folder from that of the data set on, with a slash behind it, or nothing.
    within: &'static str,
    folder: PathBuf,
}

/// A line of a list.
struct Car {
    line: u64,
    /// Its path in the list.
    image: String,
    make: u32,
    model: u32,
}

impl Car {
    fn id(&self, level: Level) -> u32 {
        match level {
            Level::Make => self.make,
            Level::Model => self.model,
        }
    }
}

impl Lists {
    /// The lists in `dir`, if they are there.
    pub(super) fn find(dir: &Path) -> Option<Self> {
        FOLDERS.into_iter().find_map(|within| {
            let folder = dir.join(within).join(LISTS);
            let within = if within.is_empty() { "" } else { "data/" };
            folder
                .join(PARTS[0].0)
                .is_file()
                .then_some(Self { within, folder })
        })
    }

    /// What they tell.
    ///
    /// # Errors
    /// One of them cannot be read or contradicts itself or another, or an image is not there.
    pub(super) fn read(
        &self,
        dir: &Path,
        choice: Choice,
        once: &BTreeSet<String>,
        truth: Option<Truth>,
    ) -> Result<Told, DataError> {
        asked(dir, truth, Some(Truth::Boxes))?;
        let levels = choice.levels();
        let [train, test] = PARTS.map(|(name, _)| self.folder.join(name));
        let learned = cars(&train)?;
        one_make_each(&train, &learned)?;
        let ids = levels.iter().map(|level| -> Vec<u32> {
            let ids: BTreeSet<u32> = learned.iter().map(|car| car.id(*level)).collect();
            ids.into_iter().collect()
        });
        let ids: Vec<Vec<u32>> = ids.collect();
        let mut rows = Rows::of(levels.len());
        let held_out = test.is_file().then(|| cars(&test)).transpose()?;
        let parts = [(&train, learned), (&test, held_out.unwrap_or_default())];
        for ((path, cars), (_, role)) in parts.into_iter().zip(PARTS) {
            for car in cars {
                let bad = |reason| wrong(path, car.line, 1, reason);
                let name = format!("{}image/{}", self.within, car.image);
                if !dir.join(&name).is_file() && !once.contains(&name) {
                    return Err(bad(no_image(&name)));
                }
                let place = rows.push(name, Some(role), car.line).map_err(bad)?;
                for (label, (level, ids)) in levels.iter().zip(&ids).enumerate() {
                    let class = ids.binary_search(&car.id(*level)).map_err(|_| {
                        let (name, id) = (level.name(), car.id(*level));
                        bad(format!("train.txt has no car of the {name} {id}"))
                    })?;
                    rows.tell(place, label, Some(class));
                }
            }
        }
        let (names, note) = self.names(dir);
        let groups = levels.iter().zip(&ids).map(|(level, ids)| Group {
            name: level.name().to_owned(),
            classes: named(ids, level.name(), names.get(level.name())),
        });
        let boxes = CarBoxes {
            images: format!("{}image", self.within),
            labels: dir.join(self.within).join("label"),
        };
        Ok(Told {
            source: self.folder.clone(),
            groups: groups.collect(),
            columns: vec![],
            rows,
            objects: Objects::Cars(boxes.clone()),
            crops: match boxes.labels.is_dir() {
                true => Crops::Cars(boxes),
                false => Crops::None,
            },
            notes: note.into_iter().collect(),
        })
    }

    /// The names of all makes and models, or why there are only ids.
    fn names(&self, dir: &Path) -> (BTreeMap<&'static str, Vec<String>>, Option<String>) {
        let path = dir.join(self.within).join("misc/make_model_name.mat");
        match texts(&path, ["make_names", "model_names"]) {
            Ok([makes, models]) => {
                let names = [(Level::Make, makes), (Level::Model, models)];
                let named = names.map(|(level, names)| (level.name(), names));
                (named.into(), None)
            }
            Err(DataError::Missing { .. }) => {
                let note = "misc/make_model_name.mat is not there: classes are called by their ids";
                (BTreeMap::new(), Some(note.to_owned()))
            }
            Err(error) => {
                let note = format!("classes are called by their ids: {}", error.in_full());
                (BTreeMap::new(), Some(note))
            }
        }
    }
}

/// What classes of these ids are called: by the names from id 1 on, with the id where there is none
/// or another class of the same.
fn named(ids: &[u32], level: &str, names: Option<&Vec<String>>) -> Vec<String> {
    let name = |id: &u32| {
        let place = (*id as usize).checked_sub(1)?;
        let name = names?.get(place)?.trim();
        check_name(name).is_ok().then_some(name)
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in ids.iter().filter_map(name) {
        *counts.entry(name).or_default() += 1;
    }
    let called = |id: &u32| match name(id) {
        None => format!("{level} {id}"),
        Some(name) if counts[name] > 1 => format!("{name} ({id})"),
        Some(name) => name.to_owned(),
    };
    ids.iter().map(called).collect()
}

/// The cars of a list.
fn cars(path: &Path) -> Result<Vec<Car>, DataError> {
    let text = read_text(path, MAX_FILE, "a list of cars")?;
    let mut cars = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let (line, text) = (number as u64 + 1, line.trim());
        if text.is_empty() {
            continue;
        }
        let bad = |reason| wrong(path, line, 1, reason);
        let image = plain_name(text).map_err(bad)?;
        let mut parts = image.split('/');
        let mut id = || -> Option<u32> {
            let id = parts.next()?.parse().ok()?;
            (id <= MOST_NAMES).then_some(id)
        };
        let (make, model) = (id(), id());
        let (Some(make), Some(model), 4) = (make, model, image.split('/').count()) else {
            let reason = format!("it says {}: expected make/model/year/name.jpg", shown(text));
            return Err(bad(reason));
        };
        cars.push(Car {
            line,
            image,
            make,
            model,
        });
    }
    Ok(cars)
}

/// Refuses a model of two makes: ids of models are those of all makes together.
fn one_make_each(path: &Path, cars: &[Car]) -> Result<(), DataError> {
    let mut makes = BTreeMap::new();
    for car in cars {
        let make = *makes.entry(car.model).or_insert(car.make);
        if make != car.make {
            let reason = format!("the model {} is of the make {make}, too", car.model);
            return Err(wrong(path, car.line, 1, reason));
        }
    }
    Ok(())
}

/// The boxes of cars, each in a file of its image.
#[derive(Clone)]
pub(super) struct CarBoxes {
    /// The folder of images, from that of the data set on.
    images: String,
    labels: PathBuf,
}

impl CarBoxes {
    /// The car in the image of that name and size; unknown without a file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no box.
    pub(super) fn masks(&self, image: &str, size: (u32, u32)) -> Result<ObjectMasks, DataError> {
        let (_, corners) = self.find(image)?;
        Ok(corners.and_then(|corners| mask_of(&[corners], size)).into())
    }

    /// Line of the box in its file.
    pub(super) const LINE: u64 = 3;

    /// The file of an image, and the box in it; `None` without a file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no box.
    pub(super) fn find(&self, image: &str) -> Result<(PathBuf, Option<Xyxy>), DataError> {
        let path = self.path(image);
        let text = match read_text(&path, MAX_LABEL, "the box of a car") {
            Err(DataError::Missing { .. }) => return Ok((path, None)),
            text => text?,
        };
        match corners(&text) {
            Ok(corners) => Ok((path, Some(corners))),
            Err(reason) => Err(DataError::Annotation { path, reason }),
        }
    }

    /// Bytes that change when the box of an image does.
    pub(super) fn state_of(&self, image: &str) -> Vec<u8> {
        std::fs::read(self.path(image)).unwrap_or_default()
    }

    fn path(&self, image: &str) -> PathBuf {
        let below = Path::new(image).strip_prefix(&self.images);
        let path = self.labels.join(below.unwrap_or(Path::new(image)));
        path.with_extension("txt")
    }
}

/// The box of a label: pixels count from 1, and it holds those that it ends with.
fn corners(text: &str) -> Result<Xyxy, String> {
    let words = text.lines().nth(2).unwrap_or_default().split_whitespace();
    let numbers: Vec<f32> = words
        .filter_map(|word| word.parse().ok())
        .filter(|number: &f32| number.is_finite())
        .collect();
    match numbers[..] {
        [x0, y0, x1, y1] if x0 < x1 && y0 < y1 => Ok(Xyxy([x0 - 1.0, y0 - 1.0, x1, y1])),
        _ => Err("its third line is no box: expected x1 y1 x2 y2".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_names_of_their_own() {
        let names = ["Audi", "", "BMW", "Audi", "a\u{1b}"]
            .map(str::to_owned)
            .to_vec();
        let called = named(&[1, 2, 3, 4, 5, 9], "make", Some(&names));
        assert_eq!(
            called,
            ["Audi (1)", "make 2", "BMW", "Audi (4)", "make 5", "make 9"]
        );
        assert_eq!(named(&[1], "make", None), ["make 1"]);
    }

    #[test]
    fn the_third_line_is_the_box() {
        assert_eq!(
            corners("4\n1\n2 3 10 12\n").unwrap(),
            Xyxy([1.0, 2.0, 10.0, 12.0])
        );
        for text in [
            "",
            "4\n1\n",
            "4\n1\n2 3 10\n",
            "4\n1\n9 3 2 12\n",
            "4\n1\n1 1 NaN 3\n",
        ] {
            assert!(corners(text).is_err(), "{text}");
        }
    }
}
