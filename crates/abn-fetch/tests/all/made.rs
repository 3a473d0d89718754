//! Archives made by hand, good and bad, and a cage to unpack them in.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use abn_fetch::{Archive, Bounds, Event, FetchError, Packing, Unpacked, Watch, unpack};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::support::listed;

/// What the archives of the tests may hold.
pub(crate) const BOUNDS: Bounds = Bounds {
    bytes: 1_000_000,
    entries: 100,
};

/// A header of tar and its content, with a name as it is.
pub(crate) fn entry(kind: u8, name: &[u8], content: &[u8]) -> Vec<u8> {
    entry_of_size(kind, name, content, content.len() as u64)
}

/// The same with another size in the header.
pub(crate) fn entry_of_size(kind: u8, name: &[u8], content: &[u8], size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A link to `target`.
pub(crate) fn link(kind: u8, name: &[u8], target: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(0);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// An archive of entries, with its end.
pub(crate) fn tar_of(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// `set/a.txt` and `set/b/c.txt`, and something beside the folder.
pub(crate) fn good_tar() -> Vec<u8> {
    tar_of(&[
        entry(b'5', b"set/", b""),
        entry(b'0', b"set/a.txt", b"alpha"),
        entry(b'0', b"beside.txt", b"beside"),
        entry(b'0', b"set/b/c.txt", &[b'c'; 700]),
    ])
}

/// The same as [`good_tar`].
pub(crate) fn good_zip() -> Vec<u8> {
    zip_of(&[
        ("set/", b""),
        ("set/a.txt", b"alpha"),
        ("beside.txt", b"beside"),
        ("set/b/c.txt", &[b'c'; 700]),
    ])
}

pub(crate) fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let deflated = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    for (name, content) in entries {
        if name.ends_with('/') {
            writer.add_directory(*name, deflated).unwrap();
        } else {
            writer.start_file(*name, deflated).unwrap();
            writer.write_all(content).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

/// Every place of `from` becomes `to`, which is as long.
pub(crate) fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut found = 0;
    for at in 0..=bytes.len() - from.len() {
        if &bytes[at..at + from.len()] == from {
            bytes[at..at + from.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0, "there is no {}", from.escape_ascii());
    bytes
}

/// A box around everything that is unpacked: what lies in it is `archive` and `data/`, and at last
/// perhaps the folder `data/set`.
pub(crate) struct Cage {
    folder: TempDir,
}

impl Cage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        Self { folder }
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.folder.path().join("data/set")
    }

    /// Unpacks the folder `set` of an archive.
    pub(crate) fn unpack(&self, bytes: &[u8], packing: Packing) -> Result<Unpacked, FetchError> {
        self.unpack_root(bytes, packing, "set", BOUNDS)
    }

    pub(crate) fn unpack_root(
        &self,
        bytes: &[u8],
        packing: Packing,
        root: &str,
        bounds: Bounds,
    ) -> Result<Unpacked, FetchError> {
        let path = self.folder.path().join("archive");
        fs::write(&path, bytes).unwrap();
        let archive = Archive {
            path: &path,
            packing,
            root,
            bounds,
        };
        let mut report = |_: Event<'_>| {};
        let mut watch = Watch {
            report: &mut report,
            stop: &|| false,
        };
        unpack(&archive, &self.target(), &[], &mut watch)
    }

    /// What is there beside the archive and the folder of data sets.
    pub(crate) fn all(&self) -> Vec<String> {
        let mut all = listed(self.folder.path());
        all.retain(|path| path != "archive" && path != "data");
        all
    }
}
