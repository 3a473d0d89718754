use std::fs;

use serde_json::Value;

use super::*;
use crate::{Canvas, Labels, Loader, Normalization, Step, Transform, Truth};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parquet")
}

fn request(dir: &Path, split: Split) -> ImageFolder<'_> {
    ImageFolder {
        dir,
        split,
        seed: 3,
        truth: None,
        classes: None,
        once: None,
    }
}

fn open(dir: &Path, split: Split) -> Result<Collection, DataError> {
    parquet(&request(dir, split))
}

/// The words of the error.
fn error(dir: &Path, split: Split) -> String {
    open(dir, split).err().expect("an error").to_string()
}

/// `tests/fixtures/parquet/make.py` wrote the files with pyarrow, and what is in them.
#[test]
fn files_are_read_as_pyarrow_wrote_them() {
    let expected = fs::read(fixtures().join("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    for (folder, split, name, classes) in [
        ("hub", Split::Train, "train", ["ant", "bee", "crab"]),
        ("hub", Split::HeldOut, "test", ["ant", "bee", "crab"]),
        ("other", Split::All, "other", ["ant", "moth", "wasp"]),
    ] {
        let found = open(&fixtures().join(folder), split).unwrap();
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let expected = expected[name].as_array().unwrap();
        assert_eq!(found.samples.len(), expected.len());
        assert_eq!(found.labels.only().unwrap(), classes);
        assert!(!found.masked && found.notes.is_empty());
        for (index, expected) in expected.iter().enumerate() {
            let sample = found.samples.get(index).unwrap();
            let files = found.files.as_ref().unwrap();
            assert_eq!(files.name(index), expected["name"]);
            assert_eq!(files.path(index), None);
            assert_eq!(sample.target.of(0).unwrap(), expected["class"]);
            let (width, height) = sample.image.dimensions();
            assert_eq!(serde_json::json!([width, height]), expected["size"]);
            assert_eq!(hex(&sample.image.into_raw()), expected["pixels"]);
        }
    }
    let train = open(&fixtures().join("hub"), Split::Train).unwrap();
    assert_eq!(train.files.unwrap().counts(), [3, 2, 3]);
}

#[test]
fn batches_do_not_depend_on_workers_or_where_an_epoch_is_entered() {
    let loader = |workers| Loader {
        dataset: open(&fixtures().join("hub"), Split::Train).unwrap().samples,
        transform: Transform {
            steps: vec![Step::PadCrop { padding: 1 }, Step::CenterCrop { size: 2 }],
            normalization: Normalization::CIFAR,
        },
        batch_size: 3,
        workers,
        seed: 7,
        shuffled: true,
        masks: false,
        skips: Default::default(),
        canvas: Canvas::Equal,
        drop_last: false,
    };
    let expected: Vec<_> = loader(0).epoch(2, 0).map(Result::unwrap).collect();
    assert_eq!(expected.iter().map(|batch| batch.len()).sum::<usize>(), 8);
    for workers in [1, 2, 8] {
        for first in [0, 1, 2] {
            let batches: Vec<_> = loader(workers)
                .epoch(2, first)
                .map(Result::unwrap)
                .collect();
            assert!(
                batches == expected[first..],
                "{workers} workers from {first}"
            );
        }
    }
}

#[test]
fn one_in_five_is_held_out_of_a_file() {
    let file = fixtures().join("hub/train-00000-of-00002.parquet");
    let names = |split| {
        let found = open(&file, split).unwrap();
        let files = found.files.unwrap();
        let names = (0..found.samples.len()).map(|index| files.name(index));
        names.collect::<Vec<_>>()
    };
    // The class with one image cannot be split.
    assert!(error(&file, Split::Train).contains("there is one image of bee"));
    let all = names(Split::All);
    assert_eq!(all.len(), 5);
    assert!(
        all.iter()
            .all(|name| name.starts_with("train-00000-of-00002.parquet/"))
    );
}

#[test]
fn the_classes_of_a_network_are_matched_by_name() {
    let known = Labels::one(["crab", "bee", "ant", "dragonfly"].map(String::from).into());
    let dir = fixtures().join("hub");
    let request = ImageFolder {
        classes: Some(&known),
        ..request(&dir, Split::Test)
    };
    let found = parquet(&request).unwrap();
    assert_eq!(found.labels, known);
    assert_eq!(found.files.unwrap().counts(), [0, 2, 1, 0]);
    let request = ImageFolder {
        truth: Some(Truth::Masks),
        ..request
    };
    let error = parquet(&request).err().expect("an error").to_string();
    assert!(error.contains("have no masks"), "{error}");
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let zstd = error(&fixtures().join("zstd.parquet"), Split::All);
    assert!(
        zstd.contains("zstd.parquet: it is compressed by ZSTD"),
        "{zstd}"
    );
    let gzip = error(&fixtures().join("gzip.parquet"), Split::All);
    assert!(
        gzip.contains("gzip.parquet: it is compressed by GZIP"),
        "{gzip}"
    );
    let error = error(&fixtures().join("paths.parquet"), Split::All);
    assert!(
        error.contains("its row 0 has no bytes of an image"),
        "{error}"
    );
}

/// A file of these bytes is refused with these words.
#[track_caller]
fn refused_with(bytes: &[u8], words: &str) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("0.parquet"), bytes).unwrap();
    let error = error(dir.path(), Split::All);
    assert!(
        error.contains("0.parquet") && error.contains(words),
        "no `{words}` in: {error}"
    );
    assert!(!error.contains(char::is_control), "{error}");
}

#[test]
fn damaged_files_are_refused() {
    let good = fs::read(fixtures().join("hub/test-00000-of-00001.parquet")).unwrap();
    refused_with(b"", "is empty");
    refused_with(b"PAR1", "does not end as a Parquet file");
    refused_with(
        b"<html>no such file</html>",
        "does not end as a Parquet file",
    );
    refused_with(b"\xff\xff\xff\xffPAR1", "larger than it can be");
    refused_with(&good[..good.len() - 1], "does not end as a Parquet file");
    let mut long = good.clone();
    let length = long.len() - 8;
    long[length..length + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    refused_with(&long, "larger than it can be");
    let mut encrypted = good.clone();
    encrypted[length + 4..].copy_from_slice(b"PARE");
    refused_with(&encrypted, "it is encrypted");
}
