//! The attention maps of images as files: for the eye, and as numbers.

use std::path::Path;

use abn_core::explain::AttentionMap;
use abn_pages::Files;
use abn_pages::heatmap::{Drawing, enlarge, overlay};
use anyhow::{Context, Result, ensure};
use image::{ImageBuffer, ImageFormat, Luma, RgbImage};

use super::output_folder::OutputFolder;
use crate::cli::{MapFormat, PredictArgs};

/// Side to which small images are enlarged.
const PICTURE_SIDE: u32 = 256;

/// Where maps go.
pub(super) struct MapFiles {
    overlays: Option<OutputFolder>,
    maps: Option<OutputFolder>,
    format: MapFormat,
    drawing: Drawing,
}

impl MapFiles {
    /// Makes sure that nothing of the user's is in the folders. Writes nothing.
    ///
    /// # Errors
    /// They have files of others, or both are one.
    pub(super) fn check(args: &PredictArgs, drawing: Drawing) -> Result<Self> {
        ensure!(
            args.overlay.is_none() || args.overlay != args.maps,
            "--overlay and --maps name the same folder; give each its own"
        );
        let check = |folder: &Option<_>| {
            let folder: Option<&std::path::PathBuf> = folder.as_ref();
            folder.map(|folder| OutputFolder::check(folder)).transpose()
        };
        Ok(Self {
            overlays: check(&args.overlay)?,
            maps: check(&args.maps)?,
            format: args.map_format.unwrap_or_default(),
            drawing,
        })
    }

    /// Writes the map of an image, or one of each label. Images of different folders may share a
    /// name; `number` keeps their files apart.
    ///
    /// # Errors
    /// A folder cannot be written, or the map not in this format.
    pub(super) fn write(
        &mut self,
        file: &Path,
        number: usize,
        picture: &RgbImage,
        maps: &[(Option<&str>, &AttentionMap)],
    ) -> Result<()> {
        for (label, map) in maps {
            let of_label = label.map_or(String::new(), |label| format!("-{}", as_name(label)));
            let stem = Files::of(file, number, false).overlays;
            let stem = stem.strip_suffix(".png").unwrap_or(&stem);
            if let Some(folder) = &mut self.overlays {
                let picture = overlay(&enlarge(picture, PICTURE_SIDE), map, &self.drawing);
                let comment = format!("{}: where the network looks", file.display());
                let bytes = abn_pages::png(&picture, &comment)?;
                folder.write(&format!("{stem}{of_label}.png"), &bytes)?;
            }
            if let Some(folder) = &mut self.maps {
                let bytes = encoded(map, self.format)?;
                let ending = self.format.ending();
                folder.write(&format!("{stem}{of_label}.{ending}"), &bytes)?;
            }
        }
        Ok(())
    }
}

/// A label as a part of a file's name.
fn as_name(label: &str) -> String {
    let kept = |letter: char| match letter.is_alphanumeric() || letter == '-' {
        true => letter,
        false => '_',
    };
    label.chars().map(kept).collect()
}

fn encoded(map: &AttentionMap, format: MapFormat) -> Result<Vec<u8>> {
    match format {
        MapFormat::Json => Ok(serde_json::to_vec(map)?),
        MapFormat::Npy => npy(map),
        MapFormat::Png => grey(map),
    }
}

/// NumPy's `[height, width]` in single precision.
fn npy(map: &AttentionMap) -> Result<Vec<u8>> {
    use npyz::WriterBuilder;

    let mut bytes = Vec::new();
    let shape = [map.height as u64, map.width as u64];
    let options = npyz::WriteOptions::new().default_dtype().shape(&shape);
    let mut writer = options.writer(&mut bytes).begin_nd()?;
    writer.extend(map.values.iter().copied())?;
    writer.finish()?;
    Ok(bytes)
}

/// Greyscale of 16 bits, 0 black and 1 white, as `--map` takes it.
fn grey(map: &AttentionMap) -> Result<Vec<u8>> {
    let in_bounds = map.values.iter().all(|value| (0.0..=1.0).contains(value));
    ensure!(
        in_bounds,
        "this map has values beyond 0 and 1, for which a picture has no grey; choose --map-format \
         npy or json"
    );
    let white = f32::from(u16::MAX);
    let grey = map
        .values
        .iter()
        .map(|value| (value * white).round() as u16);
    let (width, height) = (u32::try_from(map.width)?, u32::try_from(map.height)?);
    let picture: ImageBuffer<Luma<u16>, Vec<u16>> =
        ImageBuffer::from_raw(width, height, grey.collect()).context("a map without values")?;
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: [f32; 6]) -> AttentionMap {
        AttentionMap::new(2, 3, values.to_vec()).unwrap()
    }

    #[test]
    fn greys_are_values() {
        let bytes = grey(&map([0.0, 1.0, 0.5, 0.25, 0.75, 1.0])).unwrap();
        let read = image::load_from_memory(&bytes).unwrap().into_luma16();
        assert_eq!(read.dimensions(), (3, 2));
        assert_eq!(read.as_raw()[..4], [0, 65535, 32768, 16384]);
        let error = grey(&map([0.0, 1.5, 0.5, 0.25, 0.75, 1.0])).unwrap_err();
        assert!(error.to_string().contains("--map-format"), "{error}");
        assert!(grey(&map([f32::NAN; 6])).is_err());
    }

    #[test]
    fn numpy_gets_rows_of_values() {
        let values = [0.0, 1.0, -2.5, 0.25, 0.75, 3.0];
        let bytes = npy(&map(values)).unwrap();
        let read = npyz::NpyFile::new(&bytes[..]).unwrap();
        assert_eq!(read.shape(), [2, 3]);
        assert_eq!(read.into_vec::<f32>().unwrap(), values);
    }

    #[test]
    fn labels_are_names_of_files() {
        assert_eq!(as_name("Wears/a hat: rot"), "Wears_a_hat__rot");
    }
}
