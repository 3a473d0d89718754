//! Reads a map that somebody drew: greyscale, black 0, white 1.

use std::path::Path;

use image::imageops::FilterType;
use image::{DynamicImage, GenericImageView, Rgba};

use crate::DataError;
use crate::decode::{of_bytes, open};

/// How far the colours of a pixel may lie apart: what rounding leaves of a grey that was stored as
/// colours.
const GREY: u8 = 8;

/// A greyscale image as a map with values in [0, 1].
#[derive(Debug, Clone)]
pub struct GrayMap(DynamicImage);

impl GrayMap {
    /// The greyscale image in `path`, upright. Greys that are stored as colours are taken as greys.
    ///
    /// # Errors
    /// Those of [`read_image`](crate::read_image); and colours or transparency, which are no map
    /// value.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::checked(open(path)?, path)
    }

    /// The same of the bytes of a file of that name.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of(bytes: Vec<u8>, name: &Path) -> Result<Self, DataError> {
        Self::checked(of_bytes(bytes, name)?, name)
    }

    fn checked(image: DynamicImage, name: &Path) -> Result<Self, DataError> {
        let refused = |found| {
            Err(DataError::NotAMap {
                path: name.into(),
                found,
            })
        };
        if image.color().has_alpha()
            && image
                .pixels()
                .any(|(_, _, Rgba([.., alpha]))| alpha < u8::MAX)
        {
            return refused("transparent pixels");
        }
        if image.color().has_color() && !image.pixels().all(|(_, _, pixel)| is_grey(pixel)) {
            return refused("colours");
        }
        Ok(Self(image))
    }

    /// Width and height of the file.
    pub fn size(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    /// The map at that size, row-major: of 8 bits value / 255, of 16 bits value / 65535. An
    /// enlargement interpolates bilinearly; a reduction averages, so that thin strokes are not
    /// lost. A map of that size already keeps its values.
    pub fn values(&self, width: u32, height: u32) -> Vec<f32> {
        let Self(image) = self;
        if (image.width(), image.height()) == (width, height) {
            return image.to_luma32f().into_raw();
        }
        // In the file's own depth: as floats, a large file would need four times its memory.
        image
            .resize_exact(width, height, FilterType::Triangle)
            .to_luma32f()
            .into_raw()
    }
}

fn is_grey(Rgba([red, green, blue, _]): Rgba<u8>) -> bool {
    red.max(green).max(blue) - red.min(green).min(blue) <= GREY
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage};
    use tempfile::TempDir;

    use super::*;

    fn saved(image: impl Into<DynamicImage>) -> (TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.png");
        image.into().save(&path).unwrap();
        (folder, path)
    }

    #[track_caller]
    fn values(image: impl Into<DynamicImage>, width: u32, expected: &[f32]) {
        let (_folder, path) = saved(image);
        let found = GrayMap::read(&path).unwrap().values(width, 1);
        assert_eq!(found.len(), expected.len());
        assert!(
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-6),
            "{found:?}"
        );
    }

    #[track_caller]
    fn refused(image: impl Into<DynamicImage>, part: &str) {
        let (_folder, path) = saved(image);
        let error = GrayMap::read(&path).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("map.png"), "{error}");
    }

    fn deep(values: &[u16]) -> ImageBuffer<Luma<u16>, Vec<u16>> {
        ImageBuffer::from_raw(values.len() as u32, 1, values.to_vec()).unwrap()
    }

    #[test]
    fn black_is_0_and_white_1_at_every_depth() {
        values(
            GrayImage::from_raw(3, 1, vec![0, 51, 255]).unwrap(),
            3,
            &[0.0, 0.2, 1.0],
        );
        values(deep(&[0, 13107, 65535]), 3, &[0.0, 0.2, 1.0]);
        values(
            RgbImage::from_raw(2, 1, vec![51, 51, 51, 255, 255, 255]).unwrap(),
            2,
            &[0.2, 1.0],
        );
        values(
            ImageBuffer::<LumaA<u8>, _>::from_raw(1, 1, vec![51, 255]).unwrap(),
            1,
            &[0.2],
        );
    }

    #[test]
    fn a_map_of_another_size_is_averaged_or_interpolated() {
        // Reducing by 2 weighs with 3, 3, 1 of 7 at the borders: (3 * 0 + 3 * 65535 + 0) / 7.
        values(
            deep(&[0, 65535, 0, 0]),
            2,
            &[3.0 / 7.0, 1.0 / 7.0].map(|value| (value * 65535.0_f32).round() / 65535.0),
        );
        values(
            deep(&[0, 40000]),
            4,
            &[0.0, 10000.0, 30000.0, 40000.0].map(|value| value / 65535.0),
        );
    }

    #[test]
    fn what_has_no_map_value_is_refused() {
        refused(RgbImage::from_pixel(2, 2, Rgb([200, 180, 200])), "colours");
        refused(
            ImageBuffer::<LumaA<u8>, _>::from_raw(1, 1, vec![51, 254]).unwrap(),
            "transparent",
        );
    }
}
