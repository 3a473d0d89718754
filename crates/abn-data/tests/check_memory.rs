//! A check of many images takes the memory of few.
//!
//! A binary of its own, because its allocator counts.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use std::fs;
use std::ops::ControlFlow;

use abn_data::check_folder;
use image::{Rgb, RgbImage};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

#[test]
fn memory_does_not_grow_with_the_set() {
    let (side, images, workers) = (512_u32, 100_u8, 2);
    let dir = tempfile::tempdir().unwrap();
    for number in 0..images {
        let class = dir.path().join(if number % 2 == 0 { "a" } else { "b" });
        fs::create_dir_all(&class).unwrap();
        let image = RgbImage::from_pixel(side, side, Rgb([number, 0, 0]));
        image.save(class.join(format!("{number}.png"))).unwrap();
    }
    let decoded = 3 * (side * side) as usize;
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let mut watch = |_, _| ControlFlow::Continue(());
    let report = check_folder(dir.path(), workers, &mut watch).unwrap();
    let rise = MEMORY.peak_usage() - before;
    assert_eq!((report.images, report.is_sound()), (100, true));
    // One image a thread, twice while it is made upright, and the rest of the decoder; all of them
    // would be 79 MB.
    assert!(rise < 3 * workers * decoded, "{rise} bytes");
}
