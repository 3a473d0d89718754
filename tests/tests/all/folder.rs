//! Photographs in class folders, from the files to the report.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::Value;

use crate::bad_input::stop_after_first_checkpoint;
use crate::program::{fails, succeeds};
use crate::resume::{check_same, remains};

pub(crate) const TRAIN: &str = "train --dataset folder --data photos --arch resnet8 --size 32 --epochs 1 --batch-size 4 --out run";

/// So many pictures of the class in `folder`, of every size; the class tells their colour.
pub(crate) fn class(folder: &Path, color: [u8; 3], count: u32) {
    fs::create_dir_all(folder).unwrap();
    for index in 0..count {
        let (width, height) = (40 + 9 * (index % 3), 36 + 11 * (index % 4));
        let noise = |x: u32, y: u32| ((x * 7 + y * 13 + index * 31) % 40) as u8;
        RgbImage::from_fn(width, height, |x, y| {
            Rgb(color.map(|value| value + noise(x, y)))
        })
        .save(folder.join(format!("{index:02}.png")))
        .unwrap();
    }
}

/// Two classes in `folder`, one of them with ImageNet's number.
fn classes(folder: &Path, count: u32) {
    class(&folder.join("n02123045"), [200, 40, 40], count);
    class(&folder.join("my dog"), [40, 40, 200], count);
}

pub(crate) fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

pub(crate) fn config(run: &Path) -> Value {
    parse(&fs::read_to_string(run.join("config.json")).unwrap())
}

#[test]
fn train_and_val_from_files_to_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    classes(&path.join("photos/train"), 8);
    classes(&path.join("photos/val"), 3);
    let results = parse(
        &succeeds(
            path,
            &format!("{TRAIN} --limit 12 --augment random-resized-crop --json"),
        )
        .out,
    );
    assert_eq!(results["best"]["images"], 6);
    let config = config(&path.join("run"));
    assert_eq!(config["classes"], serde_json::json!(["my dog", "tabby"]));
    let steps = serde_json::json!([{"RandomResizedCrop": {"size": 32}}, "Flip"]);
    assert_eq!(config["recipe"]["train_steps"], steps);
    let steps = serde_json::json!([{"ResizeShorter": {"size": 37}}, {"CenterCrop": {"size": 32}}]);
    assert_eq!(config["recipe"]["eval_steps"], steps);

    let eval = parse(&succeeds(path, "eval run --json").out);
    assert_eq!(
        (&eval["top1"], &eval["loss"]),
        (&results["best"]["top1"], &results["best"]["loss"])
    );
    assert_eq!(
        parse(&succeeds(path, "eval run --split train --json").out)["images"],
        12
    );
    let predicted = parse(&succeeds(path, "predict run photos/val/n02123045/00.png --json").out);
    assert!(
        ["my dog", "tabby"]
            .map(Value::from)
            .contains(&predicted["images"][0]["label"])
    );
    succeeds(path, "explain run photos/val/n02123045 --out maps");
    assert!(path.join("maps/0003-02.png").exists());
    let report = fs::read_to_string(path.join("run/report.html")).unwrap();
    assert!(report.contains("tabby") && report.contains("data:image/png"));

    // Held-out images alone can be measured on, other classes cannot.
    fs::rename(path.join("photos/val"), path.join("photos/test")).unwrap();
    assert_eq!(parse(&succeeds(path, "eval run --json").out), eval);
    fs::remove_dir_all(path.join("photos/train")).unwrap();
    assert_eq!(parse(&succeeds(path, "eval run --json").out), eval);
    fs::rename(
        path.join("photos/test/my dog"),
        path.join("photos/test/my cat"),
    )
    .unwrap();
    fails(
        path,
        "eval run",
        1,
        &["has a class that the run lacks: my cat", "my dog", "--data"],
    );
    fs::rename(path.join("photos"), path.join("moved")).unwrap();
    fails(path, "eval run", 1, &["photos does not exist", "--data"]);
}

/// Every table of images names their files, and their labels as the folders are called.
#[test]
fn tables_name_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (class, color) in [("cat", [200, 40, 40]), ("my dog", [40, 40, 200])] {
        self::class(&path.join("photos").join(class), color, 10);
    }
    succeeds(path, TRAIN);
    succeeds(path, &TRAIN.replace("--out run", "--seed 1 --out other"));
    let score = "score run --methods attention,cam --steps 2 --json";
    let score = parse(&succeeds(path, score).out);
    let stability = parse(&succeeds(path, "stability run other --out alike --json").out);
    let named: Vec<String> = serde_json::from_value(score["paths"].clone()).unwrap();
    assert_eq!(score["paths"], stability["paths"]);
    for (table, label) in [("run/score.csv", "label"), ("alike/stability.csv", "class")] {
        let mut table = csv::Reader::from_path(path.join(table)).unwrap();
        let names = table.headers().unwrap().clone();
        let place = |name| names.iter().position(|other| other == name).unwrap();
        let mut rows = 0;
        for row in table.records() {
            let row = row.unwrap();
            let (file, image) = (&row[place("path")], row[place("image")].parse::<usize>());
            assert!(path.join("photos").join(file).is_file(), "{file}");
            assert_eq!(file, named[image.unwrap()]);
            assert_eq!(file.split('/').next(), Some(&row[place(label)]));
            rows += 1;
        }
        assert!(rows >= 4);
    }
}

#[test]
fn one_folder_is_split_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    classes(&path.join("photos"), 10);
    succeeds(path, TRAIN);
    let whole = remains(&path.join("run"));
    assert_eq!(parse(&succeeds(path, "eval run --json").out)["images"], 4);
    assert_eq!(
        parse(&succeeds(path, "eval run --split train --json").out)["images"],
        16
    );

    // Another seed trains on the same images.
    succeeds(path, &TRAIN.replace("--out run", "--out other --seed 3"));
    assert_eq!(
        config(&path.join("run"))["images"],
        config(&path.join("other"))["images"]
    );

    // Killed after a step, moved, and continued with nothing but the new place.
    fs::rename(path.join("run"), path.join("whole")).unwrap();
    stop_after_first_checkpoint(path, &format!("{TRAIN} --save-every 0"));
    fs::rename(path.join("photos"), path.join("elsewhere")).unwrap();
    succeeds(path, "train --out run --data elsewhere");
    let mut continued = remains(&path.join("run"));
    // The place of the images is the one thing that differs.
    continued.insert("/config.json".into(), whole["/config.json"].clone());
    check_same(&whole, &continued);

    fails(path, "train --out run --size 48", 1, &["eval_steps", "48"]);
    fails(
        path,
        "train --out run --augment pad-crop",
        1,
        &["train_steps", "PadCrop"],
    );
    succeeds(path, "train --out run --size 32 --augment resize-crop");
}

#[test]
fn masks_beside_the_images_are_pointed_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    classes(&path.join("photos/images"), 10);
    for class in ["n02123045", "my dog"] {
        let masks = path.join("photos/masks").join(class);
        fs::create_dir_all(&masks).unwrap();
        for entry in fs::read_dir(path.join("photos/images").join(class)).unwrap() {
            let image = entry.unwrap().path();
            let (width, height) = image::image_dimensions(&image).unwrap();
            let mask = GrayImage::from_fn(width, height, |x, _| Luma([u8::from(x < width / 2)]));
            mask.save(masks.join(image.file_name().unwrap())).unwrap();
        }
    }
    let results = parse(&succeeds(path, &format!("{TRAIN} --json")).out);
    assert_eq!(results["pointing"]["images"], 4);
    let chance = results["pointing"]["chance"].as_f64().unwrap();
    assert!((0.4..0.6).contains(&chance), "{chance}");
    let baseline = TRAIN.replace("--out run", "--attention none --out baseline --json");
    assert!(
        parse(&succeeds(path, &baseline).out)["pointing"].is_null(),
        "no map, no game"
    );
}

#[test]
fn bad_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let train = TRAIN.replace("--data photos ", "");
    fails(
        path,
        &train,
        1,
        &["--dataset folder needs --data DIR", "train/ and val/"],
    );
    fails(path, TRAIN, 1, &["photos does not exist"]);
    fails(
        path,
        &train.replace("dataset folder", "dataset imagenet"),
        1,
        &["datasets/imagenet does not exist"],
    );
    fs::create_dir_all(path.join("photos")).unwrap();
    fails(path, TRAIN, 1, &["photos holds no folders", "a class"]);
    classes(&path.join("photos"), 5);
    fs::create_dir(path.join("photos/empty")).unwrap();
    fails(path, TRAIN, 1, &["photos/empty has no images", ".png"]);
    fs::remove_dir(path.join("photos/empty")).unwrap();
    fs::write(path.join("photos/my dog/01.png"), "no image").unwrap();
    fails(path, TRAIN, 1, &["my dog/01.png is not an image"]);
    let cut = fs::read(path.join("photos/my dog/02.png")).unwrap();
    fs::write(path.join("photos/my dog/01.png"), &cut[..cut.len() / 2]).unwrap();
    fails(path, TRAIN, 1, &["cannot decode", "my dog/01.png"]);
    fs::rename(path.join("photos"), path.join("train")).unwrap();
    fs::create_dir(path.join("photos")).unwrap();
    fs::rename(path.join("train"), path.join("photos/train")).unwrap();
    fails(path, TRAIN, 1, &["photos/val does not exist"]);
    class(&path.join("photos/val/my dog"), [0; 3], 2);
    class(&path.join("photos/val/n02123045"), [0; 3], 2);
    fs::rename(
        path.join("photos/val/n02123045"),
        path.join("photos/val/cat"),
    )
    .unwrap();
    fails(
        path,
        TRAIN,
        1,
        &[
            "photos/val lacks classes",
            "photos/train has: n02123045",
            "others: cat",
        ],
    );
    for (option, expected) in [
        ("--size 7", "8 to 1024"),
        ("--size 2000", "8 to 1024"),
        ("--augment some", "pad-crop"),
    ] {
        fails(
            path,
            &format!("{TRAIN} {option}").replace("--size 32 ", ""),
            2,
            &[expected],
        );
    }
    assert!(
        !path.join("run").exists(),
        "a run was made before the error was found"
    );
}
