//! Damaged and hostile Parquet files, made from good ones by chance: each is read or refused with
//! one cause, without a panic, in bounded memory and time.
//!
//! A binary of its own, because its allocator counts. Another run: `ABN_HOSTILE_SEED=7
//! ABN_HOSTILE_CASES=1000000 cargo test -p abn-data --features parquet --test hostile_parquet`; one
//! case of it again: `ABN_HOSTILE_FIRST=1234 ABN_HOSTILE_CASES=1`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test that cannot go on should panic; counts are its result.

mod hostile;

use std::fs;
use std::ops::Range;
use std::path::Path;

use abn_data::{Collection, ImageFolder, Split, parquet};
use hostile::driven::{change, drive, interesting, is_fit_to_print, overwrite};
use hostile::{alone, watched};
use rand::{Rng, RngExt};

/// What opening may take beyond the size of the file: a buffer of images, and a dictionary in a page
/// of a megabyte, which is believed, and eight times as large when decoded. And how much more per
/// byte of the file: a page may be 64 times as large when unpacked, and again a dictionary.
const CONSTANT: usize = 12 << 20;
const PER_BYTE: usize = 64 * 9;
/// What the decoder of an image may take.
const DECODER: usize = 16 << 20;

fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parquet");
    let names = [
        "hub/train-00000-of-00002.parquet",
        "hub/test-00000-of-00001.parquet",
        "other/0000.parquet",
        "paths.parquet",
        "zstd.parquet",
    ];
    names
        .map(|name| fs::read(folder.join(name)).unwrap())
        .into()
}

/// Where the footer of a file lies.
fn footer(bytes: &[u8]) -> Range<usize> {
    let end = bytes.len() - 8;
    let length = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap());
    end - length as usize..end
}

/// A mutated file.
fn case(seeds: &[Vec<u8>], rng: &mut impl Rng) -> (&'static str, Vec<u8>) {
    let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
    let other = &seeds[rng.random_range(0..seeds.len())];
    match rng.random_range(0..3) {
        0 => (change(&mut bytes, other, rng), bytes),
        1 => {
            // The footer, whose length stays right.
            let place = footer(&bytes);
            let mut content = bytes[place.clone()].to_vec();
            for _ in 0..[1, 1, 2, 4][rng.random_range(0..4)] {
                change(&mut content, &other[footer(other)], rng);
            }
            bytes.truncate(place.start);
            bytes.extend_from_slice(&content);
            bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
            bytes.extend_from_slice(b"PAR1");
            ("footer", bytes)
        }
        _ => {
            // Pages, whose places stay right.
            let end = footer(&bytes).start;
            for _ in 0..[1, 1, 2, 4][rng.random_range(0..4)] {
                // Half of the time near the start of a page, where its header is.
                let starts: Vec<usize> = (4..end - 2)
                    .filter(|at| bytes[*at] == 0x15 && bytes[at + 2] == 0x15)
                    .collect();
                let at = match rng.random() {
                    true if !starts.is_empty() => {
                        starts[rng.random_range(0..starts.len())] + rng.random_range(0..16)
                    }
                    _ => rng.random_range(4..end),
                };
                let value = interesting(rng);
                overwrite(&mut bytes[..end], at, &value);
            }
            ("pages", bytes)
        }
    }
}

/// Opens a file of these bytes and reads all its images; the cause if it is refused.
fn judge(path: &Path, bytes: &[u8]) -> Result<(), String> {
    // Writing over a file waits for the disk, on ext4; making a new one does not.
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
    let request = ImageFolder {
        dir: path,
        split: Split::All,
        seed: 0,
        truth: None,
        classes: None,
        once: None,
    };
    let (opened, rise) = watched(|| parquet(&request));
    assert!(
        rise <= CONSTANT + PER_BYTE * bytes.len(),
        "{rise} bytes for {}",
        bytes.len()
    );
    match opened {
        Ok(collection) => {
            let (_, rise) = watched(|| look_at(&collection, path));
            assert!(rise <= DECODER, "{rise} bytes to decode");
            Ok(())
        }
        Err(error) => {
            let told = error.to_string();
            is_fit_to_print(&told);
            let cause = told.strip_prefix(&path.display().to_string());
            Err(cause
                .unwrap_or_else(|| panic!("another file: {told}"))
                .to_owned())
        }
    }
}

/// Every image has a class and is decoded, or refused by name.
fn look_at(collection: &Collection, path: &Path) {
    let files = collection.files.as_ref().unwrap();
    assert!(!collection.samples.is_empty());
    collection
        .labels
        .classes()
        .for_each(|class| assert!(class.len() < 100_000));
    for index in 0..collection.samples.len() {
        assert!(files.name(index).starts_with("0.parquet/"));
        match collection.samples.get(index) {
            Ok(sample) => assert!(sample.target.of(0).unwrap() < collection.labels.count()),
            Err(error) => {
                let error = error.to_string();
                is_fit_to_print(&error);
                assert!(error.contains(&path.display().to_string()), "{error}");
            }
        }
    }
}

#[test]
fn mutated_files_are_read_or_refused() {
    let _alone = alone();
    // That the decoder panics is expected; what it says of that is not.
    std::panic::set_hook(Box::new(|panic| {
        if panic
            .location()
            .is_some_and(|place| place.file().contains("abn-data"))
        {
            println!("{panic}");
        }
    }));
    let (seeds, folder) = (seeds(), tempfile::tempdir().unwrap());
    let path = folder.path().join("0.parquet");
    let taken = drive(
        100_000,
        |rng| case(&seeds, rng),
        |bytes| judge(&path, bytes),
    );
    let _ = std::panic::take_hook();
    taken.check(
        9,
        &[
            "does not end as a Parquet file",
            "larger than it can be",
            "its footer cannot be read",
            "more columns than it has",
            "has the columns",
            "number of rows cannot be right",
            "reaches beyond the file",
            "reaches beyond its column",
            "is said to unpack",
            "has no bytes of an image",
            "has the label",
            "has encoding",
        ],
    );
}

#[test]
fn memory_follows_what_is_there() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.parquet");
    // A footer of nothing but nested columns: building them would use up the stack.
    let mut schema = vec![0x15, 2, 0x19, 0xfc];
    let count = 200_000_u32;
    let mut length = count;
    while length >= 0x80 {
        schema.push(length as u8 | 0x80);
        length >>= 7;
    }
    schema.push(length as u8);
    for _ in 0..count {
        schema.extend([0x48, 1, b'a', 0x15, 2, 0]); // name, one child
    }
    schema.extend([0x16, 0, 0x19, 0x0c, 0]); // no rows, no groups
    let file = |footer: &[u8]| {
        let length = (footer.len() as u32).to_le_bytes();
        [b"PAR1", footer, &length, b"PAR1"].concat()
    };
    let error = judge(&path, &file(&schema)).unwrap_err();
    assert!(error.contains("it has 200000 columns"), "{error}");
    // The same in one struct after another.
    let error = judge(&path, &file(&[0x1c; 1 << 20])).unwrap_err();
    assert!(error.contains("its footer cannot be read"), "{error}");
}
