//! Packs of photographs with objects, in both layouts, against the folders themselves.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use image::{DynamicImage, ImageEncoder, Rgb, RgbImage};
use tempfile::TempDir;

use super::test_packs::{fails, go, pack_of};
use super::*;
use crate::{
    AttributeFolder, Collection, DataError, ImageFolder, ObjectFolder, Split, attributes, objects,
};

/// A picture that its number tells from the others, stored turned by a quarter if its number is 2.
fn picture(number: usize) -> Vec<u8> {
    let image = RgbImage::from_fn(9, 6, |x, y| {
        Rgb([(20 * x) as u8, (30 * y) as u8, 40 * number as u8])
    });
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
    if number == 2 {
        let turned = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        encoder.set_exif_metadata(turned.to_vec()).unwrap();
    }
    DynamicImage::ImageRgb8(image)
        .write_with_encoder(encoder)
        .unwrap();
    bytes
}

fn folder(pictures: &[&str], texts: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    for (number, name) in pictures.iter().enumerate() {
        fs::write(place(name), picture(number)).unwrap();
    }
    for (name, text) in texts {
        fs::write(place(name), text).unwrap();
    }
    dir
}

const CATEGORIES: &str = r#""categories": [{"id": 90, "name": "dog"}, {"id": 7, "name": "cat"}]"#;

/// Two splits, with a crowd, an image without objects, a box that reaches beyond its image, a size
/// that is not told, and a photograph that lies on its side.
fn coco() -> TempDir {
    let train = format!(
        r#"{{"images": [{{"id": 5, "file_name": "b.jpg", "width": 9, "height": 6}},
        {{"id": 3, "file_name": "a.jpg"}},
        {{"id": 8, "file_name": "c.jpg", "width": 9, "height": 6}},
        {{"id": 9, "file_name": "d.jpg", "width": 9, "height": 6}}],
        "annotations": [
        {{"id": 1, "image_id": 3, "category_id": 90, "bbox": [1, 2, 3.25, 4], "area": 5.5}},
        {{"id": 2, "image_id": 5, "category_id": 7, "bbox": [1, 2, 3, 4], "iscrowd": 1}},
        {{"id": 3, "image_id": 5, "category_id": 7, "bbox": [6.1, 0, 9.5, 2]}},
        {{"id": 4, "image_id": 8, "category_id": 7, "bbox": [0, 1, 2, 3]}}], {CATEGORIES}}}"#
    );
    let val = format!(
        r#"{{"images": [{{"id": 3, "file_name": "e.jpg", "width": 9, "height": 6}}],
        "annotations": [{{"id": 1, "image_id": 3, "category_id": 7, "bbox": [1, 2, 3, 4]}}],
        {CATEGORIES}}}"#
    );
    folder(
        &[
            "train2017/a.jpg",
            "images/train2017/b.jpg",
            "train2017/c.jpg",
            "train2017/d.jpg",
            "val2017/e.jpg",
        ],
        &[
            ("annotations/instances_train2017.json", &train),
            ("annotations/instances_val2017.json", &val),
        ],
    )
}

/// An annotation of a size and with an object, which is difficult or not.
fn xml(name: &str, difficult: u8) -> String {
    format!(
        "<annotation><size><width>9</width><height>6</height><depth>3</depth></size><object>\
         <name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>2</xmin>\
         <ymin>1</ymin><xmax>7</xmax><ymax>5</ymax></bndbox></object></annotation>"
    )
}

/// Images of which nobody made splits, and one of which nothing is told.
fn voc() -> TempDir {
    let names = ["a", "b", "c", "d", "e", "f"].map(|name| format!("JPEGImages/{name}.jpg"));
    folder(
        &names.each_ref().map(String::as_str),
        &[
            ("Annotations/a.xml", &xml("cat", 0)),
            ("Annotations/b.xml", &xml("dog", 1)),
            ("Annotations/c.xml", &xml("cat", 0)),
            ("Annotations/d.xml", &xml("emu", 0)),
            ("Annotations/e.xml", &xml("cat", 0)),
        ],
    )
}

const OPTIONS: PackOptions = PackOptions {
    stored: Stored::AsTheyAre,
    truth: None,
    leave_out: false,
    workers: 2,
    labels: PackedLabels::Objects,
};

fn open(dir: &Path, split: Split, seed: u64) -> Result<Collection, DataError> {
    objects(&ObjectFolder {
        dir,
        split,
        seed,
        known: None,
        once: None,
    })
}

/// A pack gives what its folder gives.
#[track_caller]
fn same(folder: &Collection, packed: &Collection) {
    let files = folder.files.as_ref().unwrap();
    let packed_files = packed.files.as_ref().unwrap();
    assert_eq!(packed.notes, folder.notes);
    assert_eq!(packed.labels, folder.labels);
    assert_eq!(packed_files.class_numbers(), files.class_numbers());
    assert_eq!(packed.samples.len(), folder.samples.len());
    for index in 0..folder.samples.len() {
        assert_eq!(packed_files.name(index), files.name(index));
        assert_eq!(packed_files.path(index), None);
        assert_eq!(packed_files.target(index), files.target(index));
        assert_eq!(packed_files.size(index), files.size(index));
        assert_eq!(packed_files.number(index), files.number(index));
        let file = fs::read(files.path(index).unwrap()).unwrap();
        assert_eq!(packed_files.sha256(index), Some(record::sha256(&file)));
        let (found, expected) = (packed.samples.get(index), folder.samples.get(index));
        assert!(found.unwrap() == expected.unwrap(), "{}", files.name(index));
    }
}

#[test]
fn a_pack_gives_what_its_folder_gives() {
    for (dir, all) in [(coco(), 5), (voc(), 5)] {
        let (_folder, path, packed_as) = pack_of(dir.path(), &OPTIONS);
        assert_eq!(fs::read(&path).unwrap()[8..12], [3, 0, 0, 0]);
        assert_eq!(packed_as.images, all);
        for split in [Split::Train, Split::HeldOut, Split::Test, Split::All] {
            for seed in [7, 8] {
                match (open(dir.path(), split, seed), open(&path, split, seed)) {
                    (Ok(folder), Ok(packed)) => same(&folder, &packed),
                    (Err(_), Err(_)) => assert_eq!(split, Split::All),
                    (folder, packed) => panic!("{:?} and {:?}", folder.err(), packed.err()),
                }
            }
        }
        let verified = verify(&path, 2).unwrap();
        assert_eq!(verified.fingerprint, packed_as.fingerprint);
        assert!(verified.damaged.is_empty() && verified.unreadable.is_empty());
    }
}

#[test]
fn packs_of_another_kind_are_named() {
    let dir = voc();
    let (_folder, path, _) = pack_of(dir.path(), &OPTIONS);
    let classes = ImageFolder {
        dir: &path,
        split: Split::Train,
        seed: 0,
        truth: Some(crate::Truth::Masks),
        classes: None,
        once: None,
    };
    fails(
        packed(&classes),
        "holds boxes of objects: read it as `--dataset coco`",
    );
    let lists = AttributeFolder {
        dir: &path,
        labels: None,
        split: Split::Train,
        seed: 0,
        truth: None,
        known: None,
        once: None,
        crop: false,
    };
    fails(attributes(&lists), "holds boxes of objects");
    let pictures = folder(&["a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg"], &[]);
    let one = PackOptions {
        labels: PackedLabels::One,
        ..OPTIONS
    };
    let (_folder, other, _) = pack_of(pictures.path(), &one);
    fails(open(&other, Split::Train, 7), "holds one label an image");
    let resized = PackOptions {
        stored: Stored::Shorter(4),
        ..OPTIONS
    };
    let out = path.with_extension("other");
    fails(
        pack(dir.path(), &out, &resized, &mut go),
        "leave out --size",
    );
    fails(pack(pictures.path(), &out, &OPTIONS, &mut go), "COCO's");
    assert!(!out.exists());
}

#[test]
fn an_image_of_another_size_is_refused_or_left_out_with_its_reason() {
    let dir = coco();
    let image = RgbImage::new(5, 5);
    image.save(dir.path().join("val2017/e.jpg")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.abnpack");
    fails(pack(dir.path(), &path, &OPTIONS, &mut go), "e.jpg");
    let leave_out = PackOptions {
        leave_out: true,
        ..OPTIONS
    };
    let packed = pack(dir.path(), &path, &leave_out, &mut go).unwrap();
    assert_eq!((packed.images, packed.resumed), (5, 4));
    assert_eq!(packed.unreadable[0].0, "val2017/e.jpg");
    let held_out = open(&path, Split::HeldOut, 7).unwrap();
    fails(
        held_out.samples.get(0),
        "could not be read when it was packed",
    );
}

#[test]
fn an_interrupted_packing_goes_on_and_ends_with_the_same_bytes() {
    let dir = voc();
    let (_folder, whole, _) = pack_of(dir.path(), &OPTIONS);
    let expected = fs::read(&whole).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.abnpack");
    for stop in 0..=5 {
        let mut watch = |done, _| match done == stop {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let stopped = pack(dir.path(), &path, &OPTIONS, &mut watch);
        fails(stopped, &format!("stopped after {stop} of 5"));
    }
    // What is told of the third image is something else now: it and what follows is packed anew.
    fs::write(dir.path().join("Annotations/c.xml"), xml("dog", 0)).unwrap();
    let packed = pack(dir.path(), &path, &OPTIONS, &mut go).unwrap();
    assert_eq!(packed.resumed, 2);
    assert!(fs::read(&path).unwrap() != expected);
    fs::remove_file(&path).unwrap();
    fs::write(dir.path().join("Annotations/c.xml"), xml("cat", 0)).unwrap();
    pack(dir.path(), &path, &OPTIONS, &mut go).unwrap();
    assert!(fs::read(&path).unwrap() == expected);
}
