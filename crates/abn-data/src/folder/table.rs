//! Labels from tables and lists beside the images: which image is of which class, and in which
//! split.
//!
//! ```text
//! labels.csv, metadata.tsv, ...              columns image and label, and perhaps split
//! train.csv + val.csv or test.csv            the same, a table a split
//! val/val_annotations.txt                    Tiny-ImageNet
//! val.txt, LOC_val_solution.csv, ...         ImageNet's flat val/
//! images.txt, image_class_labels.txt, ...    CUB-200-2011
//! annotations/trainval.txt, test.txt         Oxford-IIIT pets
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Component, Path, PathBuf};

use csv::{ReaderBuilder, Trim};

use super::entries::is_image_name;
use super::layout::{Images, Layout, Place};
use super::names::{name_below, names_in};
use super::role::{Role, role_of};
use super::text::read_text;
use crate::DataError;
use crate::error::shown;

/// ImageNet's 1.3 million images have a list of 60 MB.
pub(crate) const MAX_FILE: u64 = 256 << 20;
/// Columns that may name the image, in order of preference.
pub(crate) const IMAGE: [&str; 12] = [
    "image",
    "image_path",
    "image_name",
    "image_id",
    "img",
    "file",
    "file_name",
    "filename",
    "filepath",
    "path",
    "name",
    "id",
];
/// Columns that may name the class.
const LABEL: [&str; 9] = [
    "label",
    "class",
    "class_name",
    "label_name",
    "category",
    "species",
    "breed",
    "target",
    "variety",
];
/// Columns that may name the split.
pub(crate) const SPLIT: [&str; 6] = ["split", "set", "subset", "partition", "fold", "data set"];
/// What a name without an ending may end in.
const ENDINGS: [&str; 6] = ["jpg", "jpeg", "png", "JPEG", "JPG", "PNG"];
/// Folders that a table may leave out of its paths.
const FOLDERS: [&str; 4] = ["", "images", "imgs", "img"];

/// An image as a table has it.
#[derive(Debug, PartialEq)]
struct Row {
    image: String,
    class: String,
    split: Option<Role>,
}

/// The layout of a set that is published with lists, if `dir` is one.
///
/// # Errors
/// A list cannot be read, or does not fit the others or the images.
pub(super) fn published(dir: &Path, once: &BTreeSet<String>) -> Result<Option<Layout>, DataError> {
    match birds(dir, once)? {
        Some(layout) => Ok(Some(layout)),
        None => pets(dir, once),
    }
}

/// The tables of a folder that tell labels.
pub(super) struct Tables(Vec<Table>);

struct Table {
    path: PathBuf,
    rows: Vec<Row>,
    /// The split that its name says.
    role: Option<Role>,
}

impl Table {
    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn is_meant(&self) -> bool {
        self.path.file_stem().is_some_and(|stem| stem == "labels")
    }
}

impl Tables {
    /// The tables in `dir`.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub(super) fn in_folder(dir: &Path) -> Result<Self, DataError> {
        let mut tables = Vec::new();
        for path in files(dir, &["csv", "tsv"])? {
            if let Some(rows) = labelled(&path)? {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                let stem = stem.to_lowercase();
                let role = role_of(stem.trim_end_matches("labels").trim_end_matches(['_', '-']));
                tables.push(Table { role, rows, path });
            }
        }
        Ok(Self(tables))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one is called `labels`: then the folders are no classes, whatever they look like.
    pub(super) fn are_meant(&self) -> bool {
        self.0.iter().any(Table::is_meant)
    }

    /// What to say if folders tell the classes.
    pub(super) fn not_used(&self) -> Option<String> {
        let names: Vec<String> = self.0.iter().map(Table::name).collect();
        (!names.is_empty()).then(|| {
            format!(
                "not used: {}; the folders are the classes, unless the table is called labels.csv",
                names.join(", ")
            )
        })
    }

    /// The layout that they tell.
    ///
    /// # Errors
    /// A table names no image or an impossible one, or several tell different things.
    pub(super) fn layout(
        self,
        dir: &Path,
        once: &BTreeSet<String>,
        notes: &mut Vec<String>,
    ) -> Result<Layout, DataError> {
        let chosen = self.chosen()?;
        let told: Vec<String> = chosen.iter().map(Table::name).collect();
        notes.push(format!("labels are those of {}", told.join(", ")));
        let mut places = Places::new(dir, &chosen[0].path, once);
        for table in &chosen {
            places.add(&table.path, &table.rows)?;
        }
        places.layout(notes)
    }

    /// The table called `labels`, those of the splits, or the only one.
    fn chosen(self) -> Result<Vec<Table>, DataError> {
        let (mut meant, others): (Vec<Table>, Vec<Table>) =
            self.0.into_iter().partition(Table::is_meant);
        let trains = |table: &&Table| table.role == Some(Role::Train);
        if meant.is_empty() && others.iter().filter(trains).count() == 1 {
            let mut of_splits: Vec<Table> = others
                .into_iter()
                .filter(|table| table.role.is_some_and(|role| role != Role::Unclear))
                .collect();
            // Of a training table alone, one image in five is held out.
            let apart = of_splits.len() > 1;
            for table in &mut of_splits {
                let split = table.role.filter(|_| apart);
                table.rows.iter_mut().for_each(|row| row.split = split);
            }
            return Ok(of_splits);
        }
        if meant.is_empty() {
            meant = others;
        }
        match &meant[..] {
            [first, second, ..] => Err(DataError::TwoTables {
                path: first.path.clone(),
                other: second.path.clone(),
            }),
            _ => Ok(meant),
        }
    }
}

/// Held-out images that lie flat in `folder`, with a list of their classes: ImageNet's, or
/// Tiny-ImageNet's.
///
/// # Errors
/// The list cannot be read, or is not of these images.
pub(super) fn flat_split(
    dir: &Path,
    folder: &Path,
    classes: &[String],
    once: &BTreeSet<String>,
) -> Result<Option<Place>, DataError> {
    let inner = Some(folder.join("images")).filter(|inner| inner.is_dir());
    let root = inner.unwrap_or_else(|| folder.to_owned());
    let stem = folder.file_name().unwrap_or_default().to_string_lossy();
    let above = dir.ancestors().take(4);
    let lists = [
        folder.join(format!("{stem}_annotations.txt")),
        dir.join(format!("{stem}.txt")),
        dir.join(format!("{stem}_labels.txt")),
        dir.join("imagenet_2012_validation_synset_labels.txt"),
    ];
    let solutions = above.map(|folder| folder.join("LOC_val_solution.csv"));
    let Some(list) = lists
        .into_iter()
        .chain(solutions)
        .find(|list| list.is_file())
    else {
        return Ok(None);
    };
    let text = read_text(&list, MAX_FILE, "a list of images and their classes")?;
    let mut images: Vec<String> = files(&root, &[])?
        .iter()
        .filter(|path| is_image_name(path))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    let below = name_below(dir, &root);
    images.extend(names_in(once, &below).map(str::to_owned));
    images.sort_unstable();
    images.dedup();
    let mut of_class: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let stems: HashMap<&str, &String> = images
        .iter()
        .filter_map(|name| Some((Path::new(name).file_stem()?.to_str()?, name)))
        .collect();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    for (number, line) in lines.enumerate() {
        let wrong = |reason: String| DataError::LabelTable {
            path: list.clone(),
            line: number as u64 + 1,
            reason,
        };
        let mut words = line.split([' ', '\t', ',']);
        let first = words.next().unwrap_or_default();
        if first == "ImageId" {
            continue;
        }
        let (image, class) = match words.next() {
            Some(class) => {
                let stem = Path::new(first).file_stem().and_then(|stem| stem.to_str());
                let image = stem.and_then(|stem| stems.get(stem).copied());
                (image, class)
            }
            None => (images.get(number), first),
        };
        let image = image.ok_or_else(|| wrong(format!("there is no image {}", shown(first))))?;
        let by_number = class
            .parse()
            .ok()
            .and_then(|number: usize| classes.get(number));
        let known = classes.iter().find(|known| *known == class).or(by_number);
        let class = known.ok_or_else(|| wrong(format!("there is no class {}", shown(class))))?;
        of_class
            .entry(class.clone())
            .or_default()
            .push(image.clone());
    }
    let told: usize = of_class.values().map(Vec::len).sum();
    if told != images.len() {
        return Err(DataError::LabelTable {
            path: list,
            line: 1,
            reason: format!("it has {told} labels for {} images", images.len()),
        });
    }
    let classes = of_class
        .into_iter()
        .map(|(class, names)| (class, Images::Named(names)))
        .collect();
    Ok(Some(Place { root, classes }))
}

/// Files of a folder, sorted; with these endings, if there are any.
pub(crate) fn files(dir: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    let failed = |source| DataError::Read {
        path: dir.into(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ends = |ending: &&str| path.extension().is_some_and(|found| found == *ending);
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.is_file() && (endings.is_empty() || endings.iter().any(ends)) {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The rows of a table that has a column of images and one of labels; `None` of another table.
fn labelled(path: &Path) -> Result<Option<Vec<Row>>, DataError> {
    let text = read_text(path, MAX_FILE, "a table of images and labels")?;
    let delimiter = delimiter(path, &text);
    let mut table = ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let wrong = |line: u64, reason: String| DataError::LabelTable {
        path: path.into(),
        line,
        reason,
    };
    let Ok(header) = table.headers().cloned() else {
        return Ok(None);
    };
    let column = |names: &[&str]| column(header.iter(), names);
    let (Some(image), Some(label)) = (column(&IMAGE), column(&LABEL)) else {
        return Ok(None);
    };
    let split = column(&SPLIT);
    let mut rows = Vec::new();
    for row in table.records() {
        let row = row.map_err(|error| {
            let line = error.position().map_or(1, csv::Position::line);
            wrong(line, error.to_string())
        })?;
        let line = row.position().map_or(1, csv::Position::line);
        let field = |place: usize| row.get(place).unwrap_or_default().to_owned();
        let (image, class) = (field(image).replace('\\', "/"), field(label));
        if image.is_empty() || class.is_empty() {
            return Err(wrong(line, "the image or its label is missing".to_owned()));
        }
        if image.contains(char::is_control) || class.contains(char::is_control) {
            let reason = "the image or its label has control characters";
            return Err(wrong(line, reason.to_owned()));
        }
        let split = match split.map(field) {
            None => None,
            Some(name) => Some(
                role_of(&name)
                    .filter(|role| *role != Role::Unclear)
                    .ok_or_else(|| wrong(line, format!("there is no split `{}`", shown(&name))))?,
            ),
        };
        rows.push(Row {
            image,
            class,
            split,
        });
    }
    Ok((!rows.is_empty()).then_some(rows))
}

/// What separates the columns of a table, by its name and its first line.
pub(crate) fn delimiter(path: &Path, text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    match path.extension() {
        Some(ending) if ending == "tsv" => b'\t',
        _ if first.contains(';') && !first.contains(',') => b';',
        _ => b',',
    }
}

/// Place of the first of these names, in any case, among those of the columns.
pub(crate) fn column<'a>(
    header: impl Iterator<Item = &'a str> + Clone,
    names: &[&str],
) -> Option<usize> {
    let place = |name: &&str| {
        let mut columns = header.clone();
        columns.position(|column| column.eq_ignore_ascii_case(name))
    };
    names.iter().find_map(place)
}

/// A path below the folder of the table in its shortest form; `None` if it leads out of it. Without
/// its beginning, `images//x` would be a path from the root of the file system on.
pub(crate) fn plain(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(parts.join("/"))
}

/// The path below `root` of the image that a table calls so: it may leave out the folder of images
/// and the ending. Images that were there `once` count.
pub(crate) fn find(
    root: &Path,
    once: &BTreeSet<String>,
    image: &str,
    split: Option<Role>,
) -> Option<String> {
    let split = match split {
        Some(Role::Train) | None => "train",
        Some(Role::Validation) => "val",
        _ => "test",
    };
    let folders = FOLDERS.into_iter().chain([split]);
    let endings = std::iter::once("").chain(ENDINGS);
    let mut candidates = folders.flat_map(|folder| {
        endings.clone().map(move |ending| match (folder, ending) {
            ("", "") => image.to_owned(),
            ("", ending) => format!("{image}.{ending}"),
            (folder, "") => format!("{folder}/{image}"),
            (folder, ending) => format!("{folder}/{image}.{ending}"),
        })
    });
    candidates.find(|name| root.join(name).is_file() || once.contains(name))
}

/// The folder of images that all paths begin with.
pub(crate) fn common_folder<'a, I: Iterator<Item = &'a String>>(
    names: impl Fn() -> I,
) -> Option<&'static str> {
    let begins = |name: &str, folder: &str| {
        let rest = name.strip_prefix(folder);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let mut folders = FOLDERS.into_iter().filter(|folder| !folder.is_empty());
    folders.find(|folder| names().all(|name| begins(name, folder)))
}

/// Collects the images of tables by split and class.
struct Places<'a> {
    /// Images that were there.
    once: &'a BTreeSet<String>,
    root: PathBuf,
    table: PathBuf,
    of: BTreeMap<Option<Role>, BTreeMap<String, Vec<String>>>,
}

impl<'a> Places<'a> {
    fn new(dir: &Path, table: &Path, once: &'a BTreeSet<String>) -> Self {
        Self {
            once,
            root: dir.to_owned(),
            table: table.to_owned(),
            of: BTreeMap::new(),
        }
    }

    /// Adds the rows of a table whose images must be there.
    fn add(&mut self, table: &Path, rows: &[Row]) -> Result<(), DataError> {
        for (number, row) in rows.iter().enumerate() {
            let wrong = |reason: String| DataError::LabelTable {
                path: table.into(),
                line: number as u64 + 2,
                reason,
            };
            let path = plain(&row.image).ok_or_else(|| {
                let image = shown(&row.image);
                wrong(format!("{image} lies outside the folder of the table"))
            })?;
            let image = find(&self.root, self.once, &path, row.split)
                .ok_or_else(|| wrong(format!("there is no image {}", shown(&row.image))))?;
            let classes = self.of.entry(row.split).or_default();
            classes.entry(row.class.clone()).or_default().push(image);
        }
        Ok(())
    }

    /// Puts the folder of images that all paths begin with into the root: masks lie beside it.
    fn below_images(&mut self) {
        let names = || self.of.values().flatten().flat_map(|(_, names)| names);
        if let Some(folder) = common_folder(names) {
            self.root.push(folder);
            let classes = self.of.values_mut().flatten();
            for name in classes.flat_map(|(_, names)| names) {
                name.drain(..=folder.len());
            }
        }
    }

    fn layout(mut self, notes: &mut Vec<String>) -> Result<Layout, DataError> {
        self.below_images();
        let mut place = |role: Option<Role>| {
            let classes = self.of.remove(&role)?;
            let classes = classes
                .into_iter()
                .map(|(class, names)| (class, Images::Named(names)))
                .collect();
            Some(Place {
                root: self.root.clone(),
                classes,
            })
        };
        let [train, validation, test] =
            [Role::Train, Role::Validation, Role::Test].map(|role| place(Some(role)));
        if let Some(whole) = place(None) {
            return Ok(Layout::Whole(whole));
        }
        if train.is_some() && validation.is_none() && test.is_none() {
            notes.push(format!(
                "{} names training images alone",
                self.table.display()
            ));
        }
        Ok(Layout::Apart {
            train,
            validation,
            test,
        })
    }
}

/// CUB-200-2011 as published.
fn birds(dir: &Path, once: &BTreeSet<String>) -> Result<Option<Layout>, DataError> {
    let names = [
        "images.txt",
        "image_class_labels.txt",
        "classes.txt",
        "train_test_split.txt",
    ];
    if !names.iter().all(|name| dir.join(name).is_file()) {
        return Ok(None);
    }
    let [images, labels, classes, splits] = names.map(|name| pairs(&dir.join(name)));
    let (labels, classes, splits) = (labels?, classes?, splits?);
    let [labels, classes, splits] =
        [&labels, &classes, &splits].map(|pairs| -> HashMap<&str, &str> {
            pairs
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect()
        });
    let table = dir.join(names[0]);
    let mut rows = Vec::new();
    for (number, (id, image)) in images?.into_iter().enumerate() {
        let class = labels.get(id.as_str()).and_then(|class| classes.get(class));
        let (Some(class), Some(split)) = (class, splits.get(id.as_str())) else {
            return Err(DataError::LabelTable {
                path: table,
                line: number as u64 + 1,
                reason: format!("image {id} has no class or split in the other lists"),
            });
        };
        rows.push(Row {
            image: format!("images/{image}"),
            class: (*class).to_owned(),
            split: Some(if *split == "1" {
                Role::Train
            } else {
                Role::Test
            }),
        });
    }
    let mut places = Places::new(dir, &table, once);
    places.add(&table, &rows)?;
    places.layout(&mut vec![]).map(Some)
}

/// The Oxford-IIIT pets as published.
fn pets(dir: &Path, once: &BTreeSet<String>) -> Result<Option<Layout>, DataError> {
    let lists = [("trainval.txt", Role::Train), ("test.txt", Role::Test)];
    let path = |name: &str| dir.join("annotations").join(name);
    if !lists.iter().all(|(name, _)| path(name).is_file()) || !dir.join("images").is_dir() {
        return Ok(None);
    }
    let mut places = Places::new(dir, &path(lists[0].0), once);
    for (name, role) in lists {
        let mut rows = Vec::new();
        for (image, _) in pairs(&path(name))? {
            // Abyssinian_12, american_bulldog_3
            let class = image
                .rsplit_once('_')
                .map_or(image.as_str(), |(breed, _)| breed);
            rows.push(Row {
                class: class.to_owned(),
                image: image.clone(),
                split: Some(role),
            });
        }
        places.add(&path(name), &rows)?;
    }
    places.layout(&mut vec![]).map(Some)
}

/// The first word of each line and the rest; lines that begin with # are remarks.
fn pairs(path: &Path) -> Result<Vec<(String, String)>, DataError> {
    let text = read_text(path, MAX_FILE, "a list, one image a line")?;
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (first, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            (first.to_owned(), rest.trim().to_owned())
        })
        .collect())
}
