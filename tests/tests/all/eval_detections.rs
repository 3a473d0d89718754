//! `abn eval --truth --detections`: COCO's figures of anybody's results, without a run.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::folder::parse;
use crate::program::{fails, succeeds};

const EVAL: &str = "eval --truth truth.json --detections found.json";

/// Two cats in one image and none in another, and a category that nobody shows.
const TRUTH: &str = r#"{
  "info": {"year": 2017},
  "images": [
    {"id": 7, "file_name": "a.jpg", "width": 640, "height": 480},
    {"id": 9, "file_name": "b.jpg", "width": 640, "height": 480}
  ],
  "categories": [{"id": 3, "name": "cat"}, {"id": 5, "name": "dog"}],
  "annotations": [
    {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 10, 100, 100], "area": 10000, "iscrowd": 0},
    {"id": 2, "image_id": 7, "category_id": 3, "bbox": [300, 100, 100, 100], "area": 10000, "iscrowd": 0}
  ]
}"#;

/// The first cat, and one that is not there.
const FOUND: &str = r#"[
  {"image_id": 7, "category_id": 3, "bbox": [10, 10, 100, 100], "score": 0.9},
  {"image_id": 9, "category_id": 3, "bbox": [50, 50, 20, 20], "score": 0.8}
]"#;

fn folder(truth: &str, found: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("truth.json"), truth).unwrap();
    fs::write(folder.path().join("found.json"), found).unwrap();
    folder
}

fn stat(found: &Value, name: &str) -> f64 {
    found[name].as_f64().unwrap()
}

/// Precision is 1 up to a recall of a half, which are 51 of 101 places, and then 0.
#[test]
fn figures_by_hand() {
    let folder = folder(TRUTH, FOUND);
    let found = parse(&succeeds(folder.path(), &format!("{EVAL} --json")).out);
    let stats = &found["stats"];
    for name in ["AP", "AP50", "AP75", "APm"] {
        let expected = 51.0 / 101.0;
        match name {
            // Both cats are large: 100 x 100 is more than 96 x 96.
            "APm" => assert_eq!(stat(stats, name), -1.0),
            _ => assert!((stat(stats, name) - expected).abs() < 1e-12, "{name}"),
        }
    }
    assert_eq!(stat(stats, "AR100"), 0.5);
    let categories = found["categories"].as_array().unwrap();
    assert_eq!(categories.len(), 2);
    assert_eq!(categories[0]["name"], "cat");
    assert_eq!(categories[0]["objects"], 2);
    assert_eq!(stat(&categories[1], "AP"), -1.0);
    let said = succeeds(folder.path(), EVAL);
    assert!(said.out.contains("objects 2, detections 2, images 2"));
    assert!(said.out.contains("50.5"), "{}", said.out);
    assert_eq!(said.err, "");
}

#[track_caller]
fn refused(folder: &Path, words: &[&str]) {
    fails(folder, EVAL, 1, words);
}

#[test]
fn what_is_wrong_is_named_with_its_file() {
    let cut = folder(&TRUTH[..200], FOUND);
    refused(cut.path(), &["truth.json", "truncated"]);
    let cut = folder(TRUTH, &FOUND[..40]);
    refused(cut.path(), &["found.json", "truncated", "line 2"]);
    let text = folder(TRUTH, &FOUND.replace("0.9", "\"high\""));
    refused(text.path(), &["found.json", "line 2"]);
    let elsewhere = folder(TRUTH, &FOUND.replace("\"image_id\": 9", "\"image_id\": 8"));
    refused(elsewhere.path(), &["found.json", "truth.json", "8"]);
    let doubled = folder(&TRUTH.replace("\"id\": 2", "\"id\": 1"), FOUND);
    refused(doubled.path(), &["truth.json", "1"]);
    let none = tempfile::tempdir().unwrap();
    refused(none.path(), &["cannot open `truth.json`"]);
}

#[test]
fn categories_that_the_truth_lacks_are_counted() {
    let folder = folder(
        TRUTH,
        &FOUND.replace(
            "\"category_id\": 3, \"bbox\": [50",
            "\"category_id\": 4, \"bbox\": [50",
        ),
    );
    let said = succeeds(folder.path(), EVAL);
    assert!(
        said.err.contains("1 detection is of a category"),
        "{}",
        said.err
    );
}

#[test]
fn both_files_or_a_run() {
    let folder = folder(TRUTH, FOUND);
    for arguments in [
        "eval",
        "eval --truth truth.json",
        "eval --detections found.json",
        "eval run --truth truth.json --detections found.json",
        "eval --truth truth.json --detections found.json --best-threshold",
        "eval --truth truth.json --detections found.json --checkpoint latest",
        "eval --truth truth.json --detections found.json --device flex",
        "eval --truth truth.json --detections found.json --on-corrupt skip",
    ] {
        fails(folder.path(), arguments, 2, &[]);
    }
}
