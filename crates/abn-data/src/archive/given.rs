//! Names of classes that are written beside archives, or in what describes them.

use std::path::Path;

use serde_json::Value;

use super::{MOST_CLASSES, refused, shown};
use crate::DataError;
use crate::class_names::in_lines;
use crate::folder::text::read_text;

/// Files that may name the classes, one a line, in order of preference.
const LISTS: [&str; 2] = ["classes.txt", "labels.txt"];
/// What the library `datasets` writes.
const INFO: &str = "dataset_info.json";
/// ImageNet's 22,000 classes have 1 MB.
const MAX_FILE: u64 = 16 << 20;

/// The names of classes in `dir`, in their order, if a file has them.
///
/// # Errors
/// The file cannot be read or names too many classes.
pub(crate) fn given_names(dir: &Path) -> Result<Option<Vec<String>>, DataError> {
    for list in LISTS {
        let path = dir.join(list);
        match read_text(&path, MAX_FILE, "names of classes, one a line") {
            Err(DataError::Missing { .. }) => {}
            text => return bounded(&path, in_lines(&text?)).map(Some),
        }
    }
    let path = dir.join(INFO);
    let text = match read_text(&path, MAX_FILE, "what describes a data set, in JSON") {
        Err(DataError::Missing { .. }) => return Ok(None),
        text => text?,
    };
    let info: Value = serde_json::from_str(&text).map_err(|error| {
        let error = shown(&error.to_string());
        refused(
            &path,
            format!("it is no JSON ({error}); correct or remove it"),
        )
    })?;
    let names = names_in(&info, None).map(|(_, names)| names);
    names.map(|names| bounded(&path, names)).transpose()
}

fn bounded(path: &Path, names: Vec<String>) -> Result<Vec<String>, DataError> {
    match names.len() {
        0..=MOST_CLASSES => Ok(names),
        found => {
            let reason = format!(
                "it names {found} classes: expected at most {MOST_CLASSES}; check that it is a \
                 list of classes"
            );
            Err(refused(path, reason))
        }
    }
}

/// The first `ClassLabel` in what describes features, or that of the column of that name: its
/// column and its names.
pub(crate) fn names_in(info: &Value, column: Option<&str>) -> Option<(String, Vec<String>)> {
    match info {
        Value::Object(fields) => {
            let named = fields.iter().find_map(|(name, field)| {
                let is_label = field.get("_type").is_some_and(|kind| kind == "ClassLabel");
                let asked = column.is_none_or(|column| column == name);
                let names = field.get("names").filter(|_| is_label && asked)?;
                let text = |name: &Value| name.as_str().map(str::to_owned);
                let names: Option<Vec<String>> = names.as_array()?.iter().map(text).collect();
                Some((name.clone(), names?))
            });
            named.or_else(|| fields.values().find_map(|field| names_in(field, column)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn given(name: &str, text: &str) -> Result<Option<Vec<String>>, DataError> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), text).unwrap();
        given_names(dir.path())
    }

    #[track_caller]
    fn names(name: &str, text: &str, expected: &[&str]) {
        assert_eq!(given(name, text).unwrap().unwrap(), expected);
    }

    #[test]
    fn lists_have_a_name_a_line() {
        names(
            "classes.txt",
            "cat\n\n dog \r\nsea lion\n",
            &["cat", "dog", "sea lion"],
        );
        names(
            "labels.txt",
            "0 cat\n1: dog\n2\tsea lion\n",
            &["cat", "dog", "sea lion"],
        );
        names("classes.txt", "0 cat\n2 dog\n", &["0 cat", "2 dog"]);
        names("classes.txt", "0\n1\n", &["0", "1"]);
        assert_eq!(given("names.txt", "cat").unwrap(), None);
        let error = given("classes.txt", &"x\n".repeat(100_001)).unwrap_err();
        assert!(
            error.to_string().contains("names 100001 classes"),
            "{error}"
        );
    }

    #[test]
    fn what_describes_a_set_names_its_classes() {
        let info = r#"{"features": {"image": {"_type": "Image"},
            "label": {"names": ["no", "yes"], "_type": "ClassLabel"}}, "names": ["x"]}"#;
        names("dataset_info.json", info, &["no", "yes"]);
        assert_eq!(given("dataset_info.json", "{\"a\": [1]}").unwrap(), None);
        let error = given("dataset_info.json", "{").unwrap_err().to_string();
        assert!(error.contains("is no JSON"), "{error}");
        let deep = format!("{}{}", "{\"a\":".repeat(1000), "}".repeat(1000));
        assert!(given("dataset_info.json", &deep).is_err());
    }
}
