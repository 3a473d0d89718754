//! Damaged and hostile tar shards, made from good ones by chance: each is read or refused with one
//! cause, without a panic, in bounded memory and time.
//!
//! A binary of its own, because its allocator counts. Another run: `ABN_HOSTILE_SEED=7
//! ABN_HOSTILE_CASES=1000000 cargo test -p abn-data --features tar --test hostile_tar`; one case of
//! it again: `ABN_HOSTILE_FIRST=1234 ABN_HOSTILE_CASES=1`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test that cannot go on should panic; counts are its result.

mod hostile;

use std::fs;
use std::path::{Path, PathBuf};

use abn_data::{Collection, ImageFolder, Split, tar_shards};
use hostile::driven::{change, drive, interesting, is_fit_to_print, overwrite};
use hostile::{alone, watched};
use rand::{Rng, RngExt};

/// What opening may take beyond the size of the file, and how much more per byte of it: an index
/// entry has fewer bytes than the headers that it stands for.
const CONSTANT: usize = 3 << 20;
const PER_BYTE: usize = 4;
/// What the decoder of an image may take.
const DECODER: usize = 16 << 20;

/// A member: its header with those before it that say more of it, and its content, padded.
type Member = Vec<u8>;

struct Seed {
    bytes: Vec<u8>,
    members: Vec<Member>,
}

impl Seed {
    fn of(bytes: Vec<u8>) -> Self {
        let mut members = vec![];
        let mut rest = bytes.as_slice();
        while rest[0] != 0 {
            let size = std::str::from_utf8(&rest[124..135]).unwrap();
            let size = usize::from_str_radix(size, 8).unwrap();
            let (member, behind) = rest.split_at(512 + size.next_multiple_of(512));
            members.push(member.to_vec());
            rest = behind;
        }
        Self { bytes, members }
    }
}

fn seeds() -> Vec<Seed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/shards");
    let names = ["train-000000.tar", "train-000001.tar", "val-000000.tar"];
    names
        .map(|name| Seed::of(fs::read(folder.join(name)).unwrap()))
        .into()
}

/// Fields of a header: where each begins, how long it is, and what to write there.
const FIELDS: [(usize, usize); 9] = [
    (0, 100),   // name
    (124, 12),  // size
    (156, 1),   // kind
    (157, 100), // link
    (257, 8),   // magic
    (345, 155), // prefix; of GNU, what is stored with holes
    (386, 24),  // the first part of what is stored so
    (482, 1),   // whether more such parts follow
    (483, 12),  // its size
];

fn set_checksum(member: &mut [u8]) {
    member[148..156].fill(b' ');
    let sum: u32 = member[..512].iter().map(|byte| u32::from(*byte)).sum();
    member[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn hostile_field(member: &mut [u8], rng: &mut impl Rng) {
    const NAMES: [&[u8]; 12] = [
        b"../../x.png\0",
        b"/etc/passwd\0",
        b"a/..\0",
        b"\xff\xfe.png\0",
        b"\x1b[2J.png\0",
        b"x.png\0",
        b"x.cls\0",
        b".\0",
        b"./\0",
        b"a/\0",
        b"\0",
        b"a.b.c.json\0",
    ];
    const SIZES: [&[u8]; 8] = [
        b"00000000000\0",
        b"00000000001\0",
        b"00000001000\0",
        b"77777777777\0",
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\0\0\0\0\0\0\0\0\0\x40\0",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"-1         \0",
    ];
    const KINDS: &[u8] = b"01234567xgLKSDMNVX\0\x80";
    let (at, length) = FIELDS[rng.random_range(0..FIELDS.len())];
    let value = match at {
        _ if rng.random_range(0..4) == 0 => interesting(rng),
        0 | 157 | 345 => NAMES[rng.random_range(0..NAMES.len())].to_vec(),
        156 | 482 => vec![KINDS[rng.random_range(0..KINDS.len())]],
        257 => [&b"ustar\x0000"[..], b"ustar  \0", b"\0\0\0\0\0\0\0\0"][rng.random_range(0..3)]
            .to_vec(),
        _ => SIZES[rng.random_range(0..SIZES.len())].to_vec(),
    };
    overwrite(member, at, &value[..value.len().min(length)]);
    if rng.random_range(0..8) > 0 {
        set_checksum(member);
    }
}

/// A mutated shard.
fn case(seeds: &[Seed], rng: &mut impl Rng) -> (&'static str, Vec<u8>) {
    let seed = &seeds[rng.random_range(0..seeds.len())];
    let other = &seeds[rng.random_range(0..seeds.len())];
    // A third changes files as they are; the others, single members.
    if rng.random_range(0..3) == 0 {
        let mut bytes = seed.bytes.clone();
        let way = change(&mut bytes, &other.bytes, rng);
        return (way, bytes);
    }
    let mut members = seed.members.clone();
    let at = rng.random_range(0..members.len());
    let way = match rng.random_range(0..6) {
        0 => {
            let foreign = &other.members[rng.random_range(0..other.members.len())];
            members.insert(at, foreign.clone());
            "foreign member"
        }
        1 => {
            members.remove(at);
            "member missing"
        }
        2 => {
            let to = rng.random_range(0..members.len());
            members.swap(at, to);
            "members exchanged"
        }
        3 => {
            // What it says, with its size as it is.
            let content = members[at].len() - 512;
            if content > 0 {
                let from = 512 + rng.random_range(0..content.min(100));
                let value = interesting(rng);
                overwrite(&mut members[at], from, &value);
            }
            "content"
        }
        _ => {
            for _ in 0..[1, 1, 2, 4][rng.random_range(0..4)] {
                let at = rng.random_range(0..members.len());
                hostile_field(&mut members[at], rng);
            }
            "header"
        }
    };
    members.push(vec![0; 1024]);
    (way, members.concat())
}

/// Opens a shard of these bytes and reads all its images; the cause if it is refused.
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
    let (opened, rise) = watched(|| tar_shards(&request));
    assert!(
        rise <= CONSTANT + PER_BYTE * bytes.len(),
        "{rise} bytes for {}",
        bytes.len()
    );
    let named = |told: &str| {
        is_fit_to_print(told);
        let cause = told.strip_prefix(&path.display().to_string());
        cause
            .unwrap_or_else(|| panic!("another file: {told}"))
            .to_owned()
    };
    match opened {
        Ok(collection) => {
            let (_, rise) = watched(|| look_at(&collection, path));
            assert!(rise <= DECODER, "{rise} bytes to decode");
            Ok(())
        }
        Err(error) => Err(named(&error.to_string())),
    }
}

/// Every image has a class and is decoded, or refused by name.
fn look_at(collection: &Collection, path: &Path) {
    let files = collection.files.as_ref().unwrap();
    assert!(!collection.samples.is_empty());
    let classes = collection.labels.count();
    for index in 0..collection.samples.len() {
        let name = files.name(index);
        assert!(name.starts_with("0.tar/") && !name.contains(".."), "{name}");
        match collection.samples.get(index) {
            Ok(sample) => assert!(sample.target.of(0).unwrap() < classes),
            Err(error) => {
                let error = error.to_string();
                is_fit_to_print(&error);
                assert!(error.contains(&path.display().to_string()), "{error}");
            }
        }
    }
}

fn shard_in(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("0.tar")
}

#[test]
fn mutated_shards_are_read_or_refused() {
    let _alone = alone();
    let (seeds, folder) = (seeds(), tempfile::tempdir().unwrap());
    let path = shard_in(&folder);
    let taken = drive(
        100_000,
        |rng| case(&seeds, rng),
        |bytes| judge(&path, bytes),
    );
    taken.check(
        12,
        &[
            "it is cut off",
            "it is damaged or no tar archive",
            "it has no end",
            "something follows its end",
            "is a link",
            "is a device",
            "of an unknown kind",
            "is an absolute path",
            "leads out of the archive",
            "has control characters",
            "is not valid",
            "are in two places",
            "has no label",
            "has two images",
        ],
    );
}

#[test]
fn memory_follows_what_is_there() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = shard_in(&folder);
    // A name that is said to have a terabyte, and one that has 8 MB.
    let seed = &seeds()[2].members;
    let long = seed.iter().find(|member| member[156] == b'L').unwrap();
    let mut claim = long[..512].to_vec();
    overwrite(&mut claim, 124, b"\x80\0\0\0\0\0\x01\0\0\0\0\0");
    set_checksum(&mut claim);
    let error = judge(&path, &claim).unwrap_err();
    assert!(error.contains("it is"), "{error}");
    overwrite(&mut claim, 124, b"00040000000\0");
    set_checksum(&mut claim);
    let long = [claim, vec![b'a'; 8 << 20], seed[1].clone(), vec![0; 1024]].concat();
    let error = judge(&path, &long).unwrap_err();
    assert!(error.contains("is longer than any path"), "{error}");
    // Twenty thousand samples, which are hardly more than headers.
    let mut sample = seeds()[0].members[3..7].to_vec();
    sample.retain(|member| member[156] == b'0');
    sample.truncate(2);
    let mut bytes = vec![];
    for number in 0..20_000 {
        for member in &mut sample {
            let ending = if member[..100].windows(3).any(|part| part == b"cls") {
                "cls"
            } else {
                "png"
            };
            member[..100].fill(0);
            overwrite(member, 0, format!("{number:06}.{ending}").as_bytes());
            let label = if ending == "cls" {
                Some(b'0' + (number % 2) as u8)
            } else {
                None
            };
            if let Some(label) = label {
                member[512] = label;
            }
            set_checksum(member);
            bytes.extend_from_slice(member);
        }
    }
    bytes.resize(bytes.len() + 1024, 0);
    judge(&path, &bytes).unwrap();
}
