//! What a layout tells of its images: the form that all layouts are brought into.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::crop::Crops;
use super::objects::Objects;
use crate::error::{listed, shown};
use crate::folder::name_below;
use crate::folder::role::Role;
use crate::folder::split;
use crate::{DataError, Group, Split};

/// Labels that are told at most.
pub(super) const MOST_LABELS: usize = 10_000;
/// What is told of all images together, at most: 400 MB, a thousand times as much as VOC.
const MOST_VALUES: usize = 200_000_000;
/// The class of a label that is there.
pub(super) const SHOWN: u16 = 1;
/// Stands for a class that nobody knows.
pub(super) const UNKNOWN: u16 = u16::MAX;

/// All that is told, before a split is taken of it.
pub(super) struct Told {
    /// The list that tells the labels.
    pub(super) source: PathBuf,
    pub(super) groups: Vec<Group>,
    /// The column of each label in the list, from 1 on; empty if it has none.
    pub(super) columns: Vec<usize>,
    pub(super) rows: Rows,
    pub(super) objects: Objects,
    /// The box of each image, to which it may be cropped.
    pub(super) crops: Crops,
    /// What a user should know of how it was read.
    pub(super) notes: Vec<String>,
}

/// The groups of labels that are there or not.
pub(super) fn binary(names: impl IntoIterator<Item = String>) -> Vec<Group> {
    names.into_iter().map(Group::attribute).collect()
}

impl Told {
    /// What the labels are, in a line.
    pub(super) fn title(&self, dir: &Path) -> String {
        let source = name_below(dir, &self.source);
        let labels = match self.groups.len() {
            1 => "1 label".to_owned(),
            count => format!("{count} labels"),
        };
        let unknown = self.rows.unknown();
        let unknown = match unknown {
            0 => String::new(),
            _ => format!(", {unknown} of {} values unknown", self.rows.classes.len()),
        };
        format!("labels are those of {source}: {labels}{unknown}")
    }

    /// Refuses a label that is unknown for all images.
    pub(super) fn refuse_unknown(&self) -> Result<(), DataError> {
        let known = self.rows.known(0..self.rows.len());
        let Some(label) = known.iter().position(BTreeMap::is_empty) else {
            return Ok(());
        };
        let path = self.source.clone();
        let reason = format!("{} is unknown for all images", self.groups[label].name);
        Err(match self.columns.get(label) {
            Some(column) => DataError::LabelCell {
                path,
                line: 1,
                column: *column,
                reason,
            },
            None => DataError::LabelTable {
                path,
                line: 1,
                reason,
            },
        })
    }

    /// Which labels are always the same in these images, or unknown.
    pub(super) fn remarks(&self, rows: &[u32], split: Split) -> Vec<String> {
        let images = match split {
            Split::Train => "training images",
            Split::HeldOut => "held-out images",
            Split::Test => "test images",
            Split::All => "images",
        };
        let known = self.rows.known(rows.iter().map(|row| *row as usize));
        let named = |has: fn(usize) -> bool| -> Vec<String> {
            let labels = self.groups.iter().zip(&known);
            let found =
                labels.filter(|(group, known)| group.classes.len() == 2 && has(known.len()));
            found.map(|(group, _)| group.name.clone()).collect()
        };
        let remark = |names: Vec<String>, what: &str| {
            (!names.is_empty()).then(|| format!("{what} in the {images}: {}", listed(&names)))
        };
        let unknown = remark(named(|classes| classes == 0), "never known");
        let constant = remark(named(|classes| classes == 1), "always the same");
        unknown.into_iter().chain(constant).collect()
    }
}

/// The images of all splits, each with the class of every label.
pub(super) struct Rows {
    labels: usize,
    names: Vec<String>,
    splits: Vec<Option<Role>>,
    /// `[images, labels]`
    classes: Vec<u16>,
    /// Line of each image in its list.
    lines: Vec<u64>,
    /// Place of each name.
    places: HashMap<String, usize>,
}

impl Rows {
    /// None yet, of so many labels each.
    pub(super) fn of(labels: usize) -> Self {
        Self {
            labels,
            names: vec![],
            splits: vec![],
            classes: vec![],
            lines: vec![],
            places: HashMap::new(),
        }
    }

    /// Adds an image of which nothing is known; returns its place.
    ///
    /// # Errors
    /// It is there already, or there are too many: the reason.
    pub(super) fn push(
        &mut self,
        name: String,
        split: Option<Role>,
        line: u64,
    ) -> Result<usize, String> {
        if let Some(place) = self.places.get(&name) {
            let first = self.lines[*place];
            let name = shown(&name);
            return Err(format!("{name} is named a second time, after line {first}"));
        }
        if self.classes.len() + self.labels > MOST_VALUES {
            return Err(format!("it tells more than {MOST_VALUES} values"));
        }
        let place = self.names.len();
        self.places.insert(name.clone(), place);
        self.names.push(name);
        self.splits.push(split);
        self.lines.push(line);
        self.classes
            .extend(std::iter::repeat_n(UNKNOWN, self.labels));
        Ok(place)
    }

    /// Says the class of an image.
    pub(super) fn tell(&mut self, row: usize, label: usize, class: Option<usize>) {
        let class = class.and_then(|class| u16::try_from(class).ok());
        self.classes[row * self.labels + label] = class.unwrap_or(UNKNOWN);
    }

    /// The line in its list that names the image of that place.
    pub(super) fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// Where the image of that name is.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// Frees what only reading needs.
    pub(super) fn close(&mut self) {
        self.places = HashMap::new();
        self.lines = Vec::new();
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn name(&self, row: usize) -> &str {
        &self.names[row]
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.names.iter()
    }

    /// The class of each label of an image.
    pub(super) fn classes(&self, row: usize) -> impl Fn(usize) -> Option<usize> {
        let classes = self.numbers(row);
        |label| {
            Some(classes[label])
                .filter(|class| *class != UNKNOWN)
                .map(usize::from)
        }
    }

    /// The number of the class of each label of an image, as it is kept.
    pub(super) fn numbers(&self, row: usize) -> &[u16] {
        &self.classes[row * self.labels..][..self.labels]
    }

    /// What somebody made an image for.
    pub(super) fn split(&self, row: usize) -> Option<Role> {
        self.splits[row]
    }

    /// How many values nobody knows.
    fn unknown(&self) -> usize {
        self.classes
            .iter()
            .filter(|class| **class == UNKNOWN)
            .count()
    }

    /// How often each class of each label is right in these images.
    fn known(&self, rows: impl Iterator<Item = usize>) -> Vec<BTreeMap<u16, usize>> {
        let mut known = vec![BTreeMap::new(); self.labels];
        for row in rows {
            let classes = self.numbers(row);
            for (known, class) in known.iter_mut().zip(classes) {
                if *class != UNKNOWN {
                    *known.entry(*class).or_default() += 1;
                }
            }
        }
        known
    }

    /// The images that serve as a split, in their order, and what is to be said of that.
    ///
    /// # Errors
    /// There are none.
    pub(super) fn of_split(
        &self,
        dir: &Path,
        split: Split,
        seed: u64,
    ) -> Result<(Vec<u32>, Option<String>), DataError> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let (rows, note) = split::of_split(dir, &names, &self.splits, split, seed)?;
        Ok((self.by_turns(rows), note))
    }

    /// The same images; where a label has more than two classes, the first of every class, the
    /// second of every class, and so on: the first N show as many as can be.
    fn by_turns(&self, rows: Vec<usize>) -> Vec<u32> {
        let known = self.known(rows.iter().copied());
        let most = (0..self.labels).max_by_key(|label| known[*label].len());
        let many = most.filter(|label| known[*label].len() > 2);
        let mut turns: HashMap<Option<usize>, usize> = HashMap::new();
        let mut ordered: Vec<(usize, usize)> = Vec::with_capacity(rows.len());
        for row in rows {
            let turn = many.map_or(0, |label| {
                let turn = turns.entry(self.classes(row)(label)).or_default();
                *turn += 1;
                *turn
            });
            ordered.push((turn, row));
        }
        ordered.sort_unstable();
        // No file system holds four thousand million images.
        ordered.into_iter().map(|(_, row)| row as u32).collect()
    }
}
