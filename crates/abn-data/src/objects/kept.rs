//! What a pack keeps of photographs with objects: all that is told of them.
//!
//! ```text
//! length of the JSON, 8 bytes
//! JSON         whose layout it was, the classes and their numbers, what is to be said of it
//! images       22 bytes each: split (0 nobody made one, 1 train, 2 validation, 3 test), what of the
//!              next is told (1 the size, 2 the number), width, height, number, count of objects
//! objects      45 bytes each, in the order of the images: class, how it counts (0 fully, 1 a crowd,
//!              2 difficult), x1, y1, x2, y2, area
//! ```
//!
//! Integers are little-endian, as are the floats of 64 bits. The names of the images lie before it.

use std::collections::BTreeSet;
use std::path::Path;

use abn_boxes::BoundingBox;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::told::{Image, Images, Layout, Told};
use super::{ObjectFolder, laid_out};
use crate::annotations::names::check_name;
use crate::folder::contents::is_below;
use crate::folder::name_below;
use crate::folder::role::Role;
use crate::folder::split::of_split;
use crate::{Counts, DataError, Object, Split};

/// Bytes of an image and of an object.
const IMAGE: usize = 22;
const OBJECT: usize = 45;
const SIZE_TOLD: u8 = 1;
const NUMBER_TOLD: u8 = 2;
const COUNTS: [Counts; 3] = [Counts::Fully, Counts::Crowd, Counts::Difficult];

/// All that is told of a set, of every split.
pub(crate) struct Annotations {
    pub(super) told: Told,
    /// The file or folder that tells it, below the folder of the set.
    source: String,
}

/// What is told of all images together.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    layout: Layout,
    source: String,
    classes: Vec<String>,
    numbers: Vec<Option<u64>>,
    notes: Vec<String>,
}

impl Annotations {
    /// What the files in `dir` tell.
    ///
    /// # Errors
    /// As [`objects`](super::objects()), if that opens no split of it.
    pub(crate) fn of(dir: &Path) -> Result<Self, DataError> {
        let told = laid_out(&ObjectFolder {
            dir,
            // Of this one, the files of all splits are read.
            split: Split::Train,
            seed: 0,
            known: None,
            once: None,
        })?;
        let (names, roles) = told.names_and_roles();
        let open = |split| of_split(dir, &names, &roles, split, 0).map(drop);
        open(Split::Train).or_else(|error| {
            let others = [Split::HeldOut, Split::Test, Split::All];
            match others.into_iter().any(|split| open(split).is_ok()) {
                true => Ok(()),
                false => Err(error),
            }
        })?;
        Ok(Self {
            source: name_below(dir, &told.source),
            told,
        })
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        self.told.images.len()
    }

    /// Name of an image.
    pub(crate) fn name(&self, place: usize) -> &str {
        &self.image(place).name
    }

    pub(super) fn image(&self, place: usize) -> &Image {
        &self.told.images[place]
    }

    /// Bytes that change when what is told of an image does.
    pub(crate) fn state_of(&self, place: usize) -> Vec<u8> {
        let image = self.image(place);
        let mut bytes = image_bytes(image).to_vec();
        bytes.extend(image.objects.iter().flat_map(object_bytes));
        bytes
    }

    /// Adds the classes to a fingerprint.
    pub(crate) fn begin_fingerprint(&self, hasher: &mut Sha256) {
        for (class, number) in self.told.classes.iter().zip(&self.told.numbers) {
            hasher.update((class.len() as u64).to_le_bytes());
            hasher.update(class);
            hasher.update(number.unwrap_or(u64::MAX).to_le_bytes());
        }
    }

    /// Adds what is told of an image to a fingerprint.
    pub(crate) fn fingerprint(&self, place: usize, hasher: &mut Sha256) {
        let name = self.name(place);
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name);
        hasher.update(self.state_of(place));
    }

    /// The bytes of all of it but the names of the images.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Told {
            layout,
            classes,
            numbers,
            notes,
            images,
            ..
        } = &self.told;
        let head = Head {
            layout: *layout,
            source: self.source.clone(),
            classes: classes.clone(),
            numbers: numbers.clone(),
            notes: notes.clone(),
        };
        // Texts, numbers and lists of them: nothing that JSON lacks.
        let json = serde_json::to_vec(&head).unwrap_or_default();
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend(json);
        bytes.extend(images.iter().flat_map(image_bytes));
        let objects = images.iter().flat_map(|image| &image.objects);
        bytes.extend(objects.flat_map(object_bytes));
        bytes
    }

    /// What [`bytes`](Self::bytes) wrote, of images of these names in the pack at `path`.
    ///
    /// # Errors
    /// It contradicts itself: the reason.
    pub(crate) fn read(path: &Path, bytes: &[u8], names: Vec<String>) -> Result<Self, String> {
        let ends = || "its list of objects ends early or late".to_owned();
        let (length, rest) = bytes.split_first_chunk().ok_or_else(ends)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| ends())?;
        let (json, rest) = rest.split_at_checked(length).ok_or_else(ends)?;
        let head: Head = serde_json::from_slice(json)
            .map_err(|error| format!("its list of objects is not read: {error}"))?;
        head.check()?;
        let images = names.len().checked_mul(IMAGE).ok_or_else(ends)?;
        let (images, objects) = rest.split_at_checked(images).ok_or_else(ends)?;
        let (objects, left) = objects.as_chunks::<OBJECT>();
        let mut objects = objects.iter();
        let mut all = Images::default();
        for (name, bytes) in names.into_iter().zip(images.as_chunks::<IMAGE>().0) {
            let (mut image, count) = image_of(name, bytes)?;
            // No more than there are, whatever the count says.
            for bytes in objects.by_ref().take(count) {
                image.objects.push(object_of(bytes, head.classes.len())?);
            }
            if image.objects.len() < count {
                return Err(ends());
            }
            all.push(image)?;
        }
        if objects.next().is_some() || !left.is_empty() {
            return Err(ends());
        }
        let source = path.join(&head.source);
        let told = Told {
            layout: head.layout,
            classes: head.classes,
            numbers: head.numbers,
            images: all.finish(&source).map_err(|error| error.to_string())?,
            notes: head.notes,
            source,
        };
        Ok(Self {
            told,
            source: head.source,
        })
    }

    /// Refuses an image of another size than it is told to have, as [`Image::placed`] does.
    ///
    /// # Errors
    /// It has another.
    pub(crate) fn check_size(
        &self,
        place: usize,
        path: &Path,
        found: (u32, u32),
        orientation: image::metadata::Orientation,
    ) -> Result<(), DataError> {
        self.image(place).placed(path, found, orientation).map(drop)
    }
}

impl Head {
    /// Refuses what no folder would have told.
    fn check(&self) -> Result<(), String> {
        if self.classes.is_empty() || self.classes.len() != self.numbers.len() {
            let (classes, numbers) = (self.classes.len(), self.numbers.len());
            return Err(format!("it has {classes} classes and {numbers} numbers"));
        }
        let names: BTreeSet<&String> = self.classes.iter().collect();
        if names.len() < self.classes.len() {
            return Err("two classes have the same name".to_owned());
        }
        self.classes.iter().try_for_each(|name| check_name(name))?;
        if self
            .notes
            .iter()
            .any(|note| note.contains(char::is_control))
            || !is_below(&self.source)
        {
            return Err("what it says of itself has control characters".to_owned());
        }
        Ok(())
    }
}

fn image_bytes(image: &Image) -> [u8; IMAGE] {
    let told = match image.size {
        Some(_) => SIZE_TOLD,
        None => 0,
    } | match image.number {
        Some(_) => NUMBER_TOLD,
        None => 0,
    };
    let (width, height) = image.size.unwrap_or_default();
    let mut bytes = vec![Role::kept(image.role), told];
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.extend(image.number.unwrap_or_default().to_le_bytes());
    // A set has at most ten million.
    bytes.extend((image.objects.len() as u32).to_le_bytes());
    std::array::from_fn(|place| bytes[place])
}

/// An image without its objects, and how many they are.
fn image_of(name: String, bytes: &[u8; IMAGE]) -> Result<(Image, usize), String> {
    let role = Role::of_kept(bytes[0]).ok_or("an image is for nothing that is known")?;
    let told = bytes[1];
    if told & !(SIZE_TOLD | NUMBER_TOLD) != 0 {
        return Err("of an image something is told that is not known".to_owned());
    }
    let (width, height) = (u32_at(bytes, 2), u32_at(bytes, 6));
    let number = u64::from_le_bytes(std::array::from_fn(|place| bytes[10 + place]));
    let image = Image {
        name,
        role,
        size: (told & SIZE_TOLD != 0).then_some((width, height)),
        number: (told & NUMBER_TOLD != 0).then_some(number),
        objects: Vec::new(),
    };
    Ok((image, u32_at(bytes, 18) as usize))
}

fn object_bytes(object: &Object) -> Vec<u8> {
    let counts = COUNTS.iter().position(|known| *known == object.counts);
    // A set has at most ten thousand classes.
    let mut bytes = (object.class as u32).to_le_bytes().to_vec();
    bytes.push(counts.unwrap_or_default() as u8);
    let corners = <[f64; 4]>::from(object.bounds);
    let numbers = corners.into_iter().chain([object.area]);
    bytes.extend(numbers.flat_map(f64::to_le_bytes));
    bytes
}

fn object_of(bytes: &[u8; OBJECT], classes: usize) -> Result<Object, String> {
    let class = u32_at(bytes, 0) as usize;
    if class >= classes {
        return Err("an object has a class that there is not".to_owned());
    }
    let counts = COUNTS.get(usize::from(bytes[4]));
    let (numbers, _) = bytes[5..].as_chunks::<8>();
    let [x1, y1, x2, y2, area] = std::array::from_fn(|place| f64::from_le_bytes(numbers[place]));
    let bounds = BoundingBox::new(x1, y1, x2, y2);
    if !bounds.is_finite() || !area.is_finite() {
        return Err("a box is none of numbers".to_owned());
    }
    Ok(Object {
        class,
        bounds,
        area,
        counts: *counts.ok_or("an object counts as nothing that is known")?,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|place| bytes[at + place]))
}
