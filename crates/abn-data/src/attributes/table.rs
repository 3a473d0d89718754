//! Labels in a table beside the images.
//!
//! ```text
//! image,smiling,hat,split        a column a label: 1, 0, -1, true, false, yes, no; ? or nothing
//! a.jpg,1,?,train
//!
//! image,tags                     a column of names, between them blanks, `|` or `;`
//! a.jpg,smiling hat
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::cells::{Cells, check_name, wrong};
use super::crop::Crops;
use super::missing;
use super::objects::Objects;
use super::sheet::Sheet;
use super::told::{MOST_LABELS, Rows, Told, binary};
use crate::error::shown;
use crate::folder::boxes;
use crate::folder::role::{Role, role_of};
use crate::folder::table::{IMAGE, SPLIT, column, common_folder, files, find, plain};
use crate::folder::truth::Objects as Beside;
use crate::{DataError, Truth};

/// Names of the table that is meant.
const MEANT: [&str; 2] = ["labels.csv", "labels.tsv"];
/// Further columns that may name the image: NIH's.
const IMAGE_INDEX: &str = "image index";
/// Columns that may hold the names of labels.
const NAMES: [&str; 9] = [
    "tags",
    "labels",
    "label_names",
    "attributes",
    "finding labels",
    "finding_labels",
    "findings",
    "classes",
    "categories",
];
/// Splits by numbers, as CelebA has them.
const NUMBERED: [(&str, Role); 3] = [
    ("0", Role::Train),
    ("1", Role::Validation),
    ("2", Role::Test),
];
/// The column of this name numbers parts that are all for training and measuring, by turns.
const FOLD: &str = "fold";
/// What separates names, the first that stands anywhere in the column; else blanks do.
const SEPARATORS: [char; 2] = ['|', ';'];

/// What the columns of a table are.
struct Columns {
    image: usize,
    split: Option<usize>,
    labels: Labels,
}

/// Where the labels stand.
enum Labels {
    Columns(Vec<usize>),
    /// In one column, as names, which are these.
    Names {
        place: usize,
        separator: Option<char>,
        names: Vec<String>,
    },
}

/// What the table in `dir` tells: the one of that name, the one called `labels`, or the only one.
///
/// # Errors
/// There is no such table, a cell in it cannot be right, an image is not there, or what says where
/// the objects lie cannot be read.
pub(super) fn read(
    dir: &Path,
    name: Option<&str>,
    once: &BTreeSet<String>,
    truth: Option<Truth>,
) -> Result<Told, DataError> {
    let sheet = Sheet::table(&chosen(dir, name)?)?;
    let columns = Columns::of(&sheet)?;
    let mut told = columns.read(dir, &sheet, once)?;
    let folder = common_folder(|| told.rows.names()).unwrap_or_default();
    let beside = Beside::find(dir, Path::new(folder), truth)?;
    told.objects = Objects::Beside(beside, folder.into());
    Ok(told)
}

/// The table of `dir` that has a column of images.
///
/// # Errors
/// There is none, or it cannot be read.
pub(super) fn there(dir: &Path) -> Result<PathBuf, DataError> {
    let path = chosen(dir, None)?;
    match image_column(&Sheet::table(&path)?) {
        Some(_) => Ok(path),
        None => Err(missing(&path, "add a column of images")),
    }
}

fn chosen(dir: &Path, name: Option<&str>) -> Result<PathBuf, DataError> {
    let two = |tables: &[PathBuf]| DataError::TwoTables {
        path: tables[0].clone(),
        other: tables[1].clone(),
    };
    if let Some(name) = name {
        let path = dir.join(name);
        return match path.is_file() {
            true => Ok(path),
            false => Err(missing(
                &path,
                "name a table by its path from the folder on",
            )),
        };
    }
    let meant: Vec<PathBuf> = MEANT.map(|name| dir.join(name)).into();
    let mut tables: Vec<PathBuf> = meant.into_iter().filter(|path| path.is_file()).collect();
    if tables.is_empty() {
        for path in files(dir, &["csv", "tsv"])? {
            if boxes::separator(&path).is_none() && image_column(&Sheet::table(&path)?).is_some() {
                tables.push(path);
            }
        }
    }
    match &tables[..] {
        [] => Err(missing(
            &dir.join(MEANT[0]),
            "add it, or name another folder or table",
        )),
        [table] => Ok(table.clone()),
        _ => Err(two(&tables)),
    }
}

fn image_column(sheet: &Sheet) -> Option<usize> {
    let names = [&IMAGE[..], &[IMAGE_INDEX]].concat();
    column(sheet.header.iter().map(String::as_str), &names)
}

impl Columns {
    fn of(sheet: &Sheet) -> Result<Self, DataError> {
        sheet.check_header()?;
        let names = || sheet.header.iter().map(String::as_str);
        let image = image_column(sheet).ok_or_else(|| {
            let found: Vec<&str> = names().collect();
            let reason = format!(
                "its columns are {}: expected one called image, file_name or the like",
                shown(&found.join(", "))
            );
            wrong(&sheet.path, 1, 1, reason)
        })?;
        let split = column(names(), &SPLIT);
        let others: Vec<usize> = (0..sheet.header.len())
            .filter(|place| *place != image && Some(*place) != split)
            .collect();
        let labels = match column(names(), &NAMES) {
            Some(place) => named(sheet, place)?,
            None => Labels::Columns(others),
        };
        let count = match &labels {
            Labels::Columns(places) => places.len(),
            Labels::Names { names, .. } => names.len(),
        };
        if count == 0 || count > MOST_LABELS {
            let reason = format!("it has {count} labels: expected 1 to {MOST_LABELS}");
            return Err(wrong(&sheet.path, 1, 1, reason));
        }
        Ok(Self {
            image,
            split,
            labels,
        })
    }

    /// The columns that nothing is read of.
    fn unused<'a>(&self, sheet: &'a Sheet) -> Vec<&'a str> {
        let Labels::Names { place, .. } = self.labels else {
            return vec![];
        };
        let used = [Some(self.image), Some(place), self.split];
        let columns = sheet.header.iter().enumerate();
        let unused = columns.filter(|(column, _)| !used.contains(&Some(*column)));
        unused.map(|(_, name)| name.as_str()).collect()
    }

    fn read(&self, dir: &Path, sheet: &Sheet, once: &BTreeSet<String>) -> Result<Told, DataError> {
        let path = &sheet.path;
        let (names, columns): (Vec<String>, Vec<usize>) = match &self.labels {
            Labels::Columns(places) => {
                let named = |place: &usize| (sheet.header[*place].clone(), place + 1);
                places.iter().map(named).unzip()
            }
            Labels::Names { names, .. } => (names.clone(), vec![]),
        };
        let mut rows = Rows::of(names.len());
        let mut cells = Cells::default();
        sheet.rows(|line, row| {
            let split = self.split_of(sheet, line, row)?;
            let bad = |reason| wrong(path, line, self.image + 1, reason);
            let image = image_of(dir, once, row[self.image], split).map_err(bad)?;
            let place = rows.push(image, split, line).map_err(bad)?;
            match &self.labels {
                Labels::Columns(places) => {
                    for (label, column) in places.iter().enumerate() {
                        let at = (line, column + 1);
                        let class = cells.read(path, at, &names[label], row[*column])?;
                        rows.tell(place, label, class);
                    }
                }
                Labels::Names {
                    place: column,
                    separator,
                    names,
                } => {
                    let there = words(row[*column], *separator);
                    let there: Option<BTreeSet<&str>> = there.map(Iterator::collect);
                    for (label, name) in names.iter().enumerate() {
                        let class = there.as_ref().map(|there| there.contains(name.as_str()));
                        rows.tell(place, label, class.map(usize::from));
                    }
                }
            }
            Ok(())
        })?;
        let mut notes: Vec<String> = cells.finish(path)?.into_iter().collect();
        let unused = self.unused(sheet);
        if !unused.is_empty() {
            notes.push(format!(
                "not used: the columns {}",
                shown(&unused.join(", "))
            ));
        }
        if rows.len() == 0 {
            return Err(wrong(path, 1, 1, "it names no image".to_owned()));
        }
        Ok(Told {
            source: path.clone(),
            groups: binary(names),
            columns,
            rows,
            objects: Objects::Beside(Beside::Unknown, PathBuf::new()),
            crops: Crops::None,
            notes,
        })
    }

    /// What the image of a row is for.
    fn split_of(&self, sheet: &Sheet, line: u64, row: &[&str]) -> Result<Option<Role>, DataError> {
        let Some(place) = self.split else {
            return Ok(None);
        };
        let is_fold = sheet.header[place].eq_ignore_ascii_case(FOLD);
        let numbered = NUMBERED
            .iter()
            .find(|(name, _)| *name == row[place] && !is_fold);
        let role = numbered
            .map(|(_, role)| *role)
            .or_else(|| role_of(row[place]));
        match role.filter(|role| *role != Role::Unclear) {
            Some(role) => Ok(Some(role)),
            None => {
                let reason = format!(
                    "there is no split {}: expected train, val or test, or 0, 1 or 2",
                    shown(row[place])
                );
                Err(wrong(&sheet.path, line, place + 1, reason))
            }
        }
    }
}

/// The labels that stand in a column as names, sorted.
fn named(sheet: &Sheet, place: usize) -> Result<Labels, DataError> {
    let mut there = [false; SEPARATORS.len()];
    sheet.rows(|_, row| {
        for (there, letter) in there.iter_mut().zip(SEPARATORS) {
            *there |= row[place].contains(letter);
        }
        Ok(())
    })?;
    let found = SEPARATORS.into_iter().zip(there);
    let separator = found
        .filter(|(_, there)| *there)
        .map(|(letter, _)| letter)
        .next();
    let mut names = BTreeSet::new();
    sheet.rows(|line, row| {
        for name in words(row[place], separator).into_iter().flatten() {
            check_name(name).map_err(|reason| wrong(&sheet.path, line, place + 1, reason))?;
            names.insert(name.to_owned());
        }
        if names.len() > MOST_LABELS {
            let reason = format!("there are more than {MOST_LABELS} labels");
            return Err(wrong(&sheet.path, line, place + 1, reason));
        }
        Ok(())
    })?;
    Ok(Labels::Names {
        place,
        separator,
        names: names.into_iter().collect(),
    })
}

/// The names in a cell; `None` if nobody knows them.
fn words(cell: &str, separator: Option<char>) -> Option<impl Iterator<Item = &str>> {
    let parts = cell.split(move |letter: char| match separator {
        Some(separator) => letter == separator,
        None => letter.is_whitespace(),
    });
    let names = parts.map(str::trim).filter(|name| !name.is_empty());
    (cell != "?").then_some(names)
}

/// The path below `dir` of the image that a list calls so.
///
/// # Errors
/// There is none, or its name leads elsewhere: the reason.
pub(super) fn image_of(
    dir: &Path,
    once: &BTreeSet<String>,
    name: &str,
    split: Option<Role>,
) -> Result<String, String> {
    let path = plain_name(name)?;
    find(dir, once, &path, split).ok_or_else(|| no_image(name))
}

/// The shortest path that a list may mean by the name of an image.
///
/// # Errors
/// It leads out of the folder, or cannot be shown: the reason.
pub(super) fn plain_name(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("the image is missing".to_owned());
    }
    if name.contains(char::is_control) {
        return Err(format!("the name {} has control characters", shown(name)));
    }
    let path = plain(&name.replace('\\', "/")).filter(|path| !path.is_empty());
    path.ok_or_else(|| format!("{} lies outside the folder", shown(name)))
}

/// Why an image of a list is not taken.
pub(super) fn no_image(name: &str) -> String {
    format!("there is no image {}", shown(name))
}
