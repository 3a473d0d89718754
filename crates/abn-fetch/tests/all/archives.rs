//! Archives as programs make them.

use std::fs;

use abn_fetch::{Bounds, FetchError, Packing, Unpacked};

use crate::made::{BOUNDS, Cage, entry, good_tar, good_zip, gz, tar_of};
use crate::support::listed;

#[test]
fn only_the_folder_that_is_wanted_is_unpacked() {
    let good = [
        (good_tar(), Packing::Tar),
        (gz(&good_tar()), Packing::TarGz),
        (good_zip(), Packing::Zip),
    ];
    for (bytes, packing) in good {
        let cage = Cage::new();
        let unpacked = cage.unpack(&bytes, packing).unwrap();
        assert_eq!(
            unpacked,
            Unpacked {
                files: 2,
                bytes: 705
            }
        );
        assert_eq!(listed(&cage.target()), ["a.txt", "b", "b/c.txt"]);
        assert_eq!(
            fs::read(cage.target().join("b/c.txt")).unwrap(),
            [b'c'; 700]
        );
        let cage = Cage::new();
        cage.unpack_root(&bytes, packing, "", BOUNDS).unwrap();
        assert_eq!(
            listed(&cage.target()),
            ["beside.txt", "set", "set/a.txt", "set/b", "set/b/c.txt"]
        );
        let cage = Cage::new();
        cage.unpack_root(&bytes, packing, "set/b", BOUNDS).unwrap();
        assert_eq!(listed(&cage.target()), ["c.txt"]);
    }
}

#[test]
fn names_may_begin_with_a_dot_and_folders_need_no_entry() {
    let cage = Cage::new();
    let bytes = tar_of(&[
        entry(b'5', b"./", b""),
        entry(b'5', b"./set/", b""),
        entry(b'0', b"./set//deep/er/a.txt", b"x"),
        // A folder of old times, and a file of another kind.
        entry(b'0', b"./set/old/", b""),
        entry(b'7', b"./set/b.txt", b"y"),
        entry(b'5', b"./set/deep", b""),
    ]);
    cage.unpack(&bytes, Packing::Tar).unwrap();
    assert_eq!(
        listed(&cage.target()),
        ["b.txt", "deep", "deep/er", "deep/er/a.txt", "old"]
    );
}

#[test]
fn long_names_of_both_kinds_are_read() {
    let long = format!("set/{}/{}", "d".repeat(120), "f".repeat(120));
    let gnu = format!("{long}\0");
    let record = |length: usize| format!("{length} path={long}\n");
    let posix = record(record(100).len());
    for (kind, text) in [(b'L', gnu), (b'x', posix)] {
        let cage = Cage::new();
        let bytes = tar_of(&[
            entry(b'g', b"global", b"20 comment=anything\n"),
            entry(kind, b"long", text.as_bytes()),
            entry(b'0', b"set/short", b"x"),
            entry(b'0', b"set/other", b"y"),
        ]);
        cage.unpack(&bytes, Packing::Tar).unwrap();
        let below = long.strip_prefix("set/").unwrap();
        assert_eq!(fs::read(cage.target().join(below)).unwrap(), b"x");
        // It holds for one file.
        assert_eq!(fs::read(cage.target().join("other")).unwrap(), b"y");
    }
}

#[test]
fn several_members_of_gzip_are_one_archive() {
    let bytes = good_tar();
    let (one, other) = bytes.split_at(800);
    let cage = Cage::new();
    cage.unpack(&[gz(one), gz(other)].concat(), Packing::TarGz)
        .unwrap();
    assert_eq!(listed(&cage.target()), ["a.txt", "b", "b/c.txt"]);
}

#[test]
fn damaged_archives_leave_nothing() {
    let tar = good_tar();
    let packed = gz(&tar);
    let zip = good_zip();
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x55;
        bytes
    };
    for (bytes, packing) in [
        // Cut within a header, within a file, and before the end.
        (tar[..700].to_vec(), Packing::Tar),
        (tar[..3_200].to_vec(), Packing::Tar),
        (tar[..tar.len() - 1024].to_vec(), Packing::Tar),
        (flipped(&tar, 3), Packing::Tar),
        (packed[..packed.len() - 9].to_vec(), Packing::TarGz),
        // The checksum, and the size.
        (flipped(&packed, packed.len() - 8), Packing::TarGz),
        (flipped(&packed, packed.len() - 1), Packing::TarGz),
        ([packed.clone(), b"more".to_vec()].concat(), Packing::TarGz),
        (zip[..zip.len() - 1].to_vec(), Packing::Zip),
        (zip[..zip.len() / 2].to_vec(), Packing::Zip),
        (Vec::new(), Packing::Tar),
        (Vec::new(), Packing::TarGz),
        (Vec::new(), Packing::Zip),
    ] {
        let cage = Cage::new();
        let error = cage.unpack(&bytes, packing).unwrap_err();
        assert!(
            matches!(error, FetchError::Archive { .. }),
            "{packing:?}: {error}"
        );
        assert!(cage.all().is_empty(), "{:?}", cage.all());
    }
}

#[test]
fn a_content_that_is_not_that_of_the_list_is_noticed() {
    // Stored, so that a byte of the content can be changed: its checksum is then wrong.
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("set/a.txt", stored).unwrap();
    std::io::Write::write_all(&mut writer, b"content").unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let cage = Cage::new();
    cage.unpack(&bytes, Packing::Zip).unwrap();
    let bytes = crate::made::replaced(bytes, b"content", b"CONTENT");
    let cage = Cage::new();
    let error = cage.unpack(&bytes, Packing::Zip).unwrap_err();
    assert!(matches!(error, FetchError::Archive { .. }), "{error}");
}

#[test]
fn an_archive_of_nothing_is_not_a_data_set() {
    for (root, missing) in [
        ("", "it does not hold any file"),
        ("set", "it does not hold `set`"),
    ] {
        let cage = Cage::new();
        let bytes = tar_of(&[entry(b'5', b"set", b"")]);
        let error = cage
            .unpack_root(&bytes, Packing::Tar, root, BOUNDS)
            .unwrap_err();
        assert!(error.to_string().contains(missing), "{error}");
        assert!(cage.all().is_empty());
    }
}

#[test]
fn bounds_hold_to_the_byte_and_to_the_entry() {
    let exact = Bounds {
        bytes: 711,
        entries: 4,
    };
    for (bytes, packing) in [(good_tar(), Packing::Tar), (good_zip(), Packing::Zip)] {
        let unpack = |bounds| Cage::new().unpack_root(&bytes, packing, "", bounds);
        assert!(unpack(exact).is_ok());
        let error = unpack(Bounds {
            bytes: 710,
            ..exact
        })
        .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("more than the 710 bytes that are allowed"),
            "{error}"
        );
        let error = unpack(Bounds {
            entries: 3,
            ..exact
        })
        .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("more than the 3 entries that are allowed"),
            "{error}"
        );
    }
}

#[test]
fn nothing_is_unpacked_over_what_is_there() {
    let cage = Cage::new();
    fs::create_dir(cage.target()).unwrap();
    let error = cage.unpack(&good_tar(), Packing::Tar).unwrap_err();
    assert!(matches!(error, FetchError::Incomplete { .. }), "{error}");
    assert_eq!(cage.all(), ["data/set"]);
}
