//! Data sets that lack some of the images that they had.

use std::collections::BTreeSet;
use std::fs;

use tempfile::TempDir;

use super::tests::{tree, whole};
use super::*;

/// Names of the images of a split of a set that had these images.
fn names(dir: &TempDir, split: Split, once: &BTreeSet<String>) -> Result<Vec<String>, DataError> {
    let collection = image_folder(&ImageFolder {
        dir: dir.path(),
        split,
        seed: 3,
        truth: None,
        classes: None,
        once: Some(once),
    })?;
    let files = collection.files.unwrap();
    Ok((0..collection.samples.len())
        .map(|index| files.name(index))
        .collect())
}

/// Removes every third image: with their names, all others keep their places in each split.
#[track_caller]
fn keeps_places(dir: &TempDir, splits: &[Split]) {
    let none = BTreeSet::new();
    let before: Vec<_> = splits
        .iter()
        .map(|split| names(dir, *split, &none).unwrap())
        .collect();
    let gone: BTreeSet<String> = before.iter().flatten().step_by(3).cloned().collect();
    assert!(gone.len() > 1);
    for name in &gone {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    for (split, before) in splits.iter().zip(&before) {
        assert_eq!(&names(dir, *split, &gone).unwrap(), before);
        let without = names(dir, *split, &none);
        assert!(without.is_err() || &without.unwrap() != before);
    }
    // Whether they are there or not is of no importance.
    let all: BTreeSet<String> = before.iter().flatten().cloned().collect();
    assert_eq!(names(dir, splits[0], &all).unwrap(), before[0]);
}

const APART: [Split; 2] = [Split::Train, Split::HeldOut];

#[test]
fn images_that_are_split_by_chance_keep_their_places() {
    keeps_places(&whole(""), &APART);
    keeps_places(&whole("images/"), &APART);
}

#[test]
fn images_that_are_held_out_by_hand_keep_their_places() {
    let dir = tree(&[
        ("train/cat/1.png", 1),
        ("train/cat/inner/0.png", 2),
        ("train/cat/2.png", 3),
        ("train/dog/1.png", 4),
        ("train/dog/2.png", 5),
        ("val/cat/1.png", 6),
        ("val/dog/1.png", 7),
        ("val/dog/2.png", 8),
        ("val/dog/3.png", 9),
    ]);
    keeps_places(&dir, &APART);
}

#[test]
fn images_of_a_table_keep_their_places() {
    let dir = tree(&[
        ("images/1.png", 1),
        ("images/2.png", 2),
        ("images/3.png", 3),
        ("images/4.png", 4),
        ("images/5.png", 5),
        ("images/6.png", 6),
    ]);
    let rows = "image,label,split\n1,a,train\n2,b,train\n3,a,val\n4,b,val\n5,a,train\n6,b,val\n";
    fs::write(dir.path().join("labels.csv"), rows).unwrap();
    keeps_places(&dir, &APART);
}

#[test]
fn images_of_a_flat_folder_keep_their_places() {
    let dir = tree(&[
        ("train/a/1.png", 1),
        ("train/b/1.png", 2),
        ("train/b/2.png", 2),
        ("val/x.png", 3),
        ("val/y.png", 4),
        ("val/z.png", 5),
    ]);
    // A class by line, as ImageNet's users have it.
    fs::write(dir.path().join("val.txt"), "x.png 0\ny.png 1\nz.png 1\n").unwrap();
    keeps_places(&dir, &APART);
}

#[test]
fn an_image_that_is_gone_cannot_be_read() {
    let dir = whole("");
    let once = BTreeSet::from(["train/9.png".to_owned()]);
    let request = ImageFolder {
        dir: dir.path(),
        split: Split::All,
        seed: 0,
        truth: None,
        classes: None,
        once: Some(&once),
    };
    let collection = image_folder(&request).unwrap();
    assert_eq!(collection.samples.len(), 15);
    let files = collection.files.unwrap();
    let index = (0..15)
        .find(|index| files.name(*index) == "train/9.png")
        .unwrap();
    let error = collection.samples.get(index).unwrap_err();
    assert!(error.is_damage(), "{error}");
}
