//! Finds the samples of a shard in one pass over its headers; images are stepped over.
//!
//! Member names never become paths of files, so nothing can be written or read outside the shard.
//! What only somebody hostile or careless puts into one is refused all the same, see `tricks.rs`: a
//! shard that other programs read in another way is no data set.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use tar::{Archive, Entry};

use super::label::label;
use super::member::{Field, checked, field, key_and_rest};
use super::tricks::{Fault, compressed, content, end, extensions, unwanted};
use super::window::Window;
use crate::DataError;
use crate::archive::{Interner, Label, Names, refused, shown};
use crate::decode::{MAX_FILE, open_bounded};

const EXPECTED: &str = "a tar shard";
/// The longest label that is read.
const MAX_LABEL: u64 = 1 << 20;
/// Where a member's content lies in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) at: u64,
    pub(super) length: u32,
}

/// An image with its label.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) label: Label,
    pub(super) image: Span,
    pub(super) mask: Option<Span>,
}

/// What a shard holds.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Its size in bytes.
    pub(super) size: u64,
    pub(super) samples: Vec<Found>,
    /// The members that are the images.
    pub(super) names: Names,
    /// Members that belong to no sample, and samples without an image.
    pub(super) left_out: usize,
}

/// The samples of a shard.
///
/// # Errors
/// It cannot be read, is cut off, damaged or compressed, holds anything but files, or an image
/// without a label.
pub(super) fn scan(path: &Path) -> Result<Shard, DataError> {
    let (file, size) = open_bounded(path, i64::MAX as u64, EXPECTED)?;
    if size == 0 {
        let (path, expected) = (path.into(), EXPECTED);
        return Err(DataError::Empty { path, expected });
    }
    let mut scan = Scan {
        size,
        ..Scan::default()
    };
    match scan.archive(Window::new(file, size)) {
        Ok(()) => {}
        Err(Fault::Unreadable(source)) => {
            let path = path.into();
            return Err(DataError::Read { path, source });
        }
        Err(Fault::Content(reason)) => return Err(refused(path, reason)),
    }
    Ok(Shard { size, ..scan.found })
}

#[derive(Default)]
struct Scan {
    size: u64,
    found: Shard,
    /// The sample that the last member belongs to.
    open: Option<Open>,
    keys: HashSet<Box<str>>,
    interner: Interner,
}

/// A sample of which more members may follow.
#[derive(Default)]
struct Open {
    key: Box<str>,
    /// Images by how they are called: by their ending alone, then in any other way.
    images: [Vec<(Box<str>, Span)>; 2],
    mask: Option<Span>,
    /// What its `cls`, `json` and `txt` hold.
    said: [Option<Vec<u8>>; 3],
}

impl Scan {
    fn archive(&mut self, mut window: Window) -> Result<(), Fault> {
        compressed(&mut window)?;
        let mut archive = Archive::new(window);
        for entry in archive.entries_with_seek()? {
            self.member(entry?)?;
        }
        self.close()?;
        if self.found.samples.is_empty() {
            return Err(content(
                "it holds no sample: expected images such as 0001.jpg with their labels in \
                 0001.cls; check that it is the right file",
            ));
        }
        end(archive.into_inner())
    }

    fn member(&mut self, mut entry: Entry<'_, impl Read>) -> Result<(), Fault> {
        let kind = entry.header().entry_type();
        let name = entry.path_bytes().into_owned();
        let name = checked(&name).map_err(|wrong| {
            let name = shown(&String::from_utf8_lossy(&name));
            content(format!(
                "the name of its member \"{name}\" {wrong}; pack it again"
            ))
        })?;
        let refused = |wrong: &str| {
            let name = shown(name);
            content(format!("its member {name} {wrong}; pack it again"))
        };
        extensions(&mut entry).map_err(refused)?;
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        if let Some(wrong) = unwanted(kind) {
            return Err(refused(wrong));
        }
        let (at, length) = (entry.raw_file_position(), entry.size());
        if at.checked_add(length).is_none_or(|end| end > self.size) {
            let reason = format!(
                "it is cut off: its member {} has {length} bytes from byte {at} on, and the file \
                 {}; copy it again",
                shown(name),
                self.size
            );
            return Err(content(reason));
        }
        if kind.is_dir() || name.ends_with('/') || name.is_empty() {
            return Ok(());
        }
        let Some((key, rest)) = key_and_rest(name) else {
            self.found.left_out += 1;
            return Ok(());
        };
        self.enter(key)?;
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let limited = |limit: u64, what: &str| match u32::try_from(length) {
            Ok(short) if length <= limit => Ok(Span { at, length: short }),
            _ => Err(refused(&format!(
                "has {length} bytes: expected {what} of at most {limit}"
            ))),
        };
        match field(rest) {
            kind @ (Field::Image | Field::NamedImage) => {
                let image = (name.into(), limited(MAX_FILE, "an image")?);
                open.images[usize::from(kind == Field::NamedImage)].push(image);
            }
            Field::Mask => {
                if open.mask.replace(limited(MAX_FILE, "a mask")?).is_some() {
                    return Err(refused("is the second mask of its sample"));
                }
            }
            Field::Label(said) => {
                limited(MAX_LABEL, "a label")?;
                let mut text = Vec::new();
                entry.read_to_end(&mut text)?;
                if open.said[said as usize].replace(text).is_some() {
                    return Err(refused("is there twice"));
                }
            }
            Field::Other => {}
        }
        Ok(())
    }

    /// Makes the sample of that key the one that members are added to.
    fn enter(&mut self, key: &str) -> Result<(), Fault> {
        if self.open.as_ref().is_some_and(|open| *open.key == *key) {
            return Ok(());
        }
        self.close()?;
        if !self.keys.insert(key.into()) {
            let key = shown(key);
            return Err(content(format!(
                "the files of its sample {key} are in two places: expected them one after the \
                 other; pack it again, sorted by name"
            )));
        }
        self.open = Some(Open {
            key: key.into(),
            ..Open::default()
        });
        Ok(())
    }

    /// Takes the sample whose members are all there.
    fn close(&mut self) -> Result<(), Fault> {
        let Some(Open {
            key,
            images: [plain, named],
            mask,
            said,
        }) = self.open.take()
        else {
            return Ok(());
        };
        let wrong = |wrong: String| {
            content(format!(
                "its sample {} {wrong}; correct it, or leave it out",
                shown(&key)
            ))
        };
        let images = if plain.is_empty() { named } else { plain };
        let (name, image) = match images.as_slice() {
            [] => {
                self.found.left_out += 1;
                return Ok(());
            }
            [(name, image)] => (name, *image),
            [(one, _), (other, _), ..] => {
                let (one, other) = (shown(one), shown(other));
                return Err(wrong(format!("has two images, {one} and {other}")));
            }
        };
        let label = label(&mut self.interner, said).map_err(wrong)?;
        self.found.names.push(name);
        self.found.samples.push(Found { label, image, mask });
        Ok(())
    }
}
