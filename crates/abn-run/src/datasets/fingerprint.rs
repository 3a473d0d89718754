//! Short digests of data sets: other data in the same place are told without reading everything.

use std::collections::BTreeSet;

use abn_data::{Collection, DataError, ObjectMasks, Skips};

use crate::digest::sha256;

/// Samples that are looked at, evenly spread.
const LOOKED_AT: usize = 64;

/// The size of a split and a digest of a few dozen of its images and their labels.
///
/// # Errors
/// A sample cannot be read.
pub fn fingerprint(collection: &Collection) -> Result<String, DataError> {
    fingerprint_but(collection, &BTreeSet::new(), &Skips::default())
}

/// The same without the content of some images, and of those that are skipped.
///
/// # Errors
/// A sample cannot be read and is not to be skipped.
pub fn fingerprint_but(
    collection: &Collection,
    unread: &BTreeSet<usize>,
    skips: &Skips,
) -> Result<String, DataError> {
    let read = |index| match unread.contains(&index) {
        true => Ok(None),
        false => skips.read(index, || collection.samples.get(index)),
    };
    let digest = digest(collection.samples.len(), |index, bytes| {
        let Some(sample) = read(index)? else {
            bytes.extend(b"not read");
            return Ok(());
        };
        // What nobody knows is no class.
        let classes = sample.target.classes().iter();
        let numbers = classes.map(|class| class.unwrap_or(usize::MAX));
        bytes.extend(numbers.flat_map(usize::to_le_bytes));
        for object in sample.target.objects() {
            bytes.extend(object.class.to_le_bytes());
            let corners = <[f64; 4]>::from(object.bounds);
            bytes.extend(corners.into_iter().flat_map(f64::to_le_bytes));
            bytes.push(object.counts as u8);
        }
        bytes.extend(sample.image.as_raw());
        Ok(())
    })?;
    Ok(format!("{} images, {digest}", collection.samples.len()))
}

/// A digest of the objects in the images; `None` if they are not known.
///
/// # Errors
/// A sample cannot be read.
pub fn fingerprint_of_objects(collection: &Collection) -> Result<Option<String>, DataError> {
    let bytes_of = |index, bytes: &mut Vec<u8>| {
        match collection.samples.get(index)?.masks {
            ObjectMasks::Unknown => bytes.push(1),
            ObjectMasks::OfAll(mask) => bytes.extend(mask.as_raw()),
            ObjectMasks::OfEach(masks) => {
                let raw = masks
                    .iter()
                    .map(|mask| mask.as_ref().map(|mask| &**mask.as_raw()));
                raw.for_each(|mask| bytes.extend(mask.unwrap_or(&[1])));
            }
        }
        Ok(())
    };
    collection
        .masked
        .then(|| digest(collection.samples.len(), bytes_of))
        .transpose()
}

/// 16 hexadecimal digits for what `append` adds for each of a few dozen of `count` samples.
fn digest(
    count: usize,
    append: impl Fn(usize, &mut Vec<u8>) -> Result<(), DataError>,
) -> Result<String, DataError> {
    let mut bytes = count.to_le_bytes().to_vec();
    let looked_at = LOOKED_AT.min(count);
    for place in 0..looked_at {
        append(place * count / looked_at, &mut bytes)?;
    }
    Ok(sha256(&bytes)[..16].to_owned())
}
