//! What a layout tells of its images: the form that all layouts are brought into.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use abn_boxes::{BoundingBox, Size};
use image::metadata::Orientation;
use serde::{Deserialize, Serialize};

use super::orientation::{swaps, turned};
use crate::error::shown;
use crate::folder::role::Role;
use crate::{Counts, DataError, Object, Split};

/// COCO's largest file has 118,287.
const MOST_IMAGES: usize = 5_000_000;
/// And 860,001 of these; each takes 56 bytes.
const MOST_OBJECTS: usize = 10_000_000;

/// All that is told, before and after a split is taken of it.
pub(super) struct Told {
    pub(super) layout: Layout,
    /// The file or folder that tells it.
    pub(super) source: PathBuf,
    pub(super) classes: Vec<String>,
    /// The number of each class in the files.
    pub(super) numbers: Vec<Option<u64>>,
    pub(super) images: Vec<Image>,
    /// What a user should know of how it was read.
    pub(super) notes: Vec<String>,
}

/// Whose files they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Layout {
    Coco,
    Voc,
}

impl Layout {
    fn whose(self) -> &'static str {
        match self {
            Self::Coco => "COCO's",
            Self::Voc => "VOC's",
        }
    }
}

/// An image.
pub(super) struct Image {
    /// Its path below the folder of the data set.
    pub(super) name: String,
    /// What somebody made it for.
    pub(super) role: Option<Role>,
    /// Width and height, where they are told.
    pub(super) size: Option<(u32, u32)>,
    /// Its number in the files, if it has one there.
    pub(super) number: Option<u64>,
    pub(super) objects: Vec<Object>,
}

impl Image {
    /// The part of an object's box that lies in the image, if it has an inside.
    pub(super) fn inside(&self, object: &Object) -> Option<BoundingBox> {
        let bounds = match self.size {
            Some((width, height)) => object
                .bounds
                .clip(Size::new(height as usize, width as usize)),
            None => object.bounds,
        };
        bounds.is_valid().then_some(bounds)
    }

    /// Its objects in the picture at `path`, which was found to have a size after it was turned
    /// upright.
    ///
    /// # Errors
    /// The picture has another size than is told, and its orientation does not explain that.
    pub(super) fn placed(
        &self,
        path: &Path,
        found: (u32, u32),
        orientation: Orientation,
    ) -> Result<Vec<Object>, DataError> {
        let mut objects = self.objects.clone();
        match self.size.filter(|told| *told != found) {
            None => {}
            // They were drawn on the picture as it is stored: turned with it, they fit.
            Some(told) if swaps(orientation) && told == (found.1, found.0) => {
                for object in &mut objects {
                    object.bounds = turned(object.bounds, orientation, told);
                }
            }
            Some(told) => {
                let path = path.into();
                return Err(DataError::ImageSize { path, found, told });
            }
        }
        Ok(objects)
    }
}

impl Told {
    /// Keeps the images at these places alone.
    pub(super) fn keep(&mut self, places: &[usize]) {
        let kept: HashSet<usize> = places.iter().copied().collect();
        let mut place = 0..;
        self.images
            .retain(|_| place.next().is_some_and(|place| kept.contains(&place)));
    }

    /// The names of all images, and what somebody made them for.
    pub(super) fn names_and_roles(&self) -> (Vec<&str>, Vec<Option<Role>>) {
        let images = self.images.iter();
        images.map(|image| (&*image.name, image.role)).unzip()
    }

    /// What they are, in a line.
    pub(super) fn title(&self) -> String {
        let objects = self.images.iter().map(|image| image.objects.len()).sum();
        format!(
            "{} objects: {}, {} of {}",
            self.layout.whose(),
            counted(self.images.len(), "image"),
            counted(objects, "object"),
            match self.classes.len() {
                1 => "1 class".to_owned(),
                count => format!("{count} classes"),
            }
        )
    }

    /// What to say of boxes that no network can be taught, and of those that are hardly meant.
    pub(super) fn odd_boxes(&self, split: Split) -> Vec<String> {
        let (mut without_inside, mut tiny) = (0, 0);
        for image in &self.images {
            for object in &image.objects {
                match image.inside(object) {
                    _ if object.counts == Counts::Crowd => {}
                    None => without_inside += 1,
                    Some(_) => tiny += usize::from(is_tiny(object)),
                }
            }
        }
        let without_inside = counted_boxes(without_inside).map(|(boxes, are)| match split {
            Split::Train => format!("{boxes} without an inside {are} not learned from"),
            Split::HeldOut | Split::Test | Split::All => {
                format!("{boxes} without an inside {are} never found, whatever a network says")
            }
        });
        let tiny = counted_boxes(tiny)
            .map(|(boxes, are)| format!("{boxes} {are} a pixel wide or high at most"));
        without_inside.into_iter().chain(tiny).collect()
    }
}

/// Whether a box is so narrow that torchvision's reference training takes it for empty, if all of
/// its image are.
pub(super) fn is_tiny(object: &Object) -> bool {
    const EMPTY_SIDE: f64 = 1.0;
    object.bounds.width() <= EMPTY_SIDE || object.bounds.height() <= EMPTY_SIDE
}

/// So many boxes in words, with the verb; nothing if there are none.
fn counted_boxes(count: usize) -> Option<(String, &'static str)> {
    match count {
        0 => None,
        1 => Some(("1 box".to_owned(), "is")),
        count => Some((format!("{count} boxes"), "are")),
    }
}

/// So many things, in words.
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// Collects images, each once.
#[derive(Default)]
pub(super) struct Images {
    all: Vec<Image>,
    names: HashSet<String>,
    /// By what images are for: files of other splits may number theirs anew.
    numbers: HashSet<(Option<Role>, u64)>,
    objects: usize,
}

impl Images {
    /// Adds one.
    ///
    /// # Errors
    /// It is there already, or there are too many: the reason.
    pub(super) fn push(&mut self, mut image: Image) -> Result<(), String> {
        if !self.names.insert(image.name.clone()) {
            return Err(format!("the image {} is there twice", shown(&image.name)));
        }
        let mut is_new = |number: u64| self.numbers.insert((image.role, number));
        if let Some(number) = image.number.filter(|number| !is_new(*number)) {
            return Err(format!(
                "another file of the same split has an image with the id {number} too"
            ));
        }
        self.objects += image.objects.len();
        if self.all.len() == MOST_IMAGES || self.objects > MOST_OBJECTS {
            return Err(format!(
                "it tells more than {MOST_IMAGES} images or {MOST_OBJECTS} objects"
            ));
        }
        image.objects.shrink_to_fit();
        self.all.push(image);
        Ok(())
    }

    /// All of them, in their order.
    ///
    /// # Errors
    /// There are none.
    pub(super) fn finish(self, source: &PathBuf) -> Result<Vec<Image>, DataError> {
        match self.all.is_empty() {
            true => Err(DataError::Lists {
                path: source.into(),
                reason: "it names no images".into(),
            }),
            false => Ok(self.all),
        }
    }
}
