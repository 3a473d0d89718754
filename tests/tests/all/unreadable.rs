//! Images that cannot be read: all of them are named at once, or left out and counted, and no
//! training is lost.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::folder::{class, parse};
use crate::program::{fails, succeeds};

const TRAIN: &str = "train --dataset folder --data photos --arch resnet8 --size 32 --epochs 2 \
                     --batch-size 4 --save-every 0 --out run";
/// Two training images: red ones, for every other image is looked at before the first step, and
/// those are blue.
const DAMAGED: [&str; 2] = ["photos/red/03.png", "photos/red/05.png"];

/// Two classes of so many images, some of which end too early.
fn photos(folder: &Path, count: u32, damaged: &[&str]) {
    class(&folder.join("photos/blue"), [20, 20, 210], count);
    class(&folder.join("photos/red"), [210, 20, 20], count);
    for name in damaged {
        let path = folder.join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
}

fn list(run: &Path) -> Vec<(String, bool)> {
    let text = fs::read_to_string(run.join("unreadable.json")).unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    let images = list["images"].as_array().unwrap().iter();
    images
        .map(|image| {
            let name = image["name"].as_str().unwrap().to_owned();
            (name, image["left_out"].as_bool().unwrap())
        })
        .collect()
}

/// What a run learned, and the figures that tell it.
fn learned(run: &Path) -> (Vec<u8>, Value, Value) {
    let json = |name: &str| parse(&fs::read_to_string(run.join(name)).unwrap());
    let digest = json("checkpoints/manifest.json")["best"].clone();
    assert!(!digest.is_null(), "{}", json("checkpoints/manifest.json"));
    let metrics = fs::read(run.join("metrics.jsonl")).unwrap();
    (metrics, digest, json("results.json"))
}

#[test]
fn all_unreadable_images_are_named_at_once_and_removing_them_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    photos(path, 80, &DAMAGED);
    let said = fails(
        path,
        TRAIN,
        1,
        &[
            "2 images cannot be read",
            "03.png",
            "05.png",
            "--on-corrupt skip",
        ],
    );
    assert!(said.err.contains("unreadable.json"), "{}", said.err);
    let named = [
        ("red/03.png".to_owned(), false),
        ("red/05.png".to_owned(), false),
    ];
    assert_eq!(list(&path.join("run")), named);

    // The advice: remove them, and the same command gets to its end.
    let copy = path.join("skipping");
    fs::create_dir(&copy).unwrap();
    photos(&copy, 80, &DAMAGED);
    for name in DAMAGED {
        fs::remove_file(path.join(name)).unwrap();
    }
    let said = succeeds(path, TRAIN);
    assert!(said.err.contains("continuing after"), "{}", said.err);
    let (metrics, digest, results) = learned(&path.join("run"));
    assert_eq!(results["left_out"]["train"], 2);
    assert_eq!(results["left_out"]["test"], 0);
    assert!(
        list(&path.join("run"))
            .iter()
            .all(|(_, left_out)| *left_out)
    );
    let report = fs::read_to_string(path.join("run/report.html")).unwrap();
    assert!(report.contains("2 training and 0 test images could not be read"));

    // With the files there and skipped from the beginning: the same bits.
    let said = succeeds(&copy, &format!("{TRAIN} --on-corrupt skip"));
    assert!(
        said.err.contains("2 training and 0 test images"),
        "{}",
        said.err
    );
    assert_eq!(learned(&copy.join("run")), (metrics, digest, results));
    // And again, when they have been repaired: it is done, as it was.
    photos(&copy, 80, &[]);
    let again = succeeds(&copy, TRAIN);
    assert!(
        again.err.contains("all its epochs are done"),
        "{}",
        again.err
    );
}

#[test]
fn a_run_that_skipped_images_goes_on_without_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // All blue ones are looked at before the first step, training and held-out images.
    let damaged: Vec<String> = (10..18)
        .map(|index| format!("photos/blue/{index}.png"))
        .collect();
    photos(
        path,
        80,
        &damaged.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let said = fails(
        path,
        TRAIN,
        1,
        &["8 images cannot be read", "10.png", "17.png"],
    );
    assert!(!path.join("run").exists(), "{}", said.err);
    let skip = format!("{TRAIN} --on-corrupt skip --max-corrupt 0.2");
    succeeds(path, &skip);
    let before = learned(&path.join("run"));
    let left_out = &before.2["left_out"];
    assert_eq!(
        left_out["train"].as_u64().unwrap() + left_out["test"].as_u64().unwrap(),
        8
    );
    assert!(left_out["test"].as_u64().unwrap() > 0, "{left_out}");
    let eval = || parse(&succeeds(path, "eval run --json").out);
    let measured = eval();
    for name in &damaged {
        fs::remove_file(path.join(name)).unwrap();
    }
    succeeds(path, TRAIN);
    assert_eq!(learned(&path.join("run")), before);
    assert_eq!(eval(), measured);
    // Other images in their place are another data set.
    fs::copy(
        path.join("photos/red/01.png"),
        path.join("photos/blue/02.png"),
    )
    .unwrap();
    fails(path, TRAIN, 1, &["another configuration", "images"]);
}

#[test]
fn too_many_unreadable_images_end_it_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let names: Vec<String> = (0..80)
        .step_by(4)
        .map(|index| format!("photos/blue/{index:02}.png"))
        .collect();
    photos(
        path,
        80,
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let train = format!("{TRAIN} --on-corrupt skip");
    fails(
        path,
        &train,
        1,
        &["at most 6 may be skipped", "--max-corrupt"],
    );
    succeeds(path, &format!("{train} --max-corrupt 0.2"));
    fails(
        path,
        &format!("{train} --max-corrupt 1"),
        2,
        &["at least 0 and below 1"],
    );
}

#[test]
fn what_is_measured_leaves_them_out_if_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    photos(path, 80, &[]);
    succeeds(path, TRAIN);
    let new = path.join("new");
    fs::create_dir(&new).unwrap();
    photos(&new, 90, &DAMAGED);
    let eval = "eval run --data new/photos";
    fails(
        path,
        eval,
        1,
        &["03.png", "--on-corrupt skip", "abn data check"],
    );
    let said = succeeds(path, &format!("{eval} --on-corrupt skip --json"));
    assert_eq!(parse(&said.out)["images"], 178);
    assert!(
        said.err.contains("2 of 180 images cannot be read"),
        "{}",
        said.err
    );
    fails(
        path,
        &format!("{eval} --on-corrupt skip --max-corrupt 0.01"),
        1,
        &["2 of 180 images cannot be read", "--max-corrupt"],
    );
    let score = "score run --data new/photos --split all --on-corrupt skip --out o --json \
                 --methods attention --steps 2 --randomised 0";
    let scores = parse(&succeeds(path, score).out);
    assert_eq!(scores["scores"]["images"], 178);
}
