//! Small data sets with one fault of every kind.

use std::fs;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64;
use tempfile::TempDir;

use super::*;
use crate::{Dataset, ImageFolder, Labels, Sample, Shapes, Target, image_folder};

fn go_on(_: usize, _: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// An image of one colour, which tells it from the others.
fn plain(red: u8) -> DynamicImage {
    RgbImage::from_pixel(20, 30, Rgb([red, 0, 0])).into()
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn put(dir: &TempDir, name: &str, bytes: impl AsRef<[u8]>) {
    let path = dir.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn put_image(dir: &TempDir, name: &str, image: impl Into<DynamicImage>) {
    put(dir, name, encoded(&image.into(), ImageFormat::Png));
}

/// A folder of images of one colour each.
fn tree(files: &[(&str, u8)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    files
        .iter()
        .for_each(|(name, red)| put_image(&dir, name, plain(*red)));
    dir
}

/// Two classes of two images below every folder, of which none is like another.
fn good(folders: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let names = ["a/1.png", "a/2.png", "b/1.png", "b/2.png"];
    let all = folders
        .iter()
        .flat_map(|folder| names.map(|name| format!("{folder}{name}")));
    for (red, name) in all.enumerate() {
        put_image(&dir, &name, plain(red as u8));
    }
    dir
}

/// What is found, which does not depend on the number of threads.
#[track_caller]
fn check(dir: &Path) -> Report {
    let report = check_folder(dir, 0, &mut go_on).unwrap_or_else(|error| panic!("{error}"));
    for workers in [1, 2, 5] {
        let other = check_folder(dir, workers, &mut go_on).unwrap();
        assert_eq!(other, report, "{workers} workers");
    }
    report
}

/// The lines of the report that say of one kind of findings, which has this word in its heading.
#[track_caller]
fn lines(report: &Report, word: &str) -> Vec<String> {
    let text = report.to_string();
    let mut lines = text.lines().skip_while(|line| !line.contains(word));
    let heading = lines.next();
    assert!(heading.is_some(), "no `{word}` in\n{text}");
    let found = lines.take_while(|line| !line.is_empty());
    found.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_sound_set_is_sound() {
    let dir = good(&["train/", "val/", "test/"]);
    fs::remove_file(dir.path().join("val/b/2.png")).unwrap();
    let report = check(dir.path());
    assert!(report.is_sound());
    assert_eq!(
        report.to_string(),
        "11 images of 20x30 pixels
  train: 4 images; 2 classes of 2
  held-out: 3 images; 2 classes: a 2, b 1
  test: 4 images; 2 classes of 2

nothing is wrong"
    );
    // The only split apart from training may be one of tests; and there may be no training.
    fs::remove_dir_all(dir.path().join("val")).unwrap();
    let splits = |report: &Report| -> Vec<(&str, usize)> {
        let splits = report.splits.iter();
        splits.map(|split| (split.split, split.readable)).collect()
    };
    assert_eq!(splits(&check(dir.path())), [("train", 4), ("test", 4)]);
    fs::remove_dir_all(dir.path().join("train")).unwrap();
    assert_eq!(splits(&check(dir.path())), [("test", 4)]);
    let whole = check(good(&["images/"]).path());
    assert_eq!(splits(&whole), [("all", 4)]);
    assert_eq!((whole.wrong, whole.remarks), (vec![], vec![]));
}

#[test]
fn images_that_cannot_be_read_are_named() {
    let dir = good(&["train/", "val/"]);
    let noise = RgbImage::from_fn(40, 40, |x, y| Rgb([(x * y) as u8, (x * 7) as u8, y as u8]));
    for (name, format) in [
        ("train/a/cut.jpg", ImageFormat::Jpeg),
        ("train/b/cut.png", ImageFormat::Png),
        ("val/a/cut.bmp", ImageFormat::Bmp),
        ("val/a/cut.gif", ImageFormat::Gif),
        ("val/b/cut.tif", ImageFormat::Tiff),
        ("val/b/cut.webp", ImageFormat::WebP),
        ("val/b/cut.ppm", ImageFormat::Pnm),
    ] {
        let bytes = encoded(&noise.clone().into(), format);
        put(&dir, name, &bytes[..bytes.len() / 2]);
    }
    put(&dir, "val/a/empty.jpg", "");
    put(&dir, "train/a/words.jpg", "once upon a time");
    let mut damaged = encoded(&noise.into(), ImageFormat::Png);
    let middle = damaged.len() / 2;
    damaged[middle..middle + 20].fill(0);
    put(&dir, "val/a/wrong.png", damaged);
    let report = check(dir.path());
    let mut truncated = lines(&report, "wrong: 6 image files end early or are empty: copy");
    truncated.sort();
    for (line, name) in truncated.iter().zip([
        "cannot decode train/b/cut.png; the file is damaged",
        "cannot decode val/a/cut.bmp; ",
        "cannot decode val/b/cut.ppm; ",
        "cannot decode val/b/cut.tif; ",
        "train/a/cut.jpg is a truncated JPEG",
        "val/a/empty.jpg is empty",
    ]) {
        assert!(line.starts_with(name), "{line}");
    }
    let unreadable = lines(&report, "wrong: 4 images cannot be read");
    assert!(unreadable[0].starts_with("train/a/words.jpg is not an image that can be read"));
    // The decoders of these formats do not tell an early end from other damage.
    assert!(unreadable[1].starts_with("cannot decode val/a/cut.gif; "));
    assert!(unreadable[2].starts_with("cannot decode val/b/cut.webp; "));
    // The cause is told, once.
    let wrong = &unreadable[3];
    assert!(
        wrong.starts_with("cannot decode val/a/wrong.png; "),
        "{wrong}"
    );
    assert_eq!(wrong.matches("CRC error").count(), 1, "{wrong}");
    assert_eq!(report.wrong.len(), 10);
    let counts = |split: usize| (report.splits[split].images, report.splits[split].readable);
    assert_eq!((counts(0), counts(1)), ((7, 4), (11, 4)));
    // Their folder tells their class.
    assert_eq!(report.splits[0].labels[0].classes[0].images, 4);
}

#[test]
#[cfg(unix)]
fn a_link_that_leads_nowhere_is_an_image_that_cannot_be_read() {
    let dir = good(&[""]);
    std::os::unix::fs::symlink("nowhere.png", dir.path().join("a/3.png")).unwrap();
    let found = lines(&check(dir.path()), "wrong: 1 image cannot be read");
    assert!(found[0].starts_with("a/3.png does not exist"), "{found:?}");
}

#[test]
fn one_picture_in_several_places_is_found() {
    let dir = good(&["train/", "val/", "test/"]);
    let copy = |from: &str, to: &str| {
        fs::copy(dir.path().join(from), dir.path().join(to)).unwrap();
    };
    copy("train/a/1.png", "val/a/x.png");
    copy("train/a/1.png", "test/b/x.png");
    copy("train/b/2.png", "train/a/y.png");
    copy("val/b/1.png", "val/b/z.png");
    // The same pixels in another format. Another shape is another picture.
    put(&dir, "test/a/2.bmp", encoded(&plain(9), ImageFormat::Bmp));
    put_image(&dir, "val/a/turned.png", plain(4).rotate90());
    let report = check(dir.path());
    assert_eq!(
        lines(&report, "wrong: 1 picture is in several splits"),
        ["train/a/1.png (a) = val/a/x.png (a) = test/b/x.png (b), the same file"]
    );
    assert_eq!(
        lines(&report, "wrong: 1 picture is in several classes"),
        ["train/b/2.png (b) = train/a/y.png (a), the same file"]
    );
    assert_eq!(
        lines(
            &report,
            "remark: 2 pictures are in their class several times"
        ),
        [
            "val/b/1.png = val/b/z.png, the same file",
            "test/a/2.bmp = test/a/2.png, the same pixels"
        ]
    );
    assert_eq!((report.wrong.len(), report.remarks.len()), (2, 2));
    let text = report.to_string();
    assert!(text.contains("several times: each time counts"), "{text}");
    assert!(text.ends_with("2 things are wrong, 2 remarks"), "{text}");
    // Once it is split by a seed, both sides may get it.
    let dir = tree(&[
        ("a/1.png", 0),
        ("a/2.png", 0),
        ("b/1.png", 2),
        ("b/2.png", 3),
    ]);
    let report = check(dir.path());
    let found = lines(
        &report,
        "remark: 1 picture is in its class several times: once",
    );
    assert_eq!(found, ["a/1.png = a/2.png, the same file"]);
    assert!(report.is_sound());
}

#[test]
fn classes_of_too_few_images_are_named() {
    let dir = good(&["train/", "val/"]);
    for name in ["train/c", "train/d", "val/d"] {
        fs::create_dir(dir.path().join(name)).unwrap();
    }
    let report = check(dir.path());
    assert_eq!(
        lines(&report, "wrong: 2 classes have no images"),
        ["c (train)", "d (train)"]
    );
    let held_out = lines(&report, "remark: 2 classes have no images");
    assert_eq!(held_out, ["c (held-out)", "d (held-out)"]);
    // What a check takes is refused where it is learned from.
    let request = |split| ImageFolder {
        dir: dir.path(),
        split,
        seed: 0,
        truth: None,
        classes: None,
        once: None,
    };
    assert!(image_folder(&request(Split::Train)).is_err());
    assert!(image_folder(&request(Split::HeldOut)).is_ok());
    let dir = tree(&[
        ("a/1.png", 0),
        ("a/2.png", 1),
        ("b/1.png", 2),
        ("d/1.png", 3),
    ]);
    fs::create_dir(dir.path().join("c")).unwrap();
    let report = check(dir.path());
    assert_eq!(lines(&report, "wrong: 1 class has no images"), ["c (all)"]);
    assert_eq!(
        lines(&report, "remark: 2 classes have one image each"),
        ["b", "d"]
    );
    // A split without any image has nothing to be read.
    let dir = good(&["train/"]);
    fs::create_dir_all(dir.path().join("val/a")).unwrap();
    let report = check(dir.path());
    assert_eq!((report.images, report.splits[1].images), (4, 0));
    assert_eq!(lines(&report, "remark: 2 classes").len(), 2);
}

#[test]
fn classes_of_very_different_sizes_are_a_remark() {
    let dir = tempfile::tempdir().unwrap();
    for red in 0..20 {
        put_image(&dir, &format!("a/{red}.png"), plain(red));
    }
    put_image(&dir, "b/1.png", plain(100));
    put_image(&dir, "b/2.png", plain(101));
    put_image(&dir, "c/1.png", plain(102));
    put_image(&dir, "c/2.png", plain(103));
    // Ten times as many are not more than ten times.
    assert!(check(dir.path()).remarks.is_empty());
    put_image(&dir, "a/20.png", plain(20));
    let report = check(dir.path());
    assert!(report.is_sound());
    let found = lines(
        &report,
        "remark: classes with more than 10 times as many images",
    );
    assert_eq!(found, ["all: b 2 to a 21"]);
}

/// White on the left half, or nowhere.
fn mask(width: u32, height: u32, half: bool) -> GrayImage {
    GrayImage::from_fn(width, height, |x, _| {
        Luma([if half && x < width / 2 { 255 } else { 0 }])
    })
}

#[test]
fn masks_that_fit_no_image_are_wrong() {
    let dir = good(&["images/train/", "images/val/"]);
    // Masks of the parts lie apart; those of a third are of nothing.
    for name in [
        "images/train/a/1",
        "images/val/a/1",
        "test/a/1",
        "images/train/a/9",
    ] {
        put_image(&dir, &format!("masks/{name}.png"), mask(20, 30, true));
    }
    put_image(&dir, "masks/images/train/a/2.png", mask(20, 30, false));
    put_image(&dir, "masks/images/train/b/1.png", mask(30, 20, true));
    put(&dir, "masks/images/val/b/1.png", "no mask");
    put(&dir, "masks/notes.txt", "no mask");
    let report = check(dir.path());
    let size = lines(&report, "wrong: 1 mask has another size than its image");
    assert!(
        size[0].starts_with("the mask masks/images/train/b/1.png has 30x20 pixels: expected 20x30"),
        "{size:?}"
    );
    let unreadable = lines(&report, "wrong: 1 mask cannot be read");
    assert!(unreadable[0].contains("masks/images/val/b/1.png is not an image"));
    assert_eq!(
        lines(&report, "wrong: 2 masks are of no image"),
        ["masks/images/train/a/9.png", "masks/test/a/1.png"]
    );
    let empty = lines(&report, "remark: 1 mask shows no object");
    assert_eq!(empty, ["that of images/train/a/2.png"]);
    assert_eq!(
        lines(&report, "remark: images without a mask"),
        [
            "train: 1 of 4, the first is images/train/b/2.png",
            "held-out: 2 of 4, the first is images/val/a/2.png"
        ]
    );
    assert_eq!((report.wrong.len(), report.remarks.len()), (4, 3));
}

#[test]
fn boxes_that_fit_no_image_are_wrong() {
    let dir = good(&["images/"]);
    let table = "image,x0,y0,x1,y1
images/a/1.png,0,0,5,5
a/2.png,20,0,25,5
a/2.png,0,0,20,30
images/b/1.png,-1,-1,0.5,30
images/b/7.png,0,0,5,5
images/b/7.png,0,0,6,6
c/1.png,0,0,5,5
";
    put(&dir, "head_boxes.csv", table);
    let report = check(dir.path());
    assert_eq!(
        lines(&report, "wrong: 2 names are of no image in head_boxes.csv"),
        ["c/1.png (1 box)", "images/b/7.png (2 boxes)"]
    );
    assert_eq!(
        lines(&report, "wrong: 2 images have boxes that hold no pixel"),
        [
            "images/b/1.png of 20x30 pixels: 1 of 1",
            "images/a/2.png of 20x30 pixels: 1 of 2"
        ]
    );
    let none = lines(&report, "remark: images without a box");
    assert_eq!(none, ["all: 1 of 4, the first is images/b/2.png"]);
    assert_eq!((report.wrong.len(), report.remarks.len()), (4, 1));
    // Masks come before boxes where one is chosen; both are checked.
    put_image(&dir, "masks/a/1.png", mask(20, 30, true));
    let report = check(dir.path());
    assert_eq!((report.wrong.len(), report.remarks.len()), (4, 2));
    // A table that is none does not hide the rest.
    put(
        &dir,
        "head_boxes.csv",
        "image,x0,y0,x1,y1\na/1.png,0,0,5,five\n",
    );
    put(&dir, "images/a/1.png", "");
    let report = check(dir.path());
    let found = lines(&report, "wrong: masks or boxes are not understood");
    assert!(
        found[0].starts_with("head_boxes.csv, line 2: it says"),
        "{found:?}"
    );
    assert_eq!(report.wrong.len(), 2);
}

#[test]
fn odd_sizes_are_a_remark() {
    let dir = good(&[""]);
    for (name, width, height) in [
        ("a/tiny.png", 15, 20),
        ("b/narrow.png", 101, 20),
        ("b/fine.png", 100, 20),
        // 600 pixels are usual here.
        ("b/large.png", 160, 241),
        ("b/near.png", 160, 240),
    ] {
        put_image(&dir, name, RgbImage::new(width, height));
    }
    let report = check(dir.path());
    assert!(report.is_sound());
    assert_eq!(
        lines(
            &report,
            "remark: 3 images are of odd sizes (a side under 16 pixels, one side"
        ),
        [
            "a/tiny.png of 15x20 pixels: tiny",
            "b/narrow.png of 101x20 pixels: narrow",
            "b/large.png of 160x241 pixels: far larger than most"
        ]
    );
    assert!(
        report
            .to_string()
            .starts_with("9 images of 15x20 to 160x241 pixels, median 20x30")
    );
    // What half of the images are is not odd.
    let dir = tempfile::tempdir().unwrap();
    for (number, name) in ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]
        .iter()
        .enumerate()
    {
        let (width, height) = if number < 2 {
            (8, 8)
        } else {
            (20, 20 + number as u32)
        };
        put_image(
            &dir,
            name,
            RgbImage::from_pixel(width, height, Rgb([number as u8; 3])),
        );
    }
    assert!(check(dir.path()).remarks.is_empty());
    put_image(&dir, "b/3.png", RgbImage::new(20, 30));
    assert_eq!(
        lines(&check(dir.path()), "remark: 2 images are of odd sizes").len(),
        2
    );
}

#[test]
fn what_was_left_out_is_a_remark() {
    let dir = good(&["train/", "val/"]);
    put(&dir, "val/a/3.avif", "");
    put(&dir, "train/a/notes.txt", "");
    put(&dir, "test/other/1.png", "");
    put(&dir, "test/third/1.png", "");
    let report = check(dir.path());
    assert!(report.is_sound());
    let notes = lines(&report, "remark: how the images were found");
    for (note, words) in notes.iter().zip([
        &["in train, 1 files that are no images", "1 .txt"][..],
        &["in val, 1 pictures in 1 folder", "1 .avif"],
        &[
            "not checked: test lacks classes that train has: a, b",
            "others: other, third",
        ],
    ]) {
        words
            .iter()
            .for_each(|word| assert!(note.contains(word), "no `{word}` in {note}"));
    }
    assert_eq!(notes.len(), 3);
}

#[test]
fn what_is_no_data_set_is_refused() {
    let refused = |dir: &Path| check_folder(dir, 2, &mut go_on).unwrap_err().to_string();
    assert!(refused(Path::new("no/such/folder")).contains("no/such/folder does not exist"));
    let dir = good(&["train/", "val/"]);
    put_image(&dir, "val/c/1.png", plain(77));
    assert!(refused(dir.path()).contains("others: c"));
    let error = check_folder(good(&[""]).path(), 0, &mut |done, _| match done {
        2 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(error, Err(DataError::Stopped { done: 2, all: 4 })));
}

#[test]
fn of_many_findings_the_first_are_shown() {
    let dir = good(&[""]);
    for number in 10..30 {
        put(&dir, &format!("a/{number}.png"), "");
    }
    let report = check(dir.path());
    assert_eq!(report.wrong.len(), 20);
    let found = lines(&report, "wrong: 20 image files");
    assert_eq!((found.len(), found[8].as_str()), (9, "and 12 more"));
    assert!(found[0].starts_with("a/10.png is empty"));
    assert!(report.text(20).contains("a/29.png") && !report.text(20).contains(" more\n"));
}

#[test]
fn the_report_is_json() {
    let dir = good(&["train/", "val/"]);
    fs::copy(
        dir.path().join("train/a/1.png"),
        dir.path().join("val/b/3.png"),
    )
    .unwrap();
    put(&dir, "val/a/3.png", "");
    let json = serde_json::to_value(check(dir.path())).unwrap();
    let same = serde_json::json!({
        "kind": "same_in_splits",
        "same": "file",
        "images": [
            {"image": "train/a/1.png", "split": "train", "class": "a"},
            {"image": "val/b/3.png", "split": "held-out", "class": "b"}
        ]
    });
    assert_eq!(json["wrong"][1], same);
    assert_eq!(json["wrong"][0]["kind"], "truncated");
    assert_eq!(json["wrong"][0]["image"], "val/a/3.png");
    assert_eq!(
        (&json["images"], &json["remarks"]),
        (&10.into(), &serde_json::json!([]))
    );
    let split = serde_json::json!({
        "split": "held-out",
        "images": 6,
        "readable": 5,
        "labels": [{
            "name": "class",
            "classes": [{"class": "a", "images": 3}, {"class": "b", "images": 3}]
        }]
    });
    assert_eq!(json["splits"][1], split);
    assert_eq!(json["sizes"]["median"], serde_json::json!([20, 30]));
}

/// Images of one pixel; index 3 is missing and index 4 a trap.
struct Pixels(Vec<u8>);

impl Dataset<Sample, DataError> for Pixels {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        assert!(index != 4, "a trap");
        if index == 3 {
            return Err(DataError::Empty {
                path: "pack.abn".into(),
                expected: "an image",
            });
        }
        Ok(Sample {
            image: RgbImage::from_pixel(1, 1, Rgb([self.0[index]; 3])),
            target: Target::known(vec![index % 2, index % 3]),
            masks: (index > 0)
                .then(|| GrayImage::from_pixel(1, 1, Luma([(index < 2).into()])))
                .into(),
        })
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

fn pixels(reds: &[u8]) -> Collection {
    let group = |name: &str, classes: &[&str]| crate::Group {
        name: name.into(),
        classes: classes.iter().map(ToString::to_string).collect(),
    };
    Collection {
        samples: Arc::new(Pixels(reds.to_vec())),
        labels: Labels::of(vec![
            group("make", &["p", "q"]),
            group("kind", &["x", "y", "z"]),
        ]),
        masked: true,
        notes: vec!["pixels only".into()],
        files: None,
        interventions: None,
    }
}

#[test]
fn any_data_set_can_be_checked() {
    let (train, held_out) = (pixels(&[1, 2, 3, 4, 5, 2]), pixels(&[7, 3]));
    let splits = [(Split::Train, &train), (Split::HeldOut, &held_out)];
    let report = check_collections(&splits, 0, &mut go_on).unwrap();
    for workers in [1, 3] {
        assert_eq!(
            check_collections(&splits, workers, &mut go_on).unwrap(),
            report
        );
    }
    assert_eq!(
        report.text(9),
        "8 images of 1x1 pixels
  train: 6 images; 2 make classes of 2; 3 kind classes: x 1, y 1, z 2
  held-out: 2 images; 2 make classes of 1; 3 kind classes: x 1, y 1, z 0

wrong: 1 image file ends early or is empty: copy, unpack or download again
  train image 3: pack.abn is empty: expected an image; copy or unpack it again

wrong: 1 image cannot be read
  train image 4: reading image 4 failed unexpectedly: a trap; this is a defect of the code that reads it: report it

wrong: 1 picture is in several splits: a network is measured on what it has seen; keep each in one split
  train image 2 (p, z) = held-out image 1 (q, y), the same pixels

wrong: 1 picture is in several classes: at most one of them is right
  train image 1 (q, y) = train image 5 (q, z), the same pixels

remark: 1 class has no images
  z (held-out)

remark: 2 masks show no object
  that of train image 2
  that of train image 5

remark: images without a mask
  train: 1 of 4, the first is train image 0
  held-out: 1 of 2, the first is held-out image 0

remark: how the images were found
  pixels only

4 things are wrong, 6 remarks"
    );
}

#[test]
fn drawn_shapes_are_sound() {
    let train = Shapes::new(0, Split::Train, 60).collection();
    let held_out = Shapes::new(0, Split::HeldOut, 30).collection();
    let splits = [(Split::Train, &train), (Split::HeldOut, &held_out)];
    let report = check_collections(&splits, 2, &mut go_on).unwrap();
    assert_eq!((report.wrong, report.remarks), (vec![], vec![]));
    let none = check_collections(&[], 2, &mut go_on).unwrap();
    assert_eq!(none.to_string(), "0 images\n\nnothing is wrong");
}

/// What is refused by a check is what is refused in training, and nothing else.
#[test]
fn mutated_images_are_wrong_if_training_refuses_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = Pcg64::seed_from_u64(1);
    let noise = RgbImage::from_fn(24, 18, |_, _| Rgb(rng.random()));
    let formats = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Gif,
        ImageFormat::Pnm,
    ];
    let seeds = formats.map(|format| encoded(&noise.clone().into(), format));
    for number in 0..700 {
        let mut bytes = seeds[number % seeds.len()].clone();
        let class = if number % 2 == 0 { "a" } else { "b" };
        mutate(&mut bytes, &mut rng);
        put(&dir, &format!("{class}/{number:03}.png"), &bytes);
        if number % 5 == 0 {
            put(&dir, &format!("masks/{class}/{number:03}.png"), &seeds[1]);
        }
    }
    let report = check(dir.path());
    let images = image_folder(&ImageFolder {
        dir: dir.path(),
        split: Split::All,
        seed: 0,
        truth: None,
        classes: None,
        once: None,
    })
    .unwrap();
    let files = images.files.clone().unwrap();
    let refused = |index: &usize| images.samples.get(*index).is_err();
    let mut expected: Vec<String> = (0..700)
        .filter(refused)
        .map(|index| files.name(index))
        .collect();
    let mut found: Vec<String> = report
        .wrong
        .iter()
        .filter_map(|finding| match finding {
            Finding::Truncated { image, .. }
            | Finding::Unreadable { image, .. }
            | Finding::MaskSize { image, .. } => Some(image.clone()),
            _ => None,
        })
        .collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert!((100..600).contains(&found.len()), "{} of 700", found.len());
    let damaged = unreadable(&images, 3, &mut go_on).unwrap();
    let mut damaged: Vec<String> = damaged
        .iter()
        .map(|(index, _)| files.name(*index))
        .collect();
    damaged.sort();
    assert_eq!(damaged, expected);
}

/// Cuts a file, or changes some bytes of it.
fn mutate(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    match rng.random_range(0..3) {
        0 => bytes.truncate(rng.random_range(0..bytes.len())),
        1 => {
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << rng.random_range(0..8_u32);
        }
        _ => {
            // Where sizes and types are.
            let at = rng.random_range(0..bytes.len().min(64));
            bytes[at] = rng.random();
        }
    }
}
