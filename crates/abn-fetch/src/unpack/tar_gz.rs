//! Archives of tar, compressed or not.
//!
//! The crate `tar` reads headers. Long names and the extensions of POSIX are read here, since it
//! would put them into memory however long they are.

use std::cell::Cell;
use std::io::{BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use tar::{Entry, EntryType};

use super::reader::{Limited, Overseer, Unreadable, Watched};
use super::tree::Tree;
use crate::blocks::BLOCK;

/// Of a header, its padding, and what may stand between files.
const HEADER: u64 = 1024;
/// The longest extension that is read: names of 1024 characters fit.
const LONGEST_EXTENSION: u64 = 64 * 1024;

pub(super) fn read_tar(
    file: Watched<'_, '_, '_>,
    overseer: &Overseer<'_, '_>,
    tree: &mut Tree<'_>,
) -> Result<(), Unreadable> {
    read(BufReader::with_capacity(BLOCK, file), overseer, tree)
}

pub(super) fn read_tar_gz(
    file: Watched<'_, '_, '_>,
    overseer: &Overseer<'_, '_>,
    tree: &mut Tree<'_>,
) -> Result<(), Unreadable> {
    let packed = BufReader::with_capacity(BLOCK, file);
    read(MultiGzDecoder::new(packed), overseer, tree)
}

fn read(
    unpacked: impl Read,
    overseer: &Overseer<'_, '_>,
    tree: &mut Tree<'_>,
) -> Result<(), Unreadable> {
    let bounds = tree.archive().bounds;
    let between = bounds
        .entries
        .saturating_mul(HEADER)
        .saturating_add(LONGEST_EXTENSION);
    let ended = Cell::new(false);
    let limited = Limited::new(unpacked, overseer, (bounds.bytes, between), &ended);
    let mut archive = tar::Archive::new(limited);
    let mut extended = Extended::default();
    for entry in archive.entries()?.raw(true) {
        tree.count()?;
        extended = next(entry?, extended, tree)?;
    }
    if !extended.is_empty() {
        return Err(Unreadable::Format(
            "it ends before the file of a long name".into(),
        ));
    }
    if ended.get() {
        return Err(Unreadable::Format("its end is missing".into()));
    }
    // Behind the end there is padding, and the checksum of gzip.
    let mut rest = archive.into_inner();
    let mut block = vec![0; BLOCK];
    while rest.read(&mut block)? > 0 {}
    Ok(())
}

/// What stands in entries before the one that it is said of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Extended {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Extended {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Unpacks an entry, or reads what it says of the next.
fn next(
    mut entry: Entry<'_, impl Read>,
    extended: Extended,
    tree: &mut Tree<'_>,
) -> Result<Extended, Unreadable> {
    let kind = entry.header().entry_type();
    let size = entry.header().entry_size()?;
    match kind {
        EntryType::GNULongName => {
            let mut path = extension(entry, size)?;
            // As C ends texts.
            if path.last() == Some(&0) {
                path.pop();
            }
            return with_path(extended, path);
        }
        EntryType::XHeader => return records(&extension(entry, size)?, extended),
        // Comments of git, and defaults that no data set uses.
        EntryType::XGlobalHeader => return Ok(extended),
        _ => {}
    }
    let path = match extended.path {
        Some(path) => path,
        None => entry.path_bytes().into_owned(),
    };
    if extended.size.is_some_and(|other| other != size) {
        return Err(tree.refused(&path, "has two sizes").into());
    }
    // Before POSIX, a folder was a file of a name with a slash at its end.
    let is_folder = kind == EntryType::Directory || path.ends_with(b"/");
    match kind {
        EntryType::Directory => tree.folder(&path)?,
        EntryType::Regular | EntryType::Continuous if is_folder => tree.folder(&path)?,
        EntryType::Regular | EntryType::Continuous => tree.file(&path, size, &mut entry)?,
        kind => return Err(tree.refused(&path, &what_it_is(kind)).into()),
    }
    Ok(Extended::default())
}

fn what_it_is(kind: EntryType) -> String {
    match kind {
        EntryType::Symlink => "is a symbolic link".to_owned(),
        EntryType::Link | EntryType::GNULongLink => "is a hard link".to_owned(),
        EntryType::Char | EntryType::Block => "is a device".to_owned(),
        EntryType::Fifo => "is a pipe".to_owned(),
        EntryType::GNUSparse => "is a sparse file".to_owned(),
        other => format!("is of the unknown kind {}", other.as_byte().escape_ascii()),
    }
}

fn with_path(extended: Extended, path: Vec<u8>) -> Result<Extended, Unreadable> {
    if extended.path.is_some() {
        return Err(Unreadable::Format("a file has two long names".into()));
    }
    Ok(Extended {
        path: Some(path),
        ..extended
    })
}

fn extension(entry: Entry<'_, impl Read>, size: u64) -> Result<Vec<u8>, Unreadable> {
    if size > LONGEST_EXTENSION {
        let text = format!("the header of a file has {size} bytes");
        return Err(Unreadable::Format(text.into()));
    }
    let mut bytes = Vec::new();
    entry.take(size).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < size {
        return Err(Unreadable::Format("it ends within a header".into()));
    }
    Ok(bytes)
}

/// Records of POSIX: `LENGTH KEY=VALUE\n`, where the length is that of all of it.
fn records(mut bytes: &[u8], mut extended: Extended) -> Result<Extended, Unreadable> {
    let wrong = || Unreadable::Format("an extended header cannot be read".into());
    while !bytes.is_empty() {
        let space = bytes
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or_else(wrong)?;
        let length: usize = number(&bytes[..space]).ok_or_else(wrong)?;
        let record = bytes.get(space + 1..length).ok_or_else(wrong)?;
        let record = record.strip_suffix(b"\n").ok_or_else(wrong)?;
        let equals = record
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or_else(wrong)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => extended = with_path(extended, value.to_owned())?,
            b"size" => extended.size = Some(number(value).ok_or_else(wrong)?),
            key if key.starts_with(b"GNU.sparse.") => {
                return Err(Unreadable::Format("it holds a sparse file".into()));
            }
            _ => {}
        }
        bytes = &bytes[length..];
    }
    Ok(extended)
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    let plain = digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_say_path_and_size() {
        let extended = records(
            b"12 path=a/b\n20 atime=1700000000\n9 size=7\n",
            Extended::default(),
        );
        let expected = Extended {
            path: Some(b"a/b".to_vec()),
            size: Some(7),
        };
        assert_eq!(extended.unwrap(), expected);
    }

    #[test]
    fn records_that_are_cut_or_doubled_are_refused() {
        for bytes in [
            &b"12 path=a/b"[..],
            b"99 path=a/b\n",
            b"3 path=a/b\n",
            b"0 path=a\n",
            b" path=a\n",
            b"+9 path=a\n",
            b"7 patha\n",
            b"8 path=\n8 path=\n",
            b"9 size=x\n",
            b"18 GNU.sparse.m=1\n",
            b"18446744073709551615 a=b\n",
        ] {
            let read = records(bytes, Extended::default());
            assert!(read.is_err(), "{}", bytes.escape_ascii());
        }
    }
}
