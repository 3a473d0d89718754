//! Opening a pack: its header and index, of which nothing is believed that does not fit the rest.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::printable;
use super::positioned::Positioned;
use super::record::{
    HEADER, Header, Kind, MAGIC, OBJECTS, ONE_LABEL, RECORD, Record, SEVERAL_LABELS, Sha,
    UNFINISHED, VERSION, array_at, padded,
};
use super::what::{Classes, What};
use super::{PackError, Stored};
use crate::DataError;
use crate::attributes::kept::Lists;
use crate::decode::open_bounded;
use crate::folder::contents::{Contents, is_below};
use crate::folder::listing::Listing;
use crate::objects::kept::Annotations;

/// Read from the file at a time.
const BUFFER: usize = 64 << 10;

/// A pack that is open.
pub(super) struct Index {
    pub(super) path: PathBuf,
    pub(super) file: Positioned,
    pub(super) header: Header,
    /// Where the parts of each entry lie.
    pub(super) spots: Vec<Spot>,
    pub(super) what: What,
}

/// Where the image and mask of an entry lie, and how they are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) offset: u64,
    pub(super) kind: Kind,
    pub(super) image: u32,
    pub(super) mask: u32,
    pub(super) size: (u32, u32),
    pub(super) crcs: [u32; 2],
}

impl Spot {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            offset: record.offset,
            kind: record.kind,
            image: record.image,
            mask: record.mask,
            size: (record.width, record.height),
            crcs: record.crcs,
        }
    }

    /// Where its mask begins.
    pub(super) fn mask_offset(&self) -> u64 {
        self.offset + padded(self.image.into())
    }
}

/// Why an index is refused.
enum Fault {
    Content(String),
    Read(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Self::Content(reason.to_owned())
    }
}

impl Index {
    /// The pack at `path`.
    ///
    /// # Errors
    /// It is missing, no pack, unfinished, of a later version, cut off, or its index is damaged.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let (file, size) = open_bounded(path, u64::MAX, "a pack")?;
        let header = header(path, &file, size)?;
        let parsed = parsed(path, &file, &header);
        let (spots, what) = parsed.map_err(|fault| match fault {
            Fault::Read(source) => DataError::Read {
                path: path.into(),
                source,
            },
            Fault::Content(reason) => PackError::Index {
                path: path.into(),
                reason,
            }
            .into(),
        })?;
        Ok(Self {
            path: path.into(),
            file: Positioned::new(file),
            header,
            spots,
            what,
        })
    }

    /// Where the record of that number lies in the index.
    pub(super) fn record_place(&self, number: usize) -> u64 {
        self.header.index + (number * RECORD) as u64
    }
}

/// The header of a file that is as long as that says.
fn header(path: &Path, file: &File, size: u64) -> Result<Header, DataError> {
    let path = PathBuf::from(path);
    let mut bytes = Vec::with_capacity(HEADER);
    let read = file.take(HEADER as u64).read_to_end(&mut bytes);
    read.map_err(|source| DataError::Read {
        path: path.clone(),
        source,
    })?;
    if bytes.starts_with(&UNFINISHED) {
        return Err(PackError::Unfinished { path }.into());
    }
    let bytes: &[u8; HEADER] = match bytes.first_chunk() {
        Some(bytes) if bytes.starts_with(&MAGIC) => bytes,
        _ => return Err(PackError::NotAPack { path }.into()),
    };
    let found = u32::from_le_bytes(array_at(bytes, 8));
    if !(ONE_LABEL..=VERSION).contains(&found) {
        let known = VERSION;
        return Err(PackError::Version { path, found, known }.into());
    }
    let header = Header::of(bytes);
    let records = header.entries.checked_mul(RECORD as u64);
    let expected = [records, Some(header.names), Some(header.contents)]
        .into_iter()
        .try_fold(header.index, |sum, part| sum.checked_add(part?));
    match expected {
        Some(expected) if expected == size => Ok(header),
        expected => {
            let expected = expected.unwrap_or(u64::MAX);
            Err(PackError::Size {
                path,
                size,
                expected,
            }
            .into())
        }
    }
}

fn parsed(path: &Path, mut file: &File, header: &Header) -> Result<(Vec<Spot>, What), Fault> {
    file.seek(SeekFrom::Start(header.index))?;
    if digest(&mut file, header)? != header.digest {
        return Err("its SHA-256 is another".into());
    }
    file.seek(SeekFrom::Start(header.index))?;
    let mut input = BufReader::with_capacity(BUFFER, file);
    let (spots, lengths) = records(&mut input, header)?;
    // Both are parts of a file that is as long as their sum.
    let mut names = vec![0; header.names as usize];
    input.read_exact(&mut names)?;
    let mut contents = vec![0; header.contents as usize];
    input.read_exact(&mut contents)?;
    let unicode = |names| String::from_utf8(names).map_err(|_| "its names are not valid Unicode");
    if header.version == SEVERAL_LABELS {
        let names = split(&unicode(names)?, &lengths)?;
        let lists = Lists::read(path, &contents, names);
        let lists = lists.map_err(|reason| Fault::Content(printable(&reason)))?;
        return Ok((spots, What::Lists(Box::new(lists))));
    }
    if header.version == OBJECTS {
        if header.stored != Stored::AsTheyAre {
            return Err("it has boxes, and images of another size".into());
        }
        let names = split(&unicode(names)?, &lengths)?;
        let annotations = Annotations::read(path, &contents, names);
        let annotations = annotations.map_err(|reason| Fault::Content(printable(&reason)))?;
        return Ok((spots, What::Objects(Box::new(annotations))));
    }
    let contents: Contents = serde_json::from_slice(&contents)
        .map_err(|error| format!("its list of classes is not read: {error}"))
        .map_err(|reason| Fault::Content(printable(&reason)))?;
    if contents.checked()? != header.entries {
        return Err("its classes have another number of images".into());
    }
    let listing = listing(&contents, &unicode(names)?, &lengths)?;
    Ok((spots, What::Classes(Classes::of(contents, listing))))
}

/// The names of all images.
fn split(names: &str, lengths: &[u32]) -> Result<Vec<String>, Fault> {
    let mut at = 0;
    let mut found = Vec::with_capacity(lengths.len());
    for length in lengths {
        let end = at + *length as usize;
        found.push(name_at(names, at..end)?.to_owned());
        at = end;
    }
    match at == names.len() {
        true => Ok(found),
        false => Err(LENGTHS.into()),
    }
}

const LENGTHS: &str = "the lengths of its names are wrong";

/// The name at that place.
fn name_at(names: &str, place: Range<usize>) -> Result<&str, Fault> {
    let name = names.get(place).filter(|name| !name.is_empty());
    let name = name.ok_or(LENGTHS)?;
    match is_below(name) {
        true => Ok(name),
        false => Err("it names an image outside of its folder".into()),
    }
}

/// The SHA-256 of what follows, up to the end of the file, and the header.
fn digest(input: &mut impl Read, header: &Header) -> io::Result<Sha> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match input.read(&mut buffer)? {
            0 => break,
            read => digest.update(&buffer[..read]),
        }
    }
    digest.update(header.checked());
    Ok(digest.finalize().into())
}

/// Where the entries lie, and the lengths of their names.
fn records(input: &mut impl Read, header: &Header) -> Result<(Vec<Spot>, Vec<u32>), Fault> {
    let count = u32::try_from(header.entries).map_err(|_| "it has too many entries")? as usize;
    let mut spots = Vec::with_capacity(count);
    let mut lengths = Vec::with_capacity(count);
    let mut place = HEADER as u64;
    for number in 0..count {
        let wrong = |what| Fault::Content(format!("record {number} {what}"));
        let mut bytes = [0; RECORD];
        input.read_exact(&mut bytes)?;
        let record = Record::of(&bytes).ok_or_else(|| wrong("is none"))?;
        if !record.is_sound(header.stored) {
            return Err(wrong("contradicts itself"));
        }
        if record.offset != place + RECORD as u64 {
            return Err(wrong("has another place than behind the one before it"));
        }
        // Below the index as long as that is checked, and far from overflowing.
        place = record.offset + record.length();
        if place > header.index {
            return Err(wrong("reaches into the index"));
        }
        spots.push(Spot::of(&record));
        lengths.push(record.name);
    }
    if place != header.index {
        return Err("the entries end before it begins".into());
    }
    Ok((spots, lengths))
}

/// The names by class.
fn listing(contents: &Contents, names: &str, lengths: &[u32]) -> Result<Listing, Fault> {
    let mut listing = Listing::default();
    let (mut at, mut lengths) = (0, lengths.iter());
    for class in contents.parts.iter().flat_map(|part| &part.classes) {
        let mut images = Vec::new();
        for length in lengths.by_ref().take(class.images) {
            let end = at + *length as usize;
            images.push(name_at(names, at..end)?.to_owned());
            at = end;
        }
        listing.push(images);
    }
    match at == names.len() {
        true => Ok(listing),
        false => Err(LENGTHS.into()),
    }
}
