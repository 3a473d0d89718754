//! What is written in a cell of a table of labels.

use std::path::{Path, PathBuf};

use crate::DataError;
use crate::error::shown;

/// What a cell says of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Present,
    Absent,
    /// -1, which CelebA and VOC write for what is absent and others for what is uncertain.
    Minus,
    Unknown,
}

/// The cell of that text; `None` if it says something else. Whole numbers may have a decimal point,
/// as they get beside empty cells.
fn cell(text: &str) -> Option<Cell> {
    Some(match text.to_lowercase().as_str() {
        "1" | "1.0" | "true" | "yes" => Cell::Present,
        "0" | "0.0" | "false" | "no" => Cell::Absent,
        "-1" | "-1.0" => Cell::Minus,
        "" | "?" => Cell::Unknown,
        _ => return None,
    })
}

/// A cell that cannot be right; lines and columns count from 1.
pub(super) fn wrong(path: &Path, line: u64, column: usize, reason: String) -> DataError {
    DataError::LabelCell {
        path: path.into(),
        line,
        column,
        reason,
    }
}

/// Reads the cells of tables, and where the first of each word for what is absent stands.
#[derive(Default)]
pub(super) struct Cells {
    absent: Option<Place>,
    minus: Option<Place>,
}

/// Where a cell stands.
struct Place {
    path: PathBuf,
    line: u64,
    column: usize,
}

impl Cells {
    /// Class of what a cell says of the label of that name, if that is known.
    ///
    /// # Errors
    /// It says neither that the label is there nor that it is not.
    pub(super) fn read(
        &mut self,
        path: &Path,
        (line, column): (u64, usize),
        name: &str,
        text: &str,
    ) -> Result<Option<usize>, DataError> {
        let here = || Place {
            path: path.to_owned(),
            line,
            column,
        };
        Ok(match cell(text) {
            Some(Cell::Present) => Some(1),
            Some(Cell::Absent) => {
                self.absent.get_or_insert_with(here);
                Some(0)
            }
            Some(Cell::Minus) => {
                self.minus.get_or_insert_with(here);
                Some(0)
            }
            Some(Cell::Unknown) => None,
            None => {
                let reason = format!(
                    "it says {} of {name}: expected 1, true or yes, 0, false or no, or nothing or \
                     ? where it is unknown",
                    shown(text)
                );
                return Err(wrong(path, line, column, reason));
            }
        })
    }

    /// How -1 was read, if it stands in a table.
    ///
    /// # Errors
    /// 0 stands there or in another one, too: then -1 may be an uncertain label as well as an absent
    /// one.
    pub(super) fn finish(&self) -> Result<Option<String>, DataError> {
        match (&self.minus, &self.absent) {
            (None, _) => Ok(None),
            (Some(_), None) => Ok(Some("-1 is read as 0, of which there is none".to_owned())),
            (Some(minus), Some(absent)) => {
                let other = match absent.path == minus.path {
                    true => String::new(),
                    false => format!("{}, ", file_name(&absent.path)),
                };
                let (line, column) = (absent.line, absent.column);
                let reason = format!(
                    "it says -1, and {other}line {line}, column {column} says 0: -1 may mean absent \
                     or uncertain; write 0 for the one, or nothing or ? for the other"
                );
                Err(wrong(&minus.path, minus.line, minus.column, reason))
            }
        }
    }
}

/// What a file is called, as it may be shown.
pub(super) fn file_name(path: &Path) -> String {
    shown(&path.file_name().unwrap_or_default().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_say_one_of_three_things() {
        for (text, expected) in [
            ("1", Some(Cell::Present)),
            ("TRUE", Some(Cell::Present)),
            ("yes", Some(Cell::Present)),
            ("1.0", Some(Cell::Present)),
            ("0", Some(Cell::Absent)),
            ("no", Some(Cell::Absent)),
            ("-1.0", Some(Cell::Minus)),
            ("", Some(Cell::Unknown)),
            ("?", Some(Cell::Unknown)),
            ("2", None),
            ("0.5", None),
            ("1e0", None),
            ("nan", None),
            ("+1", None),
        ] {
            assert_eq!(cell(text), expected, "{text}");
        }
    }

    #[test]
    fn minus_one_beside_zero_is_not_guessed_at() {
        let path = Path::new("a.csv");
        let mut cells = Cells::default();
        let class = cells.read(path, (2, 3), "edema", "-1").unwrap();
        assert_eq!(class, Some(0));
        let note = cells.finish().unwrap().unwrap();
        assert!(note.contains("-1 is read as 0"), "{note}");
        cells.read(path, (4, 2), "edema", "false").unwrap();
        let error = cells.finish().unwrap_err().to_string();
        assert!(
            error.contains("line 2, column 3: it says -1, and line 4, column 2"),
            "{error}"
        );
        let mut cells = Cells::default();
        cells
            .read(Path::new("a/val.csv"), (4, 2), "edema", "0")
            .unwrap();
        cells.read(path, (2, 3), "edema", "-1").unwrap();
        let error = cells.finish().unwrap_err().to_string();
        let words = "a.csv, line 2, column 3: it says -1, and val.csv, line 4, column 2 says 0";
        assert!(error.contains(words), "{error}");
    }
}
