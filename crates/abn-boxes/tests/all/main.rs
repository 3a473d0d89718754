//! What other programs computed of the same boxes: see `tests/fixtures/NAME/make.py`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test that cannot go on should panic; timings are a result.

mod coco_eval;
mod speed;
mod torchvision;

use std::path::Path;

use serde::de::DeserializeOwned;

/// The fixture of that name.
fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let text = std::fs::read(folder.join(name).join(format!("{name}.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}
