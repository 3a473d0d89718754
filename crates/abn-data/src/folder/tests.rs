//! Class folders of tiny images in every layout.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};
use tempfile::TempDir;

use super::masks::Masks;
use super::*;

/// An image of one colour, which tells it from the others.
fn write(path: &Path, red: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // The name's ending is in any case, the format is found by content.
    RgbImage::from_pixel(4, 3, Rgb([red, 0, 0]))
        .save_with_format(path, image::ImageFormat::Png)
        .unwrap();
}

pub(super) fn tree(files: &[(&str, u8)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    files
        .iter()
        .for_each(|(name, red)| write(&dir.path().join(name), *red));
    dir
}

pub(super) fn classes(collection: &Collection) -> &[String] {
    collection.labels.only().unwrap()
}

/// Label and red of every sample.
pub(super) fn samples(collection: &Collection) -> Vec<(usize, u8)> {
    let sample = |index| collection.samples.get(index).unwrap();
    (0..collection.samples.len())
        .map(|index| {
            (
                sample(index).target.of(0).unwrap(),
                sample(index).image.get_pixel(0, 0)[0],
            )
        })
        .collect()
}

/// Opens a split with nothing asked for.
pub(super) fn open(dir: &Path, split: Split, seed: u64) -> Result<Collection, DataError> {
    image_folder(&ImageFolder {
        dir,
        split,
        seed,
        truth: None,
        classes: None,
        once: None,
    })
}

#[track_caller]
pub(super) fn refused(dir: &Path, split: Split, words: &[&str]) {
    let error = open(dir, split, 0).err().expect("an error").to_string();
    words
        .iter()
        .for_each(|word| assert!(error.contains(word), "no `{word}` in: {error}"));
}

#[test]
fn held_out_folders_are_taken_as_they_are() {
    let dir = tree(&[
        ("train/dog/b.PNG", 3),
        ("train/dog/a.jpeg", 2),
        ("train/dog/inner/0.png", 4),
        ("train/cat/x.jpg", 1),
        ("train/cat/.hidden.png", 9),
        ("train/.trash/x.png", 9),
        ("val/cat/v.png", 5),
        ("val/dog/w.png", 6),
    ]);
    fs::write(dir.path().join("train/cat/notes.txt"), "no image").unwrap();
    let train = open(dir.path(), Split::Train, 0).unwrap();
    assert_eq!(classes(&train), ["cat", "dog"]);
    // The first of every class, then the second; within a class, files come before folders.
    assert_eq!(samples(&train), [(0, 1), (1, 2), (1, 3), (1, 4)]);
    assert_eq!(
        samples(&open(dir.path(), Split::HeldOut, 0).unwrap()),
        [(0, 5), (1, 6)]
    );
    fs::rename(dir.path().join("val"), dir.path().join("test")).unwrap();
    assert_eq!(
        samples(&open(dir.path(), Split::HeldOut, 0).unwrap()),
        [(0, 5), (1, 6)]
    );
}

/// Two classes of 10 and 4 images below `prefix`.
pub(super) fn whole(prefix: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for index in 0..10 {
        write(
            &dir.path().join(format!("{prefix}n02123045/{index}.png")),
            index,
        );
    }
    for index in 0..4 {
        write(
            &dir.path().join(format!("{prefix}train/{index}.png")),
            100 + index,
        );
    }
    dir
}

#[test]
fn one_folder_is_split_by_seed_in_every_class() {
    let (here, there) = (whole(""), whole(""));
    let split = |dir: &TempDir, split, seed| samples(&open(dir.path(), split, seed).unwrap());
    let (train, test) = (
        split(&here, Split::Train, 1),
        split(&here, Split::HeldOut, 1),
    );
    let count = |samples: &[(usize, u8)]| samples.iter().filter(|(label, _)| *label == 0).count();
    assert_eq!(
        (train.len(), count(&train), test.len(), count(&test)),
        (11, 8, 3, 2)
    );
    assert!(test.iter().all(|sample| !train.contains(sample)));
    assert_eq!(
        test,
        split(&there, Split::HeldOut, 1),
        "the path does not matter"
    );
    assert!(
        (2..9).any(|seed| split(&here, Split::HeldOut, seed) != test),
        "the seed does"
    );
    // A class may be called train.
    assert_eq!(
        classes(&open(here.path(), Split::Train, 1).unwrap()),
        ["tabby", "train"]
    );
    // The same images in images/ are split in the same way.
    assert_eq!(test, split(&whole("images/"), Split::HeldOut, 1));
}

#[test]
fn masks_lie_beside_the_images() {
    let dir = whole("images/");
    let values = GrayImage::from_fn(4, 3, |x, _| Luma([x as u8]));
    for (folder, expected) in [("trimaps", [0, 255, 0, 0]), ("masks", [0, 255, 255, 255])] {
        let path = dir.path().join(folder).join("n02123045");
        fs::create_dir_all(&path).unwrap();
        (0..10).for_each(|index| values.save(path.join(format!("{index}.png"))).unwrap());
        let test = open(dir.path(), Split::HeldOut, 1).unwrap();
        for index in 0..3 {
            let sample = test.samples.get(index).unwrap();
            let row = sample.masks.of(0).map(|mask| mask.as_raw()[4..8].to_vec());
            assert_eq!(
                row,
                (sample.target == Target::class(0)).then(|| expected.to_vec()),
                "there are none of class 1"
            );
        }
    }
    let deep = image::ImageBuffer::<Luma<u16>, _>::from_pixel(4, 3, Luma([1_u16]));
    let deep_mask = dir.path().join("masks/n02123045/0.png");
    deep.save(&deep_mask).unwrap();
    let upright = image::metadata::Orientation::NoTransforms;
    let masks = Masks::find(dir.path(), Path::new("images")).unwrap();
    let name = Path::new("n02123045/0.png");
    assert_eq!(
        masks
            .read(name, (4, 3), upright)
            .unwrap()
            .unwrap()
            .into_raw(),
        [255; 12]
    );
    let error = masks.read(name, (4, 4), upright).unwrap_err().to_string();
    assert!(
        error.contains("0.png has 4x3 pixels: expected 4x4"),
        "{error}"
    );
    fs::write(deep_mask, "no image").unwrap();
    assert!(masks.read(name, (4, 3), upright).is_err());
}

#[test]
fn what_is_no_data_set_is_refused() {
    refused(
        Path::new("no/such/folder"),
        Split::Train,
        &["no/such/folder does not exist", "check the path"],
    );
    let dir = tempfile::tempdir().unwrap();
    refused(
        dir.path(),
        Split::Train,
        &["holds no folders", "train/ and val/"],
    );
    write(&dir.path().join("cat/a.png"), 0);
    refused(
        dir.path(),
        Split::Train,
        &["only the folder cat", "two classes"],
    );
    write(&dir.path().join("dog/a.png"), 0);
    refused(
        dir.path(),
        Split::Train,
        &["cat has one image", "train/ and val/"],
    );
    write(&dir.path().join("cat/b.png"), 0);
    fs::remove_file(dir.path().join("dog/a.png")).unwrap();
    refused(dir.path(), Split::HeldOut, &["dog has no images", ".jpg"]);
    let dir = tree(&[("train/a/1.png", 0), ("train/b/1.png", 0)]);
    refused(
        dir.path(),
        Split::Train,
        &["val does not exist", "beside train/"],
    );
    write(&dir.path().join("val/a/1.png"), 0);
    write(&dir.path().join("val/c/1.png"), 0);
    refused(
        dir.path(),
        Split::Train,
        &["val lacks classes that ", "train has: b", "others: c"],
    );
    write(&dir.path().join("val/b/1.png"), 0);
    refused(
        dir.path(),
        Split::HeldOut,
        &["val lacks classes that ", "others: c"],
    );
    // Held-out images alone can be measured on, not learned from.
    fs::remove_dir_all(dir.path().join("train")).unwrap();
    assert_eq!(
        classes(&open(dir.path(), Split::HeldOut, 0).unwrap()),
        ["a", "b", "c"]
    );
    refused(
        dir.path(),
        Split::Train,
        &["train does not exist", "to learn from"],
    );
}

#[test]
fn a_damaged_image_is_found_when_it_is_read() {
    let dir = tree(&[
        ("train/a/1.png", 0),
        ("train/b/1.png", 0),
        ("val/a/1.png", 0),
        ("val/b/1.png", 0),
    ]);
    fs::write(dir.path().join("train/b/1.png"), "no image").unwrap();
    let train = open(dir.path(), Split::Train, 0).unwrap();
    assert!(train.samples.get(0).is_ok());
    let error = train.samples.get(1).unwrap_err().to_string();
    assert!(error.contains("1.png is not an image"), "{error}");
}

#[test]
#[cfg(unix)]
fn links_are_followed_and_their_circles_end() {
    let dir = tree(&[
        ("a/1.png", 1),
        ("a/2.png", 1),
        ("elsewhere/1.png", 2),
        ("elsewhere/2.png", 2),
    ]);
    let outside = tempfile::tempdir().unwrap();
    fs::rename(dir.path().join("elsewhere"), outside.path().join("b")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("b"), dir.path().join("b")).unwrap();
    assert_eq!(
        classes(&open(dir.path(), Split::Train, 0).unwrap()),
        ["a", "b"]
    );
    std::os::unix::fs::symlink(dir.path(), dir.path().join("a/circle")).unwrap();
    refused(dir.path(), Split::Train, &["8 folders deep", "remove"]);
}

/// Where the real data sets lie: `ABN_DATASETS`, or datasets/ of the workspace.
fn datasets() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
    std::env::var_os("ABN_DATASETS").map_or(default, PathBuf::from)
}

#[test]
#[ignore = "needs ../shared/datasets unpacked under datasets/"]
fn the_real_pets_open_with_their_trimaps() {
    let dir = datasets().join("pets3-320");
    let (train, test) = (open(&dir, Split::Train, 1), open(&dir, Split::HeldOut, 1));
    let (train, test) = (train.unwrap(), test.unwrap());
    assert_eq!(
        classes(&train),
        ["Abyssinian", "Bengal", "american_bulldog"]
    );
    assert_eq!((train.samples.len(), test.samples.len()), (360, 90));
    let covered = |index| {
        let sample = test.samples.get(index).unwrap();
        let mask = sample.masks.of(0).unwrap();
        mask.pixels().filter(|pixel| pixel[0] == 255).count() as f64 / mask.len() as f64
    };
    let mean = (0..90).map(covered).sum::<f64>() / 90.0;
    assert!(
        (0.2..0.5).contains(&mean),
        "pets cover {mean} of their photographs"
    );
}

#[test]
#[ignore = "needs ../shared/datasets unpacked under datasets/"]
fn one_photograph_a_class_cannot_be_split() {
    refused(
        &datasets().join("imagenet-sample"),
        Split::HeldOut,
        &["n01491361 has one image", "train/ and val/"],
    );
}
