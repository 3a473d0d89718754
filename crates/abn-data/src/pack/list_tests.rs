//! Packs of several labels an image, in every layout, against the folders themselves.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};
use tempfile::TempDir;

use super::test_packs::{fails, go, pack_of};
use super::*;
use crate::{
    AttributeFolder, Collection, DataError, ImageFolder, ObjectMasks, Split, Step, Truth,
    attributes,
};

const SIZES: [(u32, u32); 3] = [(30, 20), (20, 33), (24, 24)];

fn picture(number: usize) -> RgbImage {
    let (width, height) = SIZES[number % SIZES.len()];
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(9 * x) as u8 ^ number as u8, (7 * y) as u8, number as u8])
    })
}

/// A folder with these pictures, by number, and these texts.
fn folder(pictures: &[&str], texts: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    for (number, name) in pictures.iter().enumerate() {
        let picture = picture(number);
        picture
            .save_with_format(place(name), image::ImageFormat::Png)
            .unwrap();
    }
    for (name, text) in texts {
        fs::write(place(name), text).unwrap();
    }
    dir
}

/// A table with unknown labels, splits by chance, and masks for some images.
fn table() -> TempDir {
    let names: Vec<String> = (0..7)
        .map(|number| format!("images/{number}.png"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let text = "image,hat,red,age\n0,1,?,0\n1,0,1,1\n2,,0,1\n3,1,1,\n4,0,0,1\n5,1,0,0\n6,0,1,1\n";
    let dir = folder(&names, &[("labels.csv", text)]);
    fs::create_dir_all(dir.path().join("masks")).unwrap();
    for number in [0, 2, 5] {
        let (width, height) = SIZES[number % SIZES.len()];
        let mask = GrayImage::from_fn(width, height, |x, y| Luma([u8::from(x > y) * 200]));
        mask.save(dir.path().join(format!("masks/{number}.png")))
            .unwrap();
    }
    dir
}

/// CelebA with parts and landmarks.
fn faces() -> TempDir {
    let points = "6 6 14 6 10 10 7 14 13 14";
    let landmarks: String = (1..5)
        .map(|number| format!("{number}.jpg {points}\n"))
        .collect();
    folder(
        &[
            "img_align_celeba/1.jpg",
            "img_align_celeba/2.jpg",
            "img_align_celeba/3.jpg",
            "4.jpg",
        ],
        &[
            (
                "list_attr_celeba.txt",
                "4\nBald Smiling Big_Lips Eyeglasses\n1.jpg -1 1 1 -1\n2.jpg 1 -1 1 1\n\
                 3.jpg 1 1 -1 1\n4.jpg -1 1 1 1\n",
            ),
            (
                "list_eval_partition.txt",
                "1.jpg 0\n2.jpg 0\n3.jpg 1\n4.jpg 2\n",
            ),
            (
                "list_landmarks_align_celeba.txt",
                &format!("4\na b c d e f g h i j\n{landmarks}"),
            ),
        ],
    )
}

const OBJECT: &str = "<object><name>cat</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>12</xmax>\
                      <ymax>13</ymax></bndbox></object>";

/// VOC, whose boxes lie in a file an image; of one nothing is known.
fn voc() -> TempDir {
    let names = ["a", "b", "c", "d"].map(|name| format!("VOC2007/JPEGImages/{name}.jpg"));
    let annotation = format!("<annotation>{OBJECT}</annotation>");
    folder(
        &names.each_ref().map(String::as_str),
        &[
            ("VOC2007/ImageSets/Main/cat_train.txt", "a 1\nb 0\n"),
            ("VOC2007/ImageSets/Main/dog_train.txt", "a -1\nb 1\n"),
            ("VOC2007/ImageSets/Main/cat_val.txt", "c 1\nd -1\n"),
            ("VOC2007/ImageSets/Main/dog_val.txt", "c -1\nd 1\n"),
            ("VOC2007/Annotations/a.xml", &annotation),
            ("VOC2007/Annotations/b.xml", "<annotation></annotation>"),
            ("VOC2007/Annotations/c.xml", &annotation),
        ],
    )
}

/// COCO with two splits.
fn coco() -> TempDir {
    let list = |image: u32| {
        format!(
            r#"{{"images": [{{"id": {image}, "file_name": "{image}.jpg"}}], "annotations":
            [{{"id": 1, "image_id": {image}, "category_id": 3, "bbox": [2, 1.5, 6, {image}]}}],
            "categories": [{{"id": 3, "name": "cat"}}, {{"id": 1, "name": "dog"}}]}}"#
        )
    };
    folder(
        &["train2017/4.jpg", "val2017/5.jpg"],
        &[
            ("annotations/instances_train2017.json", &list(4)),
            ("annotations/instances_val2017.json", &list(5)),
        ],
    )
}

/// CompCars with three models of two makes.
fn cars() -> TempDir {
    let names = ["1/2/2014/a", "1/3/2014/b", "4/5/2013/c", "1/3/2014/d"];
    let pictures = names.map(|name| format!("image/{name}.jpg"));
    let boxes: Vec<(String, String)> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            (
                format!("label/{name}.txt"),
                format!("1\n1\n{} 3 15 18\n", at + 2),
            )
        })
        .collect();
    let list =
        |names: &[&str]| -> String { names.iter().map(|name| format!("{name}.jpg\n")).collect() };
    let (train, test) = (list(&names[..3]), list(&names[3..]));
    let mut texts: Vec<(&str, &str)> = boxes
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    texts.push(("train_test_split/classification/train.txt", &train));
    texts.push(("train_test_split/classification/test.txt", &test));
    folder(&pictures.each_ref().map(String::as_str), &texts)
}

/// CUB's attributes.
fn birds() -> TempDir {
    folder(
        &[
            "images/1.Bird/a.jpg",
            "images/1.Bird/b.jpg",
            "images/1.Bird/c.jpg",
        ],
        &[
            (
                "images.txt",
                "1 1.Bird/a.jpg\n2 1.Bird/b.jpg\n3 1.Bird/c.jpg\n",
            ),
            ("train_test_split.txt", "1 1\n2 1\n3 0\n"),
            ("attributes.txt", "1 has_bill::long\n2 has_wing::red\n"),
            (
                "attributes/image_attribute_labels.txt",
                "1 1 0 3 1\n1 2 1 4 2\n2 1 1 1 1\n2 2 0 3 1\n3 1 1 3 1\n3 2 1 3 1\n",
            ),
            (
                "bounding_boxes.txt",
                "1 3.0 2.0 9.0 8.0\n2 1.0 1.0 90.0 9.5\n3 0.0 0.0 5.0 5.0\n",
            ),
        ],
    )
}

fn options(stored: Stored, labels: Option<&str>, crop: bool) -> PackOptions {
    PackOptions {
        stored,
        truth: None,
        leave_out: false,
        workers: 2,
        labels: PackedLabels::Several {
            labels: labels.map(str::to_owned),
            crop,
        },
    }
}

const BOTH: [Stored; 2] = [Stored::AsTheyAre, Stored::Shorter(16)];
const SPLITS: [Split; 4] = [Split::Train, Split::HeldOut, Split::Test, Split::All];

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

/// A pack gives what its folder gives.
#[track_caller]
fn same(folder: &Collection, packed: &Collection, stored: Stored) {
    let (files, packed_files) = (
        folder.files.as_ref().unwrap(),
        packed.files.as_ref().unwrap(),
    );
    // In a folder, it is told where masks were looked for.
    let others = |notes: &[String]| -> Vec<String> {
        let others = notes
            .iter()
            .filter(|note| !note.starts_with("none of the masks"));
        others.cloned().collect()
    };
    assert_eq!(others(&packed.notes), others(&folder.notes));
    assert_eq!(packed.notes.len(), folder.notes.len());
    assert_eq!(
        (&packed.labels, packed.masked),
        (&folder.labels, folder.masked)
    );
    assert_eq!(packed_files.counts(), files.counts());
    assert_eq!(packed.samples.len(), folder.samples.len());
    for index in 0..folder.samples.len() {
        assert_eq!(packed_files.name(index), files.name(index));
        assert_eq!(packed_files.path(index), None);
        let file = fs::read(files.path(index).unwrap()).unwrap();
        assert_eq!(packed_files.sha256(index), Some(record::sha256(&file)));
        let mut sample = folder.samples.get(index).unwrap();
        if let Stored::Shorter(size) = stored {
            let (step, mut rng) = (
                Step::ResizeShorter { size },
                crate::random::augmentation(0, 0, 0),
            );
            sample.image = step.apply(sample.image, &mut rng).unwrap();
            sample.masks = sample.masks.map(|mask| step.apply(mask, &mut rng)).unwrap();
        }
        let found = packed.samples.get(index).unwrap();
        assert!(found == sample, "{}", files.name(index));
    }
}

/// Opens both, and compares what they give or why they give nothing.
#[track_caller]
fn compared(folder: &AttributeFolder, pack: &AttributeFolder, stored: Stored) -> usize {
    let told =
        |error: DataError, dir: &Path| error.to_string().replace(&dir.display().to_string(), "DIR");
    match (attributes(folder), attributes(pack)) {
        (Ok(folder), Ok(packed)) => {
            same(&folder, &packed, stored);
            folder.samples.len()
        }
        (Err(of_folder), Err(of_pack)) => {
            assert_eq!(told(of_folder, folder.dir), told(of_pack, pack.dir));
            0
        }
        (folder, packed) => panic!("{:?} and {:?}", folder.err(), packed.err()),
    }
}

#[test]
fn a_pack_gives_what_its_folder_gives() {
    let layouts = [
        (table(), None),
        (faces(), None),
        (voc(), None),
        (coco(), None),
        (cars(), Some("make")),
        (cars(), Some("both")),
        (birds(), None),
    ];
    for (number, (dir, labels)) in layouts.iter().enumerate() {
        let dir = dir.path();
        for stored in BOTH {
            let (_folder, path, packed_as) = pack_of(dir, &options(stored, *labels, false));
            assert!(is_pack(&path));
            assert_eq!(fs::read(&path).unwrap()[8..12], [2, 0, 0, 0]);
            let mut images = 0;
            for (split, seed) in SPLITS.iter().flat_map(|split| [(*split, 7), (*split, 8)]) {
                let of = |dir| AttributeFolder {
                    seed,
                    labels: *labels,
                    ..request(dir, split)
                };
                images += compared(&of(dir), &of(&path), stored);
            }
            assert!(images > 4, "layout {number}");
            let verified = verify(&path, 2).unwrap();
            assert_eq!(verified.fingerprint, packed_as.fingerprint);
            assert_eq!(
                (verified.images, verified.damaged.len()),
                (packed_as.images, 0)
            );
        }
    }
}

#[test]
fn labels_of_a_run_are_found_in_a_pack() {
    let dir = cars();
    let (_folder, path, _) = pack_of(dir.path(), &options(Stored::AsTheyAre, Some("both"), false));
    let make = attributes(&AttributeFolder {
        labels: Some("make"),
        ..request(dir.path(), Split::Train)
    });
    let make = make.unwrap().labels;
    let found = attributes(&AttributeFolder {
        known: Some(&make),
        ..request(&path, Split::HeldOut)
    });
    let found = found.unwrap();
    assert_eq!(found.labels, make);
    let notes = found.notes.join("\n");
    assert!(notes.contains("left out: model"), "{notes}");
    let asked = |labels| {
        attributes(&AttributeFolder {
            labels: Some(labels),
            ..request(&path, Split::Train)
        })
    };
    asked("both").unwrap();
    fails(
        asked("make"),
        "holds the labels of both: expected those of make",
    );
    // Who asked for nothing has the models.
    let (_folder, path, _) = pack_of(dir.path(), &options(Stored::AsTheyAre, None, false));
    let models = attributes(&AttributeFolder {
        labels: Some("model"),
        ..request(&path, Split::Train)
    });
    assert_eq!(models.unwrap().labels.groups()[0].name, "model");
}

#[test]
fn packs_of_the_other_kind_are_named() {
    let dir = table();
    let (_folder, path, _) = pack_of(dir.path(), &options(Stored::AsTheyAre, None, false));
    let one = ImageFolder {
        dir: &path,
        split: Split::Train,
        seed: 0,
        truth: None,
        classes: None,
        once: None,
    };
    fails(packed(&one), "read it as `--dataset attributes`");
    let classes = folder(&["a/1.png", "a/2.png", "b/3.png", "b/4.png"], &[]);
    let one = PackOptions {
        labels: PackedLabels::One,
        ..options(Stored::AsTheyAre, None, false)
    };
    let (_folder, other, _) = pack_of(classes.path(), &one);
    fails(
        attributes(&request(&other, Split::Train)),
        "read it as `--dataset folder`",
    );
    let asked = attributes(&AttributeFolder {
        truth: Some(Truth::Boxes),
        ..request(&path, Split::Train)
    });
    fails(asked, "holds masks: expected boxes");
}

#[test]
fn an_interrupted_packing_goes_on_and_ends_with_the_same_bytes() {
    let dir = voc();
    for stored in BOTH {
        let options = options(stored, None, false);
        let (_folder, whole, _) = pack_of(dir.path(), &options);
        let expected = fs::read(&whole).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.abnpack");
        let partial = folder.path().join("set.abnpack.partial");
        for stop in 0..=4 {
            let mut watch = |done, _| match done == stop {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            };
            let stopped = pack(dir.path(), &path, &options, &mut watch);
            fails(stopped, &format!("stopped after {stop} of 4"));
        }
        let complete = fs::read(&partial).unwrap();
        for length in (0..=complete.len()).step_by(131) {
            fs::write(&partial, &complete[..length]).unwrap();
            pack(dir.path(), &path, &options, &mut go).unwrap();
            assert!(fs::read(&path).unwrap() == expected, "{length} bytes left");
            fs::remove_file(&path).unwrap();
        }
        // What is known of the object in the third image, or the labels, are others now.
        let resumed = || {
            fs::write(&partial, &complete).unwrap();
            let packed = pack(dir.path(), &path, &options, &mut go).unwrap();
            let (_folder, fresh, _) = pack_of(dir.path(), &options);
            assert!(fs::read(&path).unwrap() == fs::read(fresh).unwrap());
            fs::remove_file(&path).unwrap();
            packed.resumed
        };
        assert_eq!(resumed(), 4);
        let list = dir.path().join("VOC2007/ImageSets/Main/cat_train.txt");
        fs::write(&list, "a 1\nb 1\n").unwrap();
        assert_eq!(resumed(), 4, "labels lie behind the images");
        fs::write(&list, "a 1\nb 0\n").unwrap();
        let annotation = dir.path().join("VOC2007/Annotations/c.xml");
        fs::remove_file(&annotation).unwrap();
        assert_eq!(resumed(), 2);
        fs::write(annotation, format!("<annotation>{OBJECT}</annotation>")).unwrap();
    }
}

#[test]
fn the_fingerprint_is_of_images_and_labels() {
    let dir = table();
    let of = |stored| {
        pack_of(dir.path(), &options(stored, None, false))
            .2
            .fingerprint
    };
    let before = of(Stored::AsTheyAre);
    assert_eq!(of(Stored::Shorter(9)), before);
    let list = dir.path().join("labels.csv");
    let text = fs::read_to_string(&list).unwrap();
    for (from, to) in [("5,1,0,0", "5,1,0,?"), ("red", "blue"), ("4,0,0,1\n", "")] {
        fs::write(&list, text.replacen(from, to, 1)).unwrap();
        assert_ne!(of(Stored::AsTheyAre), before, "{to}");
    }
    fs::write(&list, text).unwrap();
    assert_eq!(of(Stored::AsTheyAre), before);
}

#[test]
fn every_flipped_bit_is_found_and_named() {
    let dir = faces();
    let (_folder, path, _) = pack_of(dir.path(), &options(Stored::AsTheyAre, None, false));
    let good = fs::read(&path).unwrap();
    let index = index::Index::open(&path).unwrap();
    for number in [0, 1, 3] {
        let spot = index.spots[number];
        assert!(spot.mask > 0);
        let image = spot.offset..spot.offset + u64::from(spot.image);
        let mask = spot.mask_offset()..spot.mask_offset() + u64::from(spot.mask);
        for at in image.chain(mask).step_by(17) {
            let mut bad = good.clone();
            bad[at as usize] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            let name = index.what.name(number);
            assert_eq!(
                verify(&path, 1).unwrap().damaged,
                std::slice::from_ref(&name)
            );
            let found = SPLITS.iter().filter_map(|split| {
                let images = attributes(&request(&path, *split)).ok()?;
                (0..images.samples.len()).find_map(|index| images.samples.get(index).err())
            });
            let found: Vec<DataError> = found.collect();
            assert_eq!(found.len(), 1);
            assert!(found[0].is_damage() && found[0].to_string().starts_with(&name));
        }
    }
}

#[test]
fn images_that_cannot_be_read_keep_their_places() {
    let dir = table();
    fs::write(dir.path().join("images/3.png"), "no picture").unwrap();
    let stored = Stored::Shorter(16);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("set");
    fails(
        pack(dir.path(), &path, &options(stored, None, false), &mut go),
        "images/3.png is not an image",
    );
    let options = PackOptions {
        leave_out: true,
        ..options(stored, None, false)
    };
    let made = pack(dir.path(), &path, &options, &mut go).unwrap();
    assert_eq!(
        (made.images, made.unreadable[0].0.as_str()),
        (7, "images/3.png")
    );
    let all = attributes(&request(&path, Split::All)).unwrap();
    let read: Vec<bool> = (0..7).map(|index| all.samples.get(index).is_ok()).collect();
    assert_eq!(read, [true, true, true, false, true, true, true]);
    fails(all.samples.get(3), "could not be read when it was packed");
}

#[test]
fn cropped_packs_give_what_cropping_their_folders_gives() {
    for (dir, truth) in [(cars(), true), (birds(), true), (table(), false)] {
        let dir = dir.path();
        if !truth {
            let whole = "0,0,0,30,20";
            let boxes: String = (1..7)
                .map(|number| format!("{number},1.5,2,11,13\n"))
                .collect();
            fs::write(
                dir.join("boxes.csv"),
                format!("image,x0,y0,x1,y1\n{whole}\n{boxes}"),
            )
            .unwrap();
            let text = fs::read_to_string(dir.join("boxes.csv")).unwrap();
            let named =
                text.lines()
                    .enumerate()
                    .map(|(line, text)| match (line, text.split_once(',')) {
                        (1.., Some((number, rest))) => format!("{number}.png,{rest}\n"),
                        _ => format!("{text}\n"),
                    });
            fs::write(dir.join("boxes.csv"), named.collect::<String>()).unwrap();
        }
        for stored in BOTH {
            let (_folder, path, _) = pack_of(dir, &options(stored, None, true));
            let mut images = 0;
            for split in SPLITS {
                let of = |dir| AttributeFolder {
                    crop: true,
                    ..request(dir, split)
                };
                images += compared(&of(dir), &of(&path), stored);
            }
            assert!(images > 2);
            let uncropped = attributes(&request(&path, Split::Train));
            match stored {
                Stored::AsTheyAre => {
                    let folder = attributes(&request(dir, Split::Train)).unwrap();
                    same(&folder, &uncropped.unwrap(), stored);
                }
                Stored::Shorter(_) => fails(uncropped, "images that are cropped to their objects"),
            }
            let (_folder, path, _) = pack_of(dir, &options(stored, None, false));
            let cropped = attributes(&AttributeFolder {
                crop: true,
                ..request(&path, Split::Train)
            });
            fails(
                cropped,
                "holds no boxes to which its images could be cropped",
            );
        }
    }
    let dir = voc();
    let out = dir.path().join("out");
    fails(
        pack(dir.path(), &out, &options(BOTH[0], None, true), &mut go),
        "has no box for each image",
    );
}

#[test]
fn the_objects_of_a_cropped_image_move_with_it() {
    let dir = birds();
    let open = |crop| {
        let opened = attributes(&AttributeFolder {
            crop,
            ..request(dir.path(), Split::Train)
        });
        opened.unwrap().samples
    };
    let (whole, cropped) = (open(false).get(0).unwrap(), open(true).get(0).unwrap());
    assert_eq!(cropped.image.dimensions(), (9, 8));
    for (x, y, pixel) in cropped.image.enumerate_pixels() {
        assert_eq!(pixel, whole.image.get_pixel(x + 3, y + 2));
    }
    let all = ObjectMasks::OfAll(GrayImage::from_pixel(9, 8, Luma([255])));
    assert_eq!(cropped.masks, all);
    // Clipped to an image of 20 x 33 pixels: rows 1 to 9, of which the last one's centre is outside.
    let second = open(true).get(1).unwrap();
    assert_eq!(second.image.dimensions(), (19, 9));
}
