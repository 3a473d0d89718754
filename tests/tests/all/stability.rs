//! `abn stability` as a user runs it, on tiny runs.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::cifar;
use crate::program::{fails, succeeds};

/// Trains a run of one epoch on the CIFAR-10 of the folder; the architecture is one of the options.
fn train(folder: &Path, out: &str, options: &str) {
    let arguments = format!(
        "train --dataset cifar10 --data . --epochs 1 --batch-size 20 --out {out} {options}"
    );
    succeeds(folder, &arguments);
}

/// A folder with a small CIFAR-10 and three runs: two seeds of ABN and a MANet of another family.
fn with_runs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), 20);
    train(folder.path(), "a", "--arch resnet8 --seed 1");
    train(folder.path(), "b", "--arch resnet8 --seed 2 --lr 0.02");
    // DenseNet halves the features before the cut: its maps are 8 x 8, the others' 16 x 16.
    train(
        folder.path(),
        "c",
        "--arch densenet-bc-10-4 --attention manet",
    );
    folder
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn figure(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// A test image of the small CIFAR-10 as a file.
fn save_image(folder: &Path, index: usize) -> String {
    let records = fs::read(folder.join("cifar-10-batches-bin/test_batch.bin")).unwrap();
    let planes = &records[index * cifar::RECORD + 1..][..3072];
    let pixel =
        |x: u32, y: u32| [0, 1, 2].map(|colour| planes[colour * 1024 + (y * 32 + x) as usize]);
    let name = format!("image{index}.png");
    image::RgbImage::from_fn(32, 32, |x, y| image::Rgb(pixel(x, y)))
        .save(folder.join(&name))
        .unwrap();
    name
}

/// By the definition, on the maps that `predict` gives for the same images.
#[test]
fn the_iou_is_that_of_the_maps_that_predict_gives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 8);
    train(path, "a", "--arch resnet8 --seed 1");
    train(path, "b", "--arch resnet8 --seed 2 --attention manet");
    let found = parse(&succeeds(path, "stability a b --json --threshold 120").out);
    let files: Vec<String> = (0..8).map(|index| save_image(path, index)).collect();
    let looked_at = |run: &str| -> Vec<Vec<bool>> {
        let said = parse(&succeeds(path, &format!("predict {run} {} --json", files.join(" "))).out);
        let map = |image: &Value| {
            image["map"]["values"]
                .as_array()
                .unwrap()
                .iter()
                .map(figure)
                .collect::<Vec<_>>()
        };
        let images = said["images"].as_array().unwrap().iter().map(map);
        images
            .map(|map| {
                map.into_iter()
                    .map(|value| value * 255.0 >= 120.0)
                    .collect()
            })
            .collect()
    };
    let (one, other) = (looked_at("a"), looked_at("b"));
    for (index, image) in found["per_image"].as_array().unwrap().iter().enumerate() {
        let pairs: Vec<(&bool, &bool)> = one[index].iter().zip(&other[index]).collect();
        let both = pairs.iter().filter(|(a, b)| **a && **b).count();
        let either = pairs.iter().filter(|(a, b)| **a || **b).count();
        // A value at the threshold may round to either side: of 256 positions, few.
        match image["pairs"][0].as_f64() {
            None => assert!(either <= 1, "image {index}: {either}"),
            Some(iou) => assert!(
                (iou * either as f64 - both as f64).abs() <= 2.0,
                "image {index}: {iou}, {both}/{either}"
            ),
        }
    }
}

#[test]
fn runs_of_different_architectures_are_compared_pair_by_pair() {
    let folder = with_runs();
    let said = succeeds(folder.path(), "stability a b c --json --threshold 120");
    let found = parse(&said.out);
    assert_eq!(
        (&found["images"], &found["threshold"], &found["scale"]),
        (&20.into(), &120.into(), &"raw".into())
    );
    assert_eq!(found["runs"].as_array().unwrap().len(), 3);
    assert_eq!(found["runs"][1]["learning_rate"], 0.02);
    let pairs = found["pairs"].as_array().unwrap();
    let runs: Vec<&Value> = pairs.iter().map(|pair| &pair["runs"]).collect();
    assert_eq!(
        runs,
        [
            &serde_json::json!([0, 1]),
            &serde_json::json!([0, 2]),
            &serde_json::json!([1, 2])
        ]
    );
    let curve = found["curve"].as_array().unwrap();
    assert_eq!((curve.len(), figure(&curve[0]["iou"])), (52, 1.0));
    // Threshold 120 is a point of the curve: the mean over all pairs of maps there is that over
    // images.
    if found["empty"] == 0 {
        assert!(
            (figure(&curve[24]["iou"]) - figure(&found["iou_over_images"]["mean"])).abs() < 1e-9
        );
    }
    // The top-1 of a run is that of `eval`, which sees the same images.
    for (number, run) in ["a", "b", "c"].into_iter().enumerate() {
        let eval = parse(&succeeds(folder.path(), &format!("eval {run} --json")).out);
        assert_eq!(found["runs"][number]["top1"], eval["top1"], "{run}");
    }
    let images = found["per_image"].as_array().unwrap();
    assert!(
        images
            .iter()
            .all(|image| image["pairs"].as_array().unwrap().len() == 3)
    );
    assert_eq!(
        succeeds(folder.path(), "stability a b c --json --threshold 120").out,
        said.out,
        "no chance in it"
    );
    // The order of the runs changes no pair.
    let turned = parse(&succeeds(folder.path(), "stability b a --json --threshold 120").out);
    assert_eq!(turned["pairs"][0]["iou"], pairs[0]["iou"]);
}

#[test]
fn every_method_is_compared_and_the_page_is_written_on_request() {
    let folder = with_runs();
    let path = folder.path();
    let said = succeeds(path, "stability a b c --limit 10 --out page");
    for text in [
        "3 runs on 10 test images of cifar10",
        "mean IoU",
        "rank correlation",
        "page page/stability.html",
    ] {
        assert!(said.out.contains(text), "no `{text}` in {}", said.out);
    }
    let page = fs::read_to_string(path.join("page/stability.html")).unwrap();
    assert!(
        page.starts_with("<!DOCTYPE html>")
            && !page.contains("src=\"http")
            && page.contains("Least alike")
    );
    let table = fs::read_to_string(path.join("page/stability.csv")).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 11);
    assert!(
        lines.iter().all(|line| line.split(',').count() == 10),
        "{table}"
    );
    for (method, scale) in [
        ("cam", "per-image"),
        ("grad-cam", "per-image"),
        ("grad-cam++ --layer features", "per-image"),
        ("gradient", "per-image"),
        ("attention --scale per-image", "per-image"),
        ("cam --scale raw", "raw"),
    ] {
        let found = parse(
            &succeeds(
                path,
                &format!("stability a b --limit 4 --method {method} --json"),
            )
            .out,
        );
        assert_eq!(
            (&found["scale"], &found["images"]),
            (&scale.into(), &4.into()),
            "{method}"
        );
    }
    // Maps without an upper end are no share of 255.
    train(path, "sums", "--arch resnet8 --set attention.map=log_sum");
    let found = parse(&succeeds(path, "stability a sums --limit 4 --json").out);
    assert_eq!(found["scale"], "per-image");
    // A control that knows nothing of the network is the same for every run, and for every image.
    let centre = parse(&succeeds(path, "stability a b --limit 4 --method centre --json").out);
    assert_eq!(
        (
            figure(&centre["iou_over_images"]["mean"]),
            figure(&centre["iou_of_other_images"])
        ),
        (1.0, 1.0)
    );
    // A uniform map is zero once it is normalised: nothing reaches the threshold.
    let uniform = parse(&succeeds(path, "stability a b --limit 4 --method uniform --json").out);
    assert_eq!(
        (&uniform["iou_over_images"], &uniform["empty"]),
        (&Value::Null, &4.into())
    );
}

#[test]
fn the_report_links_the_pages_that_lie_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 8);
    train(path, "a", "--arch resnet8 --seed 1");
    train(path, "b", "--arch resnet8 --seed 2");
    let report = || fs::read_to_string(path.join("a/report.html")).unwrap();
    assert!(report().contains("<code>abn stability a OTHER_RUN --out a</code>"));
    succeeds(path, "stability a b --out a");
    succeeds(path, "train --out a");
    assert!(
        report().contains("<a href=\"stability.html\">") && !report().contains("abn stability")
    );
}

#[test]
fn runs_that_cannot_be_compared_are_refused_with_a_way_out() {
    let folder = with_runs();
    let path = folder.path();
    fails(path, "stability a", 2, &["<RUN>", "2"]);
    fails(
        path,
        "stability a b --threshold 256",
        2,
        &["256", "--threshold"],
    );
    fails(path, "stability a b a", 1, &["`a` is named twice"]);
    fails(path, "stability a ./a", 1, &["is named twice"]);
    fails(
        path,
        "stability a nowhere",
        1,
        &["there is no run at `nowhere`"],
    );
    fails(path, "stability a b --data nowhere", 1, &["nowhere"]);
    fails(
        path,
        "stability a b --method cam --layer features",
        1,
        &["--method cam", "refined features alone"],
    );
    train(path, "plain", "--arch resnet8 --attention none");
    fails(
        path,
        "stability a plain",
        1,
        &[
            "`plain`",
            "--method attention",
            "no attention branch",
            "Grad-CAM",
        ],
    );
    succeeds(path, "stability a plain --method grad-cam --limit 4");
    let shapes = "train --limit 16 --epochs 1 --arch resnet8 --out shapes";
    succeeds(path, shapes);
    fails(
        path,
        "stability a shapes",
        1,
        &["`shapes` was trained on shapes, `a` on cifar10"],
    );
    // The same data set by name, but other images in it.
    cifar::write(&path.join("fewer"), 8);
    succeeds(
        path,
        "train --dataset cifar10 --data fewer --arch resnet8 --epochs 1 --batch-size 20 --out other",
    );
    fails(
        path,
        "stability a other",
        1,
        &["`other` was tested on other images than `a`"],
    );
    fs::write(path.join("file"), "mine").unwrap();
    fails(path, "stability a b --out file", 1, &["`file`", "--out"]);
    assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "mine");
}
