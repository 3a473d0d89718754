//! The epochs of a run as CSV, for spreadsheets and plotting programs.

use abn_run::measure::records::EpochRecord;
use anyhow::{Context, Result};
use serde_json::Value;

/// Name of the file in the folder of the run.
pub(crate) const EPOCHS: &str = "metrics.csv";

/// A line an epoch, a column a number of `metrics.jsonl`: `test.loss`, `test.labels.star.accuracy`.
/// A field is empty where an epoch does not have it. Curves of numbers are left out.
///
/// # Errors
/// The memory for the table cannot be written.
pub(crate) fn csv(epochs: &[EpochRecord]) -> Result<Vec<u8>> {
    let mut columns: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for epoch in epochs {
        let mut fields = Vec::new();
        flatten("", &serde_json::to_value(epoch)?, &mut fields);
        for (name, _) in &fields {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        rows.push(fields);
    }
    // Without epochs there is nothing to name.
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(&columns)?;
    for row in rows {
        let field = |column: &String| {
            let found = row.iter().find(|(name, _)| name == column);
            found.map_or("", |(_, value)| value.as_str())
        };
        table.write_record(columns.iter().map(field))?;
    }
    table
        .into_inner()
        .context("the table of the epochs cannot be written")
}

/// All single values below one, by their path.
fn flatten(path: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(values) => {
            for (name, value) in values {
                flatten(&below(name), value, fields);
            }
        }
        // Labels and classes are called by their names.
        Value::Array(values) => {
            for value in values {
                if let Some(name) = value["name"].as_str() {
                    flatten(&below(name), value, fields);
                }
            }
        }
        Value::Number(number) => fields.push((path.to_owned(), number.to_string())),
        Value::Bool(flag) => fields.push((path.to_owned(), flag.to_string())),
        Value::String(_) | Value::Null => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_called_by_their_path() {
        let value = serde_json::json!({
            "epoch": 1,
            "best": true,
            "test": {"loss": 0.5, "labels": [{"name": "red, or so", "accuracy": 0.25}], "curve": [1, 2]},
            "maps": null,
        });
        let mut fields = Vec::new();
        flatten("", &value, &mut fields);
        fields.sort();
        let expected = [
            ("best", "true"),
            ("epoch", "1"),
            ("test.labels.red, or so.accuracy", "0.25"),
            ("test.loss", "0.5"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields, expected);
        assert!(csv(&[]).unwrap().is_empty());
    }
}
