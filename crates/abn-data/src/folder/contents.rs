//! What a folder of photographs holds, listed once: by it any split can be opened in the same order
//! later, without the folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::layout::{Images, Layout, Place};
use super::left_out::LeftOut;
use super::listing::Listing;
use super::names::name_below;
use super::{Arranged, Empty, ImageFolder, arranged, words};
use crate::{DataError, PackError, Split};

/// Everything but the names of the images, which lie in a [`Listing`] with a class for each of
/// those here.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// Lines that name the classes.
    words: String,
    /// What is to be said of the layout.
    notes: Vec<String>,
    pub(crate) parts: Vec<Part>,
}

/// The images that a folder holds apart.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) kind: Kind,
    /// What the paths of its images begin with, below the folder.
    pub(crate) root: String,
    pub(crate) classes: Vec<Class>,
}

/// What they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// All, split by seed.
    Whole,
    Train,
    Validation,
    Test,
}

/// The images of a class in a part.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Class {
    pub(crate) name: String,
    /// Its folder below the root.
    pub(crate) folder: String,
    /// How many images it has.
    pub(crate) images: usize,
    #[serde(default, skip_serializing_if = "LeftOut::is_empty")]
    left_out: LeftOut,
}

impl Contents {
    /// What `dir` holds, in order.
    ///
    /// # Errors
    /// As [`image_folder`](super::image_folder), if that opens no split of it.
    pub(crate) fn of(dir: &Path) -> Result<(Self, Listing), DataError> {
        let mut notes = Vec::new();
        let layout = Layout::find(dir, &BTreeSet::new(), &mut notes)?;
        let mut listing = Listing::default();
        let mut parts = Vec::new();
        for (kind, place) in places(&layout) {
            let mut classes = Vec::new();
            for name in place.classes.keys() {
                let mut left_out = LeftOut::default();
                let (folder, images) = place.images(name, &mut left_out)?;
                classes.push(Class {
                    name: name.clone(),
                    folder,
                    images: images.len(),
                    left_out: left_out.below(dir),
                });
                listing.push(images);
            }
            let root = name_below(dir, &place.root);
            parts.push(Part {
                kind,
                root,
                classes,
            });
        }
        let classes = layout_classes(&parts);
        let words = words::lines_about(&words::given(dir)?, &classes);
        let contents = Self {
            words,
            notes,
            parts,
        };
        contents.opens(dir, &listing)?;
        contents.shows(&listing)?;
        Ok((contents, listing))
    }

    /// What contradicts itself in it, where it comes from outside, or else the number of images.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn checked(&self) -> Result<u64, &'static str> {
        let kinds: Vec<Kind> = self.parts.iter().map(|part| part.kind).collect();
        let whole = kinds.contains(&Kind::Whole);
        if kinds.is_empty() || whole && kinds.len() > 1 || !kinds.is_sorted_by(|a, b| a < b) {
            return Err("its parts are not those of a data set");
        }
        let classes = || self.parts.iter().flat_map(|part| &part.classes);
        let roots = self.parts.iter().map(|part| &part.root);
        if !classes()
            .map(|class| &class.folder)
            .chain(roots)
            .all(|path| is_below(path))
        {
            return Err("it names a folder outside of itself");
        }
        if classes().any(|class| !is_plain(&class.name)) {
            return Err("the name of a class has control characters");
        }
        let sorted = |part: &Part| part.classes.is_sorted_by(|a, b| a.name < b.name);
        if !self.parts.iter().all(sorted) {
            return Err("its classes are not in order");
        }
        let sum = classes().try_fold(0_u64, |sum, class| sum.checked_add(class.images as u64));
        sum.ok_or("it counts more images than there can be")
    }

    /// The same as a layout of folders below `dir`.
    pub(crate) fn layout(&self, dir: &Path, listing: &Listing) -> Layout {
        let mut first = 0;
        let mut place = |part: &Part| {
            let mut images = |class: &Class| {
                let range = first..first + class.images;
                first = range.end;
                Images::Listed {
                    folder: class.folder.clone(),
                    first: range.start,
                    names: range.map(|place| listing.name(place).to_owned()).collect(),
                    left_out: class.left_out.clone(),
                }
            };
            let classes = part.classes.iter();
            let classes: BTreeMap<String, Images> = classes
                .map(|class| (class.name.clone(), images(class)))
                .collect();
            let root = match part.root.as_str() {
                "" => dir.to_owned(),
                root => dir.join(root),
            };
            (part.kind, Place { root, classes })
        };
        let (mut train, mut validation, mut test) = (None, None, None);
        for part in &self.parts {
            match place(part) {
                (Kind::Whole, place) => return Layout::Whole(place),
                (Kind::Train, place) => train = Some(place),
                (Kind::Validation, place) => validation = Some(place),
                (Kind::Test, place) => test = Some(place),
            }
        }
        Layout::Apart {
            train,
            validation,
            test,
        }
    }

    /// What is asked for of its [layout](Self::layout).
    ///
    /// # Errors
    /// As [`image_folder`](super::image_folder).
    pub(crate) fn arranged<'a>(
        &self,
        request: &ImageFolder,
        layout: &'a Layout,
    ) -> Result<Arranged<'a>, DataError> {
        let mut arranged = arranged(request, layout, &self.words, Empty::Refused)?;
        arranged.notes.splice(0..0, self.notes.iter().cloned());
        Ok(arranged)
    }

    /// Refuses names that [`checked`](Self::checked) would refuse.
    fn shows(&self, listing: &Listing) -> Result<(), DataError> {
        let classes = self.parts.iter().flat_map(|part| &part.classes);
        let texts = classes.flat_map(|class| [class.name.as_str(), &class.folder]);
        let roots = self.parts.iter().map(|part| part.root.as_str());
        let names = (0..listing.len()).map(|place| listing.name(place));
        let mut all = texts.chain(roots).chain(names);
        all.find(|name| !is_plain(name)).map_or(Ok(()), |name| {
            let name = name.to_owned();
            Err(PackError::Name { name }.into())
        })
    }

    /// Part and class of each class, through all parts.
    pub(crate) fn numbered(&self) -> Vec<(usize, usize)> {
        let of_part = |(number, part): (usize, &Part)| {
            (0..part.classes.len()).map(move |class| (number, class))
        };
        self.parts.iter().enumerate().flat_map(of_part).collect()
    }

    /// The path of an image of a class below the folder.
    pub(crate) fn name_of(&self, (part, class): (usize, usize), image: &str) -> String {
        let part = &self.parts[part];
        let path = Path::new(&part.root)
            .join(&part.classes[class].folder)
            .join(image);
        name_below(Path::new(""), &path)
    }

    /// Refuses what no split can be opened of.
    fn opens(&self, dir: &Path, listing: &Listing) -> Result<(), DataError> {
        let layout = self.layout(dir, listing);
        let open = |split| {
            let request = ImageFolder {
                dir,
                split,
                seed: 0,
                truth: None,
                classes: None,
                once: None,
            };
            self.arranged(&request, &layout).map(drop)
        };
        open(Split::Train).or_else(|error| {
            let others = [Split::HeldOut, Split::Test, Split::All];
            match others.into_iter().any(|split| open(split).is_ok()) {
                true => Ok(()),
                false => Err(error),
            }
        })
    }
}

impl Arranged<'_> {
    /// The number of each sample among all images that were listed, in the order of the samples;
    /// `None` for one that was not there.
    pub(crate) fn numbers(&self) -> Vec<Option<usize>> {
        let (listing, order) = self.images.listed();
        let mut numbers = Vec::with_capacity(order.len());
        for (class, count) in self.classes.iter().zip(listing.counts()) {
            let images = class
                .as_ref()
                .and_then(|class| self.place.classes.get(class));
            let (mut first, mut names) = match images {
                Some(Images::Listed { first, names, .. }) => (*first, &names[..]),
                _ => (0, &[][..]),
            };
            for _ in 0..count {
                // Those that are asked for stand in the order in which they are listed.
                let name = listing.name(numbers.len());
                let found = names.iter().position(|listed| listed == name);
                numbers.push(found.map(|passed| first + passed));
                if let Some(passed) = found {
                    first += passed + 1;
                    names = &names[passed + 1..];
                }
            }
        }
        order.iter().map(|place| numbers[*place as usize]).collect()
    }
}

/// Whether a path leads nowhere but down, and may be shown.
pub(crate) fn is_below(path: &str) -> bool {
    let down = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
    Path::new(path).components().all(down) && is_plain(path)
}

/// Whether a name has no character that steers a terminal.
fn is_plain(name: &str) -> bool {
    !name.contains(char::is_control)
}

fn places(layout: &Layout) -> Vec<(Kind, &Place)> {
    match layout {
        Layout::Whole(place) => vec![(Kind::Whole, place)],
        Layout::Apart {
            train,
            validation,
            test,
        } => {
            let parts = [
                (Kind::Train, train),
                (Kind::Validation, validation),
                (Kind::Test, test),
            ];
            let mut places = Vec::new();
            for (kind, place) in parts {
                places.extend(place.iter().map(|place| (kind, place)));
            }
            places
        }
    }
}

/// The names of the classes of all parts.
fn layout_classes(parts: &[Part]) -> BTreeSet<&str> {
    let classes = parts.iter().flat_map(|part| &part.classes);
    classes.map(|class| class.name.as_str()).collect()
}
