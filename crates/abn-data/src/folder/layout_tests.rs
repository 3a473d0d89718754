//! Data sets as people have them: every layout means what it says, or is refused by name.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::tests::{classes, open, refused, samples, tree};
use super::*;

/// Empty files of these names; opening a data set reads names alone.
fn names(files: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    dir
}

/// Two images of the classes a and b below each of the folders.
fn classes_in(folders: &[&str]) -> TempDir {
    let files: Vec<String> = folders
        .iter()
        .flat_map(|folder| {
            ["a/1.png", "a/2.png", "b/1.png", "b/2.png"].map(|file| format!("{folder}{file}"))
        })
        .collect();
    names(&files.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Where the first image of a split lies, below the data set.
#[track_caller]
fn first(dir: &TempDir, split: Split) -> String {
    let collection = open(dir.path(), split, 0).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(classes(&collection), ["a", "b"]);
    collection.files.unwrap().name(0)
}

fn notes(dir: &TempDir, split: Split) -> String {
    open(dir.path(), split, 0).unwrap().notes.join("\n")
}

#[test]
fn splits_go_by_many_names() {
    for (train, held_out) in [
        ("train", "val"),
        ("train", "valid"),
        ("train", "validation"),
        ("Train", "Test"),
        ("TRAINING", "dev"),
        ("training", "testing"),
        ("train_images", "val_images"),
        ("train2017", "val2017"),
        ("seg_train", "seg_test"),
        ("train", "eval"),
        ("train", "held_out"),
    ] {
        let dir = classes_in(&[&format!("{train}/"), &format!("{held_out}/")]);
        assert_eq!(first(&dir, Split::Train), format!("{train}/a/1.png"));
        assert_eq!(first(&dir, Split::HeldOut), format!("{held_out}/a/1.png"));
        assert_eq!(first(&dir, Split::Test), format!("{held_out}/a/1.png"));
    }
}

#[test]
fn validation_chooses_the_epoch_and_test_is_for_the_end() {
    let dir = classes_in(&["train/", "valid/", "test/"]);
    assert_eq!(first(&dir, Split::HeldOut), "valid/a/1.png");
    assert_eq!(first(&dir, Split::Test), "test/a/1.png");
    assert!(notes(&dir, Split::HeldOut).contains("test/ is not used"));
    // The test images of contests have no classes.
    let dir = classes_in(&["train/", "val/"]);
    fs::create_dir(dir.path().join("test")).unwrap();
    fs::write(dir.path().join("test/1.png"), "").unwrap();
    assert_eq!(first(&dir, Split::HeldOut), "val/a/1.png");
    assert!(notes(&dir, Split::HeldOut).contains("test/ has no class folders"));
    assert!(notes(&dir, Split::Test).contains("no test images apart"));
    // Nor need they be those of the others, as long as nobody measures on them.
    fs::create_dir(dir.path().join("test/all")).unwrap();
    fs::rename(
        dir.path().join("test/1.png"),
        dir.path().join("test/all/1.png"),
    )
    .unwrap();
    assert_eq!(first(&dir, Split::Train), "train/a/1.png");
    refused(
        dir.path(),
        Split::Test,
        &["test lacks classes", "others: all"],
    );
}

#[test]
fn what_may_be_a_split_is_never_taken_for_a_class() {
    for (folders, words) in [
        (&["train/", "Train2/", "val/"][..], "Train2"),
        (&["train/", "val/", "valid/"], "valid"),
        (&["test/", "testing/", "train/"], "testing"),
        (&["fold_1/", "fold_2/"], "fold_1"),
        (&["part1/", "part2/"], "part2"),
        (&["", "test/"], "test"),
        (&["", "validation/"], "validation"),
        (&["", "unlabeled/"], "unlabeled"),
        (&["", "train/"], "train"),
    ] {
        let dir = classes_in(folders);
        for split in [Split::Train, Split::HeldOut] {
            refused(dir.path(), split, &[words, "rename"]);
        }
    }
    let dir = names(&[
        "cat/train/1.png",
        "cat/val/1.png",
        "dog/train/1.png",
        "dog/val/1.png",
    ]);
    refused(
        dir.path(),
        Split::Train,
        &["cat holds the folders train, val", "train/CLASS"],
    );
    // Folders within a class are its kinds.
    let dir = names(&[
        "a/indoor/1.png",
        "a/outdoor/1.png",
        "b/indoor/1.png",
        "b/outdoor/1.png",
    ]);
    assert_eq!(first(&dir, Split::All), "a/indoor/1.png");
}

#[test]
fn photographs_without_labels_are_refused() {
    for (files, words) in [
        (
            &["images/1.png", "images/2.png", "masks/1.png", "masks/2.png"][..],
            "images, masks",
        ),
        (
            &[
                "JPEGImages/1.jpg",
                "Annotations/1.xml",
                "SegmentationClass/1.png",
            ],
            "JPEGImages",
        ),
        (
            &[
                "train/images/1.jpg",
                "train/labels/1.txt",
                "valid/images/1.jpg",
                "valid/labels/1.txt",
            ],
            "images, labels",
        ),
        (
            &[
                "images/train/1.jpg",
                "images/val/1.jpg",
                "labels/train/1.txt",
                "labels/val/1.txt",
            ],
            "images/train holds 1 images",
        ),
        (&["train/1.jpg", "val/1.jpg"], "train holds 1 images"),
        (&["1.jpg", "2.jpg"], "2 images"),
        (&["mask/1.png", "image/1.png"], "image, mask"),
    ] {
        let dir = names(files);
        refused(dir.path(), Split::Train, &[words, "a folder of its name"]);
    }
    // Masks that mirror the classes are none; what could be either is not guessed at.
    let dir = classes_in(&["", "masks/"]);
    assert_eq!(first(&dir, Split::All), "a/1.png");
    let dir = classes_in(&[""]);
    fs::create_dir(dir.path().join("masks")).unwrap();
    fs::write(dir.path().join("masks/1.png"), "").unwrap();
    refused(
        dir.path(),
        Split::Train,
        &["masks lies beside class folders such as a"],
    );
    let dir = names(&["mask/1.png", "mask/2.png", "no_mask/1.png", "no_mask/2.png"]);
    assert_eq!(
        classes(&open(dir.path(), Split::Train, 0).unwrap()),
        ["mask", "no_mask"]
    );
}

#[test]
fn images_lie_in_a_folder_of_their_own() {
    let dir = classes_in(&["images/", "masks/"]);
    assert_eq!(first(&dir, Split::All), "images/a/1.png");
    let dir = classes_in(&["images/train/", "images/val/", "labels/train/"]);
    assert_eq!(first(&dir, Split::HeldOut), "images/val/a/1.png");
    let dir = classes_in(&["train/images/", "train/masks/", "val/images/"]);
    assert_eq!(first(&dir, Split::Train), "train/images/a/1.png");
}

#[test]
fn what_systems_and_abn_leave_behind_is_no_class() {
    let dir = classes_in(&[""]);
    for file in [
        "__MACOSX/a/._1.png",
        "a/Thumbs.db",
        ".ipynb_checkpoints/1.png",
        "@eaDir/1.png",
        "maps/.abn-explain",
        "maps/0001.png",
        "a/overlays/.abn-explain",
        "a/overlays/0001.png",
        "runs/folder-resnet8-abn/config.json",
        "runs/folder-resnet8-abn/checkpoints/manifest.json",
        "runs/folder-resnet8-abn/picture.png",
        "scores/score.json",
        "scores/x.png",
    ] {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let all = open(dir.path(), Split::All, 0).unwrap();
    assert_eq!(classes(&all), ["a", "b"]);
    assert_eq!(all.samples.len(), 4);
    assert_eq!(all.notes, [""; 0]);
}

#[test]
fn pictures_that_are_not_read_are_counted() {
    let dir = classes_in(&[""]);
    for file in [
        "a/3.avif",
        "b/3.AVIF",
        "b/4.heic",
        "a/notes.txt",
        "a/4.webp",
        "b/5.jfif",
    ] {
        fs::write(dir.path().join(file), "").unwrap();
    }
    let all = open(dir.path(), Split::All, 0).unwrap();
    assert_eq!(all.samples.len(), 6);
    let notes = all.notes.join("\n");
    for words in [
        "3 pictures in 2 folders",
        "2 .avif, 1 .heic",
        "1 files",
        "1 .txt",
    ] {
        assert!(notes.contains(words), "no `{words}` in {notes}");
    }
}

#[test]
fn one_name_in_two_forms_of_unicode_is_one_class() {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
    let files = [
        format!("train/{composed}/1.png"),
        "train/tee/1.png".to_owned(),
        format!("val/{decomposed}/1.png"),
        "val/tee/1.png".to_owned(),
    ];
    let dir = names(&files.each_ref().map(String::as_str));
    let held_out = open(dir.path(), Split::HeldOut, 0).unwrap();
    assert_eq!(classes(&held_out), [composed, "tee"]);
    assert_eq!(held_out.files.unwrap().counts(), [1, 1]);
    fs::create_dir(dir.path().join(format!("train/{decomposed}"))).unwrap();
    refused(dir.path(), Split::Train, &["two ways of Unicode"]);
}

#[test]
#[cfg(unix)]
fn a_link_that_leads_nowhere_is_named() {
    let dir = classes_in(&[""]);
    std::os::unix::fs::symlink("nowhere", dir.path().join("c")).unwrap();
    refused(
        dir.path(),
        Split::Train,
        &["c is a link that leads nowhere"],
    );
    fs::remove_file(dir.path().join("c")).unwrap();
    // One of an image is an image that cannot be read.
    std::os::unix::fs::symlink("nowhere.png", dir.path().join("a/3.png")).unwrap();
    assert_eq!(open(dir.path(), Split::All, 0).unwrap().samples.len(), 5);
}

#[test]
fn a_class_without_held_out_images_is_told() {
    let dir = classes_in(&["train/", "val/"]);
    fs::remove_dir_all(dir.path().join("val/b")).unwrap();
    assert!(notes(&dir, Split::HeldOut).contains("1 of 2 classes have no images here: b"));
    fs::create_dir(dir.path().join("val/b")).unwrap();
    assert!(notes(&dir, Split::HeldOut).contains("1 of 2 classes have no images here: b"));
    fs::remove_file(dir.path().join("val/a/1.png")).unwrap();
    fs::remove_file(dir.path().join("val/a/2.png")).unwrap();
    refused(dir.path(), Split::HeldOut, &["val has no images"]);
    fs::remove_dir_all(dir.path().join("train/b")).unwrap();
    fs::create_dir(dir.path().join("train/b")).unwrap();
    refused(dir.path(), Split::Train, &["train/b has no images"]);
}

fn open_for(dir: &Path, known: &[&str]) -> Result<Collection, DataError> {
    let known = Labels::one(known.iter().map(ToString::to_string).collect());
    image_folder(&ImageFolder {
        dir,
        split: Split::All,
        seed: 0,
        truth: None,
        once: None,
        classes: Some(&known),
    })
}

#[test]
fn folders_are_matched_to_the_classes_of_a_network_by_name() {
    let dir = tree(&[("n02012849/1.png", 1), ("n01440764/1.png", 2)]);
    let known = ["crane (n02012849)", "x", "tench", "crane (n03126707)"];
    let found = open_for(dir.path(), &known).unwrap();
    assert_eq!(classes(&found), known);
    assert_eq!(samples(&found), [(0, 1), (2, 2)]);
    assert!(found.notes[0].contains("2 of 4 classes have no images here: x, crane (n03126707)"));
    assert!(open_for(dir.path(), &["n02012849", "n01440764", "z"]).is_ok());
    let error = open_for(dir.path(), &["tench", "x"])
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("has a class that the run lacks: crane"),
        "{error}"
    );
    // Words that are the names of other folders: the run's own order holds.
    let swapped = tree(&[("a/1.png", 1), ("b/1.png", 2), ("c/1.png", 3)]);
    fs::write(swapped.path().join("classes.tsv"), "a\tb\nb\ta\n").unwrap();
    let found = open_for(swapped.path(), &["b", "a", "c"]).unwrap();
    assert_eq!(samples(&found), [(0, 1), (1, 2), (2, 3)]);
    // An imported network may have numbers for names.
    assert_eq!(
        samples(&open_for(dir.path(), &["class 0", "class 1"]).unwrap()),
        [(0, 2), (1, 1)]
    );
}

#[test]
fn folders_are_the_outputs_of_a_network_without_names_by_number() {
    let numbers: Vec<String> = (0..12).map(|number| format!("class {number}")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let files: Vec<(String, u8)> = (0..12).map(|n| (format!("{n}/1.png"), n)).collect();
    let files: Vec<(&str, u8)> = files.iter().map(|(file, n)| (file.as_str(), *n)).collect();
    let dir = tree(&files);
    let found = open_for(dir.path(), &numbers).unwrap();
    let expected: Vec<(usize, u8)> = (0..12).map(|n| (usize::from(n), n)).collect();
    assert_eq!(samples(&found), expected);
    assert!(found.notes.is_empty());
    let named = tree(&[("b/1.png", 1), ("a/1.png", 2)]);
    let found = open_for(named.path(), &numbers[..2]).unwrap();
    assert_eq!(samples(&found), [(0, 2), (1, 1)]);
    assert!(
        found.notes[0].contains("class 0 being a"),
        "{:?}",
        found.notes
    );
}

/// A folder with these files, some of which are tables.
fn tabled(files: &[&str], tables: &[(&str, &str)]) -> TempDir {
    let dir = names(files);
    for (name, text) in tables {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// Name and class of every image of a split.
fn told(dir: &TempDir, split: Split) -> Vec<(String, String)> {
    let found = open(dir.path(), split, 0).unwrap_or_else(|error| panic!("{error}"));
    let files = found.files.clone().unwrap();
    let class = |index: usize| {
        let mut left = index;
        let counts = files.counts();
        // First of every class, then second: with one image a class, the index is the class.
        assert!(counts.iter().all(|count| *count <= 1));
        for (class, count) in counts.iter().enumerate() {
            if left < *count {
                return class;
            }
            left -= count;
        }
        unreachable!()
    };
    (0..found.samples.len())
        .map(|index| (files.name(index), classes(&found)[class(index)].clone()))
        .collect()
}

fn pair(image: &str, class: &str) -> (String, String) {
    (image.to_owned(), class.to_owned())
}

#[test]
fn labels_are_read_from_tables() {
    let files = [
        "images/1.png",
        "images/2.jpg",
        "images/3.png",
        "images/4.png",
    ];
    let split = "\u{feff}id;breed;split\n1;cat;train\n2;dog;train\n3;cat;valid\n4.png;dog;valid\n";
    let dir = tabled(&files, &[("labels.csv", split)]);
    assert_eq!(
        told(&dir, Split::Train),
        [pair("images/1.png", "cat"), pair("images/2.jpg", "dog")]
    );
    assert_eq!(
        told(&dir, Split::HeldOut),
        [pair("images/3.png", "cat"), pair("images/4.png", "dog")]
    );
    let (train, val) = ("file,label\n1.png,b\n2.jpg,a\n", "file,label\n3.png,a\n");
    let dir = tabled(&files, &[("train.csv", train), ("val_labels.csv", val)]);
    assert_eq!(
        told(&dir, Split::Train),
        [pair("images/2.jpg", "a"), pair("images/1.png", "b")]
    );
    assert_eq!(told(&dir, Split::HeldOut), [pair("images/3.png", "a")]);
    for (text, words) in [
        ("image,label\n9.png,a\n", "line 2: there is no image 9.png"),
        ("image,label\n1.png,\n", "label is missing"),
        ("image,label\n../images/1.png,a\n", "outside the folder"),
        ("image,label,split\n1.png,a,later\n", "no split `later`"),
        ("image,label\n1.png,a,x\n", "line 2"),
    ] {
        let dir = tabled(&files, &[("labels.csv", text)]);
        refused(dir.path(), Split::Train, &[words, "labels.csv"]);
    }
    let dir = tabled(&files, &[("a.csv", train), ("b.csv", val)]);
    refused(dir.path(), Split::Train, &["a.csv", "b.csv", "labels.csv"]);
    // Where folders are classes, only a table that is called so outweighs them.
    let photos = ["day1/1.png", "day1/2.png", "day2/3.png", "day2/4.png"];
    let text = "image,label\nday1/1.png,x\nday1/2.png,y\nday2/3.png,x\nday2/4.png,y\n";
    let dir = tabled(&photos, &[("predictions.csv", text), ("more.csv", text)]);
    let found = open(dir.path(), Split::All, 0).unwrap();
    assert_eq!(classes(&found), ["day1", "day2"]);
    assert!(found.notes[0].contains("not used: more.csv, predictions.csv"));
    let dir = tabled(&photos, &[("labels.csv", text), ("more.csv", text)]);
    let found = open(dir.path(), Split::All, 0).unwrap();
    assert_eq!(classes(&found), ["x", "y"]);
    // Boxes and other tables tell no labels.
    let dir = tabled(
        &files,
        &[("boxes.csv", "image,x0,y0,x1,y1\n1.png,0,0,1,1\n")],
    );
    refused(
        dir.path(),
        Split::Train,
        &["holds the folders images and no"],
    );
}

#[test]
fn a_doubled_slash_does_not_lead_to_the_root_of_the_file_system() {
    let files = [
        "images/a.jpg",
        "images/b.jpg",
        "images/c.jpg",
        "images/d.jpg",
    ];
    let rows = "images//a.jpg,x\n./images/b.jpg,x\nimages/./c.jpg,y\nimages/d.jpg/,y\n";
    let dir = tabled(&files, &[("labels.csv", &format!("image,label\n{rows}"))]);
    let paths = [Split::Train, Split::HeldOut].map(|split| told(&dir, split));
    let mut found = paths.concat();
    found.sort();
    let expected = [("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")];
    assert_eq!(
        found,
        expected.map(|(name, class)| pair(&format!("images/{name}.jpg"), class))
    );
}

#[test]
fn published_sets_are_read_as_they_lie() {
    let birds = tabled(
        &[
            "images/001.Albatross/x.jpg",
            "images/002.Wren/y.jpg",
            "images/002.Wren/z.jpg",
            "attributes/a.txt",
        ],
        &[
            (
                "images.txt",
                "1 001.Albatross/x.jpg\n2 002.Wren/y.jpg\n3 002.Wren/z.jpg\n",
            ),
            ("image_class_labels.txt", "1 1\n2 2\n3 2\n"),
            ("classes.txt", "1 001.Albatross\n2 002.Wren\n"),
            ("train_test_split.txt", "1 1\n2 1\n3 0\n"),
        ],
    );
    assert_eq!(
        told(&birds, Split::HeldOut),
        [pair("images/002.Wren/z.jpg", "002.Wren")]
    );
    assert_eq!(
        told(&birds, Split::Train),
        [
            pair("images/001.Albatross/x.jpg", "001.Albatross"),
            pair("images/002.Wren/y.jpg", "002.Wren")
        ]
    );
    let pets = tabled(
        &[
            "images/Abyssinian_1.jpg",
            "images/american_bulldog_2.jpg",
            "images/Abyssinian_3.jpg",
        ],
        &[
            (
                "annotations/trainval.txt",
                "Abyssinian_1 1 1 1\namerican_bulldog_2 2 2 1\n",
            ),
            ("annotations/test.txt", "#remark\nAbyssinian_3 1 1 1\n"),
        ],
    );
    assert_eq!(
        told(&pets, Split::HeldOut),
        [pair("images/Abyssinian_3.jpg", "Abyssinian")]
    );
    let tiny = tabled(
        &[
            "train/n01/images/n01_0.JPEG",
            "train/n02/images/n02_0.JPEG",
            "val/images/val_0.JPEG",
            "val/images/val_1.JPEG",
            "test/images/test_0.JPEG",
        ],
        &[(
            "val/val_annotations.txt",
            "val_0.JPEG\tn02\t0\t0\t9\t9\nval_1.JPEG\tn01\t0\t0\t9\t9\n",
        )],
    );
    assert_eq!(
        told(&tiny, Split::HeldOut),
        [
            pair("val/images/val_1.JPEG", "n01"),
            pair("val/images/val_0.JPEG", "n02")
        ]
    );
    let imagenet = [
        "train/n01/n01_0.JPEG",
        "train/n02/n02_0.JPEG",
        "val/ILSVRC2012_val_00000001.JPEG",
        "val/ILSVRC2012_val_00000002.JPEG",
    ];
    for (name, text) in [
        (
            "val.txt",
            "ILSVRC2012_val_00000001.JPEG 1\nILSVRC2012_val_00000002.JPEG 0\n",
        ),
        ("imagenet_2012_validation_synset_labels.txt", "n02\nn01\n"),
        (
            "LOC_val_solution.csv",
            "ImageId,PredictionString\nILSVRC2012_val_00000002,n01 1 2 3 4\nILSVRC2012_val_00000001,n02 1 2 3 4\n",
        ),
    ] {
        let dir = tabled(&imagenet, &[(name, text)]);
        assert_eq!(
            told(&dir, Split::HeldOut),
            [
                pair("val/ILSVRC2012_val_00000002.JPEG", "n01"),
                pair("val/ILSVRC2012_val_00000001.JPEG", "n02")
            ],
            "{name}"
        );
    }
    let dir = tabled(
        &imagenet,
        &[("val.txt", "ILSVRC2012_val_00000001.JPEG 1\n")],
    );
    refused(dir.path(), Split::HeldOut, &["1 labels for 2 images"]);
}

/// What torchvision 0.29.2 has for `ImageFolder(DIR).classes` of folders of these names, which it
/// sorts by code points.
#[test]
fn classes_have_the_numbers_of_torchvision() {
    let expected = [
        "-d", "0", "1", "10", "2", "B", "N02", "Zebra", "_x", "a", "a.b", "b c", "n02", "zebra",
        "~", "Ä", "ß", "é", "日本",
    ];
    let files: Vec<String> = expected
        .iter()
        .rev()
        .flat_map(|class| [format!("{class}/0.png"), format!("{class}/1.png")])
        .collect();
    let dir = names(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let found = open(dir.path(), Split::All, 0).unwrap();
    assert_eq!(classes(&found), expected);
}
