//! What is packed: the images of a folder in order, and how one becomes an entry.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{ImageError, RgbImage};
use sha2::{Digest, Sha256};

use super::record::{Kind, MOST_REASON, Record, Sha, padded, sha256};
use super::what::{Classes, What};
use super::{PackError, PackOptions, PackedLabels, Stored};
use crate::attributes::cropped;
use crate::attributes::kept::{Choices, Cropped, Lists};
use crate::decode::{image_bytes, upright_of};
use crate::folder::contents::Contents;
use crate::folder::truth::Objects;
use crate::loader::message_of;
use crate::objects::kept::Annotations;
use crate::{DataError, ObjectMasks, Step, Truth, random};

/// A folder that is packed.
pub(super) struct Source {
    dir: PathBuf,
    pub(super) what: What,
    stored: Stored,
    /// Of each part of class folders.
    objects: Vec<Objects>,
}

/// What an entry is made from, by which a change of it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) file: Sha,
    pub(super) truth: [u8; 8],
}

/// An entry without its place.
pub(super) struct Entry {
    pub(super) record: Record,
    /// Its image and its mask, padded.
    pub(super) bytes: Vec<u8>,
}

/// What is stored of an image.
struct Content {
    kind: Kind,
    size: (u32, u32),
    image: Vec<u8>,
    mask: Vec<u8>,
}

impl Source {
    /// The images of `dir`, with masks from what is asked for or, if nothing is, what there is.
    pub(super) fn open(dir: &Path, options: &PackOptions) -> Result<Self, DataError> {
        let PackOptions { stored, truth, .. } = *options;
        let (what, objects) = match &options.labels {
            PackedLabels::One => {
                let (contents, listing) = Contents::of(dir)?;
                let roots = contents.parts.iter().map(|part| Path::new(&part.root));
                let objects = roots.map(|root| Objects::find(dir, root, truth));
                let objects = objects.collect::<Result<_, _>>()?;
                (What::Classes(Classes::of(contents, listing)), objects)
            }
            PackedLabels::Several { labels, crop } => {
                let choices = Choices {
                    labels: labels.as_deref(),
                    truth,
                    cropped: match (crop, stored) {
                        (false, _) => Cropped::No,
                        (true, Stored::AsTheyAre) => Cropped::Boxes,
                        (true, Stored::Shorter(_)) => Cropped::Before,
                    },
                };
                (What::Lists(Box::new(Lists::of(dir, &choices)?)), vec![])
            }
            PackedLabels::Objects if stored != Stored::AsTheyAre => {
                return Err(PackError::ResizedBoxes.into());
            }
            PackedLabels::Objects => (What::Objects(Box::new(Annotations::of(dir)?)), vec![]),
        };
        Ok(Self {
            dir: dir.to_owned(),
            what,
            stored,
            objects,
        })
    }

    pub(super) fn truth(&self) -> Option<Truth> {
        match &self.what {
            What::Classes(_) => self.objects.iter().find_map(Objects::truth),
            What::Lists(lists) => lists.truth(),
            What::Objects(_) => None,
        }
    }

    /// The objects of a part of class folders, and the path of an image from its root on.
    fn beside(&self, classes: &Classes, number: usize) -> (&Objects, PathBuf) {
        let (part, class) = classes.class_of(number);
        let folder = &classes.contents.parts[part].classes[class].folder;
        let path = Path::new(folder).join(classes.listing.name(number));
        (&self.objects[part], path)
    }

    /// The path of an image.
    fn path(&self, number: usize) -> PathBuf {
        self.dir.join(self.what.name(number))
    }

    /// Bytes that change when what is known of the objects in an image does, if anything is.
    fn objects_state(&self, number: usize) -> Option<Vec<u8>> {
        match &self.what {
            What::Classes(classes) => {
                let (objects, path) = self.beside(classes, number);
                objects.known().then(|| objects.state_of(&path))
            }
            What::Lists(lists) => lists.state_of(number),
            What::Objects(annotations) => Some(annotations.state_of(number)),
        }
    }

    /// Where the objects lie in an image of that size, which had to be turned so.
    fn masks(
        &self,
        number: usize,
        size: (u32, u32),
        orientation: Orientation,
    ) -> Result<ObjectMasks, DataError> {
        match &self.what {
            What::Classes(classes) => {
                let (objects, path) = self.beside(classes, number);
                Ok(objects.of(&path, size, orientation)?.into())
            }
            What::Lists(lists) => lists.masks(number, size, orientation),
            What::Objects(annotations) => {
                let path = self.path(number);
                annotations.check_size(number, &path, size, orientation)?;
                Ok(ObjectMasks::Unknown)
            }
        }
    }

    /// An image and its masks, cut as they are packed.
    fn cut(
        &self,
        number: usize,
        image: RgbImage,
        masks: ObjectMasks,
    ) -> Result<(RgbImage, ObjectMasks), DataError> {
        match &self.what {
            What::Lists(lists) if lists.cropped() == Cropped::Before => {
                let window = lists.window(number, image.dimensions())?;
                Ok(cropped(&image, masks, window))
            }
            What::Lists(_) | What::Classes(_) | What::Objects(_) => Ok((image, masks)),
        }
    }

    /// What an image's entry is made from as it is now.
    pub(super) fn state(&self, number: usize) -> State {
        self.read(number).1
    }

    fn read(&self, number: usize) -> (Result<Vec<u8>, DataError>, State) {
        let file = image_bytes(&self.path(number));
        let truth = self.objects_state(number).map(|state| sha256(&state));
        let state = State {
            file: file.as_deref().map(sha256).unwrap_or_default(),
            truth: truth.map_or([0; 8], |sha| super::record::array_at(&sha, 0)),
        };
        (file, state)
    }

    /// The entry of an image; if it cannot be read, the reason and what it would be made from.
    pub(super) fn entry(&self, number: usize) -> Result<Entry, Box<(DataError, State)>> {
        let (file, state) = self.read(number);
        let content = file.and_then(|file| {
            // Decoders meet files that nobody thought of.
            let content = || self.content(number, file);
            catch_unwind(AssertUnwindSafe(content)).unwrap_or_else(|panic| {
                let message = std::io::Error::other(message_of(panic.as_ref()));
                Err(DataError::Decode {
                    path: self.path(number),
                    source: ImageError::IoError(message),
                })
            })
        });
        match content {
            Ok(content) => Ok(content.entry(state, self.what.short_name(number))),
            Err(error) => Err(Box::new((error, state))),
        }
    }

    /// The entry of an image that cannot be read.
    pub(super) fn unreadable(&self, number: usize, error: &DataError, state: State) -> Entry {
        let dir = format!("{}{}", self.dir.display(), std::path::MAIN_SEPARATOR);
        let mut reason = error.in_full().replace(&dir, "");
        let most = (0..=MOST_REASON as usize)
            .rev()
            .find(|end| reason.is_char_boundary(*end));
        reason.truncate(most.unwrap_or_default());
        let content = Content {
            kind: Kind::Unreadable,
            size: (0, 0),
            image: reason.into_bytes(),
            mask: Vec::new(),
        };
        content.entry(state, self.what.short_name(number))
    }

    fn content(&self, number: usize, file: Vec<u8>) -> Result<Content, DataError> {
        let path = self.path(number);
        let (image, orientation) = upright_of(file.clone(), &path)?;
        let masks = self.masks(number, image.dimensions(), orientation)?;
        let bytes = |masks: &ObjectMasks| {
            let bytes = super::masks::bytes(self.what.version(), masks);
            bytes.map_err(|source| DataError::Decode {
                path: path.clone(),
                source,
            })
        };
        let Stored::Shorter(size) = self.stored else {
            return Ok(Content {
                kind: Kind::File,
                size: (0, 0),
                mask: bytes(&masks)?,
                image: file,
            });
        };
        drop(file);
        let (image, masks) = self.cut(number, image, masks)?;
        // This step does not ask the generator.
        let placement = Step::ResizeShorter { size }
            .decide(image.dimensions(), &mut random::augmentation(0, 0, 0))?;
        let image = placement.pixels(image)?;
        let masks = masks.map(|mask| placement.pixels(mask))?;
        Ok(Content {
            kind: Kind::Pixels,
            size: image.dimensions(),
            mask: bytes(&masks)?,
            image: image.into_raw(),
        })
    }
}

impl Content {
    fn entry(self, state: State, name: &str) -> Entry {
        let Self {
            kind,
            size,
            image,
            mask,
        } = self;
        let record = Record {
            offset: 0,
            kind,
            // Files have at most 256 MiB, pixels 3 x 32768 x 32768 bytes.
            image: image.len() as u32,
            mask: mask.len() as u32,
            width: size.0,
            height: size.1,
            crcs: [crc32fast::hash(&image), crc32fast::hash(&mask)],
            sha256: both(&image, &mask),
            source: state.file,
            truth: state.truth,
            name: name.len() as u32,
        };
        let mut bytes = image;
        bytes.resize(padded(bytes.len() as u64) as usize, 0);
        bytes.extend(mask);
        bytes.resize(padded(bytes.len() as u64) as usize, 0);
        Entry { record, bytes }
    }
}

/// The SHA-256 of an image and its mask.
pub(super) fn both(image: &[u8], mask: &[u8]) -> Sha {
    let hasher = Sha256::new().chain_update(image).chain_update(mask);
    hasher.finalize().into()
}
