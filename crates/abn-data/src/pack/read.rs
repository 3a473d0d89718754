//! Images out of a pack.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_dataset::Dataset;
use image::RgbImage;
use image::metadata::Orientation;

use super::error::printable;
use super::index::{Index, Spot};
use super::positioned::Positioned;
use super::record::{Kind, MAGIC, RECORD, Sha, UNFINISHED};
use super::resume::record_at;
use super::what::What;
use super::{PackError, PackedLabels};
use crate::attributes::kept::{Cropped, Lists};
use crate::decode::upright_of;
use crate::folder::Images;
use crate::objects::kept::Annotations;
use crate::{
    AttributeFolder, Collection, DataError, Files, ImageFolder, ObjectMasks, Sample, Target, Truth,
};

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
/// The file is missing, no pack or damaged; it holds several labels an image, or no such masks or
/// boxes as asked for; or as [`image_folder`](crate::image_folder).
pub fn packed(request: &ImageFolder) -> Result<Collection, DataError> {
    let index = Index::open(request.dir)?;
    let truth = index.header.truth;
    let asked = index.asked(request.truth);
    let (entries, what) = Entries::of(index);
    let What::Classes(classes) = what else {
        return Err(entries.of_other(&what));
    };
    asked?;
    let layout = classes.contents.layout(request.dir, &classes.listing);
    let arranged = classes.contents.arranged(request, &layout)?;
    let numbers = arranged.numbers();
    let mut notes = arranged.left_out.notes();
    notes.extend(arranged.notes);
    let masked = truth.is_some();
    let fits = |number: &usize| entries.has_masks(*number);
    if masked && !numbers.iter().flatten().any(fits) {
        notes.push(FIT_NOTHING.to_owned());
    }
    let images = Arc::new(Folders {
        entries,
        images: arranged.images,
        numbers,
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

/// What is said where nobody knows the objects in any image of a split.
pub(crate) const FIT_NOTHING: &str =
    "none of the masks or boxes that are packed is of these images";

/// The images of a pack of several labels an image.
pub(crate) struct PackedImages {
    pub(crate) entries: Entries,
    /// Whether it is known where any object lies.
    pub(crate) masked: bool,
    /// Whether they are cropped when they are read.
    pub(crate) crop: bool,
}

/// What the pack in place of the folder of a request tells, and its images.
///
/// # Errors
/// The file is no pack or damaged; it holds one label an image, or other labels, masks or boxes than
/// asked for; or images are cropped in it and not as asked for, or the other way round.
pub(crate) fn packed_lists(request: &AttributeFolder) -> Result<(Lists, PackedImages), DataError> {
    let index = Index::open(request.dir)?;
    let asked = index.asked(request.truth);
    let (entries, what) = Entries::of(index);
    let path = entries.path.clone();
    let What::Lists(lists) = what else {
        return Err(entries.of_other(&what));
    };
    asked?;
    let (found, asked) = (lists.chosen(), request.labels);
    if let Some(asked) = asked.filter(|asked| found != Some(*asked)) {
        let (found, asked) = (found.map(printable), printable(asked));
        return Err(PackError::Labels { path, found, asked }.into());
    }
    let crop = match (request.crop, lists.cropped()) {
        (false, Cropped::No | Cropped::Boxes) | (true, Cropped::Before) => false,
        (true, Cropped::Boxes) => true,
        (true, Cropped::No) => return Err(PackError::Whole { path }.into()),
        (false, Cropped::Before) => return Err(PackError::Cropped { path }.into()),
    };
    let masked = lists.masked();
    let images = PackedImages {
        entries,
        masked,
        crop,
    };
    Ok((*lists, images))
}

/// What the pack at `path` tells of the objects in its images, and these.
///
/// # Errors
/// The file is no pack or damaged, or it holds no objects.
pub(crate) fn packed_objects(path: &Path) -> Result<(Box<Annotations>, Entries), DataError> {
    match Entries::of(Index::open(path)?) {
        (entries, What::Objects(annotations)) => Ok((annotations, entries)),
        (entries, what) => Err(entries.of_other(&what)),
    }
}

impl Index {
    /// Refuses to look for masks or boxes that are not packed.
    fn asked(&self, asked: Option<Truth>) -> Result<(), DataError> {
        let found = self.header.truth;
        match asked.filter(|asked| found != Some(*asked)) {
            None => Ok(()),
            Some(asked) => Err(PackError::Truth {
                path: self.path.clone(),
                found,
                asked,
            }
            .into()),
        }
    }
}

/// All images of a pack, by number.
pub(crate) struct Entries {
    path: PathBuf,
    file: Positioned,
    version: u32,
    spots: Vec<Spot>,
}

impl Entries {
    /// Those of an open pack, and what it tells of them.
    fn of(index: Index) -> (Self, What) {
        let entries = Self {
            path: index.path,
            file: index.file,
            version: index.header.version,
            spots: index.spots,
        };
        (entries, index.what)
    }

    /// Why a pack of this is not what was expected.
    fn of_other(&self, what: &What) -> DataError {
        let labels = match what {
            What::Classes(_) => PackedLabels::One,
            What::Lists(lists) => PackedLabels::Several {
                labels: lists.chosen().map(str::to_owned),
                crop: lists.cropped() != Cropped::No,
            },
            What::Objects(_) => PackedLabels::Objects,
        };
        let path = self.path.clone();
        PackError::OtherLabels { path, labels }.into()
    }

    /// Whether it is known where objects lie in an image.
    pub(crate) fn has_masks(&self, number: usize) -> bool {
        self.spots[number].mask > 0
    }

    /// The image of that number and name, which has so many labels, and the masks of its objects.
    ///
    /// # Errors
    /// It is damaged, or could not be read when it was packed.
    pub(crate) fn read(
        &self,
        number: usize,
        name: &str,
        labels: usize,
    ) -> Result<(RgbImage, ObjectMasks), DataError> {
        let spot = &self.spots[number];
        let (image, _) = self.upright(number, name)?;
        let bytes = match spot.mask {
            0 => Vec::new(),
            length => self.checked(name, length, spot.mask_offset(), spot.crcs[1])?,
        };
        let masks = super::masks::of(self.version, &bytes, labels, image.dimensions());
        let masks = masks.map_err(|reason| self.damaged(name, &reason))?;
        Ok((image, masks))
    }

    /// The SHA-256 of the file of an image; zeros if that was not read, or cannot be told.
    pub(crate) fn source_of(&self, number: usize) -> Sha {
        let record = record_at(&self.file, self.spots[number].offset - RECORD as u64);
        record.map(|record| record.source).unwrap_or_default()
    }

    /// So many bytes at that offset, which have that CRC-32.
    fn checked(&self, name: &str, length: u32, at: u64, crc: u32) -> Result<Vec<u8>, DataError> {
        let bytes = self.file.bytes(length as usize, at);
        let bytes = bytes.map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(name, "the pack ends before it"),
            _ => DataError::Read {
                path: self.path.clone(),
                source,
            },
        })?;
        match crc32fast::hash(&bytes) == crc {
            true => Ok(bytes),
            false => Err(self.damaged(name, "its checksum is another")),
        }
    }

    /// The image of that number and name, and how its file had to be turned.
    ///
    /// # Errors
    /// It is damaged, or could not be read when it was packed.
    pub(crate) fn upright(
        &self,
        number: usize,
        name: &str,
    ) -> Result<(RgbImage, Orientation), DataError> {
        let spot = &self.spots[number];
        let bytes = self.checked(name, spot.image, spot.offset, spot.crcs[0])?;
        match spot.kind {
            Kind::File => {
                let image = upright_of(bytes, Path::new(name));
                image.map_err(|error| self.damaged(name, &error.in_full()))
            }
            Kind::Pixels => {
                let (width, height) = spot.size;
                let image = RgbImage::from_raw(width, height, bytes);
                let image = image.ok_or_else(|| self.damaged(name, "it lacks pixels"))?;
                Ok((image, Orientation::NoTransforms))
            }
            Kind::Unreadable => Err(PackError::Unreadable {
                path: self.path.clone(),
                name: printable(name),
                reason: printable(&String::from_utf8_lossy(&bytes)),
            }
            .into()),
        }
    }

    /// Why an image is not taken that is not as it was packed.
    pub(crate) fn damaged(&self, name: &str, reason: &str) -> DataError {
        PackError::Entry {
            path: self.path.clone(),
            name: printable(name),
            reason: printable(reason),
        }
        .into()
    }
}

/// The images of a split of class folders in a pack.
struct Folders {
    entries: Entries,
    images: Images,
    /// Number of each sample in the pack; `None` for one that was there once and is not in it.
    numbers: Vec<Option<usize>>,
}

impl Dataset<Sample, DataError> for Folders {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let name = self.images.name(index);
        let Some(number) = self.numbers[index] else {
            let (path, name) = (self.entries.path.clone(), printable(&name));
            return Err(PackError::Absent { path, name }.into());
        };
        let (image, masks) = self.entries.read(number, &name, 1)?;
        Ok(Sample {
            masks,
            image,
            target: Target::class(self.images.class(index)),
        })
    }

    fn len(&self) -> usize {
        self.numbers.len()
    }
}

impl Files for Folders {
    fn name(&self, index: usize) -> String {
        self.images.name(index)
    }

    fn path(&self, _index: usize) -> Option<PathBuf> {
        None
    }

    fn sha256(&self, index: usize) -> Option<[u8; 32]> {
        Some(self.entries.source_of(self.numbers[index]?))
    }

    fn target(&self, index: usize) -> Option<Target> {
        Some(Target::class(self.images.class(index)))
    }

    fn counts(&self) -> Vec<usize> {
        self.images.counts()
    }
}
