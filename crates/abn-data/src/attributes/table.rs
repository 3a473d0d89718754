//! Labels in a table beside the images.
//!
//! ```text
//! image,smiling,hat,split        a column a label: 1, 0, -1, true, false, yes, no; ? or nothing
//! a.jpg,1,?,train
//!
//! image,tags                     a column of names, between them blanks, `|` or `;`
//! a.jpg,smiling hat
//! ```
//!
//! There may be a table a split instead, `train.csv` and `val.csv` or `test.csv`, with the same
//! labels.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::cells::{Cells, file_name, wrong};
use super::crop::Crops;
use super::missing;
use super::objects::Objects;
use super::sheet::Sheet;
use super::told::{MOST_LABELS, Rows, Told, binary};
use crate::annotations::names::{check_name, no_image, plain_name};
use crate::error::{listed, shown};
use crate::folder::boxes;
use crate::folder::role::{Role, role_of};
use crate::folder::table::{IMAGE, SPLIT, column, common_folder, files, find};
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

/// A table with what its columns are.
struct Table {
    sheet: Sheet,
    /// What its images are for, if its name tells.
    role: Option<Role>,
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

/// What the table in `dir` tells: the one of that name, the one called `labels`, the only one, or
/// those of the splits.
///
/// # Errors
/// There is no such table, a cell in it cannot be right, tables of splits differ in their labels or
/// name the same image, an image is not there, or what says where the objects lie cannot be read.
pub(super) fn read(
    dir: &Path,
    name: Option<&str>,
    once: &BTreeSet<String>,
    truth: Option<Truth>,
) -> Result<Told, DataError> {
    let chosen = chosen(dir, name)?.into_iter();
    let tables = chosen.map(|(path, role)| Table::of(Sheet::table(&path)?, role));
    let tables: Vec<Table> = tables.collect::<Result<_, DataError>>()?;
    let mut told = told(dir, tables, once)?;
    let folder = common_folder(|| told.rows.names()).unwrap_or_default();
    let beside = Beside::find(dir, Path::new(folder), truth)?;
    told.objects = Objects::Beside(beside, folder.into());
    Ok(told)
}

/// What tables tell, of which there is one or one a split.
fn told(dir: &Path, tables: Vec<Table>, once: &BTreeSet<String>) -> Result<Told, DataError> {
    let Some(first) = tables.first() else {
        return Err(missing(&dir.join(MEANT[0]), "add it"));
    };
    let source = first.sheet.path.clone();
    let (names, columns) = labels_of(&tables)?;
    let mut rows = Rows::of(names.len());
    let (mut cells, mut notes) = (Cells::default(), Vec::new());
    // The tables before, each with the place behind its last image.
    let mut before: Vec<(PathBuf, usize)> = Vec::new();
    for table in &tables {
        let from = rows.len();
        let mut reader = Reader {
            dir,
            once,
            names: &names,
            before: &before,
            rows: &mut rows,
            cells: &mut cells,
        };
        table.read(&mut reader)?;
        let path = &table.sheet.path;
        if rows.len() == from {
            return Err(wrong(path, 1, 1, "it names no image".to_owned()));
        }
        let unused = table.unused();
        if !unused.is_empty() {
            let unused = shown(&unused.join(", "));
            let note = format!("not used: the columns {unused}");
            notes.extend((!notes.contains(&note)).then_some(note));
        }
        before.push((path.clone(), rows.len()));
    }
    notes.splice(0..0, cells.finish()?);
    if tables.len() > 1 {
        let files: Vec<String> = before.iter().map(|(path, _)| file_name(path)).collect();
        notes.push(format!("a table a split: {}", files.join(", ")));
    }
    Ok(Told {
        source,
        groups: binary(names),
        columns,
        rows,
        objects: Objects::Beside(Beside::Unknown, PathBuf::new()),
        crops: Crops::None,
        notes,
    })
}

/// The labels of tables, and their columns in the first one if they have some.
///
/// # Errors
/// Not all tables have the same.
fn labels_of(tables: &[Table]) -> Result<(Vec<String>, Vec<usize>), DataError> {
    let Some((first, others)) = tables.split_first() else {
        return Ok((vec![], vec![]));
    };
    let Labels::Columns(places) = &first.labels else {
        let mut all = BTreeSet::new();
        for table in tables {
            let Labels::Names { names, .. } = &table.labels else {
                return Err(differ(
                    first,
                    table,
                    "has columns of labels, and not of names",
                ));
            };
            all.extend(names.iter().cloned());
        }
        first.check_count(all.len())?;
        return Ok((all.into_iter().collect(), vec![]));
    };
    let names = first.names();
    for table in others {
        let Labels::Columns(_) = &table.labels else {
            return Err(differ(
                first,
                table,
                "has a column of names, and not of labels",
            ));
        };
        let found = table.names();
        let lacking = |here: &[&str], there: &[&str]| -> Vec<String> {
            let lacking = there.iter().filter(|name| !here.contains(name));
            lacking.map(ToString::to_string).collect()
        };
        let (less, more) = (lacking(&found, &names), lacking(&names, &found));
        let words = [("lacks the columns ", less), ("has the columns ", more)];
        let words: Vec<String> = words
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(words, names)| format!("{words}{}", shown(&listed(&names))))
            .collect();
        if !words.is_empty() {
            return Err(differ(first, table, &words.join(" and ")));
        }
    }
    let names = names.iter().map(ToString::to_string).collect();
    Ok((names, places.iter().map(|place| place + 1).collect()))
}

/// Why a table is not one of the same labels.
fn differ(first: &Table, table: &Table, what: &str) -> DataError {
    let reason = format!("it {what}, other than {}", file_name(&first.sheet.path));
    wrong(&table.sheet.path, 1, 1, reason)
}

/// Whether `dir` has a table with a column of images, or one a split.
///
/// # Errors
/// There is none, or it cannot be read.
pub(super) fn there(dir: &Path) -> Result<(), DataError> {
    for (path, _) in chosen(dir, None)? {
        if image_column(&Sheet::table(&path)?).is_none() {
            return Err(missing(&path, "add a column of images"));
        }
    }
    Ok(())
}

/// The table that is meant, or those of the splits, each with what it is for.
fn chosen(dir: &Path, name: Option<&str>) -> Result<Vec<(PathBuf, Option<Role>)>, DataError> {
    let Some(name) = name else {
        let meant: Vec<PathBuf> = MEANT.map(|name| dir.join(name)).into();
        let meant: Vec<PathBuf> = meant.into_iter().filter(|path| path.is_file()).collect();
        return match meant.is_empty() {
            true => one_or_splits(dir),
            false => only(dir, meant),
        };
    };
    let path = dir.join(name);
    match (path.is_file(), path.is_dir()) {
        (true, _) => Ok(vec![(path, None)]),
        (_, true) => one_or_splits(&path),
        (false, false) => Err(missing(
            &path,
            "name a table, or a folder of tables, by its path from the folder on",
        )),
    }
}

/// The only table of a folder that names images, or those that are called by splits.
fn one_or_splits(dir: &Path) -> Result<Vec<(PathBuf, Option<Role>)>, DataError> {
    let mut tables = Vec::new();
    for path in files(dir, &["csv", "tsv"])? {
        if boxes::separator(&path).is_none() && image_column(&Sheet::table(&path)?).is_some() {
            tables.push(path);
        }
    }
    let role = |path: &PathBuf| {
        let role = role_of(path.file_stem()?.to_str()?);
        role.filter(|role| *role != Role::Unclear)
    };
    let roles: BTreeSet<Role> = tables.iter().filter_map(role).collect();
    if tables.len() > 1 && roles.len() == tables.len() {
        let mut tables: Vec<_> = tables.into_iter().map(|path| (role(&path), path)).collect();
        tables.sort();
        return Ok(tables
            .into_iter()
            .map(|(role, path)| (path, role))
            .collect());
    }
    only(dir, tables)
}

fn only(dir: &Path, tables: Vec<PathBuf>) -> Result<Vec<(PathBuf, Option<Role>)>, DataError> {
    match &tables[..] {
        [] => Err(missing(
            &dir.join(MEANT[0]),
            "add it, or name another folder or table",
        )),
        [table] => Ok(vec![(table.clone(), None)]),
        [first, second, ..] => Err(DataError::TwoTables {
            path: first.clone(),
            other: second.clone(),
        }),
    }
}

fn image_column(sheet: &Sheet) -> Option<usize> {
    let names = [&IMAGE[..], &[IMAGE_INDEX]].concat();
    column(sheet.header.iter().map(String::as_str), &names)
}

/// What tables are read into.
struct Reader<'a> {
    dir: &'a Path,
    once: &'a BTreeSet<String>,
    /// The labels of all tables.
    names: &'a [String],
    before: &'a [(PathBuf, usize)],
    rows: &'a mut Rows,
    cells: &'a mut Cells,
}

impl Reader<'_> {
    /// Adds an image; returns its place.
    fn push(&mut self, image: String, split: Option<Role>, line: u64) -> Result<usize, String> {
        let known = self.rows.place(&image);
        let mut before = self.before.iter();
        if let Some(place) = known
            && let Some((path, _)) = before.find(|(_, end)| place < *end)
        {
            let (file, first) = (file_name(path), self.rows.line(place));
            return Err(format!(
                "{} is named in {file}, line {first}, too",
                shown(&image)
            ));
        }
        self.rows.push(image, split, line)
    }
}

impl Table {
    fn of(sheet: Sheet, role: Option<Role>) -> Result<Self, DataError> {
        sheet.check_header()?;
        let names = || sheet.header.iter().map(String::as_str);
        let image = image_column(&sheet).ok_or_else(|| {
            let found: Vec<&str> = names().collect();
            let reason = format!(
                "its columns are {}: expected one called image, file_name or the like",
                shown(&found.join(", "))
            );
            wrong(&sheet.path, 1, 1, reason)
        })?;
        let split = column(names(), &SPLIT);
        if let (Some(place), Some(_)) = (split, role) {
            let reason = "its name says the split, and a column does: remove the column".to_owned();
            return Err(wrong(&sheet.path, 1, place + 1, reason));
        }
        let others: Vec<usize> = (0..sheet.header.len())
            .filter(|place| *place != image && Some(*place) != split)
            .collect();
        let labels = match column(names(), &NAMES) {
            Some(place) => named(&sheet, place)?,
            None => Labels::Columns(others),
        };
        let table = Self {
            sheet,
            role,
            image,
            split,
            labels,
        };
        table.check_count(match &table.labels {
            Labels::Columns(places) => places.len(),
            Labels::Names { names, .. } => names.len(),
        })?;
        Ok(table)
    }

    fn check_count(&self, count: usize) -> Result<(), DataError> {
        if (1..=MOST_LABELS).contains(&count) {
            return Ok(());
        }
        let reason = format!("it has {count} labels: expected 1 to {MOST_LABELS}");
        Err(wrong(&self.sheet.path, 1, 1, reason))
    }

    /// The labels that stand in columns.
    fn names(&self) -> Vec<&str> {
        match &self.labels {
            Labels::Columns(places) => {
                let names = places
                    .iter()
                    .map(|place| self.sheet.header[*place].as_str());
                names.collect()
            }
            Labels::Names { .. } => vec![],
        }
    }

    /// The columns that nothing is read of.
    fn unused(&self) -> Vec<&str> {
        let Labels::Names { place, .. } = self.labels else {
            return vec![];
        };
        let used = [Some(self.image), Some(place), self.split];
        let columns = self.sheet.header.iter().enumerate();
        let unused = columns.filter(|(column, _)| !used.contains(&Some(*column)));
        unused.map(|(_, name)| name.as_str()).collect()
    }

    /// Column of each label that stands in one.
    fn columns(&self, names: &[String]) -> Vec<Option<usize>> {
        let column = |name: &String| self.sheet.header.iter().position(|other| other == name);
        match self.labels {
            Labels::Columns(_) => names.iter().map(column).collect(),
            Labels::Names { .. } => vec![],
        }
    }

    fn read(&self, reader: &mut Reader) -> Result<(), DataError> {
        let path = &self.sheet.path;
        let (dir, once, names) = (reader.dir, reader.once, reader.names);
        let columns = self.columns(names);
        self.sheet.rows(|line, row| {
            let split = self.split_of(line, row)?;
            let bad = |reason| wrong(path, line, self.image + 1, reason);
            let image = image_of(dir, once, row[self.image], split).map_err(bad)?;
            let place = reader.push(image, split, line).map_err(bad)?;
            for (label, column) in columns.iter().enumerate() {
                let Some(column) = column else {
                    continue;
                };
                let at = (line, column + 1);
                let class = reader.cells.read(path, at, &names[label], row[*column])?;
                reader.rows.tell(place, label, class);
            }
            if let Labels::Names {
                place: column,
                separator,
                ..
            } = &self.labels
            {
                let there = words(row[*column], *separator);
                let there: Option<BTreeSet<&str>> = there.map(Iterator::collect);
                for (label, name) in names.iter().enumerate() {
                    let class = there.as_ref().map(|there| there.contains(name.as_str()));
                    reader.rows.tell(place, label, class.map(usize::from));
                }
            }
            Ok(())
        })
    }

    /// What the image of a row is for.
    fn split_of(&self, line: u64, row: &[&str]) -> Result<Option<Role>, DataError> {
        let (sheet, Some(place)) = (&self.sheet, self.split) else {
            return Ok(self.role);
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
