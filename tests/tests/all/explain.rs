//! `abn explain` and `abn predict --map`, as a user calls them.

use std::fs;
use std::path::Path;

use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage};
use serde_json::Value;

use crate::cifar;
use crate::program::{Said, fails, succeeds};

/// A run of seconds, of images that [`with_run`] makes.
pub(crate) const TRAIN: &str =
    "train --dataset cifar10 --data . --arch resnet8 --epochs 1 --batch-size 10";

/// A folder with a run of a small ABN, or of its baseline.
pub(crate) fn with_run(attention: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), 8);
    succeeds(
        folder.path(),
        &format!("{TRAIN} --attention {attention} --out run"),
    );
    folder
}

/// A picture that differs from those of other numbers everywhere.
pub(crate) fn picture(width: u32, height: u32, number: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([
            (x * 7 + number * 31) as u8,
            (y * 5 + number * 17) as u8,
            ((x + y) * 3 + number * 47) as u8,
        ])
    })
}

pub(crate) fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn raw(folder: &Path, file: &str) -> Value {
    parse(&fs::read_to_string(folder.join(file)).unwrap())
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_f64().unwrap())
        .collect()
}

#[track_caller]
pub(crate) fn check_near(found: &[f64], expected: &[f64], relative: f64) {
    assert_eq!(found.len(), expected.len());
    let scale = expected
        .iter()
        .fold(0.0_f64, |highest, value| highest.max(value.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= relative * scale,
            "{found} instead of {expected} of {scale}"
        );
    }
}

fn keys(value: &Value) -> Vec<&String> {
    value.as_object().unwrap().keys().collect()
}

fn predicted(said: &Said) -> Value {
    parse(&said.out)["images"][0].clone()
}

#[test]
fn every_method_that_the_network_has() {
    let folder = with_run("abn");
    let path = folder.path();
    picture(90, 50, 1).save(path.join("a.png")).unwrap();
    let said = succeeds(path, "explain run a.png --out maps --raw");
    assert!(
        said.out
            .contains("(image, attention, cam, grad-cam, grad-cam++)"),
        "{}",
        said.out
    );
    let overlay = image::open(path.join("maps/0001-a.png")).unwrap();
    assert_eq!((overlay.width(), overlay.height()), (5 * 256 + 4 * 4, 256));
    let page = fs::read_to_string(path.join("maps/index.html")).unwrap();
    assert_eq!(page.matches("type=\"radio\"").count(), 5);

    let written = raw(path, "maps/0001-a.json");
    assert_eq!(
        keys(&written["maps"]),
        ["attention", "cam", "grad-cam", "grad-cam++"]
    );
    let predicted = predicted(&succeeds(path, "predict run a.png --json"));
    for key in ["height", "width"] {
        assert_eq!(written["maps"]["attention"][key], predicted["map"][key]);
        assert_eq!(
            written[key], predicted["map"][key],
            "the trained map where it has always been"
        );
    }
    assert_eq!(written["values"], written["maps"]["attention"]["values"]);
    check_near(
        &numbers(&written["values"]),
        &numbers(&predicted["map"]["values"]),
        1e-5,
    );
    assert_eq!(
        (&written["class"], &written["label"]),
        (&predicted["class"], &predicted["label"])
    );
    // Behind global pooling of 8 x 8 positions, CAM is 64 times Grad-CAM: the same image, class and
    // layer everywhere.
    let cam = numbers(&written["maps"]["cam"]["values"]);
    let grad_cam: Vec<f64> = numbers(&written["maps"]["grad-cam"]["values"])
        .iter()
        .map(|value| value * 64.0)
        .collect();
    check_near(&grad_cam, &cam, 1e-4);
}

#[test]
fn methods_class_and_layer_that_are_asked_for() {
    let folder = with_run("manet");
    let path = folder.path();
    picture(32, 32, 1).save(path.join("a.png")).unwrap();
    let explain = "explain run a.png --raw --methods gradient,grad-cam,centre,uniform,grad-cam";
    let said = succeeds(
        path,
        &format!("{explain} --class frog --layer features --out maps"),
    );
    assert!(
        said.out
            .contains("(image, gradient, grad-cam, centre, uniform)"),
        "{}",
        said.out
    );
    let frog = raw(path, "maps/0001-a.json");
    assert_eq!(
        (&frog["class"], &frog["label"], &frog["layer"]),
        (&6.into(), &"frog".into(), &"features".into())
    );
    assert!(frog["values"].is_null(), "no trained map was asked for");
    for (method, side) in [
        ("gradient", 32),
        ("grad-cam", 16),
        ("centre", 32),
        ("uniform", 32),
    ] {
        assert_eq!(frog["maps"][method]["height"], side, "{method}");
    }
    succeeds(
        path,
        &format!("{explain} --class 3 --layer features --out cats"),
    );
    let cat = raw(path, "cats/0001-a.json");
    assert_eq!(cat["label"], "cat");
    assert_ne!(cat["maps"]["grad-cam"], frog["maps"]["grad-cam"]);
    assert_eq!(cat["maps"]["centre"], frog["maps"]["centre"]);
    let pages =
        ["maps", "cats"].map(|out| fs::read_to_string(path.join(out).join("index.html")).unwrap());
    assert!(pages[0].contains("; Grad-CAM at the features before the last stage"));
    // One of the two is not what it took the image for.
    assert!(
        pages
            .iter()
            .zip(["frog", "cat"])
            .any(|(page, class)| page.contains(&format!("of the class <b>{class}</b>")))
    );
}

#[test]
fn a_baseline_is_explained_without_a_trained_map() {
    let folder = with_run("none");
    let path = folder.path();
    picture(32, 32, 1).save(path.join("a.png")).unwrap();
    let said = succeeds(path, "explain run a.png --out maps --raw");
    assert!(
        said.out.contains("(image, cam, grad-cam, grad-cam++)"),
        "{}",
        said.out
    );
    let written = raw(path, "maps/0001-a.json");
    assert!(written["values"].is_null() && written["maps"]["cam"]["width"] == 8);
    fails(
        path,
        "explain run a.png --methods cam,attention --out other",
        1,
        &["--methods attention", "no attention branch"],
    );
    GrayImage::new(4, 4).save(path.join("map.png")).unwrap();
    fails(
        path,
        "predict run a.png --map map.png",
        1,
        &["no attention branch", "--attention abn"],
    );
    assert!(!path.join("other").exists());
}

#[test]
fn what_cannot_be_explained_is_said_before_anything_is_written() {
    let folder = with_run("abn");
    let path = folder.path();
    picture(32, 32, 1).save(path.join("a.png")).unwrap();
    for (arguments, code, words) in [
        (
            "run a.png --methods cam --layer features",
            1,
            ["--methods cam", "refined features alone"],
        ),
        (
            "run a.png --class frogs",
            1,
            ["no class `frogs`", "nearest is `frog`"],
        ),
        ("run a.png --class 10", 1, ["no class `10`", "0 to 9"]),
        (
            "run a.png --methods lime",
            2,
            ["invalid value 'lime'", "grad-cam++"],
        ),
        (
            "run b*.png",
            1,
            ["no file matches `b*.png`", "check the folder"],
        ),
        ("run absent.png", 1, ["absent.png", "does not exist"]),
    ] {
        fails(
            path,
            &format!("explain {arguments} --out maps"),
            code,
            &words,
        );
        assert!(!path.join("maps").exists(), "{arguments}");
    }
    fs::write(path.join("file"), "mine").unwrap();
    fails(
        path,
        "explain run a.png --out file",
        1,
        &["`file` is a file"],
    );
}

/// More images than a batch holds: each is what it is alone, and a bad one among them changes
/// nothing.
#[test]
fn many_images_by_pattern() {
    let folder = with_run("abn");
    let path = folder.path();
    fs::create_dir_all(path.join("photos/more")).unwrap();
    for number in 1..=35 {
        let (width, height) = (32 + number % 3 * 20, 32 + number % 5 * 9);
        let place = if number > 30 { "more/" } else { "" };
        picture(width, height, number)
            .save(path.join(format!("photos/{place}{number:02}.png")))
            .unwrap();
    }
    fs::write(path.join("photos/05.png"), "no image").unwrap();
    let said = fails(
        path,
        "explain run photos/**/*.png --out photos/maps --raw",
        1,
        &["05.png", "1 of 35 images"],
    );
    assert!(said.out.contains("34 overlays"), "{}", said.out);
    let page = fs::read_to_string(path.join("photos/maps/index.html")).unwrap();
    assert_eq!(page.matches("<article").count(), 34);
    assert!(page.len() < 34 * 40_000, "{} bytes", page.len());
    succeeds(path, "explain run photos/more/35.png --out alone --raw");
    let (together, alone) = (
        raw(path, "photos/maps/0035-35.json"),
        raw(path, "alone/0001-35.json"),
    );
    assert_eq!(together["path"], alone["path"]);
    for method in keys(&alone["maps"]) {
        let values = |written: &Value| numbers(&written["maps"][method]["values"]);
        check_near(&values(&together), &values(&alone), 1e-4);
    }
    // The overlays in photos/maps are none of the images the next time.
    fs::remove_file(path.join("photos/05.png")).unwrap();
    assert!(
        succeeds(path, "explain run photos --out photos/maps")
            .out
            .contains("34 overlays")
    );
}

#[test]
fn a_map_of_ones_own() {
    let folder = with_run("abn");
    let path = folder.path();
    picture(32, 32, 3).save(path.join("a.png")).unwrap();
    let own = predicted(&succeeds(path, "predict run a.png --json"));
    let with_map = |map: &str| {
        let mut said = predicted(&succeeds(
            path,
            &format!("predict run a.png --map {map} --json"),
        ));
        let with_map = said.as_object_mut().unwrap().remove("with_map").unwrap();
        assert_eq!(said, own, "what was there before stays as it is");
        with_map
    };
    // The network's own map, given back with the 16 bits of a PNG.
    let values: Vec<u16> = numbers(&own["map"]["values"])
        .iter()
        .map(|value| (value * 65535.0).round() as u16)
        .collect();
    ImageBuffer::<Luma<u16>, _>::from_raw(16, 16, values)
        .unwrap()
        .save(path.join("own.png"))
        .unwrap();
    let again = with_map("own.png");
    check_near(
        &numbers(&again["map"]["values"]),
        &numbers(&own["map"]["values"]),
        1e-4,
    );
    check_near(&numbers(&again["logits"]), &numbers(&own["logits"]), 1e-4);
    assert_eq!(
        (&again["class"], &again["label"]),
        (&own["class"], &own["label"])
    );
    // Any size is brought to the map's, and what it says changes the answer.
    GrayImage::new(7, 3).save(path.join("black.png")).unwrap();
    GrayImage::from_pixel(50, 400, Luma([255]))
        .save(path.join("white.png"))
        .unwrap();
    let [black, white] = ["black.png", "white.png"].map(with_map);
    assert_eq!(
        (&black["map"]["height"], &black["map"]["width"]),
        (&16.into(), &16.into())
    );
    assert!(
        numbers(&black["map"]["values"])
            .iter()
            .all(|value| *value == 0.0)
    );
    assert!(
        numbers(&white["map"]["values"])
            .iter()
            .all(|value| *value == 1.0)
    );
    assert!(black["logits"] != white["logits"] && black["logits"] != own["logits"]);
    let said = succeeds(path, "predict run a.png --map black.png").out;
    assert!(said.contains("; with the given map: "), "{said}");

    picture(8, 8, 1).save(path.join("colours.png")).unwrap();
    fails(
        path,
        "predict run a.png --map colours.png",
        1,
        &["colours.png has colours", "greyscale"],
    );
    fails(
        path,
        "predict run a.png --map absent.png",
        1,
        &["absent.png does not exist"],
    );
    fs::write(path.join("empty.png"), "").unwrap();
    fails(
        path,
        "predict run a.png --map empty.png",
        1,
        &["empty.png is empty"],
    );
}
