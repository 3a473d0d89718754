use std::fs;

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::{Canvas, Labels, Loader, Normalization, Step, Transform};

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
    tar_shards(&request(dir, split))
}

/// The words of the error.
fn error(dir: &Path, split: Split) -> String {
    open(dir, split).err().expect("an error").to_string()
}

fn png(value: u8) -> Vec<u8> {
    let image = RgbImage::from_pixel(2, 2, Rgb([value; 3]));
    let mut bytes = std::io::Cursor::new(vec![]);
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A shard of these members, GNU's kind.
fn shard(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(vec![]);
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A sample of that key, with that label.
fn sample<'a>(key: &str, image: &'a [u8], label: &'a str) -> [(String, &'a [u8]); 2] {
    [
        (format!("{key}.png"), image),
        (format!("{key}.cls"), label.as_bytes()),
    ]
}

/// A shard of a sample for each of these labels, grey by their place.
fn labelled(labels: &[&str]) -> Vec<u8> {
    let images: Vec<Vec<u8>> = (0..labels.len()).map(|place| png(place as u8)).collect();
    let samples = labels.iter().zip(&images).enumerate();
    let members: Vec<(String, &[u8])> = samples
        .flat_map(|(place, (label, image))| sample(&format!("{place:04}"), image, label))
        .collect();
    let members: Vec<(&str, &[u8])> = members
        .iter()
        .map(|(name, c)| (name.as_str(), *c))
        .collect();
    shard(&members)
}

fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn classes(collection: &Collection) -> Vec<usize> {
    let samples = (0..collection.samples.len()).map(|index| collection.samples.get(index));
    samples
        .map(|sample| sample.unwrap().target.of(0).unwrap())
        .collect()
}

fn names(collection: &Collection) -> Vec<String> {
    let files = collection.files.as_ref().unwrap();
    (0..collection.samples.len())
        .map(|index| files.name(index))
        .collect()
}

/// `tests/fixtures/shards/make.py` wrote the shards with Python, and what is in them.
#[test]
fn shards_are_read_as_python_wrote_them() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/shards");
    let expected = fs::read(dir.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    for (split, name) in [(Split::Train, "train"), (Split::HeldOut, "val")] {
        let found = open(&dir, split).unwrap();
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let expected = expected[name].as_array().unwrap();
        assert_eq!(found.samples.len(), expected.len());
        assert_eq!(
            found.labels.only().unwrap(),
            ["class 0", "class 1", "class 2"]
        );
        assert_eq!(found.masked, split == Split::HeldOut);
        for (index, expected) in expected.iter().enumerate() {
            let sample = found.samples.get(index).unwrap();
            let files = found.files.as_ref().unwrap();
            assert_eq!(files.name(index), expected["name"]);
            assert_eq!(files.path(index), None);
            assert_eq!(sample.target.of(0).unwrap(), expected["class"]);
            let (width, height) = sample.image.dimensions();
            assert_eq!(serde_json::json!([width, height]), expected["size"]);
            assert_eq!(hex(&sample.image.into_raw()), expected["pixels"]);
            let mask = sample.masks.of(0).map(|mask| hex(mask.as_raw()));
            assert_eq!(mask.as_deref(), expected["mask"].as_str());
        }
    }
    let train = open(&dir, Split::Train).unwrap();
    assert_eq!(train.files.unwrap().counts(), [3, 1, 2]);
    assert_eq!(
        train.notes,
        ["2 members or samples without an image are left out"]
    );
}

#[test]
fn batches_do_not_depend_on_workers_or_where_an_epoch_is_entered() {
    let labels: Vec<String> = (0..23).map(|place| (place % 4).to_string()).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let dir = folder(&[
        ("0.tar", labelled(&labels)),
        ("1.tar", labelled(&labels[..9])),
    ]);
    let loader = |workers| Loader {
        dataset: open(dir.path(), Split::All).unwrap().samples,
        transform: Transform {
            steps: vec![Step::PadCrop { padding: 1 }, Step::Flip],
            normalization: Normalization::CIFAR,
        },
        batch_size: 5,
        workers,
        seed: 7,
        shuffled: true,
        masks: false,
        skips: Default::default(),
        canvas: Canvas::Equal,
        drop_last: false,
    };
    let expected: Vec<_> = loader(0).epoch(2, 0).map(Result::unwrap).collect();
    assert_eq!(expected.iter().map(|batch| batch.len()).sum::<usize>(), 32);
    for workers in [1, 2, 8] {
        for first in [0, 3, 6] {
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
fn one_in_five_is_held_out_of_every_class() {
    let labels: Vec<&str> = (0..40).map(|place| ["cat", "dog"][place % 2]).collect();
    let dir = folder(&[
        ("0.tar", labelled(&labels)),
        ("1.tar", labelled(&labels[..10])),
    ]);
    let of = |split| open(dir.path(), split).unwrap();
    let (train, held_out) = (of(Split::Train), of(Split::HeldOut));
    assert_eq!(train.files.as_ref().unwrap().counts(), [20, 20]);
    assert_eq!(held_out.files.as_ref().unwrap().counts(), [5, 5]);
    assert_eq!(classes(&held_out), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let mut all = [names(&train), names(&held_out)].concat();
    all.sort();
    let mut expected = names(&of(Split::All));
    expected.sort();
    assert_eq!(all, expected);
    // One file, wherever it lies, and the same names: the same images.
    let file = dir.path().join("0.tar");
    let alone = names(&open(&file, Split::HeldOut).unwrap());
    let moved = folder(&[("0.tar", labelled(&labels))]);
    assert_eq!(names(&open(moved.path(), Split::HeldOut).unwrap()), alone);
    assert!(
        alone.iter().all(|name| name.starts_with("0.tar/")),
        "{alone:?}"
    );
    let few = folder(&[("0.tar", labelled(&["cat", "cat", "dog"]))]);
    assert!(error(few.path(), Split::Train).contains("there is one image of dog"));
}

#[test]
fn the_splits_have_the_same_classes() {
    let train = labelled(&["0", "3", "1"]);
    let dir = folder(&[("train/0.tar", train), ("val/0.tar", labelled(&["1", "0"]))]);
    let held_out = open(dir.path(), Split::HeldOut).unwrap();
    assert_eq!(
        held_out.labels,
        open(dir.path(), Split::Train).unwrap().labels
    );
    assert_eq!(
        (held_out.labels.count(), classes(&held_out)),
        (4, vec![0, 1])
    );
    assert_eq!(
        names(&held_out),
        ["val/0.tar/0001.png", "val/0.tar/0000.png"]
    );
    fs::write(dir.path().join("val/0.tar"), labelled(&["1", "4"])).unwrap();
    let error = error(dir.path(), Split::HeldOut);
    let words = "0.tar/0001.png: has the label 4, which is none of the 4 classes";
    assert!(error.contains(words), "{error}");
}

#[test]
fn classes_are_called_as_a_list_beside_them_says() {
    let shards = [
        ("train-0.tar", labelled(&["1", "0"])),
        ("val-0.tar", labelled(&["1"])),
    ];
    let dir = folder(&shards);
    fs::write(
        dir.path().join("classes.txt"),
        "n01440764\nmy dog\nmy cat\n",
    )
    .unwrap();
    for split in [Split::Train, Split::HeldOut] {
        let found = open(dir.path(), split).unwrap();
        assert_eq!(found.labels.only().unwrap(), ["tench", "my dog", "my cat"]);
    }
    // A network's classes, by name.
    let known = Labels::one(["my dog", "my cat", "tench"].map(String::from).into());
    let request = ImageFolder {
        classes: Some(&known),
        ..request(dir.path(), Split::Train)
    };
    let found = tar_shards(&request).unwrap();
    assert_eq!((classes(&found), &found.labels), (vec![0, 2], &known));
}

#[test]
fn masks_and_boxes_are_asked_for_by_name() {
    let dir = folder(&[("0.tar", labelled(&["0", "1", "0", "1"]))]);
    for (truth, words) in [
        (Truth::Masks, "no sample has a mask.png"),
        (Truth::Boxes, "have no boxes"),
    ] {
        let request = ImageFolder {
            truth: Some(truth),
            ..request(dir.path(), Split::Train)
        };
        let error = tar_shards(&request).err().expect("an error").to_string();
        assert!(error.contains(words), "{error}");
    }
    let (image, other) = (png(1), labelled(&["1"]));
    let wide = RgbImage::new(3, 2);
    let mut mask = std::io::Cursor::new(vec![]);
    wide.write_to(&mut mask, ImageFormat::Png).unwrap();
    let members = [
        ("a.png", &image[..]),
        ("a.mask.png", mask.get_ref()),
        ("a.cls", b"0"),
    ];
    let dir = folder(&[("0.tar", shard(&members)), ("1.tar", other)]);
    let found = open(dir.path(), Split::All).unwrap();
    let error = found.samples.get(0).unwrap_err().to_string();
    assert!(error.contains("3x2 pixels: expected 2x2"), "{error}");
}

/// A shard of these bytes is refused with these words.
#[track_caller]
fn refused_with(bytes: Vec<u8>, words: &str) {
    let dir = folder(&[("0.tar", bytes)]);
    let error = error(dir.path(), Split::All);
    assert!(
        error.contains("0.tar") && error.contains(words),
        "no `{words}` in: {error}"
    );
    assert!(!error.contains(char::is_control), "{error}");
}

/// Writes its name as it is: what the builder would not write.
fn raw(name: &[u8], kind: tar::EntryType, size: u64, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.as_old_mut().linkname[..1].copy_from_slice(b"x");
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A good shard with this before its members.
fn after(member: Vec<u8>) -> Vec<u8> {
    [member, labelled(&["0", "1"])].concat()
}

#[test]
fn members_that_are_no_files_are_refused() {
    use tar::EntryType;
    for (kind, words) in [
        (EntryType::Symlink, "member x.png is a link"),
        (EntryType::Link, "member x.png is a link"),
        (EntryType::Char, "is a device"),
        (EntryType::Block, "is a device"),
        (EntryType::Fifo, "is a device"),
        (EntryType::new(b'V'), "is of an unknown kind"),
    ] {
        refused_with(after(raw(b"x.png", kind, 0, b"")), words);
    }
    // A file with holes: 512 bytes that are there, of 1 GB.
    let mut header = tar::Header::new_gnu();
    header.set_path("x.png").unwrap();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(512);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.set_real_size(1 << 30);
    gnu.sparse[0].set_offset((1 << 30) - 512);
    gnu.sparse[0].set_length(512);
    header.set_cksum();
    refused_with(
        after([header.as_bytes().to_vec(), vec![1; 512]].concat()),
        "stored with holes",
    );
    // The same in a pax header.
    let record = b"22 GNU.sparse.major=1\n";
    let pax = raw(b"pax", EntryType::XHeader, record.len() as u64, record);
    let file = raw(b"x.png", EntryType::Regular, 0, b"");
    refused_with(after([pax, file].concat()), "stored with holes");
    // A folder is nothing.
    let folders = after(raw(b"./a/", EntryType::Directory, 0, b""));
    let dir = folder(&[("0.tar", folders)]);
    assert_eq!(open(dir.path(), Split::All).unwrap().samples.len(), 2);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let regular = tar::EntryType::Regular;
    for (name, words) in [
        (&b"/etc/passwd.png"[..], "is an absolute path"),
        (b"C:\\x.png", "is an absolute path"),
        (b"../x.png", "leads out of the archive"),
        (b"a/../../x.png", "leads out of the archive"),
        (b"a\x1b[2J.png", "has control characters"),
        (b"a\xff.png", "is not valid UTF-8"),
    ] {
        refused_with(after(raw(name, regular, 0, b"")), words);
    }
    // In long names, too: of GNU and of pax.
    let long = raw(
        b"././@LongLink",
        tar::EntryType::GNULongName,
        9,
        b"/etc/a.b\0",
    );
    refused_with(
        after([long, raw(b"x.png", regular, 0, b"")].concat()),
        "absolute path",
    );
    let pax = raw(b"pax", tar::EntryType::XHeader, 16, b"16 path=../a.pn\n");
    refused_with(
        after([pax, raw(b"x.png", regular, 0, b"")].concat()),
        "leads out",
    );
    let twice = b"14 path=a.png\n14 path=b.png\n";
    let pax = raw(b"pax", tar::EntryType::XHeader, twice.len() as u64, twice);
    refused_with(
        after([pax, raw(b"x.png", regular, 0, b"")].concat()),
        "size twice",
    );
    let pax = raw(b"pax", tar::EntryType::XHeader, 6, b"9 a=b\n");
    refused_with(
        after([pax, raw(b"x.png", regular, 0, b"")].concat()),
        "cannot be read",
    );
    let pax = raw(
        b"pax",
        tar::EntryType::XGlobalHeader,
        14,
        b"14 path=a.png\n",
    );
    refused_with(after(pax), "says its name or size");
}

#[test]
fn samples_that_are_not_whole_are_refused() {
    let image = png(1);
    let image = image.as_slice();
    for (members, words) in [
        (&[("a.png", image)][..], "sample a has no label"),
        (
            &[("a.png", image), ("a.cls", b"-1")],
            "sample a has the label -1",
        ),
        (
            &[("a.png", image), ("a.cls", b"")],
            "sample a has an empty label",
        ),
        (
            &[("a.png", image), ("a.jpg", image), ("a.cls", b"1")],
            "has two images, a.png and a.jpg",
        ),
        (
            &[("a.cls", b"1"), ("a.cls", b"2"), ("a.png", image)],
            "a.cls is there twice",
        ),
        (
            &[
                ("a.png", image),
                ("a.cls", b"1"),
                ("b.png", image),
                ("b.cls", b"0"),
                ("a.x", b""),
            ],
            "sample a are in two places",
        ),
        (&[("README.md", b"text")], "it holds no sample"),
        (&[("a.cls", b"1")], "it holds no sample"),
    ] {
        refused_with(shard(members), words);
    }
    let long = vec![b'1'; (1 << 20) + 1];
    refused_with(
        shard(&[("a.cls", &long), ("a.png", image)]),
        "expected a label of at most",
    );
}

#[test]
fn damaged_shards_are_refused() {
    let good = labelled(&["0", "1"]);
    // The second image's header says more than is there; the same beyond any file.
    let regular = tar::EntryType::Regular;
    let long = [raw(b"x.png", regular, 10_000, &[1; 512]), vec![0; 1024]].concat();
    refused_with(
        long,
        "it is cut off: its member x.png has 10000 bytes from byte 512 on",
    );
    for size in [1 << 40, u64::MAX] {
        refused_with(raw(b"x.cls", regular, size, b"1"), "it is");
    }
    let end = good.len() - 1024;
    assert!(good[end..].iter().all(|byte| *byte == 0));
    refused_with(good[..end].to_vec(), "it has no end");
    refused_with(good[..end - 512].to_vec(), "it");
    refused_with(
        [good.clone(), good.clone()].concat(),
        "something follows its end",
    );
    refused_with([good.clone(), vec![0; 9000]].concat()[..700].to_vec(), "it");
    refused_with(b"<html>no such file</html>".repeat(60), "no tar archive");
    for magic in [
        &b"\x1f\x8b\x08\0"[..],
        b"\x28\xb5\x2f\xfd",
        b"\xfd7zXZ\0",
        b"BZh91AY",
    ] {
        refused_with([magic, &[7; 600]].concat(), "it is compressed");
    }
    let dir = folder(&[("0.tar", vec![])]);
    assert!(error(dir.path(), Split::All).contains("is empty"));
    let mut damaged = good.clone();
    damaged[100] ^= 1;
    refused_with(damaged, "checksum");
    // Zeros behind the end are what tar writes.
    let dir = folder(&[("0.tar", [good, vec![0; 9216]].concat())]);
    assert_eq!(open(dir.path(), Split::All).unwrap().samples.len(), 2);
}

#[test]
fn a_shard_that_changes_is_noticed() {
    let dir = folder(&[("0.tar", labelled(&["0", "1"]))]);
    let found = open(dir.path(), Split::All).unwrap();
    fs::write(dir.path().join("0.tar"), b"short").unwrap();
    let error = found.samples.get(1).unwrap_err().to_string();
    assert!(error.contains("has changed since"), "{error}");
    fs::remove_file(dir.path().join("0.tar")).unwrap();
    assert!(
        found
            .samples
            .get(1)
            .unwrap_err()
            .to_string()
            .contains("does not exist")
    );
}

#[test]
fn a_damaged_image_is_named_with_its_shard() {
    let members = [
        ("a.png", &b"no image"[..]),
        ("a.cls", b"0"),
        ("b.jpg", b""),
        ("b.cls", b"1"),
    ];
    let dir = folder(&[("0.tar", shard(&members))]);
    let found = open(dir.path(), Split::All).unwrap();
    let error = |index| found.samples.get(index).unwrap_err().to_string();
    assert!(
        error(0).contains("0.tar/a.png is not an image"),
        "{}",
        error(0)
    );
    assert!(error(1).contains("0.tar/b.jpg is empty"), "{}", error(1));
}

#[test]
fn the_first_shard_that_is_refused_is_named() {
    let bad = shard(&[("a.png", b"x")]);
    let mut files: Vec<(String, Vec<u8>)> = (0..20)
        .map(|number| (format!("{number:02}.tar"), labelled(&["0", "1"])))
        .collect();
    for number in [7, 8, 19] {
        files[number].1 = bad.clone();
    }
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(n, c)| (n.as_str(), c.clone())).collect();
    let dir = folder(&files);
    for _ in 0..20 {
        assert!(error(dir.path(), Split::All).contains("07.tar: its sample a has no label"));
    }
}
