//! How the masks of an image lie in a pack.
//!
//! ```text
//! version 1    a greyscale PNG
//! version 2    number of labels, or 0 for one object that all labels are about
//!              for each label two bytes: number of its mask from 1 on, or 0 for none
//!              the masks, each once: its length in four bytes, a greyscale PNG
//! ```
//!
//! An image of which nobody knows the objects has no bytes.

use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ExtendedColorType, GrayImage, ImageEncoder, ImageError};

use super::record::{ONE_LABEL, array_at};
use crate::ObjectMasks;
use crate::decode::of_bytes;

/// Pixels of the masks of all labels of an image at most: 80 labels of 50 megapixels.
const MOST_PIXELS: u64 = 4 << 30;

/// The bytes of masks in a pack of that version.
///
/// # Errors
/// There are too many for their size.
pub(super) fn bytes(version: u32, masks: &ObjectMasks) -> Result<Vec<u8>, ImageError> {
    let (labels, of_each) = match masks {
        ObjectMasks::Unknown => return Ok(Vec::new()),
        ObjectMasks::OfAll(mask) if version == ONE_LABEL => return png(mask),
        ObjectMasks::OfAll(mask) => (0, vec![Some(mask)]),
        ObjectMasks::OfEach(masks) => (masks.len(), masks.iter().map(Option::as_ref).collect()),
    };
    let size = of_each
        .iter()
        .flatten()
        .next()
        .map(|mask| mask.dimensions());
    if !fit(of_each.iter().flatten().count(), size.unwrap_or_default()) {
        let error = std::io::Error::other("it has too many objects for its size");
        return Err(ImageError::IoError(error));
    }
    // Several labels are about the same object.
    let mut kept: Vec<&GrayImage> = Vec::new();
    let mut numbers: Vec<u16> = Vec::with_capacity(labels);
    for mask in of_each {
        let number = mask.map_or(0, |mask| {
            let known = kept.iter().position(|kept| *kept == mask);
            known.unwrap_or_else(|| {
                kept.push(mask);
                kept.len() - 1
            }) + 1
        });
        // A data set has at most ten thousand labels.
        numbers.push(number as u16);
    }
    let mut bytes = (labels as u32).to_le_bytes().to_vec();
    for number in &numbers[..labels] {
        bytes.extend(number.to_le_bytes());
    }
    for mask in kept {
        let png = png(mask)?;
        bytes.extend((png.len() as u32).to_le_bytes());
        bytes.extend(png);
    }
    Ok(bytes)
}

/// The masks of an image of that size with so many labels, as [`bytes`] wrote them.
///
/// # Errors
/// They are not those of such an image: the reason.
pub(super) fn of(
    version: u32,
    bytes: &[u8],
    labels: usize,
    size: (u32, u32),
) -> Result<ObjectMasks, String> {
    if bytes.is_empty() {
        return Ok(ObjectMasks::Unknown);
    }
    if version == ONE_LABEL {
        return mask(bytes, size).map(ObjectMasks::OfAll);
    }
    let damaged = || "its masks are not those of its labels".to_owned();
    let mut rest = bytes;
    let mut take = |length: usize| {
        let (taken, left) = rest.split_at_checked(length)?;
        rest = left;
        Some(taken)
    };
    let number = |bytes: &[u8]| u32::from_le_bytes(array_at(bytes, 0)) as usize;
    let count = number(take(4).ok_or_else(damaged)?);
    if count != 0 && count != labels {
        return Err(damaged());
    }
    let numbers = take(2 * count).ok_or_else(damaged)?;
    let numbers: Vec<usize> = numbers
        .chunks_exact(2)
        .map(|bytes| u16::from_le_bytes(array_at(bytes, 0)).into())
        .collect();
    let known = numbers.iter().filter(|number| **number > 0).count();
    if !fit(known.max(1), size) {
        return Err("it has too many objects for its size".to_owned());
    }
    let kept = match count {
        0 => 1,
        _ => numbers.iter().copied().max().unwrap_or_default(),
    };
    // Each is that of a label, so that there are no more than known ones.
    if kept > known.max(1) {
        return Err(damaged());
    }
    let mut masks = Vec::with_capacity(kept);
    for _ in 0..kept {
        let length = number(take(4).ok_or_else(damaged)?);
        masks.push(mask(take(length).ok_or_else(damaged)?, size)?);
    }
    if !rest.is_empty() {
        return Err(damaged());
    }
    if count == 0 {
        return Ok(masks.pop().into());
    }
    let of_label = |number: &usize| number.checked_sub(1).map(|place| masks[place].clone());
    Ok(ObjectMasks::OfEach(numbers.iter().map(of_label).collect()))
}

/// Whether so many masks of that size may lie in memory.
fn fit(masks: usize, (width, height): (u32, u32)) -> bool {
    let pixels = u64::from(width) * u64::from(height);
    pixels.saturating_mul(masks as u64) <= MOST_PIXELS
}

fn mask(bytes: &[u8], size: (u32, u32)) -> Result<GrayImage, String> {
    match of_bytes(bytes.to_vec(), Path::new("its mask")) {
        Ok(DynamicImage::ImageLuma8(mask)) if mask.dimensions() == size => Ok(mask),
        Ok(_) => Err("its mask is not one of it".to_owned()),
        Err(error) => Err(error.in_full()),
    }
}

fn png(mask: &GrayImage) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::NoFilter);
    let (width, height) = mask.dimensions();
    encoder.write_image(mask, width, height, ExtendedColorType::L8)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::super::record::SEVERAL_LABELS;
    use super::*;

    const SIZE: (u32, u32) = (4, 3);

    fn column(x: u32) -> GrayImage {
        GrayImage::from_fn(4, 3, |at, _| Luma([u8::from(at == x) * 255]))
    }

    fn back(masks: &ObjectMasks, labels: usize) -> ObjectMasks {
        of(
            SEVERAL_LABELS,
            &bytes(SEVERAL_LABELS, masks).unwrap(),
            labels,
            SIZE,
        )
        .unwrap()
    }

    #[test]
    fn masks_come_back_and_lie_there_once() {
        let none = ObjectMasks::OfEach(vec![None, None]);
        let all = ObjectMasks::OfAll(column(2));
        let some = vec![Some(column(1)), None, Some(column(3)), Some(column(1))];
        let each = ObjectMasks::OfEach(some);
        for (masks, labels) in [
            (&ObjectMasks::Unknown, 4),
            (&none, 2),
            (&all, 7),
            (&each, 4),
        ] {
            assert_eq!(&back(masks, labels), masks);
        }
        assert_eq!(
            bytes(SEVERAL_LABELS, &none).unwrap(),
            [2, 0, 0, 0, 0, 0, 0, 0]
        );
        let bytes = bytes(SEVERAL_LABELS, &each).unwrap();
        assert_eq!(bytes[..12], [4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0]);
        // Two pictures behind, not three.
        let png = png(&column(1)).unwrap().len();
        assert_eq!(bytes.len(), 12 + 2 * (4 + png));
    }

    #[test]
    fn what_was_not_written_so_is_refused() {
        let each = ObjectMasks::OfEach(vec![Some(column(1)), None]);
        let good = bytes(SEVERAL_LABELS, &each).unwrap();
        assert!(of(SEVERAL_LABELS, &good, 2, SIZE).is_ok());
        assert!(of(SEVERAL_LABELS, &good, 3, SIZE).is_err());
        assert!(of(SEVERAL_LABELS, &good, 2, (3, 4)).is_err());
        for length in 1..good.len() {
            assert!(
                of(SEVERAL_LABELS, &good[..length], 2, SIZE).is_err(),
                "{length}"
            );
        }
        let longer = [&good[..], &[0]].concat();
        assert!(of(SEVERAL_LABELS, &longer, 2, SIZE).is_err());
        let mut far = good.clone();
        far[4] = 2;
        assert!(of(SEVERAL_LABELS, &far, 2, SIZE).is_err());
        // A picture for each of so many labels would fill the memory.
        let mut many = 10_000_u32.to_le_bytes().to_vec();
        many.extend([1, 0].repeat(10_000));
        let error = of(SEVERAL_LABELS, &many, 10_000, (2000, 2000)).unwrap_err();
        assert!(error.contains("too many objects"), "{error}");
    }
}
