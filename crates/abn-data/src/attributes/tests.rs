//! What the readers make of lists, good and bad, without a network.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use tempfile::TempDir;

use super::*;
use crate::Group;

/// A folder with these files; what ends as an image is one.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match name.ends_with(".png") {
            true => RgbImage::from_pixel(8, 6, Rgb([9; 3])).save(path).unwrap(),
            false => fs::write(path, text).unwrap(),
        }
    }
    dir
}

fn request(dir: &Path, split: Split) -> AttributeFolder<'_> {
    AttributeFolder {
        dir,
        labels: None,
        split,
        seed: 7,
        truth: None,
        known: None,
        once: None,
        crop: false,
    }
}

/// So many images with a table in which every third one has the label.
fn table(count: usize) -> TempDir {
    let names: Vec<String> = (0..count).map(|index| format!("{index:02}.png")).collect();
    let rows = names.iter().enumerate();
    let rows: String = rows
        .map(|(index, name)| format!("{name},{}\n", u8::from(index % 3 == 0)))
        .collect();
    let text = format!("image,hat\n{rows}");
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    files.push(("labels.csv", &text));
    folder(&files)
}

fn names(images: &Collection) -> Vec<String> {
    let files = images.files.as_ref().unwrap();
    (0..images.samples.len())
        .map(|index| files.name(index))
        .collect()
}

#[test]
fn one_image_in_five_is_held_out_by_name_alone() {
    let dir = table(20);
    let open = |split| names(&attributes(&request(dir.path(), split)).unwrap());
    let held_out = open(Split::HeldOut);
    // As of the images of one class of a folder: another split would let runs be measured on what
    // they have learned.
    assert_eq!(held_out, ["01.png", "05.png", "11.png", "15.png"]);
    assert_eq!(open(Split::Test), held_out);
    let mut all = [open(Split::Train), held_out].concat();
    all.sort();
    assert_eq!(all, open(Split::All));
    // Another order of the rows changes no image's part.
    let table = dir.path().join("labels.csv");
    let text = fs::read_to_string(&table).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    fs::write(&table, lines.join("\n")).unwrap();
    let mut turned = open(Split::HeldOut);
    turned.reverse();
    assert_eq!(turned, ["01.png", "05.png", "11.png", "15.png"]);
}

#[test]
fn an_image_that_was_there_keeps_its_place() {
    let dir = table(10);
    let open = |once| {
        let request = AttributeFolder {
            once,
            ..request(dir.path(), Split::All)
        };
        attributes(&request)
    };
    let before = names(&open(None).unwrap());
    fs::remove_file(dir.path().join("03.png")).unwrap();
    let error = open(None).err().unwrap().to_string();
    assert!(
        error.contains("labels.csv, line 5, column 1: there is no image 03.png"),
        "{error}"
    );
    let once = BTreeSet::from(["03.png".to_owned()]);
    let images = open(Some(&once)).unwrap();
    assert_eq!(names(&images), before);
    let error = images.samples.get(3).unwrap_err();
    assert!(error.is_damage() && error.to_string().contains("03.png does not exist"));
    let counts = images.files.unwrap().counts();
    assert_eq!(counts, [6, 4]);
}

#[test]
fn labels_of_a_network_are_found_by_name() {
    let dir = folder(&[
        ("a.png", ""),
        ("b.png", ""),
        ("labels.csv", "image,red,hat,big\na,1,0,?\nb,0,1,1\n"),
    ]);
    let binary = |names: &[&str]| Labels::of(told::binary(names.iter().map(ToString::to_string)));
    let open = |known: &Labels| {
        let request = AttributeFolder {
            known: Some(known),
            ..request(dir.path(), Split::All)
        };
        attributes(&request)
    };
    let images = open(&binary(&["big", "red"])).unwrap();
    let target = |index| images.samples.get(index).unwrap().target;
    assert_eq!(target(0), Target::Classes(vec![None, Some(1)]));
    assert_eq!(target(1), Target::known(vec![1, 0]));
    assert!(
        images
            .notes
            .iter()
            .any(|note| note.ends_with("left out: hat")),
        "{:?}",
        images.notes
    );
    let error = open(&binary(&["big", "cap"])).err().unwrap().to_string();
    assert!(
        error.contains("it lacks labels that the run has: cap"),
        "{error}"
    );
    let other = Group {
        name: "red".to_owned(),
        classes: ["absent", "present"].map(str::to_owned).to_vec(),
    };
    let error = open(&Labels::of(vec![
        other,
        binary(&["big"]).groups()[0].clone(),
    ]));
    let error = error.err().unwrap().to_string();
    assert!(
        error.contains("no, yes") && error.contains("absent, present"),
        "{error}"
    );
}

#[test]
fn masks_and_boxes_beside_a_table_are_of_all_labels() {
    let dir = folder(&[
        ("images/a.png", ""),
        ("images/b.png", ""),
        ("boxes.csv", "image,x0,y0,x1,y1\nimages/a.png,0,0,4,6\n"),
        ("labels.csv", "image,red\na,1\nb,0\n"),
    ]);
    let images = attributes(&request(dir.path(), Split::All)).unwrap();
    assert!(images.masked);
    let masks = |index| images.samples.get(index).unwrap().masks;
    let mask = masks(0).of(0).unwrap().clone();
    assert_eq!(mask.pixels().filter(|pixel| pixel[0] > 0).count(), 24);
    assert_eq!(masks(1), crate::ObjectMasks::Unknown);
    let asked = AttributeFolder {
        truth: Some(Truth::Masks),
        ..request(dir.path(), Split::All)
    };
    let error = attributes(&asked).err().unwrap().to_string();
    assert!(error.contains("masks does not exist"), "{error}");
}

#[test]
fn parts_of_faces_are_where_their_landmarks_are() {
    let marks = "1\nlx ly rx ry nx ny ax ay bx by\na.png 1 1 6 1 3 3 2 5 5 5\n";
    let dir = folder(&[
        ("a.png", ""),
        (
            "list_attr_celeba.txt",
            "1\nSmiling Eyeglasses Young\na.png 1 1 1\n",
        ),
        ("list_landmarks_align_celeba.txt", marks),
    ]);
    let images = attributes(&request(dir.path(), Split::All)).unwrap();
    let masks = images.samples.get(0).unwrap().masks;
    let rows = |label: usize| -> Option<BTreeSet<u32>> {
        let mask = masks.of(label)?;
        let there = mask.enumerate_pixels().filter(|(.., pixel)| pixel[0] > 0);
        Some(there.map(|(_, y, _)| y).collect())
    };
    // The eyes are 5 pixels apart: two of them belong to a landmark.
    assert_eq!(rows(0), Some((3..6).collect()));
    assert_eq!(rows(1), Some((0..3).collect()));
    assert_eq!(rows(2), None);
}

/// The lists of every layout, small and good.
fn layouts() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let images = [
        ("a.png", ""),
        ("b.png", ""),
        ("JPEGImages/a.jpg", ""),
        ("val2017/a.jpg", ""),
    ];
    let with = |files: &[(&'static str, &'static str)]| [&images[..], files].concat();
    vec![
        (
            "labels.csv",
            with(&[(
                "labels.csv",
                "image,red,split\na.png,1,train\nb.png,?,val\n",
            )]),
        ),
        (
            "labels.csv",
            with(&[("labels.csv", "image,tags\na,red|big hat\nb,?\n")]),
        ),
        (
            "list_attr_celeba.txt",
            with(&[("list_attr_celeba.txt", "2\nSmiling\na.png 1\nb.png -1\n")]),
        ),
        (
            "list_landmarks_align_celeba.txt",
            with(&[
                ("list_attr_celeba.txt", "2\nSmiling\na.png 1\nb.png -1\n"),
                (
                    "list_landmarks_align_celeba.txt",
                    "1\nlx ly rx ry nx ny ax ay bx by\na.png 1 1 6 1 3 3 2 5 5 5\n",
                ),
            ]),
        ),
        (
            "ImageSets/Main/cat_val.txt",
            with(&[
                ("ImageSets/Main/cat_val.txt", "a 1\n"),
                ("Annotations/a.xml", "<a/>"),
            ]),
        ),
        (
            "annotations/instances_val2017.json",
            with(&[(
                "annotations/instances_val2017.json",
                r#"{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"id": 3, "image_id": 1,
                "category_id": 2, "bbox": [1, 2, 3, 4]}], "categories": [{"id": 2, "name": "cat"}]}"#,
            )]),
        ),
        (
            "train_test_split/classification/train.txt",
            with(&[
                (
                    "train_test_split/classification/train.txt",
                    "1/2/2014/a.jpg\n",
                ),
                (
                    "train_test_split/classification/test.txt",
                    "1/2/2014/b.jpg\n",
                ),
                ("image/1/2/2014/a.jpg", ""),
                ("image/1/2/2014/b.jpg", ""),
            ]),
        ),
        (
            "attributes/image_attribute_labels.txt",
            with(&[
                ("images.txt", "1 1.Bird/a.jpg\n"),
                ("images/1.Bird/a.jpg", ""),
                ("train_test_split.txt", "1 0\n"),
                ("attributes.txt", "1 has_bill::long\n"),
                ("attributes/image_attribute_labels.txt", "1 1 0 3 2.5\n"),
            ]),
        ),
    ]
}

/// Lists with changed bytes are read or refused, and never end the program.
#[test]
fn damaged_lists_do_no_harm() {
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = crate::splitmix64(state);
        (state % below as u64) as usize
    };
    for (list, files) in layouts() {
        let dir = folder(&files);
        let open = |split| attributes(&request(dir.path(), split)).map(drop);
        assert!(
            open(Split::HeldOut).is_ok() || open(Split::All).is_ok(),
            "{list}"
        );
        let path = dir.path().join(list);
        let good = fs::read(&path).unwrap();
        for _ in 0..150 {
            let mut bytes = good.clone();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes.truncate(at + 1),
                    1 => bytes[at] ^= 1 << random(8),
                    2 => bytes[at] = b"\0\x1b\n\t,|;?-19./"[random(13)],
                    _ => bytes.extend_from_within(at..),
                }
            }
            fs::write(&path, bytes).unwrap();
            for split in [Split::Train, Split::HeldOut, Split::All] {
                let _ = open(split);
            }
        }
    }
}

#[test]
fn a_table_a_split_says_what_its_images_are_for() {
    let files = [
        ("a.png", ""),
        ("b.png", ""),
        ("c.png", ""),
        ("d.png", ""),
        ("train.csv", "image,hat,red\na.png,1,0\nb.png,0,?\n"),
        ("val.csv", "red,image,hat\n1,c.png,0\n"),
        ("test_set.tsv", "image\that\tred\nd.png\t1\t1\n"),
    ];
    let dir = folder(&files);
    let open = |split| attributes(&request(dir.path(), split)).unwrap();
    let train = open(Split::Train);
    assert_eq!(names(&train), ["a.png", "b.png"]);
    let found = train
        .labels
        .groups()
        .iter()
        .map(|group| group.name.as_str());
    assert_eq!(found.collect::<Vec<_>>(), ["hat", "red"]);
    let of = |images: &Collection, index| images.samples.get(index).unwrap().target;
    assert_eq!(of(&train, 1), Target::Classes(vec![Some(0), None]));
    let held_out = open(Split::HeldOut);
    assert_eq!(names(&held_out), ["c.png"]);
    assert_eq!(of(&held_out, 0), Target::known(vec![0, 1]));
    assert_eq!(names(&open(Split::Test)), ["d.png"]);
    assert!(tells_several(dir.path()));
    // The same in a folder of their own, which is named.
    fs::create_dir(dir.path().join("told")).unwrap();
    for (name, _) in &files[4..] {
        fs::rename(dir.path().join(name), dir.path().join("told").join(name)).unwrap();
    }
    let told = AttributeFolder {
        labels: Some("told"),
        ..request(dir.path(), Split::HeldOut)
    };
    assert_eq!(names(&attributes(&told).unwrap()), ["c.png"]);
}

#[test]
fn columns_of_names_are_joined_over_tables() {
    let dir = folder(&[
        ("a.png", ""),
        ("b.png", ""),
        ("train.csv", "image,tags\na,red|big hat\n"),
        ("val.csv", "image,tags\nb,dog|red\n"),
    ]);
    let held_out = attributes(&request(dir.path(), Split::HeldOut)).unwrap();
    let found = held_out
        .labels
        .groups()
        .iter()
        .map(|group| group.name.as_str());
    assert_eq!(found.collect::<Vec<_>>(), ["big hat", "dog", "red"]);
    let target = held_out.samples.get(0).unwrap().target;
    assert_eq!(target, Target::known(vec![0, 1, 1]));
}

#[test]
fn tables_of_splits_that_do_not_agree_are_refused() {
    let train = "image,hat,red\na.png,1,0\nb.png,0,1\n";
    for (name, val, words) in [
        (
            "val.csv",
            "image,hat,blue\nc.png,1,0\n",
            "val.csv, line 1, column 1: it lacks the columns red and has the columns blue, other \
             than train.csv",
        ),
        (
            "val.csv",
            "image,hat,red\nc.png,1,0\nb.png,1,0\n",
            "val.csv, line 3, column 1: b.png is named in train.csv, line 3, too",
        ),
        (
            "val.csv",
            "image,hat,red\nc.png,1,0\nc.png,1,0\n",
            "val.csv, line 3, column 1: c.png is named a second time, after line 2",
        ),
        (
            "val.csv",
            "image,hat,red,split\nc.png,1,0,val\n",
            "val.csv, line 1, column 4: its name says the split, and a column does",
        ),
        (
            "val.csv",
            "image,tags\nc.png,hat\n",
            "val.csv, line 1, column 1: it has a column of names, and not of labels",
        ),
        (
            "val.csv",
            "image,hat,red\nc.png,-1,1\n",
            "val.csv, line 2, column 2: it says -1, and train.csv, line 2, column 3 says 0",
        ),
        (
            "val.csv",
            "image,hat,red\n",
            "val.csv, line 1, column 1: it names no image",
        ),
        (
            "valid.csv",
            "image,hat,red\nz.png,1,0\n",
            "valid.csv, line 2, column 1: there is no image",
        ),
        ("more.csv", "image,hat,red\nc.png,1,0\n", "both tell"),
        ("training.csv", "image,hat,red\nc.png,1,0\n", "both tell"),
    ] {
        let files = [
            ("a.png", ""),
            ("b.png", ""),
            ("c.png", ""),
            ("train.csv", train),
            (name, val),
        ];
        let dir = folder(&files);
        let error = attributes(&request(dir.path(), Split::Train))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(words), "no `{words}` in {error}");
    }
}

#[test]
fn what_is_absent_in_a_face_has_no_place_there() {
    let dir = folder(&[
        ("1.png", ""),
        ("2.png", ""),
        (
            "list_attr_celeba.txt",
            "2\nBald Smiling Eyeglasses\n1.png 1 -1 1\n2.png -1 -1 -1\n",
        ),
        ("list_eval_partition.txt", "1.png 0\n2.png 1\n"),
        (
            "list_landmarks_align_celeba.txt",
            "2\na b c d e f g h i j\n1.png 2 2 6 2 4 3 3 5 5 5\n2.png 2 2 6 2 4 3 3 5 5 5\n",
        ),
    ]);
    let open = |split| attributes(&request(dir.path(), split)).unwrap();
    let masks = |images: Collection| {
        let masks = images.samples.get(0).unwrap().masks;
        [0, 1, 2].map(|label| masks.of(label).is_some())
    };
    // Bald has no place, nobody smiles, and there are glasses on the eyes.
    assert_eq!(masks(open(Split::Train)), [false, false, true]);
    assert_eq!(masks(open(Split::HeldOut)), [false; 3]);
    assert!(
        open(Split::HeldOut)
            .samples
            .get(0)
            .unwrap()
            .masks
            .whole()
            .is_none()
    );
}

#[test]
fn a_limit_counts_the_first_images_without_reading_them() {
    let dir = table(20);
    let train = attributes(&request(dir.path(), Split::Train)).unwrap();
    let all = train.files.as_ref().unwrap().counts();
    assert_eq!(all.iter().sum::<usize>(), 16);
    let expected = (0..5).map(|index| train.samples.get(index).unwrap().target.of(0).unwrap());
    let present: usize = expected.sum();
    for name in names(&train) {
        fs::write(dir.path().join(name), "no picture").unwrap();
    }
    let limited = train.limit(5).files.unwrap();
    assert_eq!(limited.counts(), [5 - present, present]);
    assert_eq!(limited.target(4).unwrap().classes().len(), 1);
}
