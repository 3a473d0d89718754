//! Lists with a line an image: tables with a line of names above, and CelebA's with blanks.

use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, Trim};

use super::cells::wrong;
use crate::DataError;
use crate::annotations::names::check_name;
use crate::error::shown;
use crate::folder::table::{MAX_FILE, delimiter};
use crate::folder::text::read_text;

/// A list in memory.
pub(super) struct Sheet {
    pub(super) path: PathBuf,
    /// The names of the columns.
    pub(super) header: Vec<String>,
    text: String,
    kind: Kind,
}

/// What separates its columns.
#[derive(Clone, Copy)]
enum Kind {
    Delimiter(u8),
    /// Blanks, below so many lines.
    Blanks(usize),
}

impl Sheet {
    /// A table; the names of its columns are not looked at.
    ///
    /// # Errors
    /// It cannot be read, or has no line.
    pub(super) fn table(path: &Path) -> Result<Self, DataError> {
        let text = read_text(path, MAX_FILE, "a table of images and labels")?;
        let delimiter = delimiter(path, &text);
        let mut reader = reader(&text, delimiter);
        let header = reader.headers().map_err(|error| unreadable(path, &error))?;
        Ok(Self {
            path: path.into(),
            header: header.iter().map(str::to_owned).collect(),
            kind: Kind::Delimiter(delimiter),
            text,
        })
    }

    /// A list of CelebA: a table if it ends so; else the number of images in the first line, the
    /// names of the columns but that of the image in the second, then the images.
    ///
    /// # Errors
    /// It cannot be read, or begins otherwise.
    pub(super) fn counted(path: &Path) -> Result<Self, DataError> {
        if path.extension().is_some_and(|ending| ending == "csv") {
            return Self::table(path);
        }
        let text = read_text(path, MAX_FILE, "a list of images")?;
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default().trim();
        let count: u64 = first.parse().map_err(|_| {
            let reason = format!("it says {}: expected the number of images", shown(first));
            wrong(path, 1, 1, reason)
        })?;
        let names = lines.next().unwrap_or_default().split_whitespace();
        let header: Vec<String> = std::iter::once("image_id")
            .chain(names)
            .map(str::to_owned)
            .collect();
        let found = lines.filter(|line| !line.trim().is_empty()).count() as u64;
        if found != count {
            let reason = format!("it says {count} images, and {found} follow");
            return Err(wrong(path, 1, 1, reason));
        }
        Ok(Self {
            path: path.into(),
            header,
            kind: Kind::Blanks(2),
            text,
        })
    }

    /// A list without names of columns, which are these; a table if it ends so.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn bare(path: &Path, header: &[&str]) -> Result<Self, DataError> {
        if path.extension().is_some_and(|ending| ending == "csv") {
            return Self::table(path);
        }
        Ok(Self {
            path: path.into(),
            header: header.iter().map(ToString::to_string).collect(),
            text: read_text(path, MAX_FILE, "a list of images")?,
            kind: Kind::Blanks(0),
        })
    }

    /// Calls `each` for every line with its number and its cells, as many as there are columns.
    ///
    /// # Errors
    /// A line has another number of cells, or those of `each`.
    pub(super) fn rows(
        &self,
        mut each: impl FnMut(u64, &[&str]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let columns = self.header.len();
        match self.kind {
            Kind::Delimiter(delimiter) => {
                for row in reader(&self.text, delimiter).records() {
                    let row = row.map_err(|error| unreadable(&self.path, &error))?;
                    let line = row.position().map_or(1, csv::Position::line);
                    each(line, &row.iter().collect::<Vec<_>>())?;
                }
            }
            Kind::Blanks(head) => {
                for (number, line) in self.text.lines().enumerate().skip(head) {
                    let cells: Vec<&str> = line.split_whitespace().collect();
                    let line = number as u64 + 1;
                    if cells.is_empty() {
                        continue;
                    }
                    if cells.len() != columns {
                        let reason = format!("it has {} cells: expected {columns}", cells.len());
                        return Err(wrong(&self.path, line, cells.len().min(columns), reason));
                    }
                    each(line, &cells)?;
                }
            }
        }
        Ok(())
    }

    /// Refuses a column without a name, or of the name of another, and names that steer a terminal.
    ///
    /// # Errors
    /// There is one.
    pub(super) fn check_header(&self) -> Result<(), DataError> {
        for (place, name) in self.header.iter().enumerate() {
            let first = self.header[..place].iter().position(|other| other == name);
            let reason = match (check_name(name), first) {
                (Err(reason), _) => reason,
                (Ok(()), Some(first)) => {
                    format!("{} is the name of column {}, too", shown(name), first + 1)
                }
                (Ok(()), None) => continue,
            };
            return Err(wrong(&self.path, 1, place + 1, reason));
        }
        Ok(())
    }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(Trim::All)
        .from_reader(text.as_bytes())
}

/// Why a line is none of a table.
fn unreadable(path: &Path, error: &csv::Error) -> DataError {
    let line = error.position().map_or(1, csv::Position::line);
    if let csv::ErrorKind::UnequalLengths {
        len, expected_len, ..
    } = error.kind()
    {
        let column = (*len).min(*expected_len) as usize;
        let reason = format!("it has {len} cells: expected {expected_len}");
        return wrong(path, line, column, reason);
    }
    wrong(path, line, 1, error.to_string())
}
