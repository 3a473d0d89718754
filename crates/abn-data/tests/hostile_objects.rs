//! Damaged and hostile files of objects, made from good ones by chance: an annotation and a list of
//! VOC's, and COCO's instances. Each is read or refused with one cause, without a panic, in bounded
//! memory and time, and no image outside the folder is ever named.
//!
//! A binary of its own, because its allocator counts. Other runs of it: see `hostile/mod.rs`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test that cannot go on should panic; counts are its result.

mod hostile;

use std::fs;
use std::path::{Path, PathBuf};

use abn_data::{Collection, Counts, ObjectFolder, Split, Target, objects};
use hostile::driven::{Taken, change, drive, is_fit_to_print};
use hostile::{alone, watched};
use image::{Rgb, RgbImage};
use rand::RngExt;
use rand_pcg::Pcg64;
use tempfile::TempDir;

/// What opening may take beyond the size of the file, and how much more per byte of it: reading
/// JSON takes a buffer of a megabyte, and an object has 56 bytes where it is told in some tens.
const CONSTANT: usize = 4 << 20;
const PER_BYTE: usize = 64;

const IMAGES: [&str; 6] = [
    "JPEGImages/a.jpg",
    "JPEGImages/b.jpg",
    "JPEGImages/c.jpg",
    "train2017/a.jpg",
    "val2017/b.jpg",
    "val2017/c.jpg",
];

/// What is put in a place by chance, as people and programs write it.
const WORDS: [&str; 24] = [
    "-1",
    "0",
    "1",
    "1e308",
    "-1e308",
    "1e999",
    "NaN",
    "null",
    "4294967296",
    "99999999999999999999",
    "\"a.jpg\"",
    "../a.jpg",
    "\\u0000",
    "&lt;",
    "&#0;",
    "<!-- ",
    "]]>",
    "<object>",
    "</object>",
    "</name>",
    "<name>",
    "[",
    "}",
    "\"iscrowd\": 1,",
];

const ANNOTATION: &str = "<?xml version=\"1.0\"?><annotation><filename>a.jpg</filename>\
    <size><width>4</width><height>2</height><depth>3</depth></size>\
    <object><name>cat</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>1</ymin>\
    <xmax>2</xmax><ymax>1</ymax></bndbox></object>\
    <object><name>dog</name><difficult>1</difficult><bndbox><xmin>1.5</xmin><ymin>1</ymin>\
    <xmax>4</xmax><ymax>2</ymax></bndbox><part><name>head</name></part></object></annotation>";

const INSTANCES: &str = r#"{"info": {"year": 2017}, "images": [{"id": 1, "file_name": "b.jpg",
    "width": 4, "height": 2}, {"id": 7, "file_name": "c.jpg", "width": 4, "height": 2}],
    "annotations": [{"id": 3, "image_id": 1, "category_id": 2, "bbox": [0, 0, 1.5, 2], "area": 2.5,
    "iscrowd": 0, "segmentation": [[0, 0, 1, 1, 2, 2]]}, {"id": 4, "image_id": 7, "category_id": 5,
    "bbox": [1, 0, 9, 2], "iscrowd": 1}], "categories": [{"id": 2, "name": "cat"},
    {"id": 5, "name": "dog"}]}"#;

const TRAIN: &str = r#"{"images": [{"id": 9, "file_name": "a.jpg"}], "annotations": [{"id": 3,
    "image_id": 9, "category_id": 2, "bbox": [0, 0, 3, 2]}], "categories": [{"id": 2, "name": "cat"},
    {"id": 5, "name": "dog"}]}"#;

/// A layout: the file that is changed, and those beside it.
struct Layout {
    file: &'static str,
    text: &'static str,
    beside: &'static [(&'static str, &'static str)],
    /// What stands in causes of refusal, of many cases.
    causes: &'static [&'static str],
}

const LAYOUTS: [Layout; 3] = [
    Layout {
        file: "Annotations/a.xml",
        text: ANNOTATION,
        beside: &[
            ("Annotations/b.xml", ANNOTATION),
            ("ImageSets/Main/train.txt", "b\n"),
            ("ImageSets/Main/val.txt", "a\n"),
        ],
        causes: &["has no box", "within an element", "name is empty", "pixels"],
    },
    Layout {
        file: "ImageSets/Main/val.txt",
        text: "a\nb\n",
        beside: &[
            ("Annotations/a.xml", ANNOTATION),
            ("Annotations/b.xml", ANNOTATION),
            ("Annotations/c.xml", ANNOTATION),
            ("ImageSets/Main/train.txt", "c\n"),
        ],
        causes: &["there is no image", "is there twice", "control"],
    },
    Layout {
        file: "annotations/instances_val2017.json",
        text: INSTANCES,
        beside: &[("annotations/instances_train2017.json", TRAIN)],
        causes: &[
            "is truncated",
            "there is no image",
            "of the category",
            "pixels",
        ],
    },
];

/// A folder with one layout.
struct Place {
    _dir: TempDir,
    dir: PathBuf,
}

impl Place {
    fn new(layout: &Layout) -> Self {
        let all = tempfile::tempdir().unwrap();
        let place = Self {
            dir: all.path().join("set"),
            _dir: all,
        };
        for name in IMAGES {
            let path = place.dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let image = RgbImage::from_pixel(4, 2, Rgb([7; 3]));
            image
                .save_with_format(path, image::ImageFormat::Png)
                .unwrap();
        }
        for (name, text) in layout.beside {
            place.write(name, text.as_bytes());
        }
        place
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Writing over a file waits for the disk, on ext4; making a new one does not.
        let _ = fs::remove_file(&path);
        fs::write(path, content).unwrap();
    }

    /// Opens the set and reads all its images; the cause if it is refused.
    fn judge(&self, size: usize) -> Result<(), String> {
        for split in [Split::HeldOut, Split::Train] {
            let request = ObjectFolder {
                dir: &self.dir,
                split,
                seed: 0,
                known: None,
                once: None,
            };
            let (opened, rise) = watched(|| objects(&request));
            assert!(
                rise <= CONSTANT + PER_BYTE * size,
                "{rise} bytes for {size}"
            );
            match opened {
                Ok(collection) => self.look_at(&collection, split)?,
                Err(error) => return Err(self.told(&error.to_string())),
            }
        }
        Ok(())
    }

    fn told(&self, cause: &str) -> String {
        is_fit_to_print(cause);
        let dir = self.dir.display().to_string();
        assert!(cause.contains(&dir), "{cause}");
        cause.replace(&dir, "")
    }

    fn look_at(&self, collection: &Collection, split: Split) -> Result<(), String> {
        let files = collection.files.as_ref().unwrap();
        assert!(!collection.samples.is_empty());
        let classes = collection.labels.only().unwrap();
        classes.iter().for_each(|class| is_fit_to_print(class));
        assert_eq!(files.class_numbers().len(), classes.len());
        collection
            .notes
            .iter()
            .for_each(|note| is_fit_to_print(note));
        for index in 0..collection.samples.len() {
            let path = files.path(index).unwrap();
            assert!(is_inside(&path, &self.dir), "{path:?}");
            is_fit_to_print(&files.name(index));
            let told = files.target(index).unwrap();
            check(&told, classes.len(), split);
            match collection.samples.get(index) {
                Ok(sample) => assert_eq!(sample.target, told),
                Err(error) => {
                    assert!(error.is_damage(), "{error}");
                    return Err(self.told(&error.to_string()));
                }
            }
        }
        Ok(())
    }
}

/// Everything in it is a number that can be reckoned with.
fn check(target: &Target, classes: usize, split: Split) {
    for object in target.objects() {
        assert!(object.class < classes && object.bounds.is_finite());
        assert!(object.area.is_finite() && object.area >= 0.0, "{object:?}");
    }
    let teaches = |counts| counts != Counts::Crowd;
    let mut objects = target.objects().iter();
    assert!(split != Split::Train || objects.any(|object| teaches(object.counts)));
}

fn is_inside(path: &Path, dir: &Path) -> bool {
    path.canonicalize()
        .unwrap()
        .starts_with(dir.canonicalize().unwrap())
}

/// Puts a word somewhere, or in place of a number.
fn put_word(bytes: &mut Vec<u8>, rng: &mut Pcg64) -> &'static str {
    let word = WORDS[rng.random_range(0..WORDS.len())];
    let digits: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at].is_ascii_digit())
        .collect();
    match rng.random() {
        true if !digits.is_empty() => {
            let at = digits[rng.random_range(0..digits.len())];
            bytes.splice(at..=at, word.bytes());
            "number"
        }
        _ => {
            let at = rng.random_range(0..=bytes.len());
            bytes.splice(at..at, word.bytes());
            "word"
        }
    }
}

fn mutated(layout: &Layout, cases: u64) -> Taken {
    let place = Place::new(layout);
    place.write(layout.file, layout.text.as_bytes());
    assert_eq!(
        place.judge(layout.text.len()).err(),
        None,
        "{}",
        layout.file
    );
    let make = |rng: &mut Pcg64| {
        let mut bytes = layout.text.as_bytes().to_vec();
        let mut way = "";
        // Of two changes or more, JSON survives one in thirty.
        for _ in 0..1 + u8::from(rng.random_range(0..6) == 0) {
            way = match rng.random_range(0..3) {
                0 => put_word(&mut bytes, rng),
                _ => change(&mut bytes, layout.text.as_bytes(), rng),
            };
        }
        (way, bytes)
    };
    drive(cases, make, |bytes| {
        place.write(layout.file, bytes);
        place.judge(bytes.len())
    })
}

#[test]
fn mutated_files_are_read_or_refused() {
    let _alone = alone();
    for layout in LAYOUTS {
        mutated(&layout, 4_000).check(9, layout.causes);
    }
}

/// Files that are long, and not only damaged.
#[test]
fn long_files_take_memory_as_they_are_long() {
    let _alone = alone();
    let [xml, _, json] = LAYOUTS;
    let (head, rest) = ANNOTATION.split_once("<object>").unwrap();
    let (object, _) = rest.split_once("</object>").unwrap();
    let object = format!("<object>{object}</object>");
    for (count, words) in [(10_000, ""), (10_001, "there are more than 10000 objects")] {
        let text = format!("{head}{}</annotation>", object.repeat(count));
        let place = Place::new(&xml);
        place.write(xml.file, text.as_bytes());
        let cause = place.judge(text.len()).err().unwrap_or_default();
        assert!(
            cause.contains(words) && cause.is_empty() == words.is_empty(),
            "{cause}"
        );
    }
    let annotations: Vec<String> = (0..50_000)
        .map(|id| {
            format!(r#"{{"id": {id}, "image_id": 1, "category_id": 2, "bbox": [0, 0, 1, 2]}}"#)
        })
        .collect();
    let (start, rest) = INSTANCES.split_once("[{\"id\": 3").unwrap();
    let (_, end) = rest.split_once("}], \"categories\"").unwrap();
    let text = format!("{start}[{}], \"categories\"{end}", annotations.join(","));
    let place = Place::new(&json);
    place.write(json.file, text.as_bytes());
    assert_eq!(place.judge(text.len()), Ok(()));
    let name = "n".repeat(1 << 20);
    let long = text.replace("\"name\": \"cat\"", &format!("\"name\": \"{name}\""));
    place.write(json.file, long.as_bytes());
    assert!(place.judge(long.len()).unwrap_err().contains("200 letters"));
}
