//! The library that decodes JPEGs gives the same bytes with and without the vector instructions of
//! the machine, so a photograph is the same everywhere. Of resizing, see abn-resize.

use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

fn decoded(file: &[u8], vectors: bool) -> Option<Vec<u8>> {
    let options = DecoderOptions::default().set_use_unsafe(vectors);
    JpegDecoder::new_with_options(ZCursor::new(file), options)
        .decode()
        .ok()
}

/// Colours that are smooth in one half, noise in the other.
fn pixels(rng: &mut Pcg64, width: u32, height: u32) -> Vec<u8> {
    let noise = rng.random_range(1..=255);
    (0..width * height * 3)
        .map(|at| {
            let (x, y) = (at / 3 % width, at / 3 / width);
            let smooth = (x * 3 + y * 2 + at % 3 * 40) % 256;
            if 2 * x < width {
                smooth as u8
            } else {
                (smooth as u8).wrapping_add(rng.random_range(0..noise))
            }
        })
        .collect()
}

#[test]
fn jpegs_are_decoded_to_the_same_bytes() {
    let mut rng = Pcg64::seed_from_u64(1);
    for _ in 0..200 {
        let (width, height) = (rng.random_range(1..90), rng.random_range(1..90));
        let quality = rng.random_range(5..=100);
        let pixels = pixels(&mut rng, width, height);
        let mut file = Vec::new();
        JpegEncoder::new_with_quality(&mut file, quality)
            .encode(&pixels, width, height, image::ExtendedColorType::Rgb8)
            .unwrap();
        let vectors = decoded(&file, true).unwrap();
        assert!(
            Some(vectors) == decoded(&file, false),
            "{width}x{height}, quality {quality}"
        );
    }
}

/// Photographs of all kinds: subsampled colours, progressive, grey.
#[test]
#[ignore = "needs ../shared/datasets"]
fn photographs_are_decoded_to_the_same_bytes() {
    let mut files = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets"),
        &mut files,
    );
    assert!(!files.is_empty(), "no photographs there");
    let mut compared = 0;
    for path in files.iter().step_by(files.len().div_ceil(300)) {
        let file = std::fs::read(path).unwrap();
        let (with, without) = (decoded(&file, true), decoded(&file, false));
        assert!(with == without, "{}", path.display());
        compared += usize::from(with.is_some());
    }
    assert!(compared > 0, "nothing could be decoded");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("a folder").path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.to_string_lossy().to_lowercase();
        if path.is_dir() {
            collect(&path, files);
        } else if name.ends_with(".jpg") || name.ends_with(".jpeg") {
            files.push(path);
        }
    }
}
