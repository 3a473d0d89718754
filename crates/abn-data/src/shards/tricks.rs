//! What is refused of a shard before anybody looks for samples in it.

use std::io::{self, Read, Seek};

use tar::{Entry, EntryType};

use super::window::Window;
use crate::archive::shown;

/// What may follow the end of an archive: zeros up to the size of a record.
const MAX_END: u64 = 1 << 20;
/// How compressed files begin, and what unpacks them.
const COMPRESSED: [(&[u8], &str); 5] = [
    (b"\x1f\x8b\x08", "gunzip"),
    (b"\x28\xb5\x2f\xfd", "zstd -d"),
    (b"\xfd7zXZ\0", "unxz"),
    (b"BZh", "bunzip2"),
    (b"\x04\x22\x4d\x18", "lz4 -d"),
];

/// Why a shard is not taken.
#[derive(Debug)]
pub(super) enum Fault {
    Unreadable(io::Error),
    Content(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if error.raw_os_error().is_some() {
            return Self::Unreadable(error);
        }
        let error = shown(&error.to_string());
        Self::Content(format!(
            "it is damaged, or no tar archive ({error}); copy it again"
        ))
    }
}

/// What the shard holds is not what was expected.
pub(super) fn content(reason: impl Into<String>) -> Fault {
    Fault::Content(reason.into())
}

/// What is wrong with members of that kind.
pub(super) fn unwanted(kind: EntryType) -> Option<&'static str> {
    match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::Directory => None,
        EntryType::Link | EntryType::Symlink => Some("is a link: expected files alone"),
        EntryType::GNUSparse => Some("is stored with holes: expected whole files"),
        EntryType::Char | EntryType::Block | EntryType::Fifo => {
            Some("is a device: expected files alone")
        }
        _ => Some("is of an unknown kind: expected files alone"),
    }
}

/// Refuses what extended headers say in two ways, and files with holes.
pub(super) fn extensions(entry: &mut Entry<'_, impl Read>) -> Result<(), &'static str> {
    const UNREADABLE: &str = "has an extended header that cannot be read";
    let global = entry.header().entry_type().is_pax_global_extensions();
    let mut decisive = Vec::new();
    for extension in entry
        .pax_extensions()
        .map_err(|_| UNREADABLE)?
        .into_iter()
        .flatten()
    {
        let extension = extension.map_err(|_| UNREADABLE)?;
        let key = extension.key().map_err(|_| UNREADABLE)?;
        if key.starts_with("GNU.sparse.") {
            return Err("is stored with holes: expected whole files");
        }
        let number = || {
            extension
                .value()
                .ok()
                .and_then(|size| size.parse::<u64>().ok())
        };
        if key == "size" && number().is_none() {
            return Err(UNREADABLE);
        }
        if ["path", "size", "linkpath"].contains(&key) {
            if global || decisive.contains(&key) {
                return Err("has an extended header that says its name or size twice");
            }
            decisive.push(key);
        }
    }
    Ok(())
}

/// Refuses a compressed file with what unpacks it.
pub(super) fn compressed(window: &mut Window) -> Result<(), Fault> {
    let mut start = Vec::new();
    window.by_ref().take(512).read_to_end(&mut start)?;
    window.rewind()?;
    let found = COMPRESSED
        .iter()
        .find(|(magic, _)| start.starts_with(magic));
    // A member may be called so, in a header that says what it is.
    let is_header = start.get(257..262) == Some(b"ustar");
    match found.filter(|_| !is_header) {
        None => Ok(()),
        Some((_, program)) => Err(content(format!(
            "it is compressed, and no member of it can be read alone; unpack it with `{program}` \
             first"
        ))),
    }
}

/// Refuses an archive without its end, and one that hides something behind it.
pub(super) fn end(mut window: Window) -> Result<(), Fault> {
    if window.ended {
        return Err(content(
            "it has no end: the blocks of zeros after the last member are missing; copy it again",
        ));
    }
    let mut rest = Vec::new();
    let mut left = MAX_END;
    while left > 0 {
        rest.clear();
        let read = window
            .by_ref()
            .take(left.min(4096))
            .read_to_end(&mut rest)?;
        if read == 0 {
            break;
        }
        left -= read as u64;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(content(
                "something follows its end, such as a second archive; make it a file of its own",
            ));
        }
    }
    Ok(())
}
