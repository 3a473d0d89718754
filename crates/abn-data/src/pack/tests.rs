//! Packs of tiny folders in every layout, against the folders themselves.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use image::{GrayImage, Luma, Rgb, RgbImage};
use tempfile::TempDir;

use super::test_packs::{fails, go, pack_of};
use super::*;
use crate::{
    Batch, Canvas, Collection, DataError, ImageFolder, Labels, Loader, Normalization, Skips, Split,
    Step, Transform, Truth, image_folder, twins,
};

/// A picture that its number tells from the others.
fn picture(path: &Path, number: u8, (width, height): (u32, u32)) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let image = RgbImage::from_fn(width, height, |x, y| {
        Rgb([(9 * x) as u8 ^ number, (7 * y) as u8, number])
    });
    image
        .save_with_format(path, image::ImageFormat::Png)
        .unwrap();
}

fn mask(path: &Path, (width, height): (u32, u32)) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mask = GrayImage::from_fn(width, height, |x, y| Luma([u8::from(x > y) * 200]));
    mask.save(path).unwrap();
}

const SIZES: [(u32, u32); 3] = [(30, 20), (20, 33), (24, 24)];

fn size(number: usize) -> (u32, u32) {
    SIZES[number % SIZES.len()]
}

/// Two classes of seven images, to be split by seed, with words, masks for some and a text.
fn whole() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (class, name) in ["n02123045", "zebra"].into_iter().enumerate() {
        for number in 0..7 {
            let path = format!("images/{name}/{number}.png");
            picture(
                &dir.path().join(path),
                (10 * class + number) as u8,
                size(number),
            );
            if number % 2 == 0 {
                let path = format!("masks/{name}/{number}.png");
                mask(&dir.path().join(path), size(number));
            }
        }
    }
    fs::write(dir.path().join("classes.tsv"), "zebra\tstriped\nother\tx\n").unwrap();
    fs::write(dir.path().join("images/zebra/notes.txt"), "no image").unwrap();
    fs::write(dir.path().join("images/zebra/raw.cr2"), "no image").unwrap();
    dir
}

/// Splits apart, with a class that the tests lack, folders in a class, and boxes.
fn apart() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let names = [
        "train/cat/b.png",
        "train/cat/in/a.png",
        "train/dog/c.png",
        "train/dog/d.png",
        "train/emu/e.png",
        "val/cat/f.png",
        "val/dog/g.png",
        "val/emu/h.png",
        "test/cat/i.png",
        "test/dog/j.png",
    ];
    for (number, name) in names.into_iter().enumerate() {
        picture(&dir.path().join(name), number as u8, size(number));
    }
    let boxes = "image\tx0\ty0\tx1\ty1\ntrain/cat/b.png\t2\t3\t11\t12\nval/dog/g.png\t0\t0\t5\t9\n";
    fs::write(dir.path().join("boxes.tsv"), boxes).unwrap();
    dir
}

/// Images in one folder, whose classes and splits a table tells.
fn table() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut rows = "image,label,split\n".to_owned();
    for number in 0..9 {
        let name = format!("img/{number}.png");
        picture(&dir.path().join(&name), number as u8, size(number));
        let (label, split) = (["a", "b"][number % 2], ["train", "val"][number / 5]);
        rows += &format!("{name},{label},{split}\n");
    }
    fs::write(dir.path().join("labels.csv"), rows).unwrap();
    dir
}

fn options(stored: Stored) -> PackOptions {
    PackOptions {
        stored,
        truth: None,
        leave_out: false,
        workers: 2,
        labels: PackedLabels::One,
    }
}

const BOTH: [Stored; 2] = [Stored::AsTheyAre, Stored::Shorter(16)];

fn request(dir: &Path, split: Split) -> ImageFolder<'_> {
    ImageFolder {
        dir,
        split,
        seed: 0,
        truth: None,
        classes: None,
        once: None,
    }
}

fn transform(first: &[Step]) -> Transform {
    let steps = [Step::RandomResizedCrop { size: 8 }, Step::Flip];
    Transform {
        steps: [first, &steps].concat(),
        normalization: Normalization::IMAGENET,
    }
}

fn loader(collection: &Collection, first: &[Step], workers: usize) -> Loader {
    Loader {
        dataset: collection.samples.clone(),
        transform: transform(first),
        batch_size: 3,
        workers,
        seed: 5,
        shuffled: true,
        masks: true,
        skips: Arc::default(),
        canvas: Canvas::Equal,
        drop_last: false,
    }
}

fn batches(loader: &Loader, first: usize) -> Vec<Batch> {
    loader.epoch(1, first).map(Result::unwrap).collect()
}

/// A pack gives what its folder gives.
#[track_caller]
fn same(folder: &Collection, packed: &Collection, stored: Stored) {
    let (files, packed_files) = (
        folder.files.as_ref().unwrap(),
        packed.files.as_ref().unwrap(),
    );
    assert_eq!(
        (&packed.labels, packed.masked),
        (&folder.labels, folder.masked)
    );
    assert_eq!(packed_files.counts(), files.counts());
    assert_eq!(packed.samples.len(), folder.samples.len());
    let masks = |notes: &[String]| -> Vec<String> {
        let others = notes
            .iter()
            .filter(|note| !note.contains("none of the masks") && !note.contains("boxes names"));
        others.cloned().collect()
    };
    assert_eq!(masks(&packed.notes), masks(&folder.notes));
    assert_eq!(packed.notes.len(), folder.notes.len());
    let first = match stored {
        Stored::AsTheyAre => vec![],
        Stored::Shorter(size) => vec![Step::ResizeShorter { size }],
    };
    for index in 0..folder.samples.len() {
        assert_eq!(packed_files.name(index), files.name(index));
        assert_eq!(packed_files.path(index), None);
        let (mut sample, found) = (
            folder.samples.get(index).unwrap(),
            packed.samples.get(index).unwrap(),
        );
        for step in &first {
            let mut rng = crate::random::augmentation(0, 0, 0);
            sample.image = step.apply(sample.image, &mut rng).unwrap();
            sample.masks = sample.masks.map(|mask| step.apply(mask, &mut rng)).unwrap();
        }
        assert!(found == sample, "{}", files.name(index));
    }
    let expected = batches(&loader(folder, &first, 0), 0);
    for workers in [0, 1, 2, 8] {
        let loader = loader(packed, &[], workers);
        assert!(batches(&loader, 0) == expected, "{workers} workers");
        for entered in 0..=expected.len() {
            assert!(batches(&loader, entered) == expected[entered..]);
        }
    }
}

#[test]
fn a_pack_gives_what_its_folder_gives() {
    let mut opened = 0;
    for dir in [whole(), apart(), table()] {
        for stored in BOTH {
            let (_folder, path, packed_as) = pack_of(dir.path(), &options(stored));
            assert!(is_pack(&path));
            let known = image_folder(&request(dir.path(), Split::HeldOut)).unwrap();
            let mut more = known.labels.only().unwrap().to_vec();
            more.insert(1, "of another".to_owned());
            let more = Labels::one(more);
            for (split, seed) in [
                (Split::Train, 0),
                (Split::Train, 7),
                (Split::HeldOut, 0),
                (Split::HeldOut, 7),
                (Split::Test, 0),
                (Split::All, 0),
            ] {
                for classes in [None, Some(&more)] {
                    let request = |dir| ImageFolder {
                        seed,
                        classes,
                        ..request(dir, split)
                    };
                    let told = |error: DataError, dir: &Path| {
                        error.to_string().replace(&dir.display().to_string(), "DIR")
                    };
                    match (image_folder(&request(dir.path())), packed(&request(&path))) {
                        (Ok(folder), Ok(packed)) => {
                            same(&folder, &packed, stored);
                            opened += 1;
                        }
                        (Err(folder), Err(packed)) => {
                            assert_eq!(told(folder, dir.path()), told(packed, &path));
                        }
                        (folder, packed) => {
                            panic!("{split:?}: {:?} and {:?}", folder.err(), packed.err())
                        }
                    }
                }
            }
            let verified = verify(&path, 2).unwrap();
            assert_eq!(verified.fingerprint, packed_as.fingerprint);
            assert_eq!(verified.images, packed_as.images);
            assert_eq!((verified.damaged.len(), verified.unreadable.len()), (0, 0));
        }
    }
    // All splits of the first set, all but one of the others.
    assert_eq!(opened, 2 * 2 * (6 + 5 + 5));
}

#[test]
fn the_fingerprint_is_of_the_source_alone() {
    let dir = whole();
    let of = |stored| pack_of(dir.path(), &options(stored)).2.fingerprint;
    let before = of(Stored::AsTheyAre);
    assert_eq!((before.len(), &of(Stored::Shorter(9))), (64, &before));
    let image = dir.path().join("images/zebra/3.png");
    let bytes = fs::read(&image).unwrap();
    fs::rename(&image, dir.path().join("images/zebra/33.png")).unwrap();
    assert_ne!(of(Stored::AsTheyAre), before);
    fs::remove_file(dir.path().join("images/zebra/33.png")).unwrap();
    fs::write(&image, bytes).unwrap();
    assert_eq!(of(Stored::AsTheyAre), before);
    picture(&image, 99, (4, 4));
    assert_ne!(of(Stored::AsTheyAre), before);
}

#[test]
fn an_interrupted_packing_goes_on_and_ends_with_the_same_bytes() {
    for stored in BOTH {
        let dir = whole();
        let (_folder, whole, _) = pack_of(dir.path(), &options(stored));
        let expected = fs::read(&whole).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.abnpack");
        let partial = folder.path().join("set.abnpack.partial");
        for stop in 0..=14 {
            let mut watch = |done, all| match (done, all) {
                (done, 14) if done == stop => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            };
            let stopped = pack(dir.path(), &path, &options(stored), &mut watch);
            fails(stopped, &format!("stopped after {stop} of 14"));
            assert!(!path.exists() && is_pack(&partial));
            fails(packed(&request(&partial, Split::All)), "unfinished");
        }
        // As a kill leaves it: cut anywhere, or with an end that was never written.
        let complete = fs::read(&partial).unwrap();
        let index = index::Index::open(&whole).unwrap();
        let ends = index.spots.iter();
        let ends: Vec<u64> = ends
            .map(|spot| spot.mask_offset() + u64::from(spot.mask))
            .collect();
        let lengths = (0..complete.len() + 1).step_by(97);
        for (length, garbage) in lengths.zip([0, 300].into_iter().cycle()) {
            let mut left = complete[..length].to_vec();
            left.resize(length + garbage * length.min(1), 0);
            fs::write(&partial, left).unwrap();
            let packed = pack(dir.path(), &path, &options(stored), &mut go).unwrap();
            assert!(fs::read(&path).unwrap() == expected, "{length} bytes left");
            assert!(!partial.exists());
            let there = ends.iter().filter(|end| **end <= length as u64).count();
            // Without its last padding an entry is not whole, unless zeros follow.
            assert!(packed.resumed == there || packed.resumed + 1 == there);
            fs::remove_file(&path).unwrap();
        }
        // All but its name.
        fs::write(&partial, &expected).unwrap();
        let packed = pack(dir.path(), &path, &options(stored), &mut go).unwrap();
        assert_eq!((packed.resumed, packed.images), (14, 14));
        assert!(fs::read(&path).unwrap() == expected);
    }
}

#[test]
fn what_is_left_is_kept_only_if_it_is_what_would_be_made() {
    let dir = whole();
    let stored = Stored::Shorter(16);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.abnpack");
    let partial = folder.path().join("set.abnpack.partial");
    let (_folder, complete, _) = pack_of(dir.path(), &options(stored));
    let complete = fs::read(complete).unwrap();
    let resumed = |left: &[u8], options: &PackOptions| {
        fs::write(&partial, left).unwrap();
        let packed = pack(dir.path(), &path, options, &mut go).unwrap();
        let (_folder, fresh, _) = pack_of(dir.path(), options);
        assert!(fs::read(&path).unwrap() == fs::read(fresh).unwrap());
        fs::remove_file(&path).unwrap();
        packed.resumed
    };
    assert_eq!(resumed(&complete, &options(stored)), 14);
    assert_eq!(resumed(&complete, &options(Stored::Shorter(17))), 0);
    assert_eq!(resumed(&complete, &options(Stored::AsTheyAre)), 0);
    // A bit of the second image.
    let second = {
        let index = index::Index::open(&complete_file(folder.path(), &complete)).unwrap();
        index.spots[1].offset as usize
    };
    let mut damaged = complete.clone();
    damaged[second + 5] ^= 1;
    assert_eq!(resumed(&damaged, &options(stored)), 1);
    // The sixth image, or the mask of the fifth, is another now.
    picture(&dir.path().join("images/n02123045/5.png"), 77, (20, 20));
    assert_eq!(resumed(&complete, &options(stored)), 5);
    fs::remove_file(dir.path().join("masks/n02123045/4.png")).unwrap();
    assert_eq!(resumed(&complete, &options(stored)), 4);
    // An image before all others.
    picture(&dir.path().join("images/n02123045/!.png"), 78, (20, 20));
    assert_eq!(resumed(&complete, &options(stored)), 0);
}

fn complete_file(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("complete");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn images_that_cannot_be_read_stop_the_packing_or_keep_their_places() {
    let dir = whole();
    let bad = dir.path().join("images/zebra/4.png");
    fs::write(&bad, "no picture").unwrap();
    mask(&dir.path().join("masks/zebra/2.png"), (1, 1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.abnpack");
    let stored = Stored::Shorter(16);
    let refused = pack(dir.path(), &path, &options(stored), &mut go);
    fails(refused, "masks/zebra/2.png has 1x1 pixels");
    assert!(!path.exists());
    let options = PackOptions {
        leave_out: true,
        ..options(stored)
    };
    let made = pack(dir.path(), &path, &options, &mut go).unwrap();
    let [(mask, _), (image, reason)] = &made.unreadable[..] else {
        panic!("{:?}", made.unreadable);
    };
    assert_eq!(made.resumed, 9, "those before the first one");
    assert_eq!(mask, "images/zebra/2.png");
    assert_eq!(image, "images/zebra/4.png");
    assert!(
        reason.starts_with("images/zebra/4.png is not an image"),
        "{reason}"
    );
    let verified = verify(&path, 0).unwrap();
    assert_eq!(&verified.unreadable, &[mask.clone(), image.clone()]);
    // The same images in the same order, with the same ones missing.
    let skipping = |collection: &Collection, first: &[Step]| Loader {
        skips: Arc::new(Skips::up_to(2, Default::default())),
        ..loader(collection, first, 0)
    };
    let (whole, packed) = (
        image_folder(&request(dir.path(), Split::All)).unwrap(),
        packed(&request(&path, Split::All)).unwrap(),
    );
    let resize = [Step::ResizeShorter { size: 16 }];
    let (one, two) = (skipping(&whole, &resize), skipping(&packed, &[]));
    assert!(batches(&one, 0) == batches(&two, 0));
    let (one, two) = (one.skips.all(), two.skips.all());
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        two.keys().collect::<Vec<_>>()
    );
    assert!(
        two.values()
            .all(|reason| reason.contains("when it was packed"))
    );
}

#[test]
fn every_flipped_bit_of_an_image_is_found() {
    let dir = whole();
    for stored in BOTH {
        let (_folder, path, _) = pack_of(dir.path(), &options(stored));
        let good = fs::read(&path).unwrap();
        let index = index::Index::open(&path).unwrap();
        for number in [0, 1, 13] {
            let spot = index.spots[number];
            let image = spot.offset..spot.offset + u64::from(spot.image);
            let mask = spot.mask_offset()..spot.mask_offset() + u64::from(spot.mask);
            for at in image.chain(mask).step_by(41) {
                let mut bad = good.clone();
                bad[at as usize] ^= 1 << (at % 8);
                fs::write(&path, &bad).unwrap();
                let name = index.what.name(number);
                let verified = verify(&path, 1).unwrap();
                assert_eq!(verified.damaged, std::slice::from_ref(&name));
                let packed = packed(&request(&path, Split::All)).unwrap();
                let files = packed.files.unwrap();
                let (bad, others): (Vec<usize>, Vec<usize>) =
                    (0..14).partition(|index| files.name(*index) == name);
                let read = |index: &usize| packed.samples.get(*index);
                let error = read(&bad[0]).unwrap_err();
                assert!(error.is_damage());
                fails::<()>(Err(error), &format!("{name} in "));
                assert!(others.iter().all(|index| read(index).is_ok()));
            }
        }
    }
}

#[test]
fn masks_are_those_that_were_packed() {
    let dir = whole();
    let boxes = "image\tx0\ty0\tx1\ty1\nzebra/1.png\t2\t3\t11\t12\n";
    fs::write(dir.path().join("boxes.tsv"), boxes).unwrap();
    let asked = |path: &Path, truth| {
        packed(&ImageFolder {
            truth: Some(truth),
            ..request(path, Split::All)
        })
    };
    let masks = |collection: &Collection| {
        let masked = |index: &usize| {
            let sample = collection.samples.get(*index).unwrap();
            sample.masks.of(0).is_some()
        };
        let masks = (0..14).filter(masked);
        masks.count()
    };
    let (_folder, path, _) = pack_of(dir.path(), &options(Stored::AsTheyAre));
    assert_eq!(masks(&asked(&path, Truth::Masks).unwrap()), 8);
    fails(asked(&path, Truth::Boxes), "holds masks: expected boxes");
    let options = PackOptions {
        truth: Some(Truth::Boxes),
        ..options(Stored::AsTheyAre)
    };
    let (_folder, path, _) = pack_of(dir.path(), &options);
    assert_eq!(masks(&asked(&path, Truth::Boxes).unwrap()), 1);
    fails(asked(&path, Truth::Masks), "holds boxes: expected masks");
}

#[test]
fn the_same_file_in_two_parts_is_found() {
    let dir = apart();
    fs::copy(
        dir.path().join("train/emu/e.png"),
        dir.path().join("val/dog/z.png"),
    )
    .unwrap();
    let (_folder, path, _) = pack_of(dir.path(), &options(Stored::Shorter(16)));
    let open = |split| packed(&request(&path, split)).unwrap();
    let found = twins(&open(Split::HeldOut), &open(Split::Train));
    let names = ["val/dog/z.png", "train/emu/e.png"].map(PathBuf::from);
    assert_eq!(
        (found.count, found.first, found.all),
        (1, Some(names), true)
    );
    let found = twins(&open(Split::Test), &open(Split::Train));
    assert_eq!((found.count, found.all), (0, true));
    let folder = image_folder(&request(dir.path(), Split::Train)).unwrap();
    assert!(!twins(&open(Split::HeldOut), &folder).all);
}

#[test]
fn what_stands_in_the_way_is_kept() {
    let dir = table();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    let partial = folder.path().join("set.partial");
    let try_it = || pack(dir.path(), &path, &options(Stored::AsTheyAre), &mut go);
    fs::write(&path, "mine").unwrap();
    fails(try_it(), "set exists; remove it");
    fs::remove_file(&path).unwrap();
    fs::write(&partial, "mine").unwrap();
    fails(try_it(), "set.partial exists; remove it");
    assert_eq!(fs::read_to_string(&partial).unwrap(), "mine");
    fs::remove_file(&partial).unwrap();
    let other = File::create(&partial).unwrap();
    other.lock().unwrap();
    fails(try_it(), "is being written by another program");
    drop(other);
    try_it().unwrap();
    let inside = folder.path().join("none").join("set");
    let made = pack(dir.path(), &inside, &options(Stored::AsTheyAre), &mut go);
    fails(made, "cannot write");
    let nothing = pack(dir.path(), &inside, &options(Stored::Shorter(0)), &mut go);
    fails(nothing, "expected sides of 1 to");
}

#[test]
fn files_that_are_no_packs_are_refused_by_what_they_are() {
    let dir = table();
    let (folder, path, _) = pack_of(dir.path(), &options(Stored::AsTheyAre));
    let open = |path: &Path| packed(&request(path, Split::Train));
    fails(
        open(&folder.path().join("none")),
        "does not exist: expected a pack",
    );
    fails(open(folder.path()), "check that it is a file");
    let good = fs::read(&path).unwrap();
    let with = |at: u64, bytes: &[u8]| {
        fs::write(&path, &good).unwrap();
        let mut file = File::options().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(bytes).unwrap();
        assert_eq!(is_pack(&path), at > 0);
        open(&path)
    };
    fails(with(0, b"a text"), "is not a pack");
    fails(with(8, &[4]), "a pack of version 4: expected at most 3");
    fails(with(8, &[0]), "a pack of version 0: expected at most 3");
    fails(with(16, &[1]), "bytes: expected");
    fails(with(60, &[1]), "its SHA-256 is another");
    fails(with(good.len() as u64 - 9, b"?"), "its SHA-256 is another");
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        let words = if length < record::HEADER {
            "is not a pack"
        } else {
            "bytes: expected"
        };
        fails(open(&path), words);
    }
}

#[test]
#[cfg(unix)]
fn names_that_steer_terminals_are_refused() {
    let dir = whole();
    picture(&dir.path().join("images/zebra/a\x1b[2J.png"), 1, (4, 4));
    let out = dir.path().join("set");
    let made = pack(dir.path(), &out, &options(Stored::AsTheyAre), &mut go);
    fails(made, r#""a\u{1b}[2J.png" has control characters"#);
}

/// What the test after this one does in a process that may only write little.
const INTO: &str = "ABN_TEST_PACK_INTO";

#[test]
#[cfg(unix)]
fn a_full_disk_leaves_nothing_under_the_final_name() {
    let dir = whole();
    let make = |path: &Path| pack(dir.path(), path, &options(Stored::Shorter(64)), &mut go);
    if let Ok(folder) = std::env::var(INTO) {
        fails(make(&Path::new(&folder).join("set")), "cannot write");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Blocks of 512 or 1024 bytes; either are too few for the pack.
    for blocks in ["16", "64"] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let status = Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "pack::tests::a_full_disk_leaves_nothing_under_the_final_name",
            ])
            .env(INTO, folder.path())
            .output()
            .unwrap();
        assert!(status.status.success(), "{status:?}");
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["set.partial"]);
    }
    // With space again, the result is that of a packing that never lacked it.
    let path = folder.path().join("set");
    let packed = make(&path).unwrap();
    assert!(packed.resumed > 0);
    let (_folder, fresh, _) = pack_of(dir.path(), &options(Stored::Shorter(64)));
    assert!(fs::read(path).unwrap() == fs::read(fresh).unwrap());
}

/// A program that writes other bytes for class folders would make packs that older ones refuse, or
/// take to be of another data set.
#[test]
fn class_folders_are_packed_as_the_same_bytes_as_ever() {
    let dir = tempfile::tempdir().unwrap();
    for (number, name) in [
        "train/a/1.ppm",
        "train/b/2.ppm",
        "val/a/3.ppm",
        "val/b/4.ppm",
    ]
    .into_iter()
    .enumerate()
    {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixels: Vec<u8> = (0..12).map(|place| 7 * number as u8 + place).collect();
        fs::write(path, [b"P6 2 2 255\n", &pixels[..]].concat()).unwrap();
    }
    let sums = BOTH.map(|stored| {
        let (_folder, path, packed) = pack_of(dir.path(), &options(stored));
        let bytes = fs::read(path).unwrap();
        assert_eq!(bytes[8..12], [1, 0, 0, 0]);
        (
            write::hexadecimal(&record::sha256(&bytes))[..16].to_owned(),
            packed.fingerprint[..16].to_owned(),
        )
    });
    let expected = [
        ("ff55c2982a0dcc23", "9c567d7535bdae9d"),
        ("50a35c845bc6ff2a", "9c567d7535bdae9d"),
    ];
    assert_eq!(
        sums,
        expected.map(|(bytes, source)| (bytes.to_owned(), source.to_owned()))
    );
}
