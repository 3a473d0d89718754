//! Images are resized to the same bytes with every instruction set, so a photograph is the same
//! everywhere.

use image::{GrayImage, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use sha2::{Digest, Sha256};

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
        digest.update(abn_resize::rgb(&colours, to).unwrap().as_raw());
        digest.update(abn_resize::gray(&grays, to).unwrap().as_raw());
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
