//! Photographs in class folders: one folder a class, as in ImageNet and in torchvision's
//! `ImageFolder`.
//!
//! ```text
//! DIR/train/CLASS/... + DIR/val/CLASS/...   held out by hand; DIR/test in place of DIR/val
//! DIR/images/CLASS/...                      split by seed
//! DIR/CLASS/...                             split by seed
//!
//! DIR/masks/CLASS/... or DIR/trimaps/...    where the objects lie; DIR/masks/val/CLASS/... if held out by hand
//! DIR/boxes.tsv, DIR/head_boxes.csv, ...    the same as boxes: image x0 y0 x1 y1
//! ```
//!
//! Classes are the folders sorted by name. Opening a set reads names only; an image is decoded when
//! it is asked for, in the loader's threads. ImageNet's 1.3 million names take some 50 MB.

mod boxes;
mod layout;
mod listing;
mod masks;
mod split;
mod truth;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_dataset::Dataset;

use crate::{Collection, DataError, Labels, Sample, Split, Target, read_image};
use layout::Layout;
use listing::{Listing, class_folders, images_in};
use truth::Objects;
pub use truth::Truth;
pub use words::imagenet_classes;

/// One split of the photographs in `dir`, laid out in one of the ways above, which is found out.
///
/// Where nothing is held out by hand, one image in five of every class is, at least one; which,
/// depends on `seed` and the images' names below `dir` alone. Classes are shown in the words of
/// `classes.tsv`, `synset_words.txt` or `LOC_synset_mapping.txt` in `dir`, else ImageNet's synsets
/// in those of WordNet, else as their folders are named.
///
/// Samples have masks where `truth` is found in `dir`; unless asked for one, masks before boxes.
///
/// The images come first of every class, then second of every class, and so on: the first N show
/// all classes.
///
/// # Errors
/// There are no class folders, one is empty or has too few images to split, training and held-out
/// classes differ, a folder cannot be read, or there are no such masks or boxes as asked for.
pub fn image_folder(
    dir: &Path,
    split: Split,
    seed: u64,
    truth: Option<Truth>,
) -> Result<Collection, DataError> {
    let layout = Layout::find(dir)?;
    let root = match &layout {
        Layout::HeldOut { train, .. } if split == Split::Train => train,
        Layout::HeldOut { test, .. } => test,
        Layout::Whole { root } => root,
    };
    let folders = layout.classes(split)?;
    let mut listing = Listing::default();
    for folder in &folders {
        let mut images = images_in(root, folder)?;
        if let Layout::Whole { .. } = layout {
            images =
                split::part(images, folder, split, seed).ok_or_else(|| DataError::LoneImage {
                    path: root.join(folder),
                })?;
        }
        listing.push(images);
    }
    let classes = words::class_words(dir, &folders)?;
    let objects = Objects::find(dir, root.strip_prefix(dir).unwrap_or(root), truth)?;
    let masked = objects.known();
    let photographs = Photographs {
        root: root.clone(),
        folders,
        order: listing.by_turns(),
        listing,
        objects,
    };
    Ok(Collection {
        samples: Arc::new(photographs),
        labels: Labels::one(classes),
        masked,
    })
}

/// Images by name, decoded when asked for.
struct Photographs {
    root: PathBuf,
    folders: Vec<String>,
    listing: Listing,
    /// Place in the listing of each sample.
    order: Vec<u32>,
    objects: Objects,
}

impl Dataset<Sample, DataError> for Photographs {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let place = self.order[index] as usize;
        let label = self.listing.class_of(place);
        let name = Path::new(&self.folders[label]).join(self.listing.name(place));
        let image = read_image(&self.root.join(&name))?;
        let mask = self.objects.of(&name, image.dimensions())?;
        Ok(Sample {
            image,
            target: Target::class(label),
            mask,
        })
    }

    fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests;
