//! A file with the names of classes, one a line.

use std::collections::BTreeSet;
use std::path::Path;

use crate::DataError;
use crate::folder::text::read_text;

/// ImageNet's 22,000 classes have 1 MB.
const MAX_FILE: u64 = 16 << 20;

/// The names of classes in a file, in their order. A number before every line is no part of it.
///
/// # Errors
/// The file cannot be read, or names no class, or one twice.
pub fn class_names(path: &Path) -> Result<Vec<String>, DataError> {
    let names = in_lines(&read_text(path, MAX_FILE, "names of classes, one a line")?);
    let refused = |reason: String| DataError::Lists {
        path: path.into(),
        reason,
    };
    if names.is_empty() {
        return Err(refused("it names no class".to_owned()));
    }
    let mut known = BTreeSet::new();
    match names.iter().find(|name| !known.insert(*name)) {
        Some(double) => Err(refused(format!(
            "it names {} twice",
            crate::error::shown(double)
        ))),
        None => Ok(names),
    }
}

/// A name a line. Where every line begins with its number, the number is no part of the name.
pub(crate) fn in_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let numbered = |(number, line): (usize, &&str)| {
        let rest = line.strip_prefix(&number.to_string())?;
        let name = rest.strip_prefix([' ', '\t', ',', ':'])?.trim();
        (!name.is_empty()).then(|| name.to_owned())
    };
    let names: Option<Vec<String>> = lines.iter().enumerate().map(numbered).collect();
    names.unwrap_or_else(|| lines.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_class_has_a_name_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("names.txt");
        let names = |text: &str| {
            fs::write(&path, text).unwrap();
            class_names(&path).map_err(|error| error.to_string())
        };
        assert_eq!(names("0 sea lion\n1 cat\n").unwrap(), ["sea lion", "cat"]);
        assert_eq!(names("b\r\n\na").unwrap(), ["b", "a"]);
        assert!(names("cat\ndog\ncat\n").unwrap_err().contains("cat twice"));
        assert!(names("\n").unwrap_err().contains("names no class"));
    }
}
