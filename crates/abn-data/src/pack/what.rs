//! What a pack is of: the classes of folders, lists of several labels an image, or boxes of objects.
//! Each is the same to a folder that is packed and to a pack that is read.

use sha2::{Digest, Sha256};

use super::record::{OBJECTS, ONE_LABEL, SEVERAL_LABELS, Sha};
use crate::DataError;
use crate::attributes::kept::Lists;
use crate::folder::contents::Contents;
use crate::folder::listing::Listing;
use crate::objects::kept::Annotations;

/// Everything that is told of images, in their order.
pub(super) enum What {
    Classes(Classes),
    Lists(Box<Lists>),
    Objects(Box<Annotations>),
}

/// Class folders.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) contents: Contents,
    pub(super) listing: Listing,
    /// Part and class of each class of the listing.
    numbered: Vec<(usize, usize)>,
}

impl Classes {
    pub(super) fn of(contents: Contents, listing: Listing) -> Self {
        Self {
            numbered: contents.numbered(),
            contents,
            listing,
        }
    }

    /// Part and class of an image.
    pub(super) fn class_of(&self, number: usize) -> (usize, usize) {
        self.numbered[self.listing.class_of(number)]
    }

    fn fingerprint(&self, number: usize, hasher: &mut Sha256) {
        let (part, class) = self.class_of(number);
        let part = &self.contents.parts[part];
        let class = &part.classes[class];
        let name = self.listing.name(number);
        for text in [&part.root, &class.name, &class.folder, name] {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        hasher.update([part.kind as u8]);
    }
}

impl What {
    /// Version of a pack of it.
    pub(super) fn version(&self) -> u32 {
        match self {
            Self::Classes(_) => ONE_LABEL,
            Self::Lists(_) => SEVERAL_LABELS,
            Self::Objects(_) => OBJECTS,
        }
    }

    /// Number of images.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.listing.len(),
            Self::Lists(lists) => lists.len(),
            Self::Objects(annotations) => annotations.len(),
        }
    }

    /// The path of an image below the folder.
    pub(super) fn name(&self, number: usize) -> String {
        match self {
            Self::Classes(classes) => {
                let name = classes.listing.name(number);
                classes.contents.name_of(classes.class_of(number), name)
            }
            Self::Lists(lists) => lists.name(number).to_owned(),
            Self::Objects(annotations) => annotations.name(number).to_owned(),
        }
    }

    /// What the index calls an image.
    pub(super) fn short_name(&self, number: usize) -> &str {
        match self {
            Self::Classes(classes) => classes.listing.name(number),
            Self::Lists(lists) => lists.name(number),
            Self::Objects(annotations) => annotations.name(number),
        }
    }

    /// Begins a fingerprint of the images.
    pub(super) fn fingerprint(&self) -> Sha256 {
        let mut hasher = Sha256::new();
        match self {
            Self::Classes(_) => {}
            Self::Lists(lists) => lists.begin_fingerprint(&mut hasher),
            Self::Objects(annotations) => annotations.begin_fingerprint(&mut hasher),
        }
        hasher
    }

    /// Adds an image to it, whose file has that SHA-256.
    pub(super) fn add(&self, hasher: &mut Sha256, number: usize, source: &Sha) {
        match self {
            Self::Classes(classes) => classes.fingerprint(number, hasher),
            Self::Lists(lists) => lists.fingerprint(number, hasher),
            Self::Objects(annotations) => annotations.fingerprint(number, hasher),
        }
        hasher.update(source);
    }

    /// The end of the index.
    ///
    /// # Errors
    /// Something of it cannot be read any more.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, DataError> {
        match self {
            // Texts, numbers and maps with texts for keys: nothing that JSON lacks.
            Self::Classes(classes) => Ok(serde_json::to_vec(&classes.contents).unwrap_or_default()),
            Self::Lists(lists) => lists.bytes(),
            Self::Objects(annotations) => Ok(annotations.bytes()),
        }
    }
}
