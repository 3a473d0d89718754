//! What is packed: the images of a folder in order, and how one becomes an entry.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, GrayImage, ImageEncoder, ImageError};
use sha2::{Digest, Sha256};

use super::Stored;
use super::record::{Kind, MOST_REASON, Record, Sha, padded, sha256};
use crate::decode::{image_bytes, upright_of};
use crate::folder::contents::{Class, Contents, Part};
use crate::folder::listing::Listing;
use crate::folder::truth::Objects;
use crate::loader::message_of;
use crate::{DataError, Step, Truth, random};

/// A folder that is packed.
pub(super) struct Source {
    dir: PathBuf,
    pub(super) contents: Contents,
    pub(super) listing: Listing,
    stored: Stored,
    /// Part and class of each class of the listing.
    classes: Vec<(usize, usize)>,
    /// Of each part.
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
    pub(super) fn open(
        dir: &Path,
        stored: Stored,
        truth: Option<Truth>,
    ) -> Result<Self, DataError> {
        let (contents, listing) = Contents::of(dir)?;
        let objects = contents
            .parts
            .iter()
            .map(|part| Objects::find(dir, Path::new(&part.root), truth))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            dir: dir.to_owned(),
            classes: contents.numbered(),
            contents,
            listing,
            stored,
            objects,
        })
    }

    pub(super) fn truth(&self) -> Option<Truth> {
        self.objects.iter().find_map(Objects::truth)
    }

    pub(super) fn len(&self) -> usize {
        self.listing.len()
    }

    /// The part and class of an image, and its path from the root of its part on.
    fn named(&self, number: usize) -> (usize, PathBuf) {
        let (part, class) = self.classes[self.listing.class_of(number)];
        let class = &self.contents.parts[part].classes[class];
        let path = Path::new(&class.folder).join(self.listing.name(number));
        (part, path)
    }

    /// The path of an image.
    fn path(&self, number: usize) -> PathBuf {
        let (part, path) = self.named(number);
        self.dir.join(&self.contents.parts[part].root).join(path)
    }

    /// The path of an image below the folder.
    pub(super) fn name(&self, number: usize) -> String {
        let class = self.listing.class_of(number);
        self.contents
            .name_of(self.classes[class], self.listing.name(number))
    }

    /// Adds an image to the fingerprint.
    pub(super) fn fingerprint(&self, number: usize, source: &Sha, hasher: &mut Sha256) {
        let (part, class) = self.classes[self.listing.class_of(number)];
        let part = &self.contents.parts[part];
        add(
            hasher,
            part,
            &part.classes[class],
            self.listing.name(number),
            source,
        );
    }

    /// What an image's entry is made from as it is now.
    pub(super) fn state(&self, number: usize) -> State {
        self.read(number).1
    }

    fn read(&self, number: usize) -> (Result<Vec<u8>, DataError>, State) {
        let file = image_bytes(&self.path(number));
        let (part, path) = self.named(number);
        let objects = &self.objects[part];
        let state = State {
            file: file.as_deref().map(sha256).unwrap_or_default(),
            truth: match objects.known() {
                true => super::record::array_at(&sha256(&objects.state_of(&path)), 0),
                false => [0; 8],
            },
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
            Ok(content) => Ok(content.entry(state, self.listing.name(number))),
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
        content.entry(state, self.listing.name(number))
    }

    fn content(&self, number: usize, file: Vec<u8>) -> Result<Content, DataError> {
        let (part, below) = self.named(number);
        let path = self.path(number);
        let (image, orientation) = upright_of(file.clone(), &path)?;
        let mask = self.objects[part].of(&below, image.dimensions(), orientation)?;
        let Stored::Shorter(size) = self.stored else {
            let mask = mask.as_ref().map(png).transpose();
            return Ok(Content {
                kind: Kind::File,
                size: (0, 0),
                image: file,
                mask: mask
                    .map_err(|source| DataError::Decode { path, source })?
                    .unwrap_or_default(),
            });
        };
        drop(file);
        // This step does not ask the generator.
        let placement = Step::ResizeShorter { size }
            .decide(image.dimensions(), &mut random::augmentation(0, 0, 0))?;
        let image = placement.pixels(image)?;
        let mask = mask.map(|mask| placement.pixels(mask)).transpose()?;
        let mask = mask.as_ref().map(png).transpose();
        Ok(Content {
            kind: Kind::Pixels,
            size: image.dimensions(),
            image: image.into_raw(),
            mask: mask
                .map_err(|source| DataError::Decode { path, source })?
                .unwrap_or_default(),
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

/// Adds an image to the fingerprint of a data set.
pub(super) fn add(hasher: &mut Sha256, part: &Part, class: &Class, name: &str, source: &Sha) {
    for text in [&part.root, &class.name, &class.folder, name] {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    hasher.update([part.kind as u8]);
    hasher.update(source);
}

fn png(mask: &GrayImage) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::NoFilter);
    let (width, height) = mask.dimensions();
    encoder.write_image(mask, width, height, ExtendedColorType::L8)?;
    Ok(bytes)
}
