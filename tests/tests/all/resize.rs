//! Resizing agrees with Pillow within one grey level, on numbers that
//! `tests/fixtures/resize/make.py` wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use abn_data::{Normalization, Step, Transform, read_image};
use abn_run::datasets::IMAGENET;
use abn_run::recipe::Recipe;
use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::fixtures::json;

/// Places at which a photograph is compared.
const SAMPLES: u32 = 50;

fn fixture(name: &str) -> Value {
    json(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/resize")
            .join(name),
    )
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn numbers<const N: usize>(list: &Value) -> [u32; N] {
    std::array::from_fn(|place| list[place].as_u64().unwrap() as u32)
}

fn apply(steps: &[Step], image: &RgbImage) -> RgbImage {
    let transform = Transform {
        steps: steps.to_vec(),
        normalization: Normalization::IMAGENET,
    };
    transform.fixed(image.clone()).unwrap()
}

/// How many values differ by one; none may by more.
#[track_caller]
fn check(what: &str, found: &[u8], expected: &[u8]) -> usize {
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found
        .iter()
        .zip(expected)
        .map(|(a, b)| a.abs_diff(*b))
        .max()
        .unwrap();
    assert!(worst <= 1, "{what}: off by {worst}");
    found.iter().zip(expected).filter(|(a, b)| a != b).count()
}

/// The generated images of make.py; one of a single channel is repeated in all three.
fn pattern(width: u32, height: u32, channels: u32) -> RgbImage {
    let value = |x: u32, y: u32, c: u32| (x * x * 7 + y * 13 + x * y * 3 + c % channels * 50) as u8;
    RgbImage::from_fn(width, height, |x, y| Rgb([0, 1, 2].map(|c| value(x, y, c))))
}

#[test]
fn generated_images_are_resized_as_by_pillow() {
    let (mut values, mut different) = (0, 0);
    for case in fixture("small.json")["cases"].as_array().unwrap() {
        let [from_width, from_height, channels] = numbers(&case["source"]);
        let [width, height] = numbers(&case["target"]);
        let found = apply(
            &[Step::Resize { width, height }],
            &pattern(from_width, from_height, channels),
        );
        let found: Vec<u8> = found
            .pixels()
            .flat_map(|pixel| pixel.0.into_iter().take(channels as usize))
            .collect();
        different += check(&case["source"].to_string(), &found, &bytes(&case["pixels"]));
        values += found.len();
    }
    assert!(
        different * 20 < values,
        "{different} of {values} values differ"
    );
}

/// Where the real data sets lie: `ABN_DATASETS`, or datasets/ of the workspace.
fn datasets() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
    std::env::var_os("ABN_DATASETS").map_or(default, PathBuf::from)
}

/// Every photograph below a folder by its name without the ending.
fn photographs(folder: &Path, found: &mut BTreeMap<String, PathBuf>) {
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            photographs(&path, found);
        } else {
            found.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), path);
        }
    }
}

/// Values at places that are spread over the image; the same as in make.py.
fn sampled(image: &RgbImage) -> Vec<u8> {
    let place = |k: u32| {
        (
            (k * 7919 + 13) % image.width(),
            (k * 104_729 + 7) % image.height(),
        )
    };
    (0..SAMPLES)
        .map(place)
        .flat_map(|(x, y)| image.get_pixel(x, y).0)
        .collect()
}

#[test]
#[ignore = "needs ../shared/datasets unpacked under datasets/"]
fn photographs_are_resized_as_by_pillow() {
    let mut paths = BTreeMap::new();
    photographs(&datasets().join("imagenet-sample"), &mut paths);
    photographs(&datasets().join("pets3-320/images"), &mut paths);
    let (mut values, mut different) = (0, 0);
    let truth = fixture("photographs.json");
    let images = truth["images"].as_object().unwrap();
    assert_eq!(images.len(), 65);
    for (name, expected) in images {
        let image = read_image(&paths[name]).unwrap();
        let (width, height) = image.dimensions();
        assert_eq!([width, height], numbers(&expected["size"]), "{name}");
        let evaluation = Recipe::of(&IMAGENET, None).eval_steps;
        different += check(
            name,
            &sampled(&apply(&evaluation, &image)),
            &bytes(&expected["evaluated"]),
        );
        let steps = [
            Step::ResizeShorter { size: 256 },
            Step::Resize {
                width: 256,
                height: 256,
            },
            Step::Resize {
                width: width * 3 / 2,
                height: height * 3 / 2,
            },
        ];
        for (step, expected) in steps
            .into_iter()
            .zip(expected["resized"].as_array().unwrap())
        {
            let found = apply(&[step], &image);
            assert_eq!(
                [found.width(), found.height()],
                numbers(&expected["size"]),
                "{name}"
            );
            different += check(name, &sampled(&found), &bytes(&expected["values"]));
        }
        values += 4 * 3 * SAMPLES as usize;
    }
    assert!(
        different * 50 < values,
        "{different} of {values} values differ"
    );
}
