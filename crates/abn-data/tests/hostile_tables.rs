//! Damaged and hostile tables beside photographs, made from good ones by chance: labels, boxes, and
//! the paths of images in them. Each is read or refused with one cause, without a panic, in bounded
//! memory and time, and no image outside the folder is ever named.
//!
//! A binary of its own, because its allocator counts. Another run: `ABN_HOSTILE_SEED=7
//! ABN_HOSTILE_CASES=1000000 cargo test -p abn-data --test hostile_tables`; one case of it again:
//! `ABN_HOSTILE_FIRST=1234 ABN_HOSTILE_CASES=1`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test that cannot go on should panic; counts are its result.

mod hostile;

use std::fs;
use std::path::{Path, PathBuf};

use abn_data::{Collection, ImageFolder, Split, Truth, image_folder};
use hostile::driven::{change, drive, is_fit_to_print};
use hostile::{alone, watched};
use image::{Rgb, RgbImage};
use rand::{Rng, RngExt};
use rand_pcg::Pcg64;
use tempfile::TempDir;

/// What opening may take beyond the size of the tables, and how much more per byte of them: a row
/// is a few texts.
const CONSTANT: usize = 1 << 20;
const PER_BYTE: usize = 64;

/// The size of the images of the set, and of the one that lies outside it.
const INSIDE: (u32, u32) = (2, 2);
const OUTSIDE: (u32, u32) = (5, 3);

const LABELS: &str = "image,label,split\n\
    images/a.png,cat,train\nimages/b.png,dog,train\nimages/c.png,cat,val\nimages/d.png,dog,val\n\
    images/sub/e.png,cat,train\nimages/\u{e4} f.png,dog,train\n";
const SEMICOLONS: &str = "filename;class\na.png;1\nb.png;0\n\"c.png\";\"1\"\nd;0\nsub/e.png;1\n";
const BOXES: &str = "image\tx0\ty0\tx1\ty1\n\
    images/a.png\t0\t0\t1\t1\nimages/b.png\t0.5\t-3\t2.4\t1e0\nimages/c.png\t1\t1\t2\t2\n";

/// Names that lead elsewhere, that are none, or that are written in an unusual way.
const NAMES: [&str; 36] = [
    "../outside.png",
    "images/../../outside.png",
    "./../outside.png",
    "..\\outside.png",
    "images\\..\\..\\outside.png",
    "OUTSIDE",
    "//OUTSIDE",
    "\\\\host\\share\\x.png",
    "C:\\x.png",
    "C:x.png",
    "file:///etc/passwd",
    "~/x.png",
    "$HOME/x.png",
    "%2e%2e/outside.png",
    "..",
    ".",
    "/",
    "",
    " ",
    "images",
    "images/",
    "images/a.png/",
    "images/a.png/..",
    "images//a.png",
    "./images/./a.png",
    "images\\a.png",
    "images/a.png\0.txt",
    "\0",
    "images/a.png ",
    "images/A.PNG",
    "images/a\u{308} f.png",
    "\u{202e}gnp.a/segami",
    "\u{1b}[2Jx.png",
    "\u{feff}images/a.png",
    "\"images/\nb.png\"",
    "CON",
];

/// A folder with images, and one that lies outside.
struct Place {
    _all: TempDir,
    dir: PathBuf,
    outside: PathBuf,
}

impl Place {
    fn new() -> Self {
        let all = tempfile::tempdir().unwrap();
        let (dir, outside) = (all.path().join("set"), all.path().join("outside.png"));
        fs::create_dir_all(dir.join("images/sub")).unwrap();
        let image = |(width, height), path: &Path| {
            RgbImage::from_pixel(width, height, Rgb([7; 3]))
                .save(path)
                .unwrap();
        };
        for name in [
            "a.png",
            "b.png",
            "c.png",
            "d.png",
            "sub/e.png",
            "\u{e4} f.png",
        ] {
            image(INSIDE, &dir.join("images").join(name));
        }
        image(OUTSIDE, &outside);
        Self {
            _all: all,
            dir,
            outside,
        }
    }

    /// Puts these tables in the place of those before.
    fn write(&self, labels: &[u8], boxes: &[u8]) {
        for (name, content) in [("labels.csv", labels), ("boxes.tsv", boxes)] {
            let path = self.dir.join(name);
            // Writing over a file waits for the disk, on ext4; making a new one does not.
            let _ = fs::remove_file(&path);
            fs::write(path, content).unwrap();
        }
    }

    /// Opens the set and reads all its images; the cause if it is refused.
    fn judge(&self, (labels, boxes): &(Vec<u8>, Vec<u8>)) -> Result<(), String> {
        self.write(labels, boxes);
        for split in [Split::Train, Split::HeldOut] {
            let request = ImageFolder {
                dir: &self.dir,
                split,
                seed: 0,
                truth: Some(Truth::Boxes),
                classes: None,
                once: None,
            };
            let (opened, rise) = watched(|| image_folder(&request));
            let size = labels.len() + boxes.len();
            assert!(
                rise <= CONSTANT + PER_BYTE * size,
                "{rise} bytes for {size}"
            );
            match opened {
                Ok(collection) => self.look_at(&collection),
                Err(error) => {
                    let told = error.to_string();
                    is_fit_to_print(&told);
                    assert!(told.contains(&self.dir.display().to_string()), "{told}");
                    return Err(told.replace(&self.dir.display().to_string(), ""));
                }
            }
        }
        Ok(())
    }

    fn look_at(&self, collection: &Collection) {
        let files = collection.files.as_ref().unwrap();
        assert!(!collection.samples.is_empty());
        collection
            .labels
            .classes()
            .for_each(|class| is_fit_to_print(class));
        collection
            .notes
            .iter()
            .for_each(|note| is_fit_to_print(note));
        for index in 0..collection.samples.len() {
            let path = files.path(index).unwrap();
            let real = path.canonicalize().unwrap();
            assert!(
                real.starts_with(self.dir.canonicalize().unwrap()),
                "{path:?}"
            );
            is_fit_to_print(&files.name(index));
            let sample = collection.samples.get(index).unwrap();
            assert_eq!(sample.image.dimensions(), INSIDE, "{path:?}");
            assert!(sample.target.of(0).unwrap() < collection.labels.count());
        }
    }
}

fn tables(rng: &mut impl Rng) -> (Vec<u8>, Vec<u8>) {
    let labels = if rng.random() { LABELS } else { SEMICOLONS };
    (labels.as_bytes().to_vec(), BOXES.as_bytes().to_vec())
}

/// A name for an image, made of hostile pieces.
fn name(outside: &Path, rng: &mut impl Rng) -> String {
    let one = |rng: &mut dyn FnMut(usize) -> usize| NAMES[rng(NAMES.len())].to_owned();
    let mut pick = |count: usize| rng.random_range(0..count);
    let name = match pick(6) {
        0 => format!("{}/{}", one(&mut pick), one(&mut pick)),
        1 => "x/".repeat(pick(4000)) + &one(&mut pick),
        2 => "../".repeat(1 + pick(40)) + outside.to_str().unwrap(),
        3 => {
            let letters = [
                "\u{e4}",
                "a\u{308}",
                "\u{1f600}",
                "\u{202e}",
                "\u{0}",
                "\u{7f}",
                "'",
            ];
            (0..pick(300))
                .map(|_| letters[pick(letters.len())])
                .collect()
        }
        _ => one(&mut pick),
    };
    name.replace("OUTSIDE", outside.to_str().unwrap())
}

#[test]
fn mutated_labels_and_boxes_are_read_or_refused() {
    let _alone = alone();
    let place = Place::new();
    let make = |rng: &mut Pcg64| {
        let ((mut labels, mut boxes), (other, _)) = (tables(rng), tables(rng));
        let changed = if rng.random() {
            &mut labels
        } else {
            &mut boxes
        };
        let mut way = change(changed, &other, rng);
        if rng.random_range(0..4) == 0 {
            way = change(changed, &other, rng);
        }
        (way, (labels, boxes))
    };
    let taken = drive(50_000, make, |tables| place.judge(tables));
    taken.check(
        7,
        &[
            "there is no image",
            "the image or its label is missing",
            "there is no split",
            "it says",
            "its columns are",
        ],
    );
}

#[test]
fn hostile_names_lead_nowhere() {
    let _alone = alone();
    let place = Place::new();
    let make = |rng: &mut Pcg64| {
        let (labels, boxes) = tables(rng);
        let in_boxes = rng.random_range(0..4) == 0;
        let (table, ends) = if in_boxes {
            (boxes.clone(), "\t")
        } else {
            (labels.clone(), ",;")
        };
        let text = String::from_utf8(table).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let line = rng.random_range(1..lines.len());
        let end = lines[line].find(|letter| ends.contains(letter)).unwrap();
        let name = name(&place.outside, rng);
        lines[line].replace_range(..end, &name);
        let text = (lines.join("\n") + "\n").into_bytes();
        match in_boxes {
            true => ("in boxes", (labels, text)),
            false => ("in labels", (text, boxes)),
        }
    };
    let taken = drive(50_000, make, |tables| place.judge(tables));
    taken.check(2, &["outside the folder of the table", "there is no image"]);
}

#[test]
fn the_tables_that_are_changed_are_good() {
    let _alone = alone();
    let place = Place::new();
    for labels in [LABELS, SEMICOLONS] {
        let tables = (labels.as_bytes().to_vec(), BOXES.as_bytes().to_vec());
        assert_eq!(place.judge(&tables), Ok(()));
    }
}
