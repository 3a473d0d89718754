//! Image files of every kind: seen as their author meant them, or refused by name.

use std::fs;
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{
    DynamicImage, ExtendedColorType, ImageBuffer, ImageEncoder, Rgb, RgbImage, Rgba, imageops,
};
use serde_json::Value;

use crate::explain::{parse, picture, with_run};
use crate::program::{fails, succeeds};

fn logits(path: &Path, file: &str) -> Value {
    parse(&succeeds(path, &format!("predict run {file} --json")).out)["images"][0]["logits"].clone()
}

/// EXIF with the orientation tag alone: turn clockwise to view.
fn lying_on_its_side() -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0".to_vec();
    block.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]);
    block.extend([0; 4]);
    block
}

/// A PNG whose first frame is the image and whose second is black.
fn animated(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width(), image.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(image.as_raw()).unwrap();
    writer
        .write_image_data(&vec![0; image.as_raw().len()])
        .unwrap();
    writer.finish().unwrap();
    bytes
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image
        .into()
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

/// Each kind of file, and the plain 8-bit image that it must be seen as.
fn kinds() -> Vec<(&'static str, Vec<u8>, RgbImage)> {
    let image = picture(40, 32, 5);
    let deep = ImageBuffer::from_fn(40, 32, |x, y| {
        Rgb(image.get_pixel(x, y).0.map(|v| u16::from(v) * 257))
    });
    let gray = imageops::grayscale(&image);
    let gray_as_rgb = RgbImage::from_fn(40, 32, |x, y| Rgb([gray.get_pixel(x, y)[0]; 3]));
    let half = ImageBuffer::from_fn(40, 32, |x, y| {
        let Rgb([r, g, b]) = *image.get_pixel(x, y);
        Rgba([r, g, b, if x < 20 { 255 } else { 0 }])
    });
    let on_white = RgbImage::from_fn(40, 32, |x, y| {
        if x < 20 {
            *image.get_pixel(x, y)
        } else {
            Rgb([255; 3])
        }
    });
    let mut rotated = Vec::new();
    let mut encoder = PngEncoder::new(&mut rotated);
    encoder.set_exif_metadata(lying_on_its_side()).unwrap();
    encoder
        .write_image(image.as_raw(), 40, 32, ExtendedColorType::Rgb8)
        .unwrap();
    vec![
        (
            "deep.png",
            png(DynamicImage::ImageRgb16(deep)),
            image.clone(),
        ),
        ("gray.png", png(gray), gray_as_rgb),
        ("transparent.png", png(half), on_white),
        ("rotated.png", rotated, imageops::rotate90(&image)),
        ("animated.png", animated(&image), image),
    ]
}

#[test]
fn every_kind_of_file_is_seen_as_its_author_meant_it() {
    let folder = with_run("abn");
    let path = folder.path();
    let mut seen = Vec::new();
    for (name, bytes, plain) in kinds() {
        fs::write(path.join(name), bytes).unwrap();
        plain.save(path.join("plain.png")).unwrap();
        let found = logits(path, name);
        assert_eq!(found, logits(path, "plain.png"), "{name}");
        seen.push(found);
    }
    // That the answers agree says something because pictures that differ get different answers.
    assert!(seen[0] == seen[4] && seen[0] != seen[1] && seen[0] != seen[2] && seen[0] != seen[3]);
}

/// Four channels of ink, as image editors save for print: see `fixtures/images/make.py`.
#[test]
fn photographs_for_print_keep_their_colours() {
    let colors = [
        [220, 30, 40],
        [30, 60, 200],
        [250, 250, 250],
        [40, 140, 70],
        [20, 20, 20],
        [240, 200, 40_u8],
    ];
    for name in ["cmyk.jpg", "ycck.jpg"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/images")
            .join(name);
        let image = abn_data::read_image(&file).unwrap();
        assert_eq!(image.dimensions(), (24, 16));
        for (x, y, pixel) in image.enumerate_pixels() {
            let color = colors[x as usize / 4];
            let close = pixel.0.iter().zip(color).all(|(a, b)| a.abs_diff(b) <= 3);
            assert!(close, "{name}: {pixel:?} instead of {color:?} at {x}, {y}");
        }
    }
}

#[test]
fn files_of_every_shape_are_explained_and_the_rest_is_named() {
    let folder = with_run("abn");
    let path = folder.path();
    fs::create_dir(path.join("photos")).unwrap();
    let good = [
        ("dot.png", (1, 1)),
        ("line.png", (20_000, 3)),
        ("tower.png", (2, 20_000)),
        ("odd.png", (333, 77)),
    ];
    for (name, (width, height)) in good {
        picture(width, height, 2)
            .save(path.join("photos").join(name))
            .unwrap();
    }
    for name in ["cmyk.jpg", "ycck.jpg"] {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images");
        fs::copy(fixtures.join(name), path.join("photos").join(name)).unwrap();
    }
    let avif = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1";
    let whole = png(picture(64, 64, 1));
    let bad = [
        ("text.png", &b"once upon a time"[..], "no image format"),
        ("empty.jpg", b"", "is empty"),
        ("phone.png", avif, "found image/avif"),
        ("cut.png", &whole[..whole.len() / 2], "cannot decode"),
    ];
    for (name, bytes, _) in bad {
        fs::write(path.join("photos").join(name), bytes).unwrap();
    }
    for command in ["explain run photos --out maps", "predict run photos/*"] {
        let files = fs::read_dir(path.join("photos"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files: Vec<_> = files
            .map(|file| file.to_str().unwrap().to_owned())
            .collect();
        let arguments = command.replace("photos/*", &files.join(" "));
        let said = fails(path, &arguments, 1, &["4 of 10 images could not be read"]);
        for (name, _, words) in bad {
            let named = said
                .err
                .lines()
                .any(|line| line.contains(name) && line.contains(words));
            assert!(named, "{name}: {}", said.err);
        }
    }
    // Squares of what the network saw: the image and four maps.
    for entry in fs::read_dir(path.join("maps")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "png") {
            let (width, height) = image::image_dimensions(&file).unwrap();
            assert_eq!(width, 5 * height + 4 * 4, "{}", file.display());
        }
    }
    let page = fs::read_to_string(path.join("maps/index.html")).unwrap();
    assert_eq!(page.matches("<article").count(), 6);
}
