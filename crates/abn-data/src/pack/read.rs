//! Images out of a pack.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_dataset::Dataset;
use image::{DynamicImage, GrayImage, RgbImage};

use super::PackError;
use super::error::printable;
use super::index::{Index, Spot};
use super::positioned::Positioned;
use super::record::{Kind, MAGIC, RECORD, UNFINISHED};
use super::resume::record_at;
use crate::decode::{image_of, of_bytes};
use crate::folder::Images;
use crate::{Collection, DataError, Files, ImageFolder, Sample, Target};

/// Whether a file is a pack, by its first bytes; also one that is not complete.
#[must_use]
pub fn is_pack(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    // Opening a named pipe would wait for its writer.
    let read = path.is_file() && {
        let file = File::open(path);
        file.and_then(|mut file| file.read_exact(&mut start))
            .is_ok()
    };
    read && [MAGIC, UNFINISHED].contains(&start)
}

/// One split of a pack: the same as [`image_folder`](crate::image_folder) gives for the folder that
/// was packed, where `dir` of the request is the file.
///
/// # Errors
/// The file is missing, no pack or damaged; it holds no such masks or boxes as asked for; or as
/// [`image_folder`](crate::image_folder).
pub fn packed(request: &ImageFolder) -> Result<Collection, DataError> {
    let index = Index::open(request.dir)?;
    let truth = index.header.truth;
    if let Some(asked) = request.truth.filter(|asked| truth != Some(*asked)) {
        return Err(PackError::Truth {
            path: index.path,
            found: truth,
            asked,
        }
        .into());
    }
    let layout = index.contents.layout(request.dir, &index.listing);
    let arranged = index.contents.arranged(request, &layout)?;
    let spot = |number: Option<usize>| number.map(|number| index.spots[number]);
    let spots: Vec<_> = arranged.numbers().into_iter().map(spot).collect();
    let mut notes = arranged.left_out.notes();
    notes.extend(arranged.notes);
    let masked = truth.is_some();
    let fits = |spot: &Option<Spot>| spot.is_some_and(|spot| spot.mask > 0);
    if masked && !spots.iter().any(fits) {
        notes.push("none of the masks or boxes that are packed is of these images".to_owned());
    }
    let images = Arc::new(Entries {
        path: index.path,
        file: index.file,
        images: arranged.images,
        spots,
    });
    Ok(Collection {
        samples: images.clone(),
        labels: arranged.labels,
        masked,
        notes,
        files: Some(images),
        interventions: None,
    })
}

/// The images of a split in a pack.
struct Entries {
    path: PathBuf,
    file: Positioned,
    images: Images,
    /// Where each sample lies; `None` for one that was there once and is not in the pack.
    spots: Vec<Option<Spot>>,
}

impl Entries {
    /// So many bytes at that offset, which have that CRC-32.
    fn checked(&self, index: usize, length: u32, at: u64, crc: u32) -> Result<Vec<u8>, DataError> {
        let bytes = self.file.bytes(length as usize, at);
        let bytes = bytes.map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(index, "the pack ends before it"),
            _ => DataError::Read {
                path: self.path.clone(),
                source,
            },
        })?;
        match crc32fast::hash(&bytes) == crc {
            true => Ok(bytes),
            false => Err(self.damaged(index, "its checksum is another")),
        }
    }

    fn image(&self, index: usize, spot: &Spot) -> Result<RgbImage, DataError> {
        let bytes = self.checked(index, spot.image, spot.offset, spot.crcs[0])?;
        match spot.kind {
            Kind::File => {
                let image = image_of(bytes, Path::new(&self.images.name(index)));
                image.map_err(|error| self.damaged(index, &error.in_full()))
            }
            Kind::Pixels => {
                let (width, height) = spot.size;
                let image = RgbImage::from_raw(width, height, bytes);
                image.ok_or_else(|| self.damaged(index, "it lacks pixels"))
            }
            Kind::Unreadable => Err(PackError::Unreadable {
                path: self.path.clone(),
                name: printable(&self.images.name(index)),
                reason: printable(&String::from_utf8_lossy(&bytes)),
            }
            .into()),
        }
    }

    fn mask(&self, index: usize, spot: &Spot, size: (u32, u32)) -> Result<GrayImage, DataError> {
        let bytes = self.checked(index, spot.mask, spot.mask_offset(), spot.crcs[1])?;
        match of_bytes(bytes, Path::new("its mask")) {
            Ok(DynamicImage::ImageLuma8(mask)) if mask.dimensions() == size => Ok(mask),
            Ok(_) => Err(self.damaged(index, "its mask is not one of it")),
            Err(error) => Err(self.damaged(index, &error.in_full())),
        }
    }

    fn damaged(&self, index: usize, reason: &str) -> DataError {
        PackError::Entry {
            path: self.path.clone(),
            name: printable(&self.images.name(index)),
            reason: printable(reason),
        }
        .into()
    }
}

impl Dataset<Sample, DataError> for Entries {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let Some(spot) = &self.spots[index] else {
            let (path, name) = (self.path.clone(), printable(&self.images.name(index)));
            return Err(PackError::Absent { path, name }.into());
        };
        let image = self.image(index, spot)?;
        let mask = (spot.mask > 0).then(|| self.mask(index, spot, image.dimensions()));
        Ok(Sample {
            masks: mask.transpose()?.into(),
            image,
            target: Target::class(self.images.class(index)),
        })
    }

    fn len(&self) -> usize {
        self.spots.len()
    }
}

impl Files for Entries {
    fn name(&self, index: usize) -> String {
        self.images.name(index)
    }

    fn path(&self, _index: usize) -> Option<PathBuf> {
        None
    }

    fn sha256(&self, index: usize) -> Option<[u8; 32]> {
        let spot = self.spots[index]?;
        let record = record_at(&self.file, spot.offset - RECORD as u64);
        Some(record.map(|record| record.source).unwrap_or_default())
    }

    fn counts(&self) -> Vec<usize> {
        self.images.counts()
    }
}
