//! Small files that were found to take all memory or hours of pytorch-reader 0.22.1, or are made
//! to.

use std::fs;

use abn_run::weights::read_checkpoint;
use zip::CompressionMethod;

use crate::mutate::{repair_tar, zip};
use crate::{alone, judge, watched};

/// A file of that content is refused with these words, in bounded memory and time.
#[track_caller]
fn refused(extension: &str, content: &[u8], words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("crafted.{extension}"));
    fs::write(&path, content).unwrap();
    let cause = judge(&path, content.len()).0.unwrap_err();
    assert!(cause.contains(words), "no `{words}` in: {cause}");
}

fn in_zip(pickle: &[u8], method: CompressionMethod) -> Vec<u8> {
    let entry = |name: &str, content: &[u8]| (format!("archive/{name}"), content.to_vec());
    zip(
        &vec![
            entry("data.pkl", pickle),
            entry("version", b"3\n"),
            entry("data/0", &[0; 64]),
        ],
        method,
    )
}

fn in_legacy(pickle: &[u8]) -> Vec<u8> {
    with_keys(pickle, b"\x80\x02].")
}

fn with_keys(pickle: &[u8], keys: &[u8]) -> Vec<u8> {
    let start = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\
        \x80\x02}X\x0d\0\0\0little_endian\x88s.";
    [start, pickle, keys].concat()
}

fn in_tar(entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, kind, content) in entries {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = *kind;
        header[257..265].copy_from_slice(b"ustar  \0");
        archive.extend_from_slice(&header);
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    repair_tar(&mut archive);
    archive
}

fn text(length: usize) -> Vec<u8> {
    [
        b"X".as_slice(),
        &(length as u32).to_le_bytes(),
        &vec![b'a'; length],
    ]
    .concat()
}

/// A tensor of one element, in memo 1 and not on the stack.
const TENSOR: &[u8] =
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n\
    X\x01\0\0\x000X\x03\0\0\0cpuK\x10tQK\0))\x89}tRq\x010";

#[test]
fn copies_of_a_long_key() {
    let _alone = alone();
    let pickle = [
        &b"\x80\x02(}"[..],
        &text(1 << 20),
        b"Nsq\0",
        &b"h\0".repeat(100_000),
        b"t.",
    ]
    .concat();
    refused(
        "pth",
        &in_zip(&pickle, CompressionMethod::Stored),
        "would unfold",
    );
    refused("pth", &in_legacy(&pickle), "would unfold");
}

#[test]
fn copies_of_a_long_class() {
    let _alone = alone();
    let class = [
        &b"\x80\x02(ctorch\n"[..],
        &vec![b'a'; 1 << 20],
        b"\nq\0",
        &b"h\0".repeat(100_000),
        b"t.",
    ]
    .concat();
    refused(
        "pth",
        &in_zip(&class, CompressionMethod::Stored),
        "no name of a class",
    );
}

#[test]
fn copies_of_a_tensor_with_many_dimensions() {
    let _alone = alone();
    let ones = b"K\x01".repeat(50_000);
    let storage =
        b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x10tQK\0";
    let tensor = [
        b"ctorch._utils\n_rebuild_tensor_v2\n(",
        &storage[..],
        b"(",
        &ones,
        b"t(",
        &ones,
        b"t\x89}tRq\0",
    ]
    .concat();
    let pickle = [b"\x80\x02(", &tensor[..], &b"h\0".repeat(100_000), b"t."].concat();
    refused(
        "pth",
        &in_zip(&pickle, CompressionMethod::Stored),
        "would unfold",
    );
}

#[test]
fn a_cause_that_quotes_the_file() {
    let _alone = alone();
    for (opcode, byte) in [(b'B', 0xff), (b'X', 1)] {
        for (length, words) in [
            (4_u32 << 20, "key list must be a list"),
            (12 << 20, "would unfold"),
        ] {
            let keys = [
                b"\x80\x03",
                &[opcode][..],
                &length.to_le_bytes(),
                &vec![byte; length as usize],
                b".",
            ]
            .concat();
            refused("pth", &with_keys(b"\x80\x02}.", &keys), words);
        }
    }
}

#[test]
fn many_names_down_a_long_path() {
    let _alone = alone();
    let keys: Vec<u8> = (0..50_000_u32)
        .flat_map(|key| [b"J", &key.to_le_bytes()[..], b"h\x01"].concat())
        .collect();
    let pickle = [
        b"\x80\x02",
        TENSOR,
        b"}",
        &text(1 << 20),
        b"}(",
        &keys,
        b"us.",
    ]
    .concat();
    refused(
        "pth",
        &in_zip(&pickle, CompressionMethod::Stored),
        "would unfold",
    );
}

#[test]
fn an_object_a_byte() {
    let _alone = alone();
    for opcode in [b"N", b"}", b"("] {
        let pickle = [b"\x80\x02", &opcode.repeat(8 << 20)[..], b"."].concat();
        refused("pth", &in_legacy(&pickle), "would unfold");
    }
}

#[test]
fn a_pickle_that_is_compressed() {
    let _alone = alone();
    let pickle = [b"\x80\x02", &b"N0".repeat(20 << 20)[..], b"}."].concat();
    refused(
        "pth",
        &in_zip(&pickle, CompressionMethod::Deflated),
        "is compressed",
    );
}

#[test]
fn many_small_pickles_that_unfold_in_an_old_tar() {
    let _alone = alone();
    let bomb = [
        &b"\x80\x02\x89q\0"[..],
        &b"h\0h\0\x86q\0".repeat(14),
        b"0(K\x01K\x02ctorch\nFloatStorage\nt.",
    ]
    .concat();
    let storages = [
        b"\x80\x02M\x10\x27.",
        &[&bomb[..], &[0; 8]].concat().repeat(10_000)[..],
        b"\x80\x02].",
    ]
    .concat();
    let info = b"\x80\x02}X\x0d\0\0\0little_endian\x88s.";
    let rest = [
        ("tensors", b'0', &b"\x80\x02K\0."[..]),
        ("pickle", b'0', b"\x80\x02}."),
    ];
    refused(
        "pth",
        &in_tar(
            &[
                &[("sys_info", b'0', &info[..]), ("storages", b'0', &storages)],
                &rest[..],
            ]
            .concat(),
        ),
        "unfold",
    );
}

#[test]
fn a_sparse_entry_of_an_old_tar() {
    let _alone = alone();
    let mut archive = in_tar(&[("pickle", b'S', b"")]);
    // One block of no bytes at the end of 8 GiB, which is also the size of the entry.
    archive[386..397].copy_from_slice(b"77777777777");
    archive[398..409].copy_from_slice(b"00000000000");
    archive[483..494].copy_from_slice(b"77777777777");
    repair_tar(&mut archive);
    refused("pth", &archive, "no usual file");
}

#[test]
fn tuples_within_tuples() {
    let _alone = alone();
    for depth in [101, 999, 1_000_000] {
        let pickle = [b"\x80\x02}K\x01]", &b"\x85".repeat(depth)[..], b"s."].concat();
        refused(
            "pth",
            &in_legacy(&pickle),
            if depth < 500_000 {
                "nests deeper"
            } else {
                "nests"
            },
        );
    }
}

#[test]
fn a_header_of_zeros() {
    let _alone = alone();
    for (zeros, words) in [
        (1 << 19, "no whole safetensors file"),
        (1 << 20, "more than any checkpoint needs"),
    ] {
        let zeros = "0,".repeat(zeros);
        let header =
            format!("{{\"w\":{{\"dtype\":\"F32\",\"shape\":[{zeros}1],\"data_offsets\":[0,4]}}}}");
        let file = [
            &(header.len() as u64).to_le_bytes()[..],
            header.as_bytes(),
            &[0; 4],
        ]
        .concat();
        refused("safetensors", &file, words);
    }
    let nested = format!("{{\"w\":{}", "[".repeat(1 << 20));
    let file = [&(nested.len() as u64).to_le_bytes()[..], nested.as_bytes()].concat();
    refused("safetensors", &file, "no whole safetensors file");
}

#[test]
fn control_characters_in_names() {
    let _alone = alone();
    let pickle = [b"\x80\x02", TENSOR, b"}X\x04\0\0\0\x1b[2Jh\x01s."].concat();
    refused(
        "pth",
        &in_zip(&pickle, CompressionMethod::Stored),
        "control characters",
    );
}

/// The largest pickles that pass take what the budget says. What is too much for it differs by the
/// kind of objects.
#[test]
fn what_passes_stays_within_the_budget() {
    let _alone = alone();
    for (object, passing) in [
        (&b"N"[..], 524_000),
        (b"}", 524_000),
        (b"}K\x01Ns", 174_000),
        (b"K\x01\x85", 262_000),
        (b"h\0", 500_000),
        (b"ccollections\nOrderedDict\n)R", 120_000),
    ] {
        let pickle = |count| {
            [
                &b"\x80\x02}X\x01\0\0\0aq\0]("[..],
                &object.repeat(count),
                b"es.",
            ]
            .concat()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crafted.pth");
        for (count, word) in [(passing, "no weights"), (2 * passing, "would unfold")] {
            fs::write(&path, in_legacy(&pickle(count))).unwrap();
            let (read, rise) = watched(|| read_checkpoint(&path));
            let error = format!("{:#}", read.unwrap().unwrap_err());
            assert!(error.contains(word), "{object:?} {count}: {error}");
            assert!(rise < 140 << 20, "{object:?}: {rise}");
        }
    }
}
