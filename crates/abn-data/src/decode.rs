//! Reads one image file of unknown origin: its format by content, bounded, upright, 8-bit RGB.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{
    DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Luma,
};
use image::{Rgb, RgbImage};

use crate::DataError;

/// Photographs have a few megabytes; nothing near this is one.
pub(crate) const MAX_FILE: u64 = 256 << 20;
/// What such a file is.
const IMAGE: &str = "an image";
/// The formats that are read.
const FORMATS: [ImageFormat; 7] = [
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::WebP,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::Gif,
    ImageFormat::Pnm,
];
/// The longest side that is decoded, and the bytes a decoder may use.
const MAX_SIDE: u32 = 32_768;
const MAX_ALLOC: u64 = 512 << 20;

/// The image in `path` as its author meant it: upright (EXIF orientation applied), on white where
/// it is transparent, 16-bit and greyscale brought to 8-bit RGB. The file's name is of no
/// importance. Of several pictures in a file, the first.
///
/// # Errors
/// A file that is missing, empty, truncated, damaged, too large or of no format that is read:
/// JPEG, PNG, WebP, BMP, TIFF, GIF and PNM.
pub fn read_image(path: &Path) -> Result<RgbImage, DataError> {
    upright(path).map(|(image, _)| image)
}

/// The same, and how it had to be turned.
pub(crate) fn upright(path: &Path) -> Result<(RgbImage, Orientation), DataError> {
    upright_of(image_bytes(path)?, path)
}

/// The bytes of an image file.
pub(crate) fn image_bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    read_bounded(path, MAX_FILE, IMAGE)
}

/// The image in the bytes of a file of that name, and how it had to be turned.
pub(crate) fn upright_of(
    bytes: Vec<u8>,
    name: &Path,
) -> Result<(RgbImage, Orientation), DataError> {
    let (image, orientation) = oriented(bytes, name)?;
    Ok((flatten(image), orientation))
}

/// The image in the bytes of a file of that name, as [`read_image`] reads it.
///
/// # Errors
/// As [`read_image`].
pub fn image_of(bytes: Vec<u8>, name: &Path) -> Result<RgbImage, DataError> {
    of_bytes(bytes, name).map(flatten)
}

/// The values of a greyscale image as they are in the file; of colours, a grey that is 0 for black
/// alone.
pub(crate) fn read_gray(path: &Path) -> Result<Gray, DataError> {
    open(path).map(gray)
}

/// Greyscale values.
pub(crate) type Gray = ImageBuffer<Luma<u16>, Vec<u16>>;

/// The same of an image.
pub(crate) fn gray(image: DynamicImage) -> Gray {
    match image {
        DynamicImage::ImageLuma8(image) => {
            ImageBuffer::from_fn(image.width(), image.height(), |x, y| {
                Luma([image.get_pixel(x, y)[0].into()])
            })
        }
        image => image.into_luma16(),
    }
}

/// The image in a file, upright.
pub(crate) fn open(path: &Path) -> Result<DynamicImage, DataError> {
    of_bytes(image_bytes(path)?, path)
}

/// The image in the bytes of a file of that name, upright.
pub(crate) fn of_bytes(bytes: Vec<u8>, name: &Path) -> Result<DynamicImage, DataError> {
    oriented(bytes, name).map(|(image, _)| image)
}

fn oriented(bytes: Vec<u8>, name: &Path) -> Result<(DynamicImage, Orientation), DataError> {
    if bytes.is_empty() {
        let (path, expected) = (name.into(), IMAGE);
        return Err(DataError::Empty { path, expected });
    }
    let format = format_of(name, &bytes)?;
    if format == ImageFormat::Jpeg && !has_end(&bytes) {
        return Err(DataError::Truncated {
            path: name.into(),
            size: bytes.len(),
        });
    }
    decode(bytes, format).map_err(|error| match error {
        Undecoded::TooManyPixels { width, height } => DataError::Pixels {
            path: name.into(),
            width,
            height,
            longest: MAX_SIDE,
            most: MAX_ALLOC >> 20,
        },
        Undecoded::Damaged(source) => DataError::Decode {
            path: name.into(),
            source,
        },
    })
}

/// The bytes of a regular file that has 1 to `limit` of them.
pub(crate) fn read_bounded(
    path: &Path,
    limit: u64,
    expected: &'static str,
) -> Result<Vec<u8>, DataError> {
    let (file, size) = open_bounded(path, limit, expected)?;
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|source| DataError::Read {
            path: path.into(),
            source,
        })?;
    if bytes.is_empty() {
        return Err(DataError::Empty {
            path: path.into(),
            expected,
        });
    }
    Ok(bytes)
}

/// A regular file of at most `limit` bytes, and how many it has.
pub(crate) fn open_bounded(
    path: &Path,
    limit: u64,
    expected: &'static str,
) -> Result<(File, u64), DataError> {
    let failed = |source: io::Error| DataError::Read {
        path: path.into(),
        source,
    };
    let absent = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => DataError::Missing {
            path: path.into(),
            expected: expected.into(),
            advice: "check the path".into(),
        },
        _ => failed(source),
    };
    // Asked before opening: opening a named pipe would wait for its writer.
    let metadata = path.metadata().map_err(absent)?;
    if !metadata.is_file() {
        return Err(failed(io::Error::other("not a regular file")));
    }
    let size = metadata.len();
    if size > limit {
        return Err(DataError::TooLarge {
            path: path.into(),
            size,
            limit,
        });
    }
    Ok((File::open(path).map_err(absent)?, size))
}

fn format_of(path: &Path, bytes: &[u8]) -> Result<ImageFormat, DataError> {
    let found = match image::guess_format(bytes) {
        Ok(format) if FORMATS.contains(&format) => return Ok(format),
        Ok(other) => other.to_mime_type().to_owned(),
        Err(_) => "no image format".to_owned(),
    };
    Err(DataError::NotAnImage {
        path: path.into(),
        found,
    })
}

/// Whether a JPEG file's image is closed: its end marker follows its scans. The decoder fills what
/// a truncated file lacks with grey and reports nothing. What phones append after the end (a film,
/// say) does not matter.
fn has_end(bytes: &[u8]) -> bool {
    const END_OF_IMAGE: u8 = 0xd9;
    let mut at = 2; // after the start marker
    loop {
        // Within a scan, 0xff is followed by 0 or by a restart marker, which both have no segment.
        let Some(offset) = bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(|byte| *byte == 0xff))
        else {
            return false;
        };
        at += offset + 1;
        match bytes.get(at) {
            None => return false,
            Some(&END_OF_IMAGE) => return true,
            Some(0xff) => {} // padding: the next byte may be the code
            Some(0x00 | 0x01 | 0xd0..=0xd8) => at += 1,
            Some(_) => {
                let Some(&[high, low]) = bytes
                    .get(at + 1..at + 3)
                    .and_then(|length| length.first_chunk())
                else {
                    return false;
                };
                at += 1 + usize::from(u16::from_be_bytes([high, low]));
            }
        }
    }
}

/// Why a file of a known format is not decoded.
enum Undecoded {
    TooManyPixels { width: u32, height: u32 },
    Damaged(ImageError),
}

fn decode(bytes: Vec<u8>, format: ImageFormat) -> Result<(DynamicImage, Orientation), Undecoded> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_ALLOC);
    let damaged = Undecoded::Damaged;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    let too_many = || Undecoded::TooManyPixels { width, height };
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(too_many());
    }
    // The decoders count their own buffers only, not the image that they fill.
    limits
        .reserve(decoder.total_bytes())
        .map_err(|_| too_many())?;
    // Damaged metadata does not make the picture unusable.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| match error {
        ImageError::Limits(_) => too_many(),
        error => damaged(error),
    })?;
    image.apply_orientation(orientation);
    Ok((image, orientation))
}

/// 8-bit RGB, transparent pixels composited over white.
fn flatten(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    let over_white = |value: u8, alpha: u8| {
        let (value, alpha) = (u16::from(value), u16::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [r, g, b, alpha] = image.get_pixel(x, y).0;
        Rgb([r, g, b].map(|value| over_white(value, alpha)))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use image::codecs::jpeg::JpegEncoder;
    use image::codecs::png::PngEncoder;
    use image::{ExtendedColorType, GrayImage, ImageBuffer, ImageEncoder, Luma, LumaA, Rgba};
    use tempfile::TempDir;

    use super::*;

    const RED: [u8; 3] = [255, 0, 0];
    const BLUE: [u8; 3] = [0, 0, 255];

    /// A folder with one file of these bytes.
    fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.dat");
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn jpeg(image: &RgbImage, exif: Option<Vec<u8>>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
        if let Some(exif) = exif {
            encoder.set_exif_metadata(exif).unwrap();
        }
        encoder.encode_image(image).unwrap();
        bytes
    }

    fn gradient() -> RgbImage {
        RgbImage::from_fn(64, 48, |x, y| Rgb([4 * x as u8, 5 * y as u8, 128]))
    }

    /// A little-endian TIFF block with the orientation tag alone.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut block = b"II*\0\x08\0\0\0\x01\0".to_vec();
        block.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
        block.extend([0; 4]);
        block
    }

    #[track_caller]
    fn pixels(bytes: &[u8], expected: &[[u8; 3]]) {
        let (_folder, path) = file(bytes);
        let image = read_image(&path).unwrap();
        assert_eq!(
            image.pixels().map(|pixel| pixel.0).collect::<Vec<_>>(),
            expected
        );
    }

    #[track_caller]
    fn refused(bytes: &[u8], part: &str) {
        let (_folder, path) = file(bytes);
        let error = read_image(&path).unwrap_err().to_string();
        assert!(
            error.contains(part) && error.contains("image.dat"),
            "{error}"
        );
    }

    #[test]
    fn every_kind_of_png_becomes_rgb() {
        pixels(
            &png(GrayImage::from_raw(2, 1, vec![7, 200]).unwrap()),
            &[[7; 3], [200; 3]],
        );
        // 16 bits: 0x8080 = 128 * 257 exactly; 300 / 257 rounds to 1.
        let deep = ImageBuffer::<Luma<u16>, _>::from_raw(2, 1, vec![0x8080, 300]).unwrap();
        pixels(&png(deep), &[[128; 3], [1; 3]]);
        // Over white: opaque stays, transparent is white, alpha 51 = 1/5 gives 0.2 v + 204.
        let alpha = vec![10, 20, 30, 255, 10, 20, 30, 0, 100, 0, 255, 51];
        let alpha = ImageBuffer::<Rgba<u8>, _>::from_raw(3, 1, alpha).unwrap();
        pixels(&png(alpha), &[[10, 20, 30], [255; 3], [224, 204, 255]]);
        let gray_alpha = ImageBuffer::<LumaA<u8>, _>::from_raw(1, 1, vec![0, 102]).unwrap();
        pixels(&png(gray_alpha), &[[153; 3]]);
    }

    #[test]
    fn exif_orientation_turns_the_image_upright() {
        let encode = |orientation| {
            let mut bytes = Vec::new();
            let mut encoder = PngEncoder::new(&mut bytes);
            encoder.set_exif_metadata(exif(orientation)).unwrap();
            encoder
                .write_image(&[RED, BLUE].concat(), 2, 1, ExtendedColorType::Rgb8)
                .unwrap();
            bytes
        };
        pixels(&encode(1), &[RED, BLUE]);
        pixels(&encode(3), &[BLUE, RED]);
        // 6 means: turn clockwise to view. The left end comes up.
        let (_folder, path) = file(&encode(6));
        let image = read_image(&path).unwrap();
        assert_eq!((image.dimensions(), image.get_pixel(0, 0).0), ((1, 2), RED));
    }

    #[test]
    fn jpeg_is_read_with_its_orientation() {
        let (_folder, path) = file(&jpeg(&gradient(), Some(exif(8))));
        let image = read_image(&path).unwrap();
        // 8 means: turn counterclockwise to view, so the right column becomes the top row.
        assert_eq!(image.dimensions(), (48, 64));
        for (turned, original) in [((0, 0), (63, 0)), ((47, 0), (63, 47)), ((0, 63), (0, 0))] {
            let (found, expected) = (image.get_pixel(turned.0, turned.1), gradient());
            let expected = expected.get_pixel(original.0, original.1);
            let close = found
                .0
                .iter()
                .zip(expected.0)
                .all(|(a, b)| a.abs_diff(b) < 12);
            assert!(close, "{turned:?}: {found:?} against {expected:?}");
        }
    }

    #[test]
    fn what_follows_the_end_of_a_jpeg_does_not_matter() {
        let mut bytes = jpeg(&gradient(), None);
        bytes.extend([0, 1, 2, 0xff, 0xda, 3, 4]); // a film that looks like another scan
        let (_folder, path) = file(&bytes);
        assert_eq!(read_image(&path).unwrap().dimensions(), (64, 48));
    }

    #[test]
    fn truncated_files_are_refused_at_every_length() {
        let (jpeg, png) = (jpeg(&gradient(), None), png(gradient()));
        for tenth in 1..10 {
            refused(&jpeg[..jpeg.len() * tenth / 10], "remove it");
            refused(&png[..png.len() * tenth / 10], "cannot decode");
        }
        refused(&jpeg[..jpeg.len() - 2], "truncated JPEG");
    }

    #[test]
    fn what_is_no_image_is_refused() {
        refused(b"", "is empty");
        refused(b"once upon a time", "found no image format");
        refused(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "found image/avif");
        let folder = tempfile::tempdir().unwrap();
        let error = read_image(&folder.path().join("absent.png"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("absent.png does not exist"), "{error}");
        let error = read_image(folder.path()).unwrap_err().to_string();
        assert!(error.contains("check that it is a file"), "{error}");
    }

    #[test]
    fn huge_claims_are_refused_before_allocation() {
        // A header that promises 30000 x 30000 RGB pixels (2.7 GB), and one with a side beyond the
        // limit.
        for (width, height) in [(30_000_u32, 30_000_u32), (40_000, 1)] {
            let mut bytes = png(GrayImage::new(1, 1));
            bytes[16..20].copy_from_slice(&width.to_be_bytes());
            bytes[20..24].copy_from_slice(&height.to_be_bytes());
            bytes[25] = 2; // RGB
            let checksum = crc32(&bytes[12..29]);
            bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
            let size = format!("{width}x{height} pixels");
            refused(&bytes, &size);
            refused(&bytes, "at most 32768 a side, and 512 MiB");
        }
    }

    #[test]
    fn huge_files_are_refused_unread() {
        let (_folder, path) = file(b"");
        fs::File::create(&path)
            .unwrap()
            .set_len(MAX_FILE + 1)
            .unwrap();
        let error = read_image(&path).unwrap_err();
        assert!(
            matches!(error, DataError::TooLarge { size, .. } if size == MAX_FILE + 1),
            "{error}"
        );
    }

    /// The checksum of PNG chunks.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
            })
        })
    }
}
