//! Comparing all of a pack with its checksums.

use std::path::Path;
use std::sync::Arc;

use sha2::Digest;

use super::PackError;
use super::entry::both;
use super::index::Index;
use super::record::{Kind, RECORD, Sha};
use super::resume::record_at;
use super::write::hexadecimal;
use crate::DataError;
use crate::ordered::Ordered;

/// What the comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Images in the pack.
    pub images: usize,
    /// SHA-256 of the names, classes, parts and files of the folder that was packed.
    pub fingerprint: String,
    /// Names of the images whose bytes are not those that were packed.
    pub damaged: Vec<String>,
    /// Names of the images that could not be read when they were packed.
    pub unreadable: Vec<String>,
}

/// Reads all of a pack and compares the SHA-256 of every image, with so many threads.
///
/// # Errors
/// The pack cannot be opened or read, or its fingerprint is not that of its records.
pub fn verify(path: &Path, workers: usize) -> Result<Verified, DataError> {
    let index = Arc::new(Index::open(path)?);
    let images = index.spots.len();
    let compared = {
        let index = Arc::clone(&index);
        Ordered::new(0..images, workers, move |number| compared(&index, number))
    };
    let mut fingerprint = index.what.fingerprint();
    let (mut damaged, mut unreadable) = (Vec::new(), Vec::new());
    for (number, compared) in compared.enumerate() {
        let compared = compared.map_err(|source| DataError::Read {
            path: path.into(),
            source,
        })?;
        if !compared.whole {
            damaged.push(index.what.name(number));
        } else if index.spots[number].kind == Kind::Unreadable {
            unreadable.push(index.what.name(number));
        }
        index.what.add(&mut fingerprint, number, &compared.source);
    }
    let fingerprint: Sha = fingerprint.finalize().into();
    if fingerprint != index.header.fingerprint {
        return Err(PackError::Index {
            path: path.into(),
            reason: "its fingerprint is not that of its images".to_owned(),
        }
        .into());
    }
    Ok(Verified {
        images,
        fingerprint: hexadecimal(&fingerprint),
        damaged,
        unreadable,
    })
}

struct Compared {
    whole: bool,
    source: Sha,
}

/// Compares an entry with its record in the index and with the one before it.
fn compared(index: &Index, number: usize) -> std::io::Result<Compared> {
    let spot = &index.spots[number];
    let bytes = index.file.bytes(RECORD, index.record_place(number))?;
    let before = record_at(&index.file, spot.offset - RECORD as u64);
    let image = index.file.bytes(spot.image as usize, spot.offset)?;
    let mask = index.file.bytes(spot.mask as usize, spot.mask_offset())?;
    let crcs = [&image, &mask].map(|bytes| crc32fast::hash(bytes));
    let record = super::record::Record::of(&super::record::array_at(&bytes, 0))
        .ok_or(std::io::ErrorKind::InvalidData)?;
    let whole = before.is_ok_and(|before| before == record)
        && record.sha256 == both(&image, &mask)
        && record.crcs == crcs;
    Ok(Compared {
        whole,
        source: record.source,
    })
}
