//! Damaged and hostile MATLAB files, most of them made from good ones by chance: each is read or
//! refused with one cause, without a panic, in bounded memory and time.
//!
//! A binary of its own, because its allocator counts. Other runs of it: see `hostile/mod.rs`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test that cannot go on should panic; counts are its result.

mod hostile;
#[path = "../src/mat/written.rs"]
#[allow(dead_code)] // The unit tests need more of it.
mod written;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::panic::catch_unwind;
use std::path::Path;
use std::time::Instant;

use abn_data::{Split, svhn};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use hostile::mutation::Mutation;
use hostile::{LONGEST, alone, generator, setting, watched};
use rand::RngExt;
use written::{OF_UINT8, UINT8, array, compressed, file};

/// What reading may take beyond what is in the file: buffers and the decoder.
const CONSTANT: usize = 1 << 20;

/// How a test file of these bytes is taken: the number of its images or the cause why it was
/// refused, with how far memory rose.
fn judge(folder: &Path, bytes: &[u8]) -> (Result<usize, String>, usize) {
    let path = folder.join("test_32x32.mat");
    // Writing over a file waits for the disk, on ext4; making a new one does not.
    let _ = fs::remove_file(&path);
    fs::write(&path, bytes).unwrap();
    let started = Instant::now();
    let (read, rise) = watched(|| svhn(folder, Split::HeldOut));
    assert!(
        started.elapsed() < LONGEST,
        "it took {:?}",
        started.elapsed()
    );
    let taken = match read {
        Ok(collection) => {
            let samples = collection.samples;
            for index in 0..samples.len() {
                let sample = samples.get(index).unwrap();
                assert!(sample.target.of(0).unwrap() < 10);
                assert_eq!(sample.image.dimensions(), (32, 32));
            }
            assert!(!samples.is_empty());
            Ok(samples.len())
        }
        Err(error) => {
            let told = error.to_string();
            let cause = told.strip_prefix(&path.display().to_string());
            let cause = cause.unwrap_or_else(|| panic!("another file: {told}"));
            assert!(
                cause.len() < 500 && !cause.contains(char::is_control),
                "{told}"
            );
            Err(cause.to_owned())
        }
    };
    (taken, rise)
}

/// A good file: its header, and its variables out of their zlib streams.
struct Seed {
    bytes: Vec<u8>,
    header: Vec<u8>,
    variables: Vec<Vec<u8>>,
}

impl Seed {
    fn of(bytes: Vec<u8>) -> Self {
        let (header, mut rest) = bytes.split_at(128);
        let is_big = header.ends_with(b"MI");
        let mut variables = Vec::new();
        while !rest.is_empty() {
            let word = |at: usize| {
                let word = rest[at..][..4].try_into().unwrap();
                if is_big {
                    u32::from_be_bytes(word)
                } else {
                    u32::from_le_bytes(word)
                }
            };
            let (element, behind) = rest.split_at(8 + word(4) as usize);
            let mut variable = element.to_vec();
            if word(0) == 15 {
                variable.clear();
                let mut decoder = ZlibDecoder::new(&element[8..]);
                decoder.read_to_end(&mut variable).unwrap();
            }
            variables.push(variable);
            rest = behind;
        }
        let header = header.to_vec();
        Self {
            bytes,
            header,
            variables,
        }
    }
}

/// A mutated file, and what it holds when nothing is compressed.
struct Case {
    mutation: Mutation,
    bytes: Vec<u8>,
    unpacked: usize,
}

/// The file of that number: the same for the same seed, whatever was made before.
fn case(seeds: &[Seed], seed: u64, number: u64) -> Case {
    let mut rng = generator(seed, number);
    let mutation = Mutation::ALL[rng.random_range(0..Mutation::ALL.len())];
    let start = &seeds[rng.random_range(0..seeds.len())];
    let other = &seeds[rng.random_range(0..seeds.len())];
    let times = [1, 1, 1, 3][rng.random_range(0..4)];
    // A third changes files as they are; the others, single variables, whose checksums stay right.
    if rng.random_range(0..3_u32) == 0 {
        let mut bytes = start.bytes.clone();
        (0..times).for_each(|_| mutation.apply(&mut bytes, &other.bytes, &mut rng));
        let unpacked = bytes.len() + start.variables.concat().len();
        return Case {
            mutation,
            bytes,
            unpacked,
        };
    }
    let mut variables = start.variables.clone();
    let changed = rng.random_range(0..variables.len());
    let donor = &other.variables[rng.random_range(0..other.variables.len())];
    (0..times).for_each(|_| mutation.apply(&mut variables[changed], donor, &mut rng));
    let unpacked = variables.concat().len();
    if !start.header.ends_with(b"MI") && rng.random() {
        variables = variables.iter().map(|variable| stored(variable)).collect();
    }
    let bytes = [start.header.clone(), variables.concat()].concat();
    Case {
        mutation,
        bytes,
        unpacked,
    }
}

/// A variable in a zlib stream that makes nothing smaller, which is quick.
fn stored(variable: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(variable).unwrap();
    let stream = encoder.finish().unwrap();
    let tag = [15_u32.to_le_bytes(), (stream.len() as u32).to_le_bytes()];
    [tag.concat(), stream].concat()
}

/// The good files that mutations start from.
fn seeds() -> Vec<Seed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/svhn");
    let names = ["compressed", "uncompressed", "doubles", "big_endian"];
    let files = names.map(|name| fs::read(folder.join(name).with_extension("mat")).unwrap());
    files.map(Seed::of).into()
}

#[test]
fn mutated_files_are_read_or_refused() {
    let _alone = alone();
    let seeds = seeds();
    let (seed, first) = (
        setting("ABN_HOSTILE_SEED", 1),
        setting("ABN_HOSTILE_FIRST", 0),
    );
    let cases = setting("ABN_HOSTILE_CASES", 100_000);
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let mut taken: BTreeMap<Mutation, (usize, usize)> = BTreeMap::new();
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    let mut highest = 0;
    for number in first..first + cases {
        let case = case(&seeds, seed, number);
        let judged = catch_unwind(|| judge(folder.path(), &case.bytes));
        let (judged, rise) =
            judged.unwrap_or_else(|_| panic!("seed {seed}, case {number} ({:?})", case.mutation));
        assert!(
            rise <= CONSTANT + 2 * case.unpacked,
            "seed {seed}, case {number} took {rise} bytes for {}",
            case.unpacked
        );
        let counts = taken.entry(case.mutation).or_default();
        match judged {
            Ok(_) => counts.0 += 1,
            Err(cause) => {
                counts.1 += 1;
                *causes.entry(kind(&cause)).or_default() += 1;
            }
        }
        highest = highest.max(rise);
    }
    println!(
        "seed {seed}: at most {highest} bytes, {:?}",
        started.elapsed()
    );
    println!("{taken:?}\n{causes:#?}");
    if cases >= 10_000 {
        // Each way to change a file left some readable and spoiled others.
        assert!(
            taken.len() == Mutation::ALL.len()
                && taken
                    .values()
                    .all(|(read, refused)| *read.min(refused) >= 20),
            "{taken:?}"
        );
        // Each check had its share.
        for word in [
            "begins with",
            "cut off",
            "ends within",
            "compressed data are damaged",
            "an element of type",
            "is there twice",
            "it holds the variables",
            "expected real numbers",
            "the dimensions of a variable",
            "the name of a variable",
            "numbers of",
            "its X is",
            "has the label",
        ] {
            let found = causes.iter().filter(|(cause, _)| cause.contains(word));
            let found: usize = found.map(|(_, count)| count).sum();
            assert!(
                found >= 5,
                "only {found} files were refused with `{word}`: {causes:#?}"
            );
        }
    }
}

/// The start of a cause, without its numbers and names.
fn kind(cause: &str) -> String {
    let told = cause.split(['"', ';']).next().unwrap_or_default();
    let told = match told.split_once("the variables ") {
        Some((start, _)) => format!("{start}the variables"),
        None => told.to_owned(),
    };
    told.chars().filter(|letter| !letter.is_numeric()).collect()
}

#[test]
fn memory_follows_what_is_there() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let zeros = |name: &str, count: i32, there: usize| {
        let sizes = [32, 32, 3, count];
        let mut variable = array(name, OF_UINT8, &sizes, UINT8, &vec![0; there]);
        let promised = 3072 * count as u32;
        let numbers = variable.len() - there.next_multiple_of(8);
        variable[numbers - 4..numbers].copy_from_slice(&promised.to_le_bytes());
        let whole = numbers as u32 + promised.next_multiple_of(8) - 8;
        variable[4..8].copy_from_slice(&whole.to_le_bytes());
        compressed(&variable)
    };
    let y = |count| array("y", OF_UINT8, &[count, 1], UINT8, &vec![1; count as usize]);
    // 61 MB of zeros in 0.3 MB, which is a good file.
    let images = 20_000;
    let bytes = 3072 * images as usize;
    let good = file(&[zeros("X", images, bytes), y(images)]);
    let (taken, rise) = judge(folder.path(), &good);
    assert_eq!(taken, Ok(images as usize));
    // What grows is moved by the allocator that counts.
    assert!(rise < 2 * bytes + CONSTANT, "{rise} for {bytes}");
    // The same that nobody asks for.
    let (taken, rise) = judge(folder.path(), &file(&[zeros("Z", images, bytes), y(1)]));
    assert!(taken.unwrap_err().contains("it holds the variables Z, y"));
    assert!(rise < CONSTANT, "{rise}");
    // 2 GB that are promised, and 3 MB of them.
    let (taken, rise) = judge(folder.path(), &file(&[zeros("X", 650_000, 3 << 20)]));
    assert!(taken.unwrap_err().contains("ends within a variable"));
    assert!(rise < (6 << 20) + CONSTANT, "{rise}");
}

#[test]
fn mutations_differ_and_repeat() {
    let _alone = alone();
    let seeds = seeds();
    let file = |seed, number| case(&seeds, seed, number).bytes;
    let files: Vec<Vec<u8>> = (0..2000).map(|number| file(5, number)).collect();
    let mut distinct = files.clone();
    distinct.sort();
    distinct.dedup();
    assert!(
        distinct.len() >= 1900,
        "only {} of 2000 differ",
        distinct.len()
    );
    let as_before = |bytes: &&Vec<u8>| seeds.iter().any(|seed| seed.bytes == **bytes);
    let unchanged = files.iter().filter(as_before).count();
    assert!(unchanged < 100, "{unchanged} of 2000 are as they were");
    for number in [0, 17, 1999] {
        assert_eq!(file(5, number), files[number as usize]);
        assert_ne!(file(6, number), files[number as usize]);
    }
}
