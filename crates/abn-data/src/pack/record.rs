//! What a pack holds in fixed places: its header, and a record for each image.

use sha2::{Digest, Sha256};

use super::Stored;
use crate::Truth;

/// First bytes of a pack: one that is no text, and two line ends that copying as text would change.
pub(super) const MAGIC: [u8; 8] = *b"\x89ABNPK\r\n";
/// First bytes of one that is not complete.
pub(super) const UNFINISHED: [u8; 8] = *b"\x89ABNPT\r\n";
/// Version of a pack of class folders.
pub(super) const ONE_LABEL: u32 = 1;
/// Version of a pack of several labels an image.
pub(super) const SEVERAL_LABELS: u32 = 2;
/// Version of a pack of photographs with objects.
pub(super) const OBJECTS: u32 = 3;
/// The latest version.
pub(super) const VERSION: u32 = OBJECTS;
pub(super) const HEADER: usize = 128;
pub(super) const RECORD: usize = 120;
/// Everything begins at a multiple of it.
const ALIGNMENT: u64 = 8;
/// Bytes of the words why an image cannot be read.
pub(super) const MOST_REASON: u32 = 4096;
/// Bytes of the header and of a record that their own checksums cover.
pub(super) const HEADER_CHECKED: usize = 88;
const RECORD_CHECKED: usize = 116;

/// A SHA-256.
pub(super) type Sha = [u8; 32];

pub(super) fn sha256(bytes: &[u8]) -> Sha {
    Sha256::digest(bytes).into()
}

/// So many bytes with what fills them up.
pub(super) fn padded(length: u64) -> u64 {
    length.next_multiple_of(ALIGNMENT)
}

/// The start of a complete pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) stored: Stored,
    /// Number of images.
    pub(super) entries: u64,
    /// Where the index begins.
    pub(super) index: u64,
    /// Bytes of all names.
    pub(super) names: u64,
    /// Bytes of the text at the end.
    pub(super) contents: u64,
    /// What its masks were made of.
    pub(super) truth: Option<Truth>,
    pub(super) fingerprint: Sha,
    /// Of the index and of the header before this.
    pub(super) digest: Sha,
}

impl Header {
    /// That of an unfinished pack: by it one knows whether it may be continued.
    pub(super) fn unfinished(version: u32, stored: Stored, truth: Option<Truth>) -> Self {
        Self {
            version,
            stored,
            entries: 0,
            index: 0,
            names: 0,
            contents: 0,
            truth,
            fingerprint: [0; 32],
            digest: [0; 32],
        }
    }

    pub(super) fn bytes(&self, magic: [u8; 8]) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let mut fields = Fields::of(&mut bytes);
        fields.put(&magic);
        fields.put(&self.version.to_le_bytes());
        fields.put(&side_of(self.stored).to_le_bytes());
        for number in [self.entries, self.index, self.names, self.contents] {
            fields.put(&number.to_le_bytes());
        }
        let truth: u64 = match self.truth {
            None => 0,
            Some(Truth::Masks) => 1,
            Some(Truth::Boxes) => 2,
        };
        fields.put(&truth.to_le_bytes());
        fields.put(&self.fingerprint);
        fields.put(&self.digest);
        bytes
    }

    /// What of a complete one its digest covers.
    pub(super) fn checked(&self) -> [u8; HEADER_CHECKED] {
        array_at(&self.bytes(MAGIC), 0)
    }

    /// A header of a version that is known.
    pub(super) fn of(bytes: &[u8; HEADER]) -> Self {
        Self {
            version: u32_at(bytes, 8),
            stored: match u32_at(bytes, 12) {
                0 => Stored::AsTheyAre,
                side => Stored::Shorter(side),
            },
            entries: u64_at(bytes, 16),
            index: u64_at(bytes, 24),
            names: u64_at(bytes, 32),
            contents: u64_at(bytes, 40),
            truth: match u64_at(bytes, 48) {
                1 => Some(Truth::Masks),
                2 => Some(Truth::Boxes),
                _ => None,
            },
            fingerprint: array_at(bytes, 56),
            digest: array_at(bytes, HEADER_CHECKED),
        }
    }
}

fn side_of(stored: Stored) -> u32 {
    match stored {
        Stored::AsTheyAre => 0,
        Stored::Shorter(side) => side,
    }
}

/// What the bytes of an entry are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An image file.
    File,
    /// Pixels, three bytes each, row by row.
    Pixels,
    /// The reason in words why there is no image.
    Unreadable,
}

/// What is told of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Where its image begins; the mask follows.
    pub(super) offset: u64,
    pub(super) kind: Kind,
    /// Bytes of the image and of the mask; 0 where there is none.
    pub(super) image: u32,
    pub(super) mask: u32,
    /// Of pixels.
    pub(super) width: u32,
    pub(super) height: u32,
    /// CRC-32 of the image and of the mask.
    pub(super) crcs: [u32; 2],
    /// Of the image and the mask behind it, without padding.
    pub(super) sha256: Sha,
    /// Of the file that the image was read from; zeros if that could not be read.
    pub(super) source: Sha,
    /// Start of the SHA-256 of what its mask was made from.
    pub(super) truth: [u8; 8],
    /// Bytes of its name.
    pub(super) name: u32,
}

impl Record {
    pub(super) fn bytes(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        let mut fields = Fields::of(&mut bytes);
        fields.put(&self.offset.to_le_bytes());
        for number in [self.image, self.mask, self.width, self.height] {
            fields.put(&number.to_le_bytes());
        }
        for crc in self.crcs {
            fields.put(&crc.to_le_bytes());
        }
        fields.put(&self.sha256);
        fields.put(&self.source);
        fields.put(&self.truth);
        fields.put(&self.name.to_le_bytes());
        fields.put(&(self.kind as u32).to_le_bytes());
        let crc = crc32fast::hash(&bytes[..RECORD_CHECKED]);
        bytes[RECORD_CHECKED..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` if these are no record.
    pub(super) fn of(bytes: &[u8; RECORD]) -> Option<Self> {
        let kind = match u32_at(bytes, 108) {
            0 => Kind::File,
            1 => Kind::Pixels,
            2 => Kind::Unreadable,
            _ => return None,
        };
        let crc = crc32fast::hash(&bytes[..RECORD_CHECKED]);
        let record = Self {
            offset: u64_at(bytes, 0),
            kind,
            image: u32_at(bytes, 8),
            mask: u32_at(bytes, 12),
            width: u32_at(bytes, 16),
            height: u32_at(bytes, 20),
            crcs: [u32_at(bytes, 24), u32_at(bytes, 28)],
            sha256: array_at(bytes, 32),
            source: array_at(bytes, 64),
            truth: array_at(bytes, 96),
            name: u32_at(bytes, 104),
        };
        (crc == u32_at(bytes, RECORD_CHECKED)).then_some(record)
    }

    /// Where its mask begins.
    pub(super) fn mask_offset(&self) -> u64 {
        self.offset + padded(self.image.into())
    }

    /// Bytes of its image and mask together, padded.
    pub(super) fn length(&self) -> u64 {
        padded(self.image.into()) + padded(self.mask.into())
    }

    /// Whether its numbers agree with each other and with how images are stored.
    pub(super) fn is_sound(&self, stored: Stored) -> bool {
        let (width, height) = (u64::from(self.width), u64::from(self.height));
        match self.kind {
            Kind::Unreadable => {
                self.image <= MOST_REASON && self.mask == 0 && (width, height) == (0, 0)
            }
            Kind::File => stored == Stored::AsTheyAre && (width, height) == (0, 0),
            Kind::Pixels => {
                let pixels = width.checked_mul(height);
                stored != Stored::AsTheyAre
                    && self.image > 0
                    && pixels.and_then(|pixels| pixels.checked_mul(3)) == Some(self.image.into())
            }
        }
    }
}

/// Bytes that are written from front to back.
struct Fields<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn of(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn put(&mut self, field: &[u8]) {
        self.bytes[self.at..][..field.len()].copy_from_slice(field);
        self.at += field.len();
    }
}

pub(super) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|place| bytes[at + place])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_headers_come_back_from_their_bytes() {
        let record = Record {
            offset: 248,
            kind: Kind::Pixels,
            image: 36,
            mask: 5,
            width: 4,
            height: 3,
            crcs: [6, 7],
            sha256: [8; 32],
            source: [9; 32],
            truth: [10; 8],
            name: 11,
        };
        let bytes = record.bytes();
        assert_eq!(Record::of(&bytes), Some(record.clone()));
        assert_eq!((bytes[8], bytes[104], bytes[108]), (36, 11, 1));
        for place in 0..RECORD {
            let mut changed = bytes;
            changed[place] ^= 1;
            assert_eq!(Record::of(&changed), None, "byte {place}");
        }
        // 36 bytes fill up to 40.
        assert_eq!((record.mask_offset(), record.length()), (288, 48));
        assert!(record.is_sound(Stored::Shorter(3)) && !record.is_sound(Stored::AsTheyAre));

        let header = Header {
            version: SEVERAL_LABELS,
            stored: Stored::Shorter(256),
            entries: 1,
            index: 2,
            names: 3,
            contents: 4,
            truth: Some(Truth::Boxes),
            fingerprint: [5; 32],
            digest: [6; 32],
        };
        let bytes = header.bytes(MAGIC);
        assert_eq!(Header::of(&bytes), header);
        assert_eq!((&bytes[..8], &bytes[88..120]), (&MAGIC[..], &[6; 32][..]));
    }
}
