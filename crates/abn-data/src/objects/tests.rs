//! What the readers make of small folders, good and bad.

use std::fs;
use std::path::PathBuf;

use abn_boxes::BoundingBox;
use image::{DynamicImage, ImageEncoder, Rgb, RgbImage};
use tempfile::TempDir;

use super::*;
use crate::{Counts, Object, Target};

/// A folder with these files; what ends as an image is one, of 8 x 6 pixels.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match name.ends_with("g") {
            true => RgbImage::from_pixel(8, 6, Rgb([9; 3])).save(path).unwrap(),
            false => fs::write(path, text).unwrap(),
        }
    }
    dir
}

fn request(dir: &Path, split: Split) -> ObjectFolder<'_> {
    ObjectFolder {
        dir,
        split,
        seed: 7,
        known: None,
        once: None,
    }
}

fn open(dir: &TempDir, split: Split) -> Collection {
    objects(&request(dir.path(), split)).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(dir: &TempDir, split: Split, words: &[&str]) {
    let error = objects(&request(dir.path(), split)).err().unwrap();
    for word in words {
        assert!(error.to_string().contains(word), "no `{word}` in {error}");
    }
}

fn names(images: &Collection) -> Vec<String> {
    let files = images.files.as_ref().unwrap();
    let all = 0..images.samples.len();
    all.map(|index| files.name(index)).collect()
}

/// COCO's file of images 8 x 6, by number and name, with these annotations: image, category, box
/// and what else is told.
fn instances(images: &[(u64, &str)], annotations: &[(u64, u64, [f64; 4], &str)]) -> String {
    let images = images.iter().map(|(id, name)| {
        format!(r#"{{"id": {id}, "file_name": "{name}", "width": 8, "height": 6}}"#)
    });
    let annotations = annotations.iter().enumerate();
    let annotations = annotations.map(|(id, (image, category, bounds, more))| {
        format!(
            r#"{{"id": {id}, "image_id": {image}, "category_id": {category},
            "bbox": {bounds:?}{more}}}"#
        )
    });
    format!(
        r#"{{"images": [{}], "annotations": [{}], "categories": [{{"id": 90, "name": "dog"}},
        {{"id": 7, "name": "cat"}}]}}"#,
        images.collect::<Vec<_>>().join(", "),
        annotations.collect::<Vec<_>>().join(", ")
    )
}

const CROWD: &str = r#", "iscrowd": 1"#;
const INSIDE: [f64; 4] = [1.0, 2.0, 3.0, 4.0];
const TRAIN: &str = "annotations/instances_train2017.json";
const VAL: &str = "annotations/instances_val2017.json";

/// Two splits of COCO.
fn coco() -> TempDir {
    let train = instances(
        &[(5, "b.png"), (3, "a.png"), (8, "c.png")],
        &[
            (3, 90, INSIDE, r#", "area": 5.5"#),
            (5, 7, INSIDE, CROWD),
            (5, 7, [6.0, 0.0, 9.5, 2.0], ""),
        ],
    );
    let val = instances(&[(1, "d.png"), (3, "e.png")], &[(1, 7, INSIDE, "")]);
    folder(&[
        ("train2017/a.png", ""),
        ("images/train2017/b.png", ""),
        ("images/c.png", ""),
        ("d.png", ""),
        ("val2017/e.png", ""),
        (TRAIN, &train),
        (VAL, &val),
    ])
}

#[test]
fn cocos_objects_as_they_lie() {
    let dir = coco();
    let train = open(&dir, Split::Train);
    assert_eq!(train.labels.only().unwrap(), ["cat", "dog"]);
    assert!(!train.masked);
    // By their ids; one has no objects.
    assert_eq!(names(&train), ["train2017/a.png", "images/train2017/b.png"]);
    assert_eq!(
        train.notes,
        [
            "COCO's objects: 2 images, 3 objects of 2 classes",
            "left out of 3 images, because nothing is learned from them: 1 without objects",
        ]
    );
    let files = train.files.as_ref().unwrap();
    assert_eq!((files.number(0), files.number(1)), (Some(3), Some(5)));
    assert_eq!(files.class_numbers(), [Some(7), Some(90)]);
    assert_eq!((files.size(1), files.counts()), (Some((8, 6)), vec![]));
    let path = dir.path().join("images/train2017/b.png");
    assert_eq!(files.path(1).unwrap(), path);
    let dog = Object {
        class: 1,
        bounds: BoundingBox::new(1.0, 2.0, 4.0, 6.0),
        area: 5.5,
        counts: Counts::Fully,
    };
    let sample = train.samples.get(0).unwrap();
    assert_eq!(sample.image.dimensions(), (8, 6));
    assert_eq!(sample.target, Target::Objects(vec![dog]));
    let sample = train.samples.get(1).unwrap();
    assert_eq!(files.target(1), Some(sample.target.clone()));
    let [crowd, cat] = sample.target.objects() else {
        panic!("there are others");
    };
    assert_eq!(
        (crowd.counts, crowd.class, crowd.area),
        (Counts::Crowd, 0, 12.0)
    );
    // Boxes reach beyond the image, as the file has them.
    assert_eq!(cat.bounds, BoundingBox::new(6.0, 0.0, 15.5, 2.0));

    let held_out = open(&dir, Split::HeldOut);
    assert_eq!(names(&held_out), ["d.png", "val2017/e.png"]);
    assert_eq!(
        held_out.notes,
        ["COCO's objects: 2 images, 1 object of 2 classes"]
    );
    let test = open(&dir, Split::Test);
    assert_eq!(names(&test), names(&held_out));
    assert!(test.notes[1].contains("these are the held-out ones"));
    refused(&dir, Split::All, &["holds splits"]);
}

#[test]
fn images_that_teach_nothing_are_left_out_of_training_alone() {
    let outside = [8.0, 0.0, 5.0, 5.0];
    let thin = [1.0, 1.0, 4.0, 1.0];
    let images = [1, 2, 3, 4, 5, 6].map(|id| (id, ["a", "b", "c", "d", "e", "f"][id as usize - 1]));
    let images = images.map(|(id, name)| (id, format!("{name}.png")));
    let images: Vec<(u64, &str)> = images.iter().map(|(id, name)| (*id, &**name)).collect();
    let text = instances(
        &images,
        &[
            (1, 7, INSIDE, CROWD),
            (2, 7, outside, ""),
            (3, 7, thin, ""),
            (3, 7, [0.0; 4], ""),
            // What is thin is learned from beside a crowd that is not, and beside what is not.
            (4, 7, thin, ""),
            (4, 7, INSIDE, CROWD),
            (5, 90, INSIDE, ""),
            (5, 90, outside, ""),
            (5, 90, [0.0; 4], ""),
        ],
    );
    let mut files = vec![(TRAIN, &*text)];
    files.extend(images.iter().map(|(_, name)| (*name, "")));
    let dir = folder(&files);
    let train = open(&dir, Split::Train);
    assert_eq!(names(&train), ["d.png", "e.png"]);
    assert_eq!(
        train.notes,
        [
            "COCO's objects: 2 images, 5 objects of 2 classes",
            "left out of 6 images, because nothing is learned from them: 1 without objects, 1 with \
             crowds alone, 2 with boxes alone that lie outside or are a pixel wide or high at most",
            "2 boxes without an inside are not learned from",
            "1 box is a pixel wide or high at most",
        ]
    );
    fs::rename(dir.path().join(TRAIN), dir.path().join(VAL)).unwrap();
    let held_out = open(&dir, Split::HeldOut);
    assert_eq!(held_out.samples.len(), 6);
    assert_eq!(
        held_out.notes[1],
        "4 boxes without an inside are never found, whatever a network says"
    );
    refused(
        &dir,
        Split::Train,
        &["images to learn from beside those held out"],
    );
    let dir = folder(&[
        ("a.png", ""),
        (TRAIN, &instances(&[(1, "a.png")], &[(1, 7, outside, "")])),
    ]);
    refused(
        &dir,
        Split::Train,
        &["no image to learn from has an object"],
    );
}

#[test]
fn a_file_without_a_split_is_split_by_chance() {
    let all: Vec<String> = (0..20).map(|index| format!("{index:02}.png")).collect();
    let images: Vec<(u64, &str)> = (0..20).map(|id| (id, &*all[id as usize])).collect();
    let annotations: Vec<_> = (0..20).map(|id| (id, 7, INSIDE, "")).collect();
    let text = instances(&images, &annotations);
    let mut files = vec![("annotations/instances_default.json", &*text)];
    files.extend(all.iter().map(|name| (&**name, "")));
    let dir = folder(&files);
    let held_out = names(&open(&dir, Split::HeldOut));
    // The same as of a table of labels.
    assert_eq!(held_out, ["01.png", "05.png", "11.png", "15.png"]);
    assert_eq!(names(&open(&dir, Split::Test)), held_out);
    let mut whole = [names(&open(&dir, Split::Train)), held_out].concat();
    whole.sort();
    assert_eq!(whole, all);
    assert_eq!(names(&open(&dir, Split::All)), all);
    // Beside files whose names tell a split, it is none.
    fs::write(dir.path().join(VAL), instances(&[(1, "03.png")], &[])).unwrap();
    let held_out = open(&dir, Split::HeldOut);
    assert_eq!(names(&held_out), ["03.png"]);
    assert_eq!(
        held_out.notes[1],
        "not read, for their names tell no split: instances_default.json"
    );
    fs::rename(
        dir.path().join(VAL),
        dir.path().join("annotations/instances_other.json"),
    )
    .unwrap();
    refused(
        &dir,
        Split::Train,
        &["none of instances_default.json, instances_other.json is called train or val"],
    );
}

#[test]
fn halves_of_val2014_have_roles_of_their_own() {
    let of = |id: u64, name: &str| instances(&[(id, name)], &[(id, 7, INSIDE, "")]);
    let (train, larger, smaller) = (of(1, "a.png"), of(2, "b.png"), of(3, "c.png"));
    let whole = instances(&[(2, "b.png"), (3, "c.png")], &[]);
    let files = [
        ("train2014/a.png", ""),
        ("val2014/b.png", ""),
        ("val2014/c.png", ""),
        ("annotations/instances_train2014.json", &*train),
        ("annotations/instances_valminusminival2014.json", &larger),
        ("annotations/instances_minival2014.json", &smaller),
        ("annotations/instances_val2014.json", &whole),
    ];
    let dir = folder(&files);
    let train = open(&dir, Split::Train);
    assert_eq!(names(&train), ["train2014/a.png", "val2014/b.png"]);
    let note =
        "not read: instances_val2014.json, whose images are those of the two parts beside it";
    assert_eq!(train.notes[1..], [note]);
    assert_eq!(names(&open(&dir, Split::HeldOut)), ["val2014/c.png"]);
    // With one half alone, both would be held out.
    let dir = folder(&[&files[..4], &files[5..]].concat());
    refused(
        &dir,
        Split::HeldOut,
        &["instances_minival2014.json and instances_val2014.json are of the same split"],
    );
}

#[test]
fn files_that_contradict_each_other_or_the_folder_are_refused() {
    let good = instances(&[(1, "d.png")], &[(1, 7, INSIDE, "")]);
    for (text, words) in [
        (
            good.replace("d.png", "x.png"),
            "instances_val2017.json: there is no image val2017/x.png",
        ),
        (good.replace("d.png", "../d.png"), "../d.png lies outside"),
        (good.replace("d.png", ""), "the image is missing"),
        (
            good.replace("\"cat\"", "\"cow\""),
            "categories are not those of the other",
        ),
        (
            good.replace("d.png", "train2017/a.png"),
            "train2017/a.png is there twice",
        ),
        (
            good.replace("\"category_id\": 7", "\"category_id\": 8"),
            "category with the id 8, which is not there",
        ),
        (
            good[..good.len() / 2].to_owned(),
            "it is truncated; copy or write it again",
        ),
        (String::new(), "is empty"),
        (
            r#"{"images": [], "annotations": [], "categories": []}"#.to_owned(),
            "no categories",
        ),
        ("[]".to_owned(), "expected COCO's instances"),
    ] {
        let dir = coco();
        fs::write(dir.path().join(VAL), text).unwrap();
        refused(&dir, Split::Train, &[words, VAL]);
    }
    let dir = coco();
    fs::copy(
        dir.path().join(VAL),
        dir.path().join("annotations/instances_val2014.json"),
    )
    .unwrap();
    refused(&dir, Split::Train, &["are of the same split: keep one"]);
    refused(
        &folder(&[("a.png", "")]),
        Split::Train,
        &["holds no objects", "JPEGImages"],
    );
    let dir = coco();
    let path = dir.path().join("none");
    let error = objects(&request(&path, Split::Train)).err().unwrap();
    assert!(error.to_string().contains("none does not exist"), "{error}");
    let error = objects(&request(&dir.path().join(VAL), Split::Train)).err();
    assert!(matches!(error, Some(DataError::NoObjects { .. })));
}

#[test]
fn an_image_that_was_there_keeps_its_place() {
    let dir = coco();
    fs::remove_file(dir.path().join("train2017/a.png")).unwrap();
    refused(&dir, Split::Train, &["there is no image train2017/a.png"]);
    let once = BTreeSet::from(["train2017/a.png".to_owned()]);
    let request = ObjectFolder {
        once: Some(&once),
        ..request(dir.path(), Split::Train)
    };
    let train = objects(&request).unwrap();
    assert_eq!(train.samples.len(), 2);
    let error = train.samples.get(0).unwrap_err();
    assert!(error.is_damage(), "{error}");
    assert!(train.samples.get(1).is_ok());
}

#[test]
fn classes_of_a_network_are_found_by_name() {
    let dir = coco();
    let with = |classes: &[&str]| {
        let known = Labels::one(classes.iter().map(ToString::to_string).collect());
        let known = Some(&known);
        objects(&ObjectFolder {
            known,
            ..request(dir.path(), Split::HeldOut)
        })
    };
    let images = with(&["dog", "bird", "cat"]).unwrap();
    assert_eq!(images.labels.only().unwrap(), ["dog", "bird", "cat"]);
    let files = images.files.as_ref().unwrap();
    assert_eq!(files.class_numbers(), [Some(90), None, Some(7)]);
    assert_eq!(files.target(0).unwrap().objects()[0].class, 2);
    assert_eq!(images.samples.get(0).unwrap().target.objects()[0].class, 2);
    let error = with(&["dog", "bird"]).err().unwrap().to_string();
    assert!(
        error.contains("a class that the run lacks: cat; it has dog, bird"),
        "{error}"
    );
    // An imported network may have numbers for names.
    let images = with(&["class 0", "class 1"]).unwrap();
    let files = images.files.as_ref().unwrap();
    assert_eq!(files.class_numbers(), [Some(7), Some(90)]);
    let several = Labels::of(vec![crate::Group::attribute("a"); 2]);
    let error = objects(&ObjectFolder {
        known: Some(&several),
        ..request(dir.path(), Split::HeldOut)
    });
    let error = error.err().unwrap().to_string();
    assert!(error.contains("the run has 2 labels"), "{error}");
}

#[test]
fn an_image_of_another_size_is_refused_unless_it_is_turned() {
    let dir = coco();
    let path = dir.path().join("d.png");
    RgbImage::from_pixel(6, 8, Rgb([9; 3])).save(&path).unwrap();
    let images = open(&dir, Split::HeldOut);
    let error = images.samples.get(0).unwrap_err();
    assert!(error.is_damage());
    let error = error.to_string();
    assert!(
        error.contains("d.png has 6x8 pixels") && error.contains("8x6"),
        "{error}"
    );
    // Stored as 8 x 6 and to be turned by 90 degrees.
    let stored = RgbImage::from_fn(8, 6, |x, y| {
        let inside = (1..4).contains(&x) && y >= 2;
        Rgb([if inside { 255 } else { 0 }; 3])
    });
    for exif in [6, 8, 5, 7] {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        encoder.set_exif_metadata(orientation_tag(exif)).unwrap();
        let pixels = stored.as_raw();
        encoder
            .write_image(pixels, 8, 6, image::ExtendedColorType::Rgb8)
            .unwrap();
        fs::write(&path, bytes).unwrap();
        let sample = images.samples.get(0).unwrap();
        assert_eq!(sample.image.dimensions(), (6, 8));
        let bounds = sample.target.objects()[0].bounds;
        for (x, y, pixel) in sample.image.enumerate_pixels() {
            let (x, y) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
            let inside = (bounds.x1..bounds.x2).contains(&x) && (bounds.y1..bounds.y2).contains(&y);
            assert_eq!(pixel[0] > 0, inside, "{exif}: {x}, {y} and {bounds:?}");
        }
    }
}

/// EXIF of nothing but an orientation.
fn orientation_tag(value: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, value, 0, 0, 0, 0, 0, 0, 0]);
    exif
}

/// An annotation of VOC of an image of 8 x 6 pixels.
fn annotation(objects: &[(&str, [u32; 4], &str)]) -> String {
    let objects = objects.iter().map(|(name, [x0, y0, x1, y1], more)| {
        format!(
            "<object><name>{name}</name>{more}<bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>\
             <xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        )
    });
    let objects: String = objects.collect();
    format!("<annotation><size><width>8</width><height>6</height></size>{objects}</annotation>")
}

const DIFFICULT: &str = "<difficult>1</difficult>";

/// Four images of VOC, as paths below its folder.
fn voc(lists: &[(&str, &str)]) -> TempDir {
    let first = annotation(&[("dog", [1, 2, 3, 6], ""), ("cat", [2, 2, 8, 3], DIFFICULT)]);
    let second = annotation(&[("zebra", [5, 5, 4, 4], ""), ("bird", [1, 1, 8, 6], "")]);
    let (third, fourth) = (annotation(&[]), annotation(&[("cat", [9, 1, 9, 4], "")]));
    let mut files = vec![
        ("Annotations/a.xml", &*first),
        ("Annotations/b.xml", &second),
        ("Annotations/c.d.xml", &third),
        ("Annotations/e.xml", &fourth),
        ("JPEGImages/a.jpg", ""),
        ("JPEGImages/b.png", ""),
        ("JPEGImages/c.d.jpg", ""),
        ("JPEGImages/e.jpeg", ""),
    ];
    files.extend(lists);
    folder(&files)
}

#[test]
fn vocs_objects_as_they_lie() {
    let dir = voc(&[
        ("ImageSets/Main/train.txt", "a\nb\nc.d\n"),
        ("ImageSets/Main/val.txt", " e \n\n"),
        ("ImageSets/Main/trainval.txt", "a\nb\nc.d\ne\n"),
        ("ImageSets/Main/dog_train.txt", "a 1\nb -1\n"),
    ]);
    let train = open(&dir, Split::Train);
    // Names of all splits, sorted.
    let classes = ["bird", "cat", "dog", "zebra"];
    assert_eq!(train.labels.only().unwrap(), classes);
    assert_eq!(names(&train), ["JPEGImages/a.jpg", "JPEGImages/b.png"]);
    assert_eq!(
        train.notes,
        [
            "VOC's objects: 2 images, 4 objects of 4 classes",
            "left out of 3 images, because nothing is learned from them: 1 without objects",
            "1 box without an inside is not learned from",
        ]
    );
    let object = |class, corners: [f64; 4], area, counts| Object {
        class,
        bounds: corners.into(),
        area,
        counts,
    };
    let sample = train.samples.get(0).unwrap();
    assert_eq!(
        sample.target.objects(),
        [
            object(2, [0.0, 1.0, 3.0, 6.0], 15.0, Counts::Fully),
            object(1, [1.0, 1.0, 8.0, 3.0], 14.0, Counts::Difficult),
        ]
    );
    let files = train.files.as_ref().unwrap();
    assert_eq!((files.size(0), files.number(0)), (Some((8, 6)), None));
    assert_eq!(files.class_numbers(), [None; 4]);
    let sample = train.samples.get(1).unwrap();
    assert_eq!(
        sample.target.objects(),
        [
            object(3, [4.0, 4.0, 4.0, 4.0], 0.0, Counts::Fully),
            object(0, [0.0, 0.0, 8.0, 6.0], 48.0, Counts::Fully),
        ]
    );
    let held_out = open(&dir, Split::HeldOut);
    assert_eq!(names(&held_out), ["JPEGImages/e.jpeg"]);
    assert_eq!(held_out.labels, train.labels);
    assert!(held_out.notes[1].starts_with("1 box without an inside is never found"));
    // Of test images, the objects may be kept back.
    let list = dir.path().join("ImageSets/Main/test.txt");
    fs::write(&list, "f\n").unwrap();
    let image = dir.path().join("JPEGImages/a.jpg");
    fs::copy(image, dir.path().join("JPEGImages/f.jpg")).unwrap();
    let test = open(&dir, Split::Test);
    assert_eq!(names(&test), ["JPEGImages/e.jpeg"]);
    assert_eq!(
        test.notes[1],
        "not used: test.txt, of whose images none has an annotation"
    );
    // Without train and val, trainval stands for the images to learn from.
    for part in ["train", "val"] {
        fs::remove_file(dir.path().join(format!("ImageSets/Main/{part}.txt"))).unwrap();
    }
    let list = dir.path().join("ImageSets/Main/trainval.txt");
    fs::write(list, "a\nb\n").unwrap();
    fs::write(dir.path().join("ImageSets/Main/test.txt"), "c.d\n").unwrap();
    assert_eq!(names(&open(&dir, Split::Train)).len(), 2);
    assert_eq!(names(&open(&dir, Split::HeldOut)), ["JPEGImages/c.d.jpg"]);
}

#[test]
fn without_lists_every_annotated_image_counts() {
    let dir = voc(&[("JPEGImages/x.jpg", ""), ("JPEGImages/y.png", "")]);
    let all = open(&dir, Split::All);
    let expected = ["a.jpg", "b.png", "c.d.jpg", "e.jpeg"].map(|name| format!("JPEGImages/{name}"));
    assert_eq!(names(&all), expected);
    assert_eq!(
        all.notes[1],
        "not used, for nothing is told of their objects: 2 images"
    );
    let held_out = names(&open(&dir, Split::HeldOut));
    assert_eq!(held_out.len(), 1);
    let train = names(&open(&dir, Split::Train));
    assert!(!train.contains(&held_out[0]));
    fs::remove_file(dir.path().join("JPEGImages/a.jpg")).unwrap();
    refused(
        &dir,
        Split::All,
        &["a.xml: there is no image JPEGImages/a.jpg"],
    );
    let once = BTreeSet::from(["JPEGImages/a.jpg".to_owned()]);
    let images = objects(&ObjectFolder {
        once: Some(&once),
        ..request(dir.path(), Split::All)
    });
    assert_eq!(names(&images.unwrap()), expected);
}

#[test]
fn voc_may_lie_below_other_folders() {
    let dir = voc(&[("ImageSets/Main/trainval.txt", "a\nb\n")]);
    let below = tempfile::tempdir().unwrap();
    let kit = below.path().join("VOCdevkit");
    fs::create_dir(&kit).unwrap();
    fs::rename(dir.path(), kit.join("VOC2012")).unwrap();
    let train = open(&below, Split::Train);
    assert_eq!(names(&train)[0], "VOCdevkit/VOC2012/JPEGImages/a.jpg");
    assert!(train.samples.get(0).is_ok());
    for part in ["Annotations", "JPEGImages"] {
        fs::create_dir_all(kit.join("VOC2007").join(part)).unwrap();
    }
    let words = "it holds VOCdevkit/VOC2012 and VOCdevkit/VOC2007: name the folder of one";
    refused(&below, Split::Train, &[words]);
}

#[test]
fn annotations_and_lists_that_cannot_be_right_are_refused() {
    let good = annotation(&[("dog", [1, 1, 2, 2], "<difficult>0</difficult>")]);
    for (text, words) in [
        (good.replace("dog", ""), "the name is empty"),
        (
            good.replace(">0<", ">maybe<"),
            "dog is difficult is neither",
        ),
        (good.replace("xmin", "x"), "the object dog has no box"),
        ("no annotation".to_owned(), "it is no annotation of VOC"),
        (good.replace("</object>", ""), "line 1"),
    ] {
        let dir = voc(&[]);
        fs::write(dir.path().join("Annotations/a.xml"), text).unwrap();
        refused(&dir, Split::Train, &[words, "a.xml"]);
    }
    for (list, words) in [
        ("a\nx\n", "line 2: there is no image JPEGImages/x.jpg"),
        ("a 1\n", "line 1: it has 2 cells"),
        ("../a\n", "../a lies outside"),
        ("a\nb\na\n", "JPEGImages/a.jpg is there twice"),
        ("f\n", "f.xml does not exist"),
    ] {
        let dir = voc(&[("ImageSets/Main/train.txt", list), ("JPEGImages/f.jpg", "")]);
        refused(&dir, Split::Train, &[words]);
    }
    let dir = folder(&[
        ("JPEGImages/a.jpg", ""),
        ("Annotations/a.xml", &annotation(&[])),
    ]);
    refused(&dir, Split::All, &["no object stands in any annotation"]);
}

#[test]
fn images_of_one_size_are_read_whatever_their_colours() {
    let dir = coco();
    let grey = DynamicImage::new_luma8(8, 6);
    grey.save(dir.path().join("d.png")).unwrap();
    assert!(open(&dir, Split::HeldOut).samples.get(0).is_ok());
}

/// Where the real samples lie.
fn shared(name: &str) -> PathBuf {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets");
    shared.join(name)
}

/// Images, objects and crowds.
fn counts(images: &Collection) -> [usize; 3] {
    let all = 0..images.samples.len();
    let objects: Vec<Object> = all
        .flat_map(|index| images.samples.get(index).unwrap().target.objects().to_vec())
        .collect();
    let crowds = objects.iter().filter(|of| of.counts == Counts::Crowd);
    [images.samples.len(), objects.len(), crowds.count()]
}

#[test]
#[ignore = "needs ../shared/datasets"]
fn the_real_coco_has_its_objects() {
    let images = objects(&request(&shared("coco-sample"), Split::HeldOut)).unwrap();
    assert_eq!(counts(&images), [16, 182, 3]);
    assert_eq!(
        images.notes,
        ["COCO's objects: 16 images, 182 objects of 80 classes"]
    );
    let classes = images.labels.only().unwrap();
    assert_eq!(
        (classes.len(), &*classes[0], &*classes[79]),
        (80, "person", "toothbrush")
    );
    let files = images.files.as_ref().unwrap();
    let numbers = files.class_numbers();
    assert_eq!((numbers[0], numbers[79]), (Some(1), Some(90)));
    assert_eq!(files.number(0), Some(139));
}

#[test]
#[ignore = "needs ../shared/datasets"]
fn the_real_blood_cells_have_their_objects() {
    let dir = shared("bccd-voc-sample");
    let all = objects(&request(&dir, Split::All)).unwrap();
    assert_eq!(counts(&all), [12, 159, 0]);
    assert_eq!(all.labels.only().unwrap(), ["Platelets", "RBC", "WBC"]);
    assert_eq!(
        all.notes,
        [
            "VOC's objects: 12 images, 159 objects of 3 classes",
            "2 boxes are a pixel wide or high at most",
        ]
    );
    let [train, held_out] =
        [Split::Train, Split::HeldOut].map(|split| objects(&request(&dir, split)).unwrap());
    let (train, held_out) = (counts(&train), counts(&held_out));
    assert_eq!((train[0], held_out[0]), (10, 2));
    assert_eq!(train[1] + held_out[1], 159);
}
