//! `abn compare` as a user runs it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::cifar;
use crate::folder::class;
use crate::program::{fails, succeeds};

const TRAIN: &str = "train --dataset cifar10 --data . --arch resnet8 --batch-size 20";

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What a run tells of the test images, by `eval`.
fn top1(path: &Path, run: &str) -> f64 {
    let said = parse(&succeeds(path, &format!("eval {run} --json")).out);
    said["top1"].as_f64().unwrap()
}

#[test]
fn runs_stand_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    succeeds(
        path,
        &format!("{TRAIN} --epochs 2 --attention none --out plain"),
    );
    succeeds(path, &format!("{TRAIN} --epochs 1 --lr 0.02 --out abn"));
    // A run that has not got far: its first epoch of two.
    fs::create_dir(path.join("half")).unwrap();
    for file in ["config.json", "metrics.jsonl", "checkpoints"] {
        let (from, to) = (path.join("plain").join(file), path.join("half").join(file));
        match from.is_dir() {
            true => copy_folder(&from, &to),
            false => drop(fs::copy(&from, &to).unwrap()),
        }
    }
    let metrics = fs::read_to_string(path.join("half/metrics.jsonl")).unwrap();
    let first = format!("{}\n", metrics.lines().next().unwrap());
    fs::write(path.join("half/metrics.jsonl"), first).unwrap();

    let said = parse(&succeeds(path, "compare plain abn half --out side --json").out);
    assert_eq!(said["page"], "side/compare.html");
    let epochs = |run: usize| {
        (
            &said["runs"][run]["epochs"],
            &said["runs"][run]["planned_epochs"],
        )
    };
    assert_eq!(epochs(0), (&2.into(), &2.into()));
    assert_eq!(epochs(1), (&1.into(), &1.into()));
    assert_eq!(epochs(2), (&1.into(), &2.into()));
    let names = said["settings"].as_array().unwrap().iter();
    let names: Vec<&str> = names
        .map(|setting| setting["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"epochs") && names.contains(&"learning_rate"),
        "{names:?}"
    );
    assert!(!names.contains(&"batch_size"), "{names:?}");
    // The weights of each are measured on the same images as by eval.
    let images = &said["images"];
    assert_eq!(images["count"], 20);
    let right = |run: usize| images["right"][run].as_f64().unwrap();
    assert_eq!(
        (right(0), right(1)),
        (top1(path, "plain"), top1(path, "abn"))
    );
    let beside = &images["beside_first"][0];
    let net = beside["better"].as_f64().unwrap() - beside["worse"].as_f64().unwrap();
    let difference = beside["difference"]["mean"].as_f64().unwrap();
    assert!(
        (difference - net / 20.0).abs() < 1e-12 && (difference - right(1) + right(0)).abs() < 1e-12
    );
    let same = &images["beside_first"][1];
    assert_eq!((&same["better"], &same["worse"]), (&0.into(), &0.into()));

    let page = fs::read_to_string(path.join("side/compare.html")).unwrap();
    for words in [
        "1 of 2",
        "resnet8 without attention",
        "Settings that differ",
        "learning_rate",
        "Test top-1",
        "Map of run 2",
    ] {
        assert!(page.contains(words), "no {words}");
    }
    assert!(!page.contains("<script"));
    let again = succeeds(path, "compare plain abn half --out side");
    assert!(again.out.contains("abn beside plain: "), "{}", again.out);
    assert_eq!(
        fs::read_to_string(path.join("side/compare.html")).unwrap(),
        page
    );
    let quick = succeeds(path, "compare plain abn --out side --no-images --json");
    assert!(parse(&quick.out)["images"].is_null());

    fails(path, "compare plain plain", 1, &["named twice"]);
    fails(path, "compare plain", 2, &["RUN"]);
    fails(path, "compare plain nowhere", 1, &["nowhere"]);
    let many = "plain ".repeat(9);
    fails(path, &format!("compare {many}"), 1, &["at most 8"]);
    assert!(
        !path.join("comparison").exists(),
        "a refused comparison leaves nothing"
    );
}

#[test]
fn runs_of_other_images_have_no_images_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    for (name, color) in [("cat", [200, 40, 40]), ("dog", [40, 40, 200])] {
        class(&path.join("photos").join(name), color, 5);
    }
    succeeds(path, &format!("{TRAIN} --epochs 1 --out a"));
    succeeds(
        path,
        "train --dataset folder --data photos --arch resnet8 --size 32 --epochs 1 --batch-size 4 --out b",
    );
    let said = succeeds(path, "compare a b");
    assert!(said.err.contains("shown no images"), "{}", said.err);
    let page = fs::read_to_string(path.join("comparison/compare.html")).unwrap();
    assert!(
        page.contains("figures do not compare") && page.contains("name runs of the same data set")
    );
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        fs::copy(&entry, to.join(entry.file_name().unwrap())).unwrap();
    }
}
