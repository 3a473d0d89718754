//! Photographs in class folders: one folder a class, as in ImageNet and in torchvision's
//! `ImageFolder`.
//!
//! ```text
//! DIR/train/CLASS/... + DIR/val/CLASS/...   held out by hand, and DIR/test/CLASS/... for the end
//! DIR/images/CLASS/...                      split by seed
//! DIR/CLASS/...                             split by seed
//! DIR/labels.csv and the like               as the table says, see `table.rs`
//!
//! DIR/masks/CLASS/... or DIR/trimaps/...    where the objects lie; DIR/masks/val/CLASS/... if held out by hand
//! DIR/boxes.tsv, DIR/head_boxes.csv, ...    the same as boxes: image x0 y0 x1 y1
//! ```
//!
//! Splits go by many names, see `role.rs`. What cannot be understood is refused by its name, for a
//! split taken for a class gives a fine figure of nothing.
//!
//! Classes are the folders sorted by name. Opening a set reads names only; an image is decoded when
//! it is asked for, in the loader's threads. ImageNet's 1.3 million names take some 50 MB.

pub(crate) mod boxes;
pub(crate) mod contents;
mod entries;
pub(crate) mod known;
pub(crate) mod layout;
mod left_out;
pub(crate) mod listing;
pub(crate) mod masks;
mod names;
pub(crate) mod role;
pub(crate) mod split;
mod survey;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod truth;
pub(crate) mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_dataset::Dataset;

use crate::decode::upright;
use crate::{Collection, DataError, Files, Labels, Sample, Split, Target};
pub use entries::is_image_name;
pub use known::UnknownClasses;
use layout::{Layout, Place};
use left_out::LeftOut;
use listing::Listing;
pub(crate) use names::name_below;
use names::names_in;
pub(crate) use survey::Survey;
use truth::Objects;
pub use truth::Truth;
pub use words::imagenet_classes;

/// What is opened of a folder of photographs.
#[derive(Debug, Clone, Copy)]
pub struct ImageFolder<'a> {
    /// The folder, laid out in one of the ways above, which is found out.
    pub dir: &'a Path,
    /// Which images.
    pub split: Split,
    /// Decides which images are held out where nobody did it by hand.
    pub seed: u64,
    /// What is asked for where the objects lie.
    pub truth: Option<Truth>,
    /// The classes of a network, to which the folders are matched by name, if they are known.
    pub classes: Option<&'a Labels>,
    /// Images that were there, by their [names](Files::name). Whether their files still are or not,
    /// they keep their places; to read one that is gone is an error.
    pub once: Option<&'a BTreeSet<String>>,
}

/// One split of a folder of photographs.
///
/// Where nothing is held out by hand, one image in five of every class is, at least one; which,
/// depends on the seed and the images' names below `dir` alone. Classes are shown in the words of
/// `classes.tsv`, `synset_words.txt` or `LOC_synset_mapping.txt` in `dir`, else ImageNet's synsets
/// in those of WordNet, else as their folders are named.
///
/// Samples have masks where `truth` is found in `dir`; unless asked for one, masks before boxes.
///
/// The images come first of every class, then second of every class, and so on: the first N show
/// all classes.
///
/// # Errors
/// There are no class folders, one is empty or has too few images to split, held-out images have
/// classes that the training images lack, the folders are not understood or cannot be read, or
/// there are no such masks or boxes as asked for.
pub fn image_folder(request: &ImageFolder) -> Result<Collection, DataError> {
    let ImageFolder { dir, truth, .. } = *request;
    let mut notes = Vec::new();
    let layout = Layout::find(dir, request.once.unwrap_or(&BTreeSet::new()), &mut notes)?;
    let arranged = arranged(request, &layout, &words::given(dir)?, Empty::Refused)?;
    notes.extend(arranged.left_out.notes());
    notes.extend(arranged.notes);
    let objects = Objects::find(dir, arranged.place.within(dir), truth)?;
    let images = arranged.images;
    let photographs = Arc::new(Photographs { images, objects });
    notes.extend(photographs.objects_that_fit_nothing());
    Ok(Collection {
        masked: photographs.objects.known(),
        samples: photographs.clone(),
        labels: arranged.labels,
        notes,
        files: Some(photographs),
        interventions: None,
    })
}

/// One split of photographs in its order, whatever they are read from.
pub(crate) struct Arranged<'a> {
    pub(crate) labels: Labels,
    pub(crate) notes: Vec<String>,
    pub(crate) left_out: LeftOut,
    pub(crate) place: &'a Place,
    /// Class of the place for each of the labels, where there is one.
    pub(crate) classes: Vec<Option<String>>,
    pub(crate) images: Images,
}

/// What becomes of classes without images, and of a split without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    /// They are refused, of images to learn from and where all must have some to be split.
    Refused,
    /// They have no images.
    Taken,
}

/// What is asked for of the images of a layout, whose classes have these words.
///
/// # Errors
/// As [`image_folder`], but for what concerns files and objects.
pub(crate) fn arranged<'a>(
    request: &ImageFolder,
    layout: &'a Layout,
    words: &str,
    empty: Empty,
) -> Result<Arranged<'a>, DataError> {
    let ImageFolder {
        dir,
        split,
        seed,
        classes,
        once,
        ..
    } = *request;
    let none = BTreeSet::new();
    let once = once.unwrap_or(&none);
    let mut notes = Vec::new();
    let names = layout.classes(dir, split)?;
    let (place, note) = layout.place(dir, split)?;
    notes.extend(note);
    let labels = Labels::one(words::class_words(words, &names));
    let (labels, names) = match classes {
        Some(known) => {
            let matched = known::matched(dir, known, &labels, names)?;
            notes.extend(matched.note);
            (matched.labels, matched.folders)
        }
        None => (labels, names.into_iter().map(Some).collect()),
    };
    let whole = matches!(layout, Layout::Whole(_)) && split != Split::All;
    let needed = empty == Empty::Refused && (whole || split == Split::Train);
    let (mut listing, mut left_out, mut folders) = (Listing::default(), LeftOut::default(), vec![]);
    for name in &names {
        let name = name.as_deref().unwrap_or_default();
        let (folder, mut images) = place.images(name, &mut left_out)?;
        if !folder.is_empty() {
            let class = name_below(dir, &place.root.join(&folder));
            listing::add(&mut images, names_in(once, &class));
        }
        if images.is_empty() && place.classes.contains_key(name) && needed {
            let path = place.root.join(folder);
            return Err(DataError::EmptyClass { path });
        }
        if whole && !images.is_empty() {
            images = split::part(images, &folder, split, seed).ok_or_else(|| {
                let path = place.root.join(&folder);
                DataError::LoneImage { path }
            })?;
        }
        listing.push(images);
        folders.push(folder);
    }
    if listing.is_empty() && empty == Empty::Refused {
        let path = place.root.clone();
        return Err(DataError::EmptyClass { path });
    }
    notes.extend(without_images(&labels, &listing, split));
    Ok(Arranged {
        labels,
        notes,
        left_out,
        place,
        classes: names,
        images: Images {
            dir: dir.to_owned(),
            root: place.root.clone(),
            folders,
            order: listing.by_turns(),
            listing,
        },
    })
}

/// Which classes have no image, in a line.
fn without_images(labels: &Labels, listing: &Listing, split: Split) -> Option<String> {
    const NAMED: usize = 8;
    let empty: Vec<&str> = labels
        .classes()
        .zip(listing.counts())
        .filter_map(|(class, count)| (count == 0).then_some(class.as_str()))
        .collect();
    if empty.is_empty() || split == Split::Train {
        return None;
    }
    let more = match empty.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = empty[..empty.len().min(NAMED)].join(", ");
    let (without, all) = (empty.len(), labels.count());
    Some(format!(
        "{without} of {all} classes have no images here: {named}{more}"
    ))
}

/// The images of a split by name.
pub(crate) struct Images {
    /// The folder of the data set.
    dir: PathBuf,
    /// What the paths of the split begin with.
    root: PathBuf,
    /// What the names of each class begin with.
    folders: Vec<String>,
    listing: Listing,
    /// Place in the listing of each sample.
    order: Vec<u32>,
}

impl Images {
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Class of a sample, and its path below the root.
    fn named(&self, index: usize) -> (usize, PathBuf) {
        let place = self.order[index] as usize;
        let class = self.class(index);
        (
            class,
            Path::new(&self.folders[class]).join(self.listing.name(place)),
        )
    }

    pub(crate) fn class(&self, index: usize) -> usize {
        self.listing.class_of(self.order[index] as usize)
    }

    /// The names of the images of all classes below their folders, and place of each sample.
    pub(crate) fn listed(&self) -> (&Listing, &[u32]) {
        (&self.listing, &self.order)
    }

    fn path(&self, index: usize) -> PathBuf {
        self.root.join(self.named(index).1)
    }

    /// The path of an image below the folder of the data set.
    pub(crate) fn name(&self, index: usize) -> String {
        name_below(&self.dir, &self.path(index))
    }

    /// Number of images of each class.
    pub(crate) fn counts(&self) -> Vec<usize> {
        self.listing.counts().collect()
    }
}

/// Images in files, decoded when asked for.
struct Photographs {
    images: Images,
    objects: Objects,
}

impl Photographs {
    /// Where the objects lie is said of no image: then its words are of others.
    fn objects_that_fit_nothing(&self) -> Option<String> {
        let names = (0..self.images.len()).map(|index| self.images.named(index).1);
        self.objects.fits_nothing(names)
    }
}

impl Dataset<Sample, DataError> for Photographs {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let (class, name) = self.images.named(index);
        let (image, orientation) = upright(&self.images.root.join(&name))?;
        let mask = self.objects.of(&name, image.dimensions(), orientation)?;
        Ok(Sample {
            image,
            target: Target::class(class),
            masks: mask.into(),
        })
    }

    fn len(&self) -> usize {
        self.images.len()
    }
}

impl Files for Photographs {
    fn name(&self, index: usize) -> String {
        self.images.name(index)
    }

    fn path(&self, index: usize) -> Option<PathBuf> {
        Some(self.images.path(index))
    }

    fn target(&self, index: usize) -> Option<Target> {
        Some(Target::class(self.images.class(index)))
    }

    fn counts(&self) -> Vec<usize> {
        self.images.counts()
    }
}

#[cfg(test)]
mod layout_tests;
#[cfg(test)]
mod once_tests;
#[cfg(test)]
mod tests;
