//! Where the things lie that labels are about, in whatever way a layout tells it.

use std::path::{Path, PathBuf};

use image::GrayImage;
use image::metadata::Orientation;

use super::celeba::Landmarks;
use super::compcars::CarBoxes;
use super::voc_boxes::Annotations;
use crate::folder::boxes::{Xyxy, mask_of};
use crate::folder::truth::Objects as Beside;
use crate::{DataError, ObjectMasks, Truth};

/// The objects of all images.
pub(super) enum Objects {
    /// Masks or boxes beside the images, if there are any; and the folder of images that is no part
    /// of what these are called.
    Beside(Beside, PathBuf),
    /// Landmarks of faces.
    Faces(Landmarks),
    /// Boxes in a file an image, of things of many classes.
    Voc(Annotations),
    /// The same of one car.
    Cars(CarBoxes),
    /// Boxes by row, each of what a label is about.
    Boxes(Vec<Vec<(usize, Xyxy)>>),
    /// A box by row, which all labels are about.
    One(Vec<Option<Xyxy>>),
    /// Not known.
    None,
}

impl Objects {
    /// Whether any object is known.
    pub(super) fn known(&self) -> bool {
        match self {
            Self::Beside(beside, _) => beside.known(),
            Self::Faces(landmarks) => landmarks.known(),
            Self::One(boxes) => boxes.iter().any(Option::is_some),
            Self::Voc(_) | Self::Cars(_) | Self::Boxes(_) => true,
            Self::None => false,
        }
    }

    /// Which of the two that can be asked for they are.
    pub(super) fn truth(&self) -> Option<Truth> {
        match self {
            Self::Beside(beside, _) => beside.truth(),
            Self::Voc(_) | Self::Cars(_) | Self::Boxes(_) | Self::One(_) => Some(Truth::Boxes),
            Self::Faces(_) | Self::None => None,
        }
    }

    /// Bytes that change when what is known of the objects in an image does.
    pub(super) fn state_of(&self, row: usize, name: &str, classes: &[u16]) -> Vec<u8> {
        match self {
            Self::Beside(beside, folder) => beside.state_of(&below(folder, name)),
            Self::Faces(landmarks) => landmarks.state_of(row, classes),
            Self::Voc(annotations) => annotations.state_of(name),
            Self::Cars(boxes) => boxes.state_of(name),
            Self::Boxes(boxes) => format!("{:?}", boxes[row]).into_bytes(),
            Self::One(boxes) => format!("{:?}", boxes[row]).into_bytes(),
            Self::None => Vec::new(),
        }
    }

    /// What to say if something lies beside the images, and is of none of these.
    pub(super) fn fits_nothing<'a>(&self, names: impl Iterator<Item = &'a str>) -> Option<String> {
        match self {
            Self::Beside(beside, folder) => {
                beside.fits_nothing(names.map(|name| below(folder, name)))
            }
            _ => None,
        }
    }

    /// The objects in the image of that row, name and size, which had to be turned so and has these
    /// classes, one a label.
    ///
    /// # Errors
    /// What is told of them does not fit the image, or cannot be read.
    pub(super) fn of(
        &self,
        row: usize,
        name: &str,
        size: (u32, u32),
        orientation: Orientation,
        classes: &[u16],
    ) -> Result<ObjectMasks, DataError> {
        match self {
            Self::Beside(beside, folder) => {
                let mask = beside.of(&below(folder, name), size, orientation)?;
                Ok(mask.into())
            }
            Self::Faces(landmarks) => landmarks.masks(row, classes, size),
            Self::Voc(annotations) => annotations.masks(name, size),
            Self::Cars(boxes) => boxes.masks(name, size),
            Self::Boxes(boxes) => Ok(ObjectMasks::OfEach(of_each(
                &boxes[row],
                classes.len(),
                size,
            ))),
            Self::One(boxes) => Ok(boxes[row]
                .and_then(|corners| mask_of(&[corners], size))
                .into()),
            Self::None => Ok(ObjectMasks::Unknown),
        }
    }
}

/// The boxes of each label together.
fn of_each(boxes: &[(usize, Xyxy)], labels: usize, size: (u32, u32)) -> Vec<Option<GrayImage>> {
    let mut masks = vec![None; labels];
    for (label, mask) in masks.iter_mut().enumerate() {
        let own = boxes.iter().filter(|(of, _)| *of == label);
        let own: Vec<Xyxy> = own.map(|(_, corners)| *corners).collect();
        if !own.is_empty() {
            *mask = mask_of(&own, size);
        }
    }
    masks
}

/// The path of an image from the folder of images on.
fn below(folder: &Path, name: &str) -> PathBuf {
    let path = Path::new(name);
    path.strip_prefix(folder).unwrap_or(path).to_owned()
}

/// Refuses to look for what a published set does not have.
///
/// # Errors
/// Something else is asked for.
pub(super) fn asked(dir: &Path, truth: Option<Truth>, has: Option<Truth>) -> Result<(), DataError> {
    let (path, expected) = match truth {
        Some(truth) if has == Some(truth) => return Ok(()),
        None => return Ok(()),
        Some(Truth::Masks) => ("masks", "a folder of masks, which this data set lacks"),
        Some(Truth::Boxes) => ("boxes.csv", "boxes, which this data set lacks"),
    };
    Err(DataError::Missing {
        path: dir.join(path),
        expected: expected.into(),
        advice: "measure on what it has, or without".into(),
    })
}
