//! A hundred thousand archives with some bytes changed: each is unpacked into its folder, or
//! refused, and nothing lies anywhere else.

use std::fs;
use std::path::Path;

use abn_fetch::{Archive, Bounds, Event, Packing, Watch, unpack};
use tempfile::TempDir;

use crate::made::{entry, gz, link, tar_of, zip_of};
use crate::support::listed;

const MUTANTS: u64 = 100_000;
const BOUNDS: Bounds = Bounds {
    bytes: 4_000,
    entries: 20,
};

/// SplitMix64, as abn-data has it for the same reason: every mutant can be made again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

/// Small archives that reach every part of the readers.
fn originals() -> Vec<(Vec<u8>, Packing)> {
    let tar = tar_of(&[
        entry(b'5', b"set/", b""),
        entry(b'L', b"long", b"set/../long/name/of/a/file.txt"),
        entry(b'0', b"set/a.txt", b"alpha"),
        entry(b'x', b"x", b"20 path=set/b/c.bin\n11 size=60\n"),
        entry(b'0', b"set/b.txt", &[7; 60]),
        entry(b'0', b"../x", b"evil"),
        link(b'2', b"set/l", b"../../.."),
        entry(b'0', b"set/l/evil.txt", b"evil"),
    ]);
    // Without what is refused in any case, so that the readers come to the end.
    let good = tar_of(&[
        entry(b'0', b"set/a.txt", b"alpha"),
        entry(b'x', b"x", b"20 path=set/b/c.bin\n11 size=60\n"),
        entry(b'0', b"set/b.txt", &[7; 60]),
    ]);
    let zip = zip_of(&[
        ("set/", b""),
        ("set/a.txt", b"alpha"),
        ("set/b/c.bin", &[7; 60]),
    ]);
    vec![
        (gz(&good), Packing::TarGz),
        (good, Packing::Tar),
        (tar, Packing::Tar),
        (zip, Packing::Zip),
    ]
}

/// Changes, removes or doubles some bytes. Three of four tars get their checksums made good, so
/// that more than the checksum is tested.
fn mutated(original: &[u8], packing: Packing, random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 0xff, b'/', b'.', b'0', b'2', b'7'][random.below(7)],
            2 => bytes.truncate(at),
            3 => {
                let end = (at + 1 + random.below(600)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            4 => {
                let end = (at + 1 + random.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + 8).min(bytes.len());
                for byte in &mut bytes[at..end] {
                    *byte = random.below(256) as u8;
                }
            }
        }
    }
    if packing == Packing::Tar && random.below(4) > 0 {
        for block in bytes.chunks_exact_mut(512) {
            if block[257..262] == *b"ustar" {
                block[148..156].fill(b' ');
                let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
    }
    bytes
}

#[test]
fn mutants_are_unpacked_into_their_folder_or_refused() {
    let originals = originals();
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let originals = &originals;
            scope.spawn(move || {
                let folder = fast_folder();
                let mut unpacked = 0;
                for seed in (worker..MUTANTS).step_by(workers as usize) {
                    unpacked += usize::from(one(seed, originals, folder.path()));
                }
                // Some are whole still.
                assert!(unpacked > 100, "{unpacked}");
            });
        }
    });
}

/// In memory where the system has a place for that: on a disk, a million small files take minutes.
fn fast_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Whether the mutant of a seed was unpacked.
fn one(seed: u64, originals: &[(Vec<u8>, Packing)], folder: &Path) -> bool {
    let mut random = Random(seed);
    let (original, packing) = &originals[random.below(originals.len())];
    let bytes = mutated(original, *packing, &mut random);
    let path = folder.join("archive");
    fs::write(&path, &bytes).unwrap();
    let archive = Archive {
        path: &path,
        packing: *packing,
        root: ["set", ""][random.below(2)],
        bounds: BOUNDS,
    };
    let target = folder.join("target");
    let mut report = |_: Event<'_>| {};
    let mut watch = Watch {
        report: &mut report,
        stop: &|| false,
    };
    let result = unpack(&archive, &target, &[], &mut watch);
    let mut size = 0;
    for path in listed(folder) {
        let inside = path == "archive" || path == "target" || path.starts_with("target/");
        assert!(inside, "mutant {seed} wrote {path}");
        let metadata = folder.join(&path).symlink_metadata().unwrap();
        assert!(
            metadata.is_file() || metadata.is_dir(),
            "mutant {seed} made {path}"
        );
        if path.starts_with("target/") && metadata.is_file() {
            size += metadata.len();
        }
    }
    assert!(size <= BOUNDS.bytes, "mutant {seed} has {size} bytes");
    assert_eq!(result.is_ok(), target.exists(), "mutant {seed}: {result:?}");
    if let Ok(unpacked) = &result {
        assert_eq!(unpacked.bytes, size, "mutant {seed}");
        fs::remove_dir_all(&target).unwrap();
    }
    result.is_ok()
}
