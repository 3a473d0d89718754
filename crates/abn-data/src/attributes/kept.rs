//! What a pack keeps of a set of several labels an image: all that its lists tell.
//!
//! ```text
//! length of the JSON, 8 bytes
//! JSON         the labels and their classes, the list they came from, what is to be said of it
//! splits       a byte an image: 0 nobody made one, 1 train, 2 validation, 3 test
//! classes      two bytes a label of each image: its class, or 0xffff where nobody knows it
//! boxes        of images that are cropped when they are read: x0, y0, x1, y1 as 32-bit floats
//! ```
//!
//! Numbers are little-endian. The names of the images lie before it.

use std::collections::BTreeSet;
use std::path::Path;

use image::metadata::Orientation;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::compcars::{self, Choice};
use super::crop::Crops;
use super::objects::Objects;
use super::told::{MOST_LABELS, Rows, Told, UNKNOWN};
use super::{AttributeFolder, in_folder};
use crate::annotations::names::check_name;
use crate::folder::boxes::Xyxy;
use crate::folder::contents::is_below;
use crate::folder::name_below;
use crate::folder::role::Role;
use crate::{DataError, Group, ObjectMasks, Split, Truth};

/// Bytes of the length of the JSON.
const LENGTH: usize = 8;
/// Bytes of a box.
const BOX: usize = 16;

/// All that the lists of a set tell, of every split.
pub(crate) struct Lists {
    pub(super) told: Told,
    head: Head,
}

/// What is told of all images together.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// The list that tells the labels, below the folder.
    source: String,
    /// Which labels or which table was asked for.
    labels: Option<String>,
    /// Whether it is known where objects lie.
    masked: bool,
    cropped: Cropped,
    groups: Vec<Group>,
    notes: Vec<String>,
}

/// Whether images are cropped to their objects, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cropped {
    /// They are whole.
    No,
    /// They were, before they were packed.
    Before,
    /// They are whole, and the boxes are packed.
    Boxes,
}

/// What of a folder is packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices<'a> {
    pub(crate) labels: Option<&'a str>,
    pub(crate) truth: Option<Truth>,
    pub(crate) cropped: Cropped,
}

impl Lists {
    /// What the lists of `dir` tell.
    ///
    /// # Errors
    /// As [`attributes`](super::attributes), if that opens no split of it.
    pub(crate) fn of(dir: &Path, choices: &Choices) -> Result<Self, DataError> {
        let request = AttributeFolder {
            dir,
            labels: choices.labels,
            // Of this one, lists of all splits are read.
            split: Split::Train,
            seed: 0,
            truth: choices.truth,
            known: None,
            once: None,
            crop: choices.cropped != Cropped::No,
        };
        let mut told = in_folder(&request, &BTreeSet::new())?;
        told.refuse_unknown()?;
        told.rows.close();
        let open = |split| told.rows.of_split(dir, split, 0).map(drop);
        open(Split::Train).or_else(|error| {
            let others = [Split::HeldOut, Split::Test, Split::All];
            match others.into_iter().any(|split| open(split).is_ok()) {
                true => Ok(()),
                false => Err(error),
            }
        })?;
        let chosen = match compcars::Lists::find(dir).and(Choice::named(choices.labels)) {
            Some(choice) => Some(choice.name().to_owned()),
            None => choices.labels.map(str::to_owned),
        };
        let head = Head {
            source: name_below(dir, &told.source),
            labels: chosen,
            masked: told.objects.known(),
            cropped: choices.cropped,
            groups: told.groups.clone(),
            notes: told.notes.clone(),
        };
        Ok(Self { told, head })
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        self.told.rows.len()
    }

    /// Name of an image.
    pub(crate) fn name(&self, row: usize) -> &str {
        self.told.rows.name(row)
    }

    /// Which labels or which table was asked for.
    pub(crate) fn chosen(&self) -> Option<&str> {
        self.head.labels.as_deref()
    }

    /// Whether it is known where objects lie.
    pub(crate) fn masked(&self) -> bool {
        self.head.masked
    }

    pub(crate) fn cropped(&self) -> Cropped {
        self.head.cropped
    }

    /// What tells where the objects lie, if it is one of the two that can be asked for.
    pub(crate) fn truth(&self) -> Option<Truth> {
        self.told.objects.truth()
    }

    /// Where an image of that size is cut.
    ///
    /// # Errors
    /// It has no box, or that holds no pixel of it.
    pub(crate) fn window(&self, row: usize, size: (u32, u32)) -> Result<[u32; 4], DataError> {
        self.told.crops.window(row, self.name(row), size)
    }

    /// The objects in an image of that size, which had to be turned so.
    ///
    /// # Errors
    /// What is told of them does not fit the image, or cannot be read.
    pub(crate) fn masks(
        &self,
        row: usize,
        size: (u32, u32),
        orientation: Orientation,
    ) -> Result<ObjectMasks, DataError> {
        let classes = self.told.rows.numbers(row);
        let objects = &self.told.objects;
        objects.of(row, self.name(row), size, orientation, classes)
    }

    /// Bytes that change when what is known of the objects in an image does, or the box to which it
    /// is cut; `None` where nothing is.
    pub(crate) fn state_of(&self, row: usize) -> Option<Vec<u8>> {
        let is_cut = self.cropped() == Cropped::Before;
        if !self.masked() && !is_cut {
            return None;
        }
        // Masks are numbered by label.
        let names = self.told.groups.iter().map(|group| group.name.as_str());
        let mut state = names.collect::<Vec<_>>().join("\n").into_bytes();
        state.push(0);
        let classes = self.told.rows.numbers(row);
        state.extend(self.told.objects.state_of(row, self.name(row), classes));
        if is_cut {
            state.extend(self.told.crops.state_of(row, self.name(row)));
        }
        Some(state)
    }

    /// Adds what is told of all images to a fingerprint.
    pub(crate) fn begin_fingerprint(&self, hasher: &mut Sha256) {
        for group in &self.told.groups {
            for text in [&group.name].into_iter().chain(&group.classes) {
                hasher.update((text.len() as u64).to_le_bytes());
                hasher.update(text);
            }
            hasher.update((group.classes.len() as u64).to_le_bytes());
        }
    }

    /// Adds what is told of an image to a fingerprint.
    pub(crate) fn fingerprint(&self, row: usize, hasher: &mut Sha256) {
        let name = self.name(row);
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name);
        hasher.update([self.role(row)]);
        for class in self.told.rows.numbers(row) {
            hasher.update(class.to_le_bytes());
        }
    }

    fn role(&self, row: usize) -> u8 {
        Role::kept(self.told.rows.split(row))
    }

    /// The bytes of all of it but the names of the images.
    ///
    /// # Errors
    /// A box cannot be read any more.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, DataError> {
        // Texts and a list of them: nothing that JSON lacks.
        let json = serde_json::to_vec(&self.head).unwrap_or_default();
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend(json);
        bytes.extend((0..self.len()).map(|row| self.role(row)));
        for row in 0..self.len() {
            let classes = self.told.rows.numbers(row);
            bytes.extend(classes.iter().flat_map(|class| class.to_le_bytes()));
        }
        if self.cropped() == Cropped::Boxes {
            for row in 0..self.len() {
                // No box is none of these numbers; an image without one was left out.
                let found = self.told.crops.find(row, self.name(row)).ok();
                let corners = found.map_or([f32::NAN; 4], |found| found.corners.0);
                bytes.extend(corners.iter().flat_map(|corner| corner.to_le_bytes()));
            }
        }
        Ok(bytes)
    }

    /// What [`bytes`](Self::bytes) wrote, of images of these names in the pack at `path`.
    ///
    /// # Errors
    /// It contradicts itself: the reason.
    pub(crate) fn read(path: &Path, bytes: &[u8], names: Vec<String>) -> Result<Self, String> {
        let ends = || "its list of labels ends early or late".to_owned();
        let length = bytes.first_chunk().ok_or_else(ends)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| ends())?;
        let behind = bytes[LENGTH..].split_at_checked(length);
        let (json, rest) = behind.ok_or_else(ends)?;
        let head: Head = serde_json::from_slice(json)
            .map_err(|error| format!("its list of labels is not read: {error}"))?;
        head.check()?;
        let (images, labels) = (names.len(), head.groups.len());
        let values = images.checked_mul(labels);
        let boxes = match head.cropped {
            Cropped::Boxes => BOX,
            Cropped::No | Cropped::Before => 0,
        };
        let expected = values
            .and_then(|values| values.checked_mul(2))
            .and_then(|bytes| bytes.checked_add(images.checked_mul(1 + boxes)?));
        if expected != Some(rest.len()) {
            return Err(ends());
        }
        let (splits, rest) = rest.split_at(images);
        let (classes, boxes) = rest.split_at(2 * images * labels);
        let mut rows = Rows::of(labels);
        let mut classes = classes.as_chunks::<2>().0.iter();
        for (name, split) in names.into_iter().zip(splits) {
            let split = Role::of_kept(*split).ok_or("an image is for nothing that is known")?;
            let row = rows.push(name, split, 1)?;
            for ((label, group), class) in head.groups.iter().enumerate().zip(&mut classes) {
                let class = Some(u16::from_le_bytes(*class)).filter(|class| *class != UNKNOWN);
                let class = class.map(usize::from);
                if class.is_some_and(|class| class >= group.classes.len()) {
                    return Err("an image has a class that its label lacks".to_owned());
                }
                rows.tell(row, label, class);
            }
        }
        let boxes = boxes.as_chunks::<BOX>().0.iter().map(of_bytes);
        let told = Told {
            source: path.join(&head.source),
            groups: head.groups.clone(),
            columns: vec![],
            rows,
            objects: Objects::None,
            crops: match head.cropped {
                Cropped::Boxes => Crops::Packed(path.to_owned(), boxes.collect()),
                Cropped::No | Cropped::Before => Crops::None,
            },
            notes: head.notes.clone(),
        };
        Ok(Self { told, head })
    }
}

/// A box; `None` of what is none.
fn of_bytes(bytes: &[u8; BOX]) -> Option<Xyxy> {
    let (numbers, _) = bytes.as_chunks::<4>();
    let corners: [f32; 4] = std::array::from_fn(|place| f32::from_le_bytes(numbers[place]));
    let finite = corners.iter().all(|corner| corner.is_finite());
    finite.then_some(Xyxy(corners))
}

impl Head {
    /// Refuses what no folder would have told.
    fn check(&self) -> Result<(), String> {
        let count = self.groups.len();
        if count == 0 || count > MOST_LABELS {
            return Err(format!("it has {count} labels"));
        }
        let names: BTreeSet<&String> = self.groups.iter().map(|group| &group.name).collect();
        if names.len() < count {
            return Err("two labels have the same name".to_owned());
        }
        for group in &self.groups {
            let classes = group.classes.len();
            if classes == 0 || classes >= usize::from(UNKNOWN) {
                return Err(format!("a label has {classes} classes"));
            }
            let names = [&group.name].into_iter().chain(&group.classes);
            names.into_iter().try_for_each(|name| check_name(name))?;
        }
        let mut texts = self.notes.iter().chain(&self.labels);
        if texts.any(|text| text.contains(char::is_control)) || !is_below(&self.source) {
            return Err("what it says of itself has control characters".to_owned());
        }
        Ok(())
    }
}
