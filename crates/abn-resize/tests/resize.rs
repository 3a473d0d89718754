//! What resizing gives: by hand, and the same bytes with every instruction set, so that a photograph is
//! the same everywhere.

use abn_resize::{gray, rgb};
use image::{GrayImage, Rgb, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use sha2::{Digest, Sha256};

#[test]
fn a_reduction_averages_with_triangular_weights() {
    // Reducing by 2, the triangle reaches 2 pixels to each side of a centre between two pixels:
    // weights 1, 3, 3, 1 of 8 inside, 3, 3, 1 of 7 at the border.
    let image = GrayImage::from_raw(6, 1, vec![70, 0, 0, 80, 4, 31]).unwrap();
    let small = gray(&image, (3, 1)).unwrap();
    // 3 * 70 / 7; (3 * 80 + 4) / 8 = 30.5, rounded up; (80 + 3 * 4 + 3 * 31) / 7 = 26.4.
    assert_eq!(small.into_raw(), [30, 31, 26]);
}

#[test]
fn an_enlargement_interpolates_between_the_centres() {
    let image = RgbImage::from_raw(2, 1, vec![0, 40, 200, 80, 40, 100]).unwrap();
    let large = rgb(&image, (4, 1)).unwrap();
    let expected = [[0, 40, 200], [20, 40, 175], [60, 40, 125], [80, 40, 100]].map(Rgb);
    assert!(large.pixels().eq(expected.iter()), "{large:?}");
}

#[test]
fn what_has_no_pixels_is_refused() {
    assert_eq!(gray(&GrayImage::new(0, 3), (2, 2)), None);
    assert_eq!(rgb(&RgbImage::new(3, 3), (2, 0)), None);
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

/// The digest is the one of the library's path without vector instructions, and of those with
/// SSE 4.1 and AVX2.
#[test]
fn images_are_resized_to_the_same_bytes() {
    let mut rng = Pcg64::seed_from_u64(2);
    let mut digest = Sha256::new();
    for _ in 0..100 {
        let mut size = || (rng.random_range(1..120), rng.random_range(1..120));
        let (from, to) = (size(), size());
        let pixels = pixels(&mut rng, from.0, from.1);
        let grays = pixels[..pixels.len() / 3].to_vec();
        let colours = RgbImage::from_raw(from.0, from.1, pixels).unwrap();
        let grays = GrayImage::from_raw(from.0, from.1, grays).unwrap();
        digest.update(rgb(&colours, to).unwrap().as_raw());
        digest.update(gray(&grays, to).unwrap().as_raw());
    }
    let digest: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        digest,
        "e37665ef5da521d4ff0bbf3f0566667d634e67db6370b254d0ac22a70ddfd8c8"
    );
}
