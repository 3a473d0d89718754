//! What one thread finds out of one image.

use image::RgbImage;
use sha2::{Digest as _, Sha256};

use super::pass::caught;
use super::report::Finding;
use super::split_name;
use crate::folder::Survey;
use crate::{Collection, DataError, Labels, Split, Target};

/// A split to be checked.
pub(super) enum Part<'a> {
    /// One of a folder of photographs, by its number.
    Folder(&'a Survey, usize),
    /// Anything that yields samples.
    Collection(Split, &'a Collection),
}

/// What was found out of an image.
pub(super) struct Look {
    /// What is right for it; of an image that cannot be read, only if its folder tells.
    pub(super) target: Option<Target>,
    /// The image, or why there is none.
    pub(super) picture: Result<Picture, Fault>,
    pub(super) mask: Mask,
    /// Number of its boxes, and of those that hold no pixel of it; `None` if it has none.
    pub(super) boxes: Option<(usize, usize)>,
}

/// An image that can be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture {
    /// Of the file's bytes, if it has a file of its own.
    pub(super) file: Option<Digest>,
    /// Of width, height and pixels.
    pub(super) pixels: Digest,
    pub(super) size: (u32, u32),
}

/// Why an image cannot be read.
pub(super) struct Fault {
    truncated: bool,
    reason: String,
}

/// Where the object lies.
pub(super) enum Mask {
    /// Not told.
    Missing,
    /// Nowhere.
    Empty,
    /// Somewhere.
    There,
    /// The mask has another size.
    Size(String),
    /// The mask cannot be read.
    Unreadable(String),
}

/// Half of a SHA-256, which is enough for 10^15 images. It knows no seed: two machines agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Digest([u8; 16]);

impl Digest {
    fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        let mut half = [0; 16];
        half.copy_from_slice(&hasher.finalize()[..16]);
        Self(half)
    }
}

impl Picture {
    fn of(image: &RgbImage, file: Option<Digest>) -> Self {
        let (width, height) = image.dimensions();
        let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
        Self {
            file,
            pixels: Digest::of(&[&sides, image.as_raw()]),
            size: (width, height),
        }
    }
}

impl Fault {
    fn of(error: &DataError, reason: String) -> Self {
        Self {
            truncated: ends_early(error),
            reason,
        }
    }

    pub(super) fn finding(self, image: String) -> Finding {
        let reason = self.reason;
        if self.truncated {
            Finding::Truncated { image, reason }
        } else {
            Finding::Unreadable { image, reason }
        }
    }
}

/// Whether a file ended before its decoder had what it needs.
fn ends_early(error: &DataError) -> bool {
    let source = match error {
        DataError::Truncated { .. } | DataError::Empty { .. } => return true,
        DataError::Sample { source, .. } => return ends_early(source),
        DataError::Decode { source, .. } => source,
        _ => return false,
    };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source);
    while let Some(error) = cause {
        // `image` keeps the refusal of the system inside, where `source` does not look.
        let io = match error.downcast_ref() {
            Some(image::ImageError::IoError(io)) => Some(io),
            _ => error.downcast_ref::<std::io::Error>(),
        };
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl Part<'_> {
    pub(super) fn split(&self) -> Split {
        match self {
            Self::Folder(survey, split) => survey.splits[*split].split,
            Self::Collection(split, _) => *split,
        }
    }

    pub(super) fn labels(&self) -> &Labels {
        match self {
            Self::Folder(survey, split) => &survey.splits[*split].labels,
            Self::Collection(_, collection) => &collection.labels,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Folder(survey, split) => survey.splits[*split].len(),
            Self::Collection(_, collection) => collection.samples.len(),
        }
    }

    /// Whether its images may have masks.
    pub(super) fn has_masks(&self) -> bool {
        match self {
            Self::Folder(survey, split) => survey.splits[*split].has_masks(),
            Self::Collection(_, collection) => collection.masked,
        }
    }

    /// What an image is called.
    pub(super) fn name(&self, index: usize) -> String {
        match self {
            Self::Folder(survey, split) => survey.splits[*split].name(index),
            Self::Collection(split, collection) => match &collection.files {
                Some(files) => files.name(index),
                None => format!("{} image {index}", split_name(*split)),
            },
        }
    }

    pub(super) fn look(&self, index: usize) -> Look {
        match self {
            Self::Folder(survey, split) => photograph(survey, *split, index),
            Self::Collection(_, collection) => sample(collection, index),
        }
    }
}

fn photograph(survey: &Survey, split: usize, index: usize) -> Look {
    let part = &survey.splits[split];
    let fault = |error: DataError| Fault::of(&error, survey.told(&error));
    let read = caught(index, || {
        let bytes = part.bytes(index)?;
        let file = Digest::of(&[&bytes]);
        let (image, orientation) = part.decode(index, bytes)?;
        Ok((Picture::of(&image, Some(file)), orientation))
    });
    let target = Some(Target::class(part.class(index)));
    let (picture, orientation) = match read {
        Ok(read) => read,
        Err(error) => {
            return Look {
                target,
                picture: Err(fault(error)),
                mask: Mask::Missing,
                boxes: None,
            };
        }
    };
    let mask = caught(index, || part.mask(index, picture.size, orientation));
    let mask = match mask {
        Ok(mask) => Mask::of(mask.as_ref()),
        Err(error @ DataError::MaskSize { .. }) => Mask::Size(survey.told(&error)),
        Err(error) => Mask::Unreadable(survey.told(&error)),
    };
    Look {
        target,
        picture: Ok(picture),
        mask,
        boxes: survey.boxes_of(split, index, picture.size),
    }
}

fn sample(collection: &Collection, index: usize) -> Look {
    match caught(index, || collection.samples.get(index)) {
        Ok(sample) => Look {
            picture: Ok(Picture::of(&sample.image, None)),
            mask: Mask::of(sample.masks.whole().as_deref()),
            target: Some(sample.target),
            boxes: None,
        },
        Err(error) => Look {
            target: None,
            picture: Err(Fault::of(&error, error.in_full())),
            mask: Mask::Missing,
            boxes: None,
        },
    }
}

impl Mask {
    fn of(mask: Option<&image::GrayImage>) -> Self {
        match mask {
            None => Self::Missing,
            Some(mask) if mask.pixels().any(|pixel| pixel[0] > 0) => Self::There,
            Some(_) => Self::Empty,
        }
    }
}
