//! What can be wrong with a pack, or with making one.

use std::io;
use std::path::PathBuf;

use super::PackedLabels;
use crate::Truth;

/// Why a pack cannot be read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A file of another kind.
    #[error(
        "{} is not a pack: expected a file that was made by packing a folder of images",
        path.display()
    )]
    NotAPack {
        /// The file.
        path: PathBuf,
    },
    /// A pack that is not complete.
    #[error(
        "{} is an unfinished pack; pack the same folder again to have it completed",
        path.display()
    )]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// A pack of a later program.
    #[error(
        "{} is a pack of version {found}: expected at most {known}; read it with a newer program, \
         or pack the folder again",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The latest that is known.
        known: u32,
    },
    /// A file that ends early or late.
    #[error(
        "{} has {size} bytes: expected {expected}, as its header says; copy or pack it again",
        path.display()
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// What it should be.
        expected: u64,
    },
    /// An index that cannot be right.
    #[error("the index of {} is damaged: {reason}; copy or pack it again", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// An image whose bytes are not those that were packed.
    #[error("{name} in {} is damaged: {reason}; copy or pack it again", path.display())]
    Entry {
        /// The pack.
        path: PathBuf,
        /// The image.
        name: String,
        /// What was found.
        reason: String,
    },
    /// An image that is not in the pack as it could not be read when the pack was made.
    #[error(
        "{name} in {} could not be read when it was packed: {reason}; mend its file and pack the \
         folder again, or leave it out",
        path.display()
    )]
    Unreadable {
        /// The pack.
        path: PathBuf,
        /// The image.
        name: String,
        /// Why it could not be read.
        reason: String,
    },
    /// An image that the pack does not have.
    #[error("{name} is not in {}; pack the folder that has it", path.display())]
    Absent {
        /// The pack.
        path: PathBuf,
        /// The image.
        name: String,
    },
    /// Masks are asked for and boxes are packed, or the other way round.
    #[error(
        "{} holds {}: expected {}; pack the folder again with these, or measure without them",
        path.display(), in_words(*found), in_words(Some(*asked))
    )]
    Truth {
        /// The pack.
        path: PathBuf,
        /// What it has.
        found: Option<Truth>,
        /// What is asked for.
        asked: Truth,
    },
    /// A pack of something else than was expected.
    #[error("{} holds {}", path.display(), advice(labels))]
    OtherLabels {
        /// The pack.
        path: PathBuf,
        /// What it holds.
        labels: PackedLabels,
    },
    /// Photographs with boxes that are to be resized.
    #[error(
        "photographs with boxes are packed as their files are: leave out --size, for a detector \
         resizes them by rules of its own"
    )]
    ResizedBoxes,
    /// Other labels are asked for than are packed.
    #[error(
        "{} holds {}: expected those of {asked}; leave out --labels, or pack the folder again with \
         --labels {asked}",
        path.display(), of_labels(found.as_deref())
    )]
    Labels {
        /// The pack.
        path: PathBuf,
        /// What was asked for when it was packed, if not the usual ones.
        found: Option<String>,
        /// What is asked for.
        asked: String,
    },
    /// Images are to be cropped that are packed as a whole.
    #[error(
        "{} holds no boxes to which its images could be cropped; pack the folder again with \
         --crop-to-object, or train without",
        path.display()
    )]
    Whole {
        /// The pack.
        path: PathBuf,
    },
    /// Whole images are asked for where they are packed cropped.
    #[error(
        "{} holds images that are cropped to their objects; train with --crop-to-object, or pack \
         the folder again without",
        path.display()
    )]
    Cropped {
        /// The pack.
        path: PathBuf,
    },
    /// A name that would steer whoever's terminal shows it.
    #[error("the name {name:?} has control characters, which packs do not hold; rename it")]
    Name {
        /// The class, folder or image.
        name: String,
    },
    /// There is a file already where the pack would be.
    #[error("{} exists; remove it, or choose another name for the pack", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Two programs that make the same pack.
    #[error("{} is being written by another program; wait until that has ended", path.display())]
    Busy {
        /// The unfinished pack.
        path: PathBuf,
    },
    /// The operating system refused to write.
    #[error(
        "cannot write {}; check that its folder exists and is writable and that the disk has \
         space: the same command goes on from what is complete",
        path.display()
    )]
    Write {
        /// The unfinished pack.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// Somebody asked to stop.
    #[error(
        "stopped after {done} of {all} images; {} keeps them, and the same command goes on from \
         there",
        path.display()
    )]
    Stopped {
        /// The unfinished pack.
        path: PathBuf,
        /// Images that are packed.
        done: usize,
        /// Images in all.
        all: usize,
    },
}

impl PackError {
    /// Whether it is about one image, so that the data set would do without it.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Entry { .. } | Self::Unreadable { .. } | Self::Absent { .. }
        )
    }
}

/// A text from outside as it may be shown: of bounded length, without what would steer a terminal.
pub(super) fn printable(text: &str) -> String {
    const MOST: usize = 4096;
    let shown = |letter: char| {
        if letter.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            letter
        }
    };
    text.chars().take(MOST).map(shown).collect()
}

fn advice(labels: &PackedLabels) -> &'static str {
    match labels {
        PackedLabels::One => "one label an image: read it as `--dataset folder`",
        PackedLabels::Several { .. } => {
            "several labels an image: read it as `--dataset attributes`"
        }
        PackedLabels::Objects => {
            "boxes of objects: read it as `--dataset coco`, with `--detector fpn` or `c4`"
        }
    }
}

fn of_labels(found: Option<&str>) -> String {
    match found {
        None => "the labels of its usual list".to_owned(),
        Some(found) => format!("the labels of {found}"),
    }
}

fn in_words(truth: Option<Truth>) -> &'static str {
    match truth {
        None => "neither masks nor boxes",
        Some(Truth::Masks) => "masks",
        Some(Truth::Boxes) => "boxes",
    }
}
