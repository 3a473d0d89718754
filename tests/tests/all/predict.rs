//! Predictions of many files: named every way, printed every way.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use image::RgbImage;
use serde_json::Value;

use crate::program::{abn, fails, succeeds};

/// Names that break lines, columns and quotes.
const NAMES: [&str; 4] = ["a.png", "b, \"c\".png", "two\nlines.png", "ü😀.png"];

/// A trained run `run`, and pictures in `in`.
fn with_pictures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(
        path,
        "train --dataset shapes --arch resnet8 --limit 32 --epochs 1 --out run",
    );
    fs::create_dir(path.join("in")).unwrap();
    for (name, shade) in NAMES.iter().zip([10_u8, 90, 170, 250]) {
        let pixel = |x: u32, y: u32| image::Rgb([shade, (x * 6) as u8, (y * 7) as u8]);
        let picture = RgbImage::from_fn(40, 33, pixel);
        picture.save(path.join("in").join(name)).unwrap();
    }
    folder
}

fn names(found: impl Iterator<Item = String>) -> BTreeSet<String> {
    found.collect()
}

fn expected() -> BTreeSet<String> {
    names(
        NAMES
            .iter()
            .map(|name| Path::new("in").join(name).display().to_string()),
    )
}

fn path_of(image: &Value) -> String {
    image["path"].as_str().unwrap().to_owned()
}

#[test]
fn every_format_names_every_file() {
    let folder = with_pictures();
    let path = folder.path();
    let json = succeeds(path, "predict run in --json").out;
    let parsed: Value = serde_json::from_str(&json).unwrap();
    let images = parsed["images"].as_array().unwrap();
    assert_eq!(names(images.iter().map(path_of)), expected());
    assert_eq!(succeeds(path, "predict run in --format json").out, json);

    let lines = succeeds(path, "predict run in --format jsonl").out;
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(&lines, images, "an object a line is the same object");

    let table = succeeds(path, "predict run in --csv").out;
    let mut table = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(table.headers().unwrap().len(), 9);
    let rows: Vec<csv::StringRecord> = table.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(names(rows.iter().map(|row| row[0].to_owned())), expected());
    for (row, image) in rows.iter().zip(images) {
        let class = image["class"].as_u64().unwrap() as usize;
        let told: f64 = row[1 + class].parse().unwrap();
        assert_eq!(told, image["probability"].as_f64().unwrap());
    }
    // An image alone is predicted as it is among others.
    let alone = succeeds(path, "predict run in/a.png --format jsonl").out;
    assert_eq!(serde_json::from_str::<Value>(&alone).unwrap(), images[0]);
}

#[test]
fn the_likeliest_classes_come_first() {
    let folder = with_pictures();
    let path = folder.path();
    let line = succeeds(path, "predict run in/a.png --top 3 --format jsonl").out;
    let image: Value = serde_json::from_str(&line).unwrap();
    let top = image["top"].as_array().unwrap();
    assert_eq!(top.len(), 3);
    assert_eq!(top[0]["label"], image["label"]);
    let sure: Vec<f64> = top
        .iter()
        .map(|told| told["probability"].as_f64().unwrap())
        .collect();
    assert!(sure.is_sorted_by(|one, other| one >= other), "{sure:?}");
    let all = succeeds(path, "predict run in/a.png --top 99 --csv").out;
    let mut all = csv::Reader::from_reader(all.as_bytes());
    let row = all.records().next().unwrap().unwrap();
    assert_eq!(row.len(), 1 + 2 * 8);
    let sum: f64 = (0..8)
        .map(|place| row[2 + 2 * place].parse::<f64>().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-6);
    let words = succeeds(path, "predict run in/a.png --top 2").out;
    assert_eq!(words.matches(" %)").count(), 2, "{words}");
}

#[test]
fn maps_are_written_as_pictures_and_numbers() {
    let folder = with_pictures();
    let path = folder.path();
    let line = succeeds(
        path,
        "predict run in/a.png --format jsonl --overlay seen --maps grey",
    )
    .out;
    let image: Value = serde_json::from_str(&line).unwrap();
    let overlay = image::open(path.join("seen/0001-a.png")).unwrap();
    assert!(overlay.width() >= 32);
    // Without the map's colours there is the image, enlarged.
    let own = RgbImage::from_fn(32, 32, |x, y| {
        image::Rgb([90, (x * 6) as u8, (y * 7) as u8])
    });
    own.save(path.join("square.png")).unwrap();
    succeeds(path, "predict run square.png --overlay bare --opacity 0");
    let bare = image::open(path.join("bare/0001-square.png"))
        .unwrap()
        .to_rgb8();
    let factor = bare.width() / own.width();
    let same =
        |(x, y, pixel): (u32, u32, &image::Rgb<u8>)| pixel == own.get_pixel(x / factor, y / factor);
    assert!(bare.enumerate_pixels().all(same));
    for wrong in ["--overlay bare --opacity 2", "--opacity 0.5"] {
        fails(path, &format!("predict run in/a.png {wrong}"), 2, &["--o"]);
    }
    let grey = image::open(path.join("grey/0001-a.png"))
        .unwrap()
        .into_luma16();
    let values = image["map"]["values"].as_array().unwrap();
    assert_eq!(values.len(), grey.as_raw().len());
    for (value, grey) in values.iter().zip(grey.as_raw()) {
        let off = value.as_f64().unwrap() - f64::from(*grey) / 65535.0;
        assert!(off.abs() < 1e-5, "{off}");
    }
    // What is written is what --map takes: under its own map the network says the same.
    let map = "predict run in/a.png --map grey/0001-a.png --json";
    let again: Value = serde_json::from_str(&succeeds(path, map).out).unwrap();
    let again = &again["images"][0];
    assert_eq!(again["with_map"]["class"], again["class"]);
    for format in ["npy", "json"] {
        succeeds(
            path,
            &format!("predict run in/a.png --maps {format} --map-format {format}"),
        );
        assert!(path.join(format!("{format}/0001-a.{format}")).is_file());
    }
    fails(
        path,
        "predict run in/a.png --overlay in",
        1,
        &["that abn did not make"],
    );
    fails(
        path,
        "predict run in/a.png --overlay x --maps x",
        1,
        &["the same folder"],
    );
}

#[test]
fn names_come_from_stdin() {
    let folder = with_pictures();
    let mut command = abn(folder.path());
    command
        .args(["predict", "run", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all("in/a.png\nin/ü😀.png\n".as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.starts_with("in/a.png: ") && told.contains("\nin/ü😀.png: "),
        "{told}"
    );
}

/// Bytes that are no text come back from both.
#[cfg(target_os = "linux")]
#[test]
fn names_need_not_be_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = with_pictures();
    let path = folder.path();
    let name = OsStr::from_bytes(b"in/\xff.png");
    fs::copy(path.join("in/a.png"), path.join(name)).unwrap();
    let told = |format: &str| {
        let mut command = abn(path);
        command
            .args(["predict", "run"])
            .arg(name)
            .args(["--format", format]);
        let output = command.output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    let image: Value = serde_json::from_slice(&told("jsonl")).unwrap();
    let bytes: Vec<u8> = serde_json::from_value(image["path_bytes"].clone()).unwrap();
    assert_eq!(bytes, name.as_bytes());
    let table = told("csv");
    let mut table = csv::Reader::from_reader(&table[..]);
    let row = table.byte_records().next().unwrap().unwrap();
    assert_eq!(&row[0], name.as_bytes());
}

#[test]
fn a_bad_file_costs_no_other() {
    let folder = with_pictures();
    let path = folder.path();
    fs::write(path.join("in/bad.png"), "no picture").unwrap();
    let said = fails(
        path,
        "predict run in --json",
        1,
        &["bad.png", "1 of 5 images"],
    );
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(told["images"].as_array().unwrap().len(), 4);
    fs::create_dir(path.join("empty")).unwrap();
    fails(path, "predict run empty", 1, &["has no .png"]);
    fails(
        path,
        "predict run none.png --csv",
        1,
        &["none.png", "1 of 1 images"],
    );
    fails(path, "predict run in --top 0", 2, &["--top"]);
    fails(
        path,
        "predict run in --csv --format json",
        2,
        &["cannot be used with"],
    );
}
