//! Archives that somebody made to write elsewhere, or to fill a disk.

use std::fs;
use std::time::{Duration, Instant};

use abn_fetch::{Bounds, FetchError, Packing};

use crate::made::{BOUNDS, Cage, entry, entry_of_size, gz, link, replaced, tar_of, zip_of};

/// A good file, which must not remain either.
fn good() -> Vec<u8> {
    entry(b'0', b"set/good.txt", b"good")
}

/// The archive is refused for what is found in it, and nothing remains.
#[track_caller]
fn check(bytes: &[u8], packing: Packing, found: &str) {
    for root in ["set", ""] {
        let cage = Cage::new();
        let error = cage.unpack_root(bytes, packing, root, BOUNDS).unwrap_err();
        assert!(matches!(error, FetchError::Unsafe { .. }), "{error}");
        assert!(error.to_string().contains(found), "{error}");
        assert!(cage.all().is_empty(), "{:?}", cage.all());
    }
}

/// Names that lead elsewhere, on some system at least, all of ten bytes.
const NAMES: [(&[u8; 10], &str); 9] = [
    (b"../../evil", "`../../evil` leads out of the folder"),
    (b"set/.././x", "leads out of the folder"),
    (b"/some/evil", "has an absolute path"),
    (b"C:\\evil.ex", "has a backslash"),
    (b"C:/evil.ex", "has a colon"),
    (b"set\\..\\..x", "has a backslash"),
    (b"set/a\nb.tx", "`set/a\\nb.tx` has a name with control"),
    (b"set/aux.tx", "has the name of a device"),
    (b"set/a.txt.", "ends with a dot"),
];

#[test]
fn names_that_lead_elsewhere_are_refused_in_tar() {
    for (name, found) in NAMES {
        for kind in [b'0', b'5'] {
            let bytes = tar_of(&[good(), entry(kind, name, b"")]);
            check(&bytes, Packing::Tar, found);
            check(&gz(&bytes), Packing::TarGz, found);
        }
        // In the two kinds of long names.
        let bytes = tar_of(&[entry(b'L', b"long", name), entry(b'0', b"set/x", b"")]);
        check(&bytes, Packing::Tar, found);
        let record = [b"19 path=", &name[..], b"\n"].concat();
        let bytes = tar_of(&[entry(b'x', b"long", &record), entry(b'0', b"set/x", b"")]);
        check(&bytes, Packing::Tar, found);
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused_in_zip() {
    for (name, found) in NAMES {
        let bytes = zip_of(&[("set/good.txt", b"good"), ("1234567890", b"evil")]);
        check(&replaced(bytes, b"1234567890", name), Packing::Zip, found);
    }
}

#[test]
fn links_are_refused_before_anything_is_written_through_them() {
    let through = entry(b'0', b"set/link/evil.txt", b"evil");
    for (kind, found) in [(b'2', "is a symbolic link"), (b'1', "is a hard link")] {
        for target in [&b"/tmp"[..], b"../..", b"good.txt"] {
            let bytes = tar_of(&[good(), link(kind, b"set/link", target), through.clone()]);
            check(&bytes, Packing::Tar, found);
        }
    }
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer.add_symlink("set/link", "/tmp", options).unwrap();
    writer.start_file("set/link/evil.txt", options).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    check(&bytes, Packing::Zip, "is a symbolic link");
}

#[test]
fn what_is_neither_file_nor_folder_is_refused() {
    for (kind, found) in [
        (b'3', "is a device"),
        (b'4', "is a device"),
        (b'6', "is a pipe"),
        (b'S', "is a sparse file"),
        (b'M', "is of the unknown kind M"),
    ] {
        let bytes = tar_of(&[good(), entry(kind, b"set/odd", b"")]);
        check(&bytes, Packing::Tar, found);
    }
    // The mode of a device, in the upper half of the attributes.
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o123);
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("set/odd", options).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let mode = |kind: u16| {
        [
            0,
            0,
            (kind | 0o123).to_le_bytes()[0],
            (kind | 0o123).to_le_bytes()[1],
        ]
    };
    let bytes = replaced(bytes, &mode(0o100_000), &mode(0o060_000));
    check(&bytes, Packing::Zip, "is neither a file nor a folder");
}

#[test]
fn two_entries_of_one_path_are_refused() {
    for (first, second, found) in [
        (&b"set/a.txt"[..], &b"set/a.txt"[..], "is there twice"),
        (b"set/a.txt", b"./set//a.txt", "is there twice"),
        (b"set/a.txt", b"set/A.TXT", "but for case or kind"),
        (b"set/d/a.txt", b"set/D/b.txt", "but for case or kind"),
        (b"set/\xc3\xa9", b"set/\xc3\x89", "but for case or kind"),
        (b"set/a", b"set/a/b", "but for case or kind"),
        (b"set/a/b", b"set/a", "but for case or kind"),
    ] {
        let bytes = tar_of(&[entry(b'0', first, b"1"), entry(b'0', second, b"2")]);
        check(&bytes, Packing::Tar, found);
    }
    let bytes = zip_of(&[("set/a.txt", b"1"), ("set/A.txt", b"2")]);
    check(&bytes, Packing::Zip, "but for case or kind");
    let bytes = replaced(bytes, b"set/A.txt", b"set/a.txt");
    let error = Cage::new().unpack(&bytes, Packing::Zip).unwrap_err();
    assert!(matches!(error, FetchError::Archive { .. }), "{error}");
}

#[test]
fn two_sizes_of_one_file_are_refused() {
    let bytes = tar_of(&[
        entry(b'x', b"sizes", b"12 size=512\n"),
        entry(b'0', b"set/a.txt", b"1"),
    ]);
    check(&bytes, Packing::Tar, "has two sizes");
}

/// Refused for its size, soon, and nothing remains.
#[track_caller]
fn check_bomb(bytes: &[u8], packing: Packing, bounds: Bounds) {
    let cage = Cage::new();
    let began = Instant::now();
    let error = cage.unpack_root(bytes, packing, "set", bounds).unwrap_err();
    assert!(matches!(error, FetchError::TooMuch { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(60));
    assert!(cage.all().is_empty(), "{:?}", cage.all());
}

#[test]
fn bombs_are_refused() {
    // 50 MB of zeros in 50 kB: as one file, as a file beside the folder, and behind the end.
    let zeros = vec![0; 50_000_000];
    for name in [&b"set/zeros"[..], b"beside"] {
        let bytes = tar_of(&[good(), entry(b'0', name, &zeros)]);
        check_bomb(&gz(&bytes), Packing::TarGz, BOUNDS);
    }
    let bytes = [tar_of(&[good()]), zeros.clone()].concat();
    check_bomb(&gz(&bytes), Packing::TarGz, BOUNDS);
    // Where a reader skips.
    let bytes = tar_of(&[entry(b'g', b"global", &zeros), good()]);
    check_bomb(&gz(&bytes), Packing::TarGz, BOUNDS);
    let bytes = zip_of(&[("set/zeros", &zeros)]);
    assert!(bytes.len() < 100_000);
    check_bomb(&bytes, Packing::Zip, BOUNDS);
}

#[test]
fn a_zip_that_hides_its_size_is_refused() {
    let zeros = vec![0; 3_000_000];
    let bytes = zip_of(&[("set/zeros", &zeros)]);
    let size = 3_000_000_u32.to_le_bytes();
    let bytes = replaced(bytes, &size, &1_000_u32.to_le_bytes());
    let cage = Cage::new();
    let error = cage.unpack(&bytes, Packing::Zip).unwrap_err();
    assert!(matches!(error, FetchError::Archive { .. }), "{error}");
    assert!(cage.all().is_empty(), "{:?}", cage.all());
}

#[test]
fn names_without_end_do_not_fill_the_memory() {
    let zeros = vec![b'a'; 20_000_000];
    for kind in [b'L', b'x'] {
        let bytes = tar_of(&[entry(kind, b"long", &zeros), good()]);
        let cage = Cage::new();
        let error = cage.unpack(&gz(&bytes), Packing::TarGz).unwrap_err();
        assert!(matches!(error, FetchError::Archive { .. }), "{error}");
        assert!(cage.all().is_empty());
    }
}

#[test]
fn sizes_that_are_claimed_are_not_believed() {
    for size in [1_000_001, 1 << 40, u64::MAX / 2, u64::MAX - 100] {
        let bytes = tar_of(&[good(), entry_of_size(b'0', b"set/huge", b"x", size)]);
        let cage = Cage::new();
        let error = cage.unpack(&bytes, Packing::Tar).unwrap_err();
        let named = matches!(
            error,
            FetchError::TooMuch { .. } | FetchError::Archive { .. }
        );
        assert!(named, "{error}");
        assert!(cage.all().is_empty());
    }
    // Within the bounds, but not there.
    let bytes = tar_of(&[good(), entry_of_size(b'0', b"set/huge", b"x", 900_000)]);
    let error = Cage::new().unpack(&bytes, Packing::Tar).unwrap_err();
    assert!(matches!(error, FetchError::Archive { .. }), "{error}");
}

#[test]
fn many_entries_are_refused() {
    let names: Vec<String> = (0..101).map(|number| format!("set/{number}")).collect();
    let entries: Vec<_> = names
        .iter()
        .map(|name| entry(b'0', name.as_bytes(), b""))
        .collect();
    check_bomb(&tar_of(&entries), Packing::Tar, BOUNDS);
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    check_bomb(&zip_of(&entries), Packing::Zip, BOUNDS);
    // Also those that are no files.
    let entries = vec![entry(b'g', b"global", b""); 101];
    check_bomb(&tar_of(&entries), Packing::Tar, BOUNDS);
    let entries = vec![entry(b'5', b"set", b""); 101];
    check_bomb(&tar_of(&entries), Packing::Tar, BOUNDS);
}

#[test]
fn encrypted_files_are_an_error() {
    let bytes = zip_of(&[("set/a.txt", b"secret")]);
    // The lowest flag, in the list and before the file.
    let bytes = replaced(bytes, b"PK\x03\x04\x14\0\0\0", b"PK\x03\x04\x14\0\x01\0");
    let at = bytes
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .unwrap();
    let mut bytes = bytes;
    bytes[at + 8] |= 1;
    let error = Cage::new().unpack(&bytes, Packing::Zip).unwrap_err();
    assert!(matches!(error, FetchError::Archive { .. }), "{error}");
}

#[test]
fn the_target_may_lie_in_a_folder_that_is_not_there() {
    let cage = Cage::new();
    fs::remove_dir(cage.target().parent().unwrap()).unwrap();
    cage.unpack(&tar_of(&[good()]), Packing::Tar).unwrap();
    assert_eq!(cage.all(), ["data/set", "data/set/good.txt"]);
}
