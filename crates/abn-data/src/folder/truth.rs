//! Where the objects of photographs lie: masks or boxes, whichever a data set has.

use std::path::{Path, PathBuf};

use image::GrayImage;
use image::metadata::Orientation;
use serde::{Deserialize, Serialize};

use super::boxes::{Boxes, name_in_table};
use super::masks::Masks;
use crate::DataError;

/// What says where the objects lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// A folder of masks, `masks/` or `trimaps/`.
    Masks,
    /// A table of boxes, such as `boxes.tsv`.
    Boxes,
}

/// The objects of one split.
#[derive(Debug)]
pub(crate) enum Objects {
    /// Not known.
    Unknown,
    Masks(Masks),
    /// Boxes, and the path of the class folders below that of the table, which may begin the names
    /// in it.
    Boxes(Boxes, PathBuf),
}

impl Objects {
    /// What is asked for in `dir`, or else masks if it has some and boxes if not. `within` is the
    /// path from there to the class folders; it is repeated in the folder of masks of a set that is
    /// held out by hand.
    ///
    /// # Errors
    /// There is no such thing in `dir`, or it cannot be read.
    pub(crate) fn find(dir: &Path, within: &Path, asked: Option<Truth>) -> Result<Self, DataError> {
        let masks = match asked {
            Some(Truth::Boxes) => None,
            _ => Masks::find(dir, within),
        };
        let found = match (masks, asked) {
            (Some(masks), _) => Self::Masks(masks),
            (None, Some(Truth::Masks)) => Self::Unknown,
            (None, _) => {
                Boxes::find(dir)?.map_or(Self::Unknown, |boxes| Self::Boxes(boxes, within.into()))
            }
        };
        match (&found, asked) {
            (Self::Unknown, Some(asked)) => Err(missing(dir, asked)),
            _ => Ok(found),
        }
    }

    /// Whether any object is known.
    pub(crate) fn known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Which they are.
    pub(crate) fn truth(&self) -> Option<Truth> {
        match self {
            Self::Unknown => None,
            Self::Masks(_) => Some(Truth::Masks),
            Self::Boxes(..) => Some(Truth::Boxes),
        }
    }

    /// Bytes that change when what is known of that image's object does.
    pub(crate) fn state_of(&self, image: &Path) -> Vec<u8> {
        match self {
            Self::Unknown => Vec::new(),
            Self::Masks(masks) => masks.file_of(image),
            Self::Boxes(boxes, within) => boxes.in_words(names_of(image, within)).into_bytes(),
        }
    }

    /// What to say if there are masks or boxes, and none of them is of any of these images.
    pub(crate) fn fits_nothing(&self, images: impl Iterator<Item = PathBuf>) -> Option<String> {
        let mut images = images.peekable();
        let first = images.peek()?.clone();
        match self {
            Self::Unknown => None,
            Self::Masks(masks) => {
                let fits = images.any(|image| masks.path_of(&image).exists());
                (!fits).then(|| {
                    format!(
                        "none of the masks is called as an image: looked for {} and so on",
                        masks.path_of(&first).display()
                    )
                })
            }
            Self::Boxes(boxes, within) => {
                let fits = images.any(|image| boxes.names(names_of(&image, within)));
                (!fits).then(|| {
                    format!(
                        "the table of boxes names no image: looked for {} and so on",
                        name_in_table(&within.join(&first))
                    )
                })
            }
        }
    }

    /// The object of the image of that name, from the class folders on, and size, which had to be
    /// turned upright by that orientation.
    ///
    /// # Errors
    /// A mask cannot be read or has another size.
    pub(crate) fn of(
        &self,
        image: &Path,
        size: (u32, u32),
        orientation: Orientation,
    ) -> Result<Option<GrayImage>, DataError> {
        match self {
            Self::Unknown => Ok(None),
            Self::Masks(masks) => masks.read(image, size, orientation),
            Self::Boxes(boxes, within) => {
                let [long, short] = names_of(image, within);
                Ok(boxes.mask([&long, &short], size))
            }
        }
    }
}

/// What a table may call an image: by its path from the table's folder, or from that of the classes.
pub(super) fn names_of(image: &Path, within: &Path) -> [String; 2] {
    [name_in_table(&within.join(image)), name_in_table(image)]
}

fn missing(dir: &Path, asked: Truth) -> DataError {
    let (path, expected) = match asked {
        Truth::Masks => (
            dir.join("masks"),
            "a folder of masks (or trimaps/) beside the images",
        ),
        Truth::Boxes => (
            dir.join("boxes.tsv"),
            "a table with the columns image, x0, y0, x1, y1",
        ),
    };
    DataError::Missing {
        path,
        expected: expected.into(),
        advice: "add it, or measure without it".into(),
    }
}
