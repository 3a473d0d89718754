//! Short digests of data sets: other data in the same place are told without reading everything.

use abn_data::{Collection, DataError, Sample};

use crate::digest::sha256;

/// Samples that are looked at, evenly spread.
const LOOKED_AT: usize = 64;

/// The size of a split and a digest of a few dozen of its images and their labels.
///
/// # Errors
/// A sample cannot be read.
pub fn fingerprint(collection: &Collection) -> Result<String, DataError> {
    let digest = digest(collection, |sample, bytes| {
        let classes = sample.target.classes().iter();
        bytes.extend(classes.flat_map(|class| class.to_le_bytes()));
        bytes.extend(sample.image.as_raw());
    })?;
    Ok(format!("{} images, {digest}", collection.samples.len()))
}

/// A digest of the objects in the images; `None` if they are not known.
///
/// # Errors
/// A sample cannot be read.
pub fn fingerprint_of_objects(collection: &Collection) -> Result<Option<String>, DataError> {
    let bytes_of = |sample: &Sample, bytes: &mut Vec<u8>| match &sample.mask {
        Some(mask) => bytes.extend(mask.as_raw()),
        None => bytes.push(1),
    };
    collection
        .masked
        .then(|| digest(collection, bytes_of))
        .transpose()
}

/// 16 hexadecimal digits for what `bytes_of` appends for each of a few dozen samples.
fn digest(
    collection: &Collection,
    bytes_of: impl Fn(&Sample, &mut Vec<u8>),
) -> Result<String, DataError> {
    let count = collection.samples.len();
    let mut bytes = count.to_le_bytes().to_vec();
    let looked_at = LOOKED_AT.min(count);
    for place in 0..looked_at {
        let sample = collection.samples.get(place * count / looked_at)?;
        bytes_of(&sample, &mut bytes);
    }
    Ok(sha256(&bytes)[..16].to_owned())
}
