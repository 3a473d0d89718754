//! Photographs in tar shards, as WebDataset has them, without unpacking.
//!
//! ```text
//! DIR/train-000000.tar     0001.jpg 0001.cls  0002.jpg 0002.cls ...
//! DIR/val-000000.tar       the files of a sample have its name up to the first dot, and lie together
//!
//! jpg, png, webp, ...      the image; left.jpg if there is no other
//! cls                      the number of its class, or the name; else json with label, class or cls;
//!                          else txt
//! mask.png, seg.png        where the object lies: anything but 0
//!
//! DIR/classes.txt          what the numbers are called, one a line; also labels.txt and
//!                          dataset_info.json
//! ```
//!
//! Opening reads the headers and labels of all shards of the split, in parallel, and keeps where
//! each image lies. So order and resume are as exact as with folders: an image is one read at a
//! known place, and shards mean nothing for the order. Where the classes have no list, the shards
//! to learn from are looked through for the held-out images too, so that both have the same
//! classes. Nothing is written.
//!
//! A member costs some 5 microseconds where the system has its header in memory (40,000 members in
//! 0.15 to 0.24 s with two threads), so that ImageNet's 2.6 million take a quarter of a minute; from
//! a disk, a read of 4 kB an image. No index is kept, for a data set is not written to.

mod label;
mod member;
mod scan;
mod tricks;
mod window;

use std::io::{Read, Seek, SeekFrom};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use burn_dataset::Dataset;
use image::GrayImage;
use image::metadata::Orientation;

use self::scan::{Shard, Span, scan};
use crate::archive::{
    Archives, Classes, Kind, Names, beside, given_names, holds, refused, turns, without,
};
use crate::decode::{gray, of_bytes, open_bounded, upright_of};
use crate::folder::masks::{fitted, mask_of};
use crate::folder::name_below;
use crate::{Collection, DataError, Files, ImageFolder, Sample, Split, Target, Truth};

const TAR: Kind = Kind {
    ending: "tar",
    plural: "tar shards",
    compressed: &[
        ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2", ".tar.lz4",
    ],
};
/// Threads that look through shards.
const MOST_THREADS: usize = 8;

/// Whether `path` is a tar shard, or a folder of such and of nothing else that may be images.
#[must_use]
pub fn holds_shards(path: &Path) -> bool {
    holds(path, TAR)
}

/// One split of photographs in tar shards: `dir` is a folder of them, or one.
///
/// A shard is of the split that a word in its name says, `train-0001.tar` or
/// `imagenet-val-0001.tar`, or the name of its folder. If none says any, or all are to learn from,
/// one image in five of every class is held out by the images' names, as in folders.
///
/// The images come first of every class, then second of every class, and so on: the first N show
/// all classes.
///
/// # Errors
/// There are no shards, it is not clear which split they are for, or one is cut off, damaged or
/// compressed, holds anything but files, a sample in two places, or an image without a label that
/// is one of the classes.
pub fn tar_shards(request: &ImageFolder) -> Result<Collection, DataError> {
    let ImageFolder {
        dir,
        split,
        seed,
        truth,
        classes: known,
        // What is in an archive stays there.
        once: _,
    } = *request;
    without(dir, truth, &[Truth::Masks])?;
    let archives = Archives::find(dir, TAR)?;
    let chosen = archives.of(dir, split)?;
    let shards = scan_all(chosen.files)?;
    let given = match given_names(beside(dir))? {
        None => chosen.files[0].parent().map_or(Ok(None), given_names)?,
        given => given,
    };
    // The same classes for every split.
    let learned = match archives
        .train()
        .filter(|_| given.is_none() && split != Split::Train)
    {
        Some(train) => Some(scan_all(train)?),
        None => None,
    };
    let said = learned.as_ref().unwrap_or(&shards).iter();
    let said = said.flat_map(|shard| shard.samples.iter().map(|sample| &sample.label));
    let classes = Classes::of(dir, said, given, known)?;
    drop(learned);
    let split_by = chosen.whole.then_some((split, seed));
    let left_out = shards.iter().map(|shard| shard.left_out).sum::<usize>();
    let mut photographs = Shards::of(dir, chosen.files, shards, &classes)?;
    photographs.arrange(&classes, split_by).map_err(|class| {
        let class = classes.labels.name(0, class);
        let reason = format!(
            "there is one image of {class}: expected two or more, of which one in five is held \
             out; add some, or hold images out yourself in shards called val-..."
        );
        refused(dir, reason)
    })?;
    let masked = !photographs.masks.is_empty();
    if truth == Some(Truth::Masks) && !masked {
        return Err(refused(
            dir,
            "no sample has a mask.png; measure without masks",
        ));
    }
    let mut notes: Vec<String> = archives.note().into_iter().chain(chosen.note).collect();
    notes.extend(classes.note.clone());
    if left_out > 0 {
        notes.push(format!(
            "{left_out} members or samples without an image are left out"
        ));
    }
    let photographs = Arc::new(photographs);
    Ok(Collection {
        samples: photographs.clone(),
        labels: classes.labels,
        masked,
        notes,
        files: Some(photographs),
        interventions: None,
    })
}

/// The content of every shard; of several that are refused, the first.
fn scan_all(paths: &[PathBuf]) -> Result<Vec<Shard>, DataError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(number) else {
                return;
            };
            let shard = scan(path);
            if shard.is_err() {
                // Those before it are looked through; those after it are not needed.
                next.fetch_max(paths.len(), Ordering::Relaxed);
            }
            let found = found.lock();
            found
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .push((number, shard));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(MOST_THREADS).min(paths.len()) {
            // Should the system refuse a thread, the others do its work.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut found = found
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    found.sort_unstable_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, shard)| shard).collect()
}

/// Images in shards, read when asked for.
struct Shards {
    shards: Vec<Opened>,
    /// Of every image in the order of the shards: its shard, and where it lies there.
    images: Vec<(u32, Span)>,
    /// Where its mask lies, if any image has one.
    masks: Vec<Option<Span>>,
    names: Names,
    /// Class of every image.
    classes: Vec<u32>,
    /// Image and class of every sample.
    order: Vec<(u32, u32)>,
    counts: Vec<usize>,
}

/// A shard that was looked through.
struct Opened {
    path: PathBuf,
    /// Its path below the folder of the data set.
    name: String,
    size: u64,
}

impl Shards {
    /// Every image with its class.
    fn of(
        dir: &Path,
        paths: &[PathBuf],
        shards: Vec<Shard>,
        classes: &Classes,
    ) -> Result<Self, DataError> {
        let mut all = Self {
            shards: vec![],
            images: vec![],
            masks: vec![],
            names: Names::default(),
            classes: vec![],
            order: vec![],
            counts: vec![],
        };
        let above = beside(dir);
        for ((number, path), shard) in (0..).zip(paths).zip(shards) {
            for (place, sample) in shard.samples.iter().enumerate() {
                let class = classes.class(&sample.label).map_err(|wrong| {
                    let member = path.join(shard.names.get(place));
                    refused(
                        &member,
                        format!("{wrong}; correct it, or the list of classes"),
                    )
                })?;
                all.classes.push(class);
                all.images.push((number, sample.image));
                all.masks.push(sample.mask);
            }
            all.names.extend(&shard.names);
            all.shards.push(Opened {
                path: path.clone(),
                name: name_below(above, path),
                size: shard.size,
            });
        }
        if all.masks.iter().all(Option::is_none) {
            all.masks = vec![];
        }
        Ok(all)
    }

    /// Puts the images of a split into their order; the error is a class with only one.
    fn arrange(&mut self, classes: &Classes, split_by: Option<(Split, u64)>) -> Result<(), usize> {
        let name = |image: usize| self.name_of(image);
        let turns = turns(&self.classes, classes.labels.count(), split_by, name)?;
        (self.order, self.counts, self.classes) = (turns.order, turns.counts, vec![]);
        Ok(())
    }

    fn name_of(&self, image: usize) -> String {
        let shard = &self.shards[self.images[image].0 as usize];
        format!("{}/{}", shard.name, self.names.get(image))
    }
}

impl Opened {
    /// The bytes of a member.
    fn read(&self, span: Span) -> Result<Vec<u8>, DataError> {
        let (mut file, size) = open_bounded(&self.path, i64::MAX as u64, "a tar shard")?;
        if size != self.size {
            let reason = "it has changed since it was opened; start again";
            return Err(refused(&self.path, reason));
        }
        let mut bytes = Vec::with_capacity(span.length as usize);
        let read = file
            .seek(SeekFrom::Start(span.at))
            .and_then(|_| file.take(span.length.into()).read_to_end(&mut bytes));
        read.map_err(|source| DataError::Read {
            path: self.path.clone(),
            source,
        })?;
        Ok(bytes)
    }
}

impl Dataset<Sample, DataError> for Shards {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let (image, class) = self.order[index];
        let (shard, span) = self.images[image as usize];
        let shard = &self.shards[shard as usize];
        let name = shard.path.join(self.names.get(image as usize));
        let (picture, orientation) = upright_of(shard.read(span)?, &name)?;
        let mask = match self.masks.get(image as usize).copied().flatten() {
            None => None,
            Some(span) => Some(mask(shard, span, &name, picture.dimensions(), orientation)?),
        };
        Ok(Sample {
            image: picture,
            target: Target::class(class as usize),
            masks: mask.into(),
        })
    }

    fn len(&self) -> usize {
        self.order.len()
    }
}

/// The mask of the image of that name.
fn mask(
    shard: &Opened,
    span: Span,
    image: &Path,
    size: (u32, u32),
    orientation: Orientation,
) -> Result<GrayImage, DataError> {
    let name = image.with_extension("mask");
    let values = gray(of_bytes(shard.read(span)?, &name)?);
    Ok(mask_of(fitted(values, size, orientation, name)?, |value| {
        value > 0
    }))
}

impl Files for Shards {
    fn name(&self, index: usize) -> String {
        self.name_of(self.order[index].0 as usize)
    }

    fn path(&self, _: usize) -> Option<PathBuf> {
        None
    }

    fn counts(&self) -> Vec<usize> {
        self.counts.clone()
    }
}

#[cfg(test)]
mod tests;
