//! A folder of photographs as a check sees it: every split, and all that is said of where objects
//! lie, both masks and boxes.
//!
//! What training refuses for its numbers alone, such as a class without images, is taken here: a
//! check tells everything at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{GrayImage, RgbImage};

use super::boxes::Boxes;
use super::layout::Layout;
use super::left_out::LeftOut;
use super::listing::images_in;
use super::masks::{self, Masks};
use super::names::name_below;
use super::truth::names_of;
use super::{Arranged, Empty, ImageFolder, Images, arranged, words};
use crate::decode::{image_bytes, upright_of};
use crate::{DataError, Labels, Split};

/// All splits of a folder of photographs.
pub(crate) struct Survey {
    dir: PathBuf,
    pub(crate) splits: Vec<Surveyed>,
    boxes: Option<Boxes>,
    /// What is to be said of how the images were found.
    pub(crate) notes: Vec<String>,
    /// Why what says where the objects lie is not understood.
    pub(crate) refused: Vec<String>,
}

/// A split of it.
pub(crate) struct Surveyed {
    pub(crate) split: Split,
    pub(crate) labels: Labels,
    images: Images,
    masks: Option<Masks>,
    /// Path from the folder of the data set to the class folders.
    within: PathBuf,
}

impl Survey {
    /// What lies in `dir`.
    ///
    /// # Errors
    /// The folder is not understood or cannot be read.
    pub(crate) fn of(dir: &Path) -> Result<Self, DataError> {
        let mut notes = Vec::new();
        let layout = Layout::find(dir, &BTreeSet::new(), &mut notes)?;
        let mut survey = Self {
            dir: dir.into(),
            splits: vec![],
            boxes: None,
            notes,
            refused: vec![],
        };
        match Boxes::find(dir) {
            Ok(boxes) => survey.boxes = boxes,
            Err(error) => survey.refused.push(survey.told(&error)),
        }
        for split in layout.splits() {
            let surveyed = match Surveyed::of(dir, &layout, split, &mut survey.notes) {
                // Nobody needs to measure on the test images, and those of contests are not told.
                Err(error @ DataError::UnequalClasses { .. })
                    if split == Split::Test && !survey.splits.is_empty() =>
                {
                    let why = survey.told(&error);
                    survey.notes.push(format!("not checked: {why}"));
                    continue;
                }
                surveyed => surveyed?,
            };
            survey.splits.push(surveyed);
        }
        Ok(survey)
    }

    /// An error in words, with paths from the folder of the data set on.
    pub(crate) fn told(&self, error: &DataError) -> String {
        let inner = self.dir.join("x").display().to_string();
        let prefix = inner.strip_suffix('x').unwrap_or_default();
        without_prefix(&error.in_full(), prefix)
    }

    /// The table of boxes, if there is one.
    pub(crate) fn table(&self) -> Option<String> {
        let boxes = self.boxes.as_ref()?;
        Some(name_below(&self.dir, boxes.table()))
    }

    /// How many boxes an image of that size has in the table, and how many of these hold no pixel
    /// of it; `None` if the table does not name it.
    pub(crate) fn boxes_of(
        &self,
        split: usize,
        index: usize,
        size: (u32, u32),
    ) -> Option<(usize, usize)> {
        let boxes = self.boxes.as_ref()?;
        let [long, short] = self.splits[split].names_in_table(index);
        boxes.outside([&long, &short], size)
    }

    /// The names of the table of boxes that are no image's, sorted, with their number of boxes.
    pub(crate) fn boxes_of_no_image(&self) -> Vec<(String, usize)> {
        let Some(boxes) = &self.boxes else {
            return vec![];
        };
        let mut left: BTreeMap<&str, usize> = boxes.images().collect();
        for surveyed in &self.splits {
            for index in 0..surveyed.len() {
                for name in surveyed.names_in_table(index) {
                    left.remove(name.as_str());
                }
            }
        }
        let owned = |(name, count): (&str, usize)| (name.to_owned(), count);
        left.into_iter().map(owned).collect()
    }

    /// The masks that are no image's, by their paths from the folder of the data set on, sorted.
    ///
    /// # Errors
    /// The folder of masks cannot be read.
    pub(crate) fn masks_of_no_image(&self) -> Result<Vec<String>, DataError> {
        let Some(folder) = masks::folder_in(&self.dir) else {
            return Ok(vec![]);
        };
        let names = images_in(&folder, &mut LeftOut::default())?;
        let mut left: BTreeSet<String> = names.into_iter().collect();
        for surveyed in &self.splits {
            let Some(masks) = &surveyed.masks else {
                continue;
            };
            for index in 0..surveyed.len() {
                let path = masks.path_of(&surveyed.images.named(index).1);
                left.remove(&name_below(&folder, &path));
            }
        }
        let full = |name: String| name_below(&self.dir, &folder.join(name));
        Ok(left.into_iter().map(full).collect())
    }
}

impl Surveyed {
    fn of(
        dir: &Path,
        layout: &Layout,
        split: Split,
        notes: &mut Vec<String>,
    ) -> Result<Self, DataError> {
        let request = ImageFolder {
            dir,
            split,
            seed: 0,
            truth: None,
            classes: None,
            once: None,
        };
        let Arranged {
            images,
            labels,
            left_out,
            place,
            ..
        } = arranged(&request, layout, &words::given(dir)?, Empty::Taken)?;
        let within = place.within(dir);
        notes.extend(
            left_out
                .notes()
                .into_iter()
                .map(|note| match within.to_str() {
                    Some(folder) if !folder.is_empty() => format!("in {folder}, {note}"),
                    _ => note,
                }),
        );
        Ok(Self {
            split,
            labels,
            images,
            masks: Masks::find(dir, within),
            within: within.into(),
        })
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        self.images.len()
    }

    /// The path of an image from the folder of the data set on.
    pub(crate) fn name(&self, index: usize) -> String {
        self.images.name(index)
    }

    /// The class of an image, which its folder or table tells.
    pub(crate) fn class(&self, index: usize) -> usize {
        self.images.named(index).0
    }

    /// The bytes of an image's file.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) fn bytes(&self, index: usize) -> Result<Vec<u8>, DataError> {
        image_bytes(&self.path(index))
    }

    /// The image in these bytes of its file as training sees it, and how it had to be turned.
    ///
    /// # Errors
    /// They are no sound image.
    pub(crate) fn decode(
        &self,
        index: usize,
        bytes: Vec<u8>,
    ) -> Result<(RgbImage, Orientation), DataError> {
        upright_of(bytes, &self.path(index))
    }

    /// Whether its images may have masks.
    pub(crate) fn has_masks(&self) -> bool {
        self.masks.is_some()
    }

    /// The mask of an image of that size that had to be turned so, if it has one.
    ///
    /// # Errors
    /// It cannot be read, or has another size.
    pub(crate) fn mask(
        &self,
        index: usize,
        size: (u32, u32),
        orientation: Orientation,
    ) -> Result<Option<GrayImage>, DataError> {
        let name = self.images.named(index).1;
        match &self.masks {
            Some(masks) => masks.read(&name, size, orientation),
            None => Ok(None),
        }
    }

    fn path(&self, index: usize) -> PathBuf {
        self.images.path(index)
    }

    fn names_in_table(&self, index: usize) -> [String; 2] {
        names_of(&self.images.named(index).1, &self.within)
    }
}

/// A text without that where words begin with it.
fn without_prefix(text: &str, prefix: &str) -> String {
    let start = text.strip_prefix(prefix).unwrap_or(text);
    start.replace(&format!(" {prefix}"), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_the_data_set() {
        let told = without_prefix("cannot read ./a b/1.jpg beside ./c: ./", "./");
        assert_eq!(told, "cannot read a b/1.jpg beside c: ");
        let told = without_prefix("/my data/1.jpg is empty", "/my data/");
        assert_eq!(told, "1.jpg is empty");
        let told = without_prefix("the mask e/masks/e/1.png fits cafe/2.png", "e/");
        assert_eq!(told, "the mask masks/e/1.png fits cafe/2.png");
    }
}
