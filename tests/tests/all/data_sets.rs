//! Folders of photographs as people have them: what they mean is understood, or refused by name.
//! The small data sets here are made; `../shared/field` has the ones that people reported.

use std::fs;
use std::path::Path;

use image::{GrayImage, ImageEncoder, Luma, Rgb, RgbImage};
use serde_json::json;

use crate::folder::{TRAIN, class, config, parse};
use crate::program::{fails, succeeds};

const COLORS: [(&str, [u8; 3]); 3] = [
    ("blue", [20, 20, 210]),
    ("green", [20, 210, 20]),
    ("red", [210, 20, 20]),
];

/// So many images of blue, green and red in folders below `folder`.
fn colors(folder: &Path, count: u32) {
    for (name, color) in COLORS {
        class(&folder.join(name), color, count);
    }
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry
            .map(|entry| (entry.path(), entry.file_name()))
            .unwrap();
        if path.is_dir() {
            copied(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_validation_folder_is_held_out_and_the_test_folder_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    colors(&path.join("photos/train"), 6);
    colors(&path.join("photos/valid"), 3);
    colors(&path.join("photos/test"), 2);
    let said = succeeds(path, TRAIN);
    for words in [
        "(3 classes): 18 training, 9 test images",
        "training: 18 images in 3 classes, 6 of each",
        "held out: 9 images in 3 classes, 3 of each",
        "test/ is not used to choose the epoch by",
    ] {
        assert!(said.err.contains(words), "no `{words}` in {}", said.err);
    }
    assert_eq!(
        config(&path.join("run"))["classes"],
        json!(["blue", "green", "red"])
    );
    for (split, images) in [
        ("", 9),
        (" --split held-out", 9),
        (" --split test", 6),
        (" --split train", 18),
    ] {
        let eval = parse(&succeeds(path, &format!("eval run{split} --json")).out);
        assert_eq!(eval["images"], images, "{split}");
    }
    fails(path, "eval run --split all", 1, &["photos holds splits"]);
    fs::rename(path.join("photos/train"), path.join("photos/blue")).unwrap();
    fails(
        path,
        &TRAIN.replace("--out run", "--out other"),
        1,
        &["valid", "test", "rename"],
    );
}

#[test]
fn another_folder_is_measured_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    colors(&path.join("photos"), 10);
    colors(&path.join("new"), 4);
    colors(&path.join("one"), 1);
    class(&path.join("two/red"), [210, 20, 20], 2);
    class(&path.join("two/blue"), [20, 20, 210], 2);
    succeeds(path, TRAIN);
    let images = |arguments: &str| {
        let said = succeeds(path, &format!("{arguments} --json"));
        (parse(&said.out)["images"].as_u64().unwrap(), said.err)
    };
    let (count, said) = images("eval run --data new");
    assert_eq!(count, 12);
    assert!(said.contains("all 12 images are taken"), "{said}");
    assert_eq!(images("eval run --data one").0, 3);
    let (count, said) = images("eval run --data two");
    assert_eq!(count, 4);
    assert!(
        said.contains("1 of 3 classes have no images here: green"),
        "{said}"
    );
    // The run's own folder, and a copy of it, are held out as before.
    assert_eq!(images("eval run").0, 6);
    // Without test images apart, those held out and never those learned.
    let (count, said) = images("eval run --split test");
    assert_eq!(count, 6);
    assert!(said.contains("there are no test images apart"), "{said}");
    assert_eq!(images("eval run --data photos").0, 6);
    copied(&path.join("photos"), &path.join("copy"));
    assert_eq!(images("eval run --data copy").0, 6);
    assert_eq!(images("eval run --data new --split held-out").0, 3);
    let scores = parse(&succeeds(path, "score run --data new --steps 2 --out o --json").out);
    assert_eq!(scores["scores"]["images"], 12);
    class(&path.join("two/pink"), [210, 120, 120], 2);
    fails(
        path,
        "eval run --data two",
        1,
        &["a class that the run lacks: pink"],
    );
}

#[test]
fn pictures_are_read_by_content_and_others_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    colors(&path.join("photos"), 6);
    let picture = RgbImage::from_pixel(40, 30, Rgb([210, 20, 20]));
    for (name, format) in [
        ("a.webp", image::ImageFormat::WebP),
        ("a.bmp", image::ImageFormat::Bmp),
        ("a.tif", image::ImageFormat::Tiff),
        ("a.gif", image::ImageFormat::Gif),
        ("a.ppm", image::ImageFormat::Pnm),
        ("webp_named.jpg", image::ImageFormat::WebP),
    ] {
        picture
            .save_with_format(path.join("photos/red").join(name), format)
            .unwrap();
    }
    for number in 0..20 {
        let class = ["red", "blue"][number % 2];
        fs::write(
            path.join(format!("photos/{class}/{number}.avif")),
            "ftypavif",
        )
        .unwrap();
    }
    let said = succeeds(path, TRAIN);
    assert!(
        said.err.contains("20 pictures in 2 folders are left out"),
        "{}",
        said.err
    );
    assert!(said.err.contains("20 .avif"), "{}", said.err);
    assert!(
        said.err.contains("20 training, 4 test images"),
        "{}",
        said.err
    );
    let found = succeeds(
        path,
        "predict run photos/red/a.webp photos/red/a.gif photos/red/webp_named.jpg",
    );
    assert_eq!(found.out.lines().count(), 3);
    fs::write(path.join("x.avif"), b"\0\0\0\x1cftypavif\0\0\0\0avifmif1").unwrap();
    fails(path, "predict run x.avif", 1, &["WebP", "found image/avif"]);
}

#[test]
fn a_picture_that_is_too_large_is_told_with_both_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    colors(&path.join("photos"), 3);
    succeeds(path, TRAIN);
    let mut bytes = Vec::new();
    // A bitmap whose header promises 30000 x 30000 pixels.
    image::codecs::bmp::BmpEncoder::new(&mut bytes)
        .write_image(&[0; 3], 1, 1, image::ExtendedColorType::Rgb8)
        .unwrap();
    bytes[18..22].copy_from_slice(&30_000_u32.to_le_bytes());
    bytes[22..26].copy_from_slice(&30_000_u32.to_le_bytes());
    fs::write(path.join("huge.bmp"), bytes).unwrap();
    fails(
        path,
        "predict run huge.bmp",
        1,
        &["30000x30000 pixels", "512 MiB", "scale it down"],
    );
}

#[test]
fn masks_follow_the_orientation_of_their_photographs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (class, color) in COLORS {
        let [images, masks] =
            ["images", "masks"].map(|name| path.join("photos").join(name).join(class));
        fs::create_dir_all(&images).unwrap();
        fs::create_dir_all(&masks).unwrap();
        for number in 0..3 {
            let mut bytes = Vec::new();
            let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
            let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
            exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
            encoder.set_exif_metadata(exif).unwrap();
            encoder
                .encode_image(&RgbImage::from_pixel(60, 40, Rgb(color)))
                .unwrap();
            fs::write(images.join(format!("{number}.jpg")), bytes).unwrap();
            let mask = GrayImage::from_fn(60, 40, |x, _| Luma([u8::from(x < 30)]));
            mask.save(masks.join(format!("{number}.png"))).unwrap();
        }
    }
    let results = parse(&succeeds(path, &format!("{TRAIN} --json")).out);
    assert_eq!(results["pointing"]["images"], 3);
    let odd = GrayImage::from_pixel(41, 60, Luma([1]));
    for number in 0..3 {
        odd.save(path.join(format!("photos/masks/red/{number}.png")))
            .unwrap();
    }
    let other = TRAIN.replace("--out run", "--out other");
    fails(
        path,
        &other,
        1,
        &["41x60 pixels: expected 40x60", "EXIF orientation"],
    );
}

#[test]
fn masks_and_boxes_that_fit_no_image_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    colors(&path.join("photos/images"), 5);
    fs::create_dir_all(path.join("photos/masks/red")).unwrap();
    let mask = GrayImage::from_pixel(40, 36, Luma([1]));
    mask.save(path.join("photos/masks/red/00_segmentation.png"))
        .unwrap();
    let said = succeeds(path, TRAIN);
    assert!(
        said.err.contains("none of the masks is called as an image"),
        "{}",
        said.err
    );
    assert!(said.err.contains("masks/blue/"), "{}", said.err);
    fs::remove_dir_all(path.join("photos/masks")).unwrap();
    let table = "image,x0,y0,x1,y1\nnobody.png,0,0,9,9\n";
    fs::write(path.join("photos/boxes.csv"), table).unwrap();
    let said = succeeds(path, &TRAIN.replace("--out run", "--out other"));
    assert!(
        said.err.contains("the table of boxes names no image"),
        "{}",
        said.err
    );
}

#[test]
fn what_abn_wrote_is_no_part_of_a_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let photos = path.join("photos");
    colors(&photos, 6);
    let inside = TRAIN
        .replace("--data photos", "--data .")
        .replace(" --out run", "");
    succeeds(&photos, &inside);
    let eval =
        |folder: &Path, run: &str| parse(&succeeds(folder, &format!("eval {run} --json")).out);
    assert_eq!(eval(&photos, "runs/folder-resnet8-abn")["images"], 3);
    succeeds(&photos, &inside);
    succeeds(
        path,
        "explain photos/runs/folder-resnet8-abn photos/red --out photos/maps",
    );
    succeeds(
        path,
        "explain photos/runs/folder-resnet8-abn photos/red --out photos/red/maps",
    );
    let said = succeeds(path, TRAIN);
    assert!(
        said.err.contains("(3 classes): 15 training, 3 test images"),
        "{}",
        said.err
    );
    assert_eq!(eval(path, "run")["images"], 3);
    assert_eq!(
        config(&path.join("run"))["classes"],
        json!(["blue", "green", "red"])
    );
}

#[test]
fn the_same_images_on_both_sides_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    colors(&path.join("photos/train"), 3);
    copied(&path.join("photos/train"), &path.join("photos/val"));
    let said = succeeds(path, TRAIN);
    let words = "warning: 9 of the 9 held-out images are training images, too";
    assert!(said.err.contains(words), "{}", said.err);
}

#[test]
fn numbers_of_bytes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for option in [
        "--mean 123.675,116.28,103.53",
        "--mean=-1,0,0.5",
        "--mean nan,0.5,0.5",
        "--std 58.395,57.12,57.375",
        "--std 0.2,0,0.2",
        "--std inf,1,1",
    ] {
        let arguments = format!("train --dataset folder --data photos {option} --out run");
        fails(path, &arguments, 2, &["divide by 255"]);
    }
    colors(&path.join("photos"), 3);
    succeeds(
        path,
        &format!("{TRAIN} --mean 0.4823,0.4588,0.4078 --std 0.0039,1,1"),
    );
}

#[test]
fn labels_come_from_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    colors(&path.join("classes"), 5);
    fs::create_dir_all(path.join("photos/images")).unwrap();
    let mut table = "filename,label\n".to_owned();
    for (class, _) in COLORS {
        for number in 0..5 {
            let name = format!("{class}{number}.png");
            let from = path.join(format!("classes/{class}/{number:02}.png"));
            fs::copy(from, path.join("photos/images").join(&name)).unwrap();
            table += &format!("{name},{class}\n");
        }
    }
    fails(
        path,
        TRAIN,
        1,
        &["photos holds the folders images", "what each image shows"],
    );
    fs::write(path.join("photos/labels.csv"), table).unwrap();
    let said = succeeds(path, TRAIN);
    assert!(
        said.err.contains("labels are those of labels.csv"),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("(3 classes): 12 training, 3 test images"),
        "{}",
        said.err
    );
    assert_eq!(parse(&succeeds(path, "eval run --json").out)["images"], 3);
}
