//! Numbers that another package computed, written by `tests/fixtures/NAME/make.py`.

use std::path::Path;

use serde_json::Value;

use crate::fixtures::json;

/// The fixture of that name.
pub(crate) fn fixture(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    json(&folder.join(name).join(format!("{name}.json")))
}

/// The numbers of a list.
pub(crate) fn numbers(list: &Value) -> Vec<f32> {
    let list = list.as_array().unwrap();
    list.iter()
        .map(|value| value.as_f64().unwrap() as f32)
        .collect()
}
