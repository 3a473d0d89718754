//! Photographs with the objects in them: a class and a box each.
//!
//! ```text
//! DIR/annotations/instances_train2017.json + train2017/...   COCO, see `coco.rs`
//! DIR/Annotations/a.xml + JPEGImages/a.jpg                    VOC, see `voc.rs`
//! ```
//!
//! Both are brought into the form of `told.rs`, and so is a pack of either, see `kept.rs`. Which
//! images there are is what the files tell: others in the folder are not looked at. Opening a set
//! reads what is told of its images; an image is decoded when it is asked for, in the loader's
//! threads.

mod coco;
pub(crate) mod kept;
mod known;
mod left_out;
mod orientation;
mod photographs;
mod told;
mod voc;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use self::kept::Annotations;
use self::left_out::LeftOut;
use self::photographs::{Photographs, Source};
use self::told::Told;
use crate::folder::split::of_split;
use crate::pack::{is_pack, packed_objects};
use crate::{Collection, DataError, Labels, Split};

/// What is opened of a folder of photographs with objects.
#[derive(Debug, Clone, Copy)]
pub struct ObjectFolder<'a> {
    /// The folder, laid out in one of the ways above, which is found out; or a pack of it.
    pub dir: &'a Path,
    /// Which images.
    pub split: Split,
    /// Decides which images are held out where nobody did it by hand.
    pub seed: u64,
    /// The classes of a network, to which those of the folder are matched by name, if they are
    /// known.
    pub known: Option<&'a Labels>,
    /// Images that were there, by their [names](crate::Files::name). Whether their files still are
    /// or not, they keep their places; to read one that is gone is an error.
    pub once: Option<&'a BTreeSet<String>>,
}

/// One split of photographs with the objects in them, from COCO's or VOC's files or from a pack of
/// them.
///
/// Boxes are in pixels of the image as it is read, upright. Where nothing is held out by hand, one
/// image in five is, at least one; which, depends on the seed and the images' names below the
/// folder alone. Images without an object to learn from are left out of those to learn from, and of no
/// other split. The first note is a title.
///
/// [`Files::target`](crate::Files::target) tells objects as the files have them. The image of a
/// sample may have another size than it is told to have: it is then an error to read it, unless its
/// EXIF orientation explains that; then the boxes of the sample are turned with it.
///
/// # Errors
/// The folder holds neither layout, a file is missing, damaged or contradicts itself or another, an
/// image that is named is not there, a split has no images, or the network lacks a class of the
/// folder.
pub fn objects(request: &ObjectFolder) -> Result<Collection, DataError> {
    let ObjectFolder { dir, split, .. } = *request;
    let (mut told, source) = opened(request)?;
    let (rows, note) = {
        let (names, roles) = told.names_and_roles();
        of_split(dir, &names, &roles, split, request.seed)?
    };
    told.keep(&rows);
    let left_out = match split {
        Split::Train => Some(LeftOut::of(&mut told)?),
        Split::HeldOut | Split::Test | Split::All => None,
    };
    let mut notes = vec![told.title()];
    notes.append(&mut told.notes);
    notes.extend(note);
    notes.extend(left_out.and_then(|left_out| left_out.note()));
    notes.extend(told.odd_boxes(split));
    let labels = known::matched(&mut told, dir, request.known)?;
    let photographs = Arc::new(Photographs {
        source,
        images: told.images,
        class_numbers: told.numbers,
    });
    Ok(Collection {
        samples: photographs.clone(),
        labels,
        masked: false,
        notes,
        files: Some(photographs),
        interventions: None,
    })
}

/// What is told of the images of a folder or pack, and where they are read.
fn opened(request: &ObjectFolder) -> Result<(Told, Source), DataError> {
    let dir = request.dir;
    if !is_pack(dir) {
        return Ok((laid_out(request)?, Source::Folder(dir.to_owned())));
    }
    let (annotations, entries) = packed_objects(dir)?;
    let Annotations { told, .. } = *annotations;
    let names = told.images.iter().map(|image| image.name.clone());
    let numbers = names.zip(0..).collect();
    Ok((told, Source::Pack(entries, numbers)))
}

/// Finds out how a folder is laid out, and reads what is told there.
fn laid_out(request: &ObjectFolder) -> Result<Told, DataError> {
    let ObjectFolder { dir, split, .. } = *request;
    let none = BTreeSet::new();
    let once = request.once.unwrap_or(&none);
    if !dir.exists() {
        return Err(DataError::Missing {
            path: dir.into(),
            expected: "photographs with COCO's or VOC's annotations".into(),
            advice: "check the path".into(),
        });
    }
    if let Some(told) = coco::read(dir, split, once)? {
        return Ok(told);
    }
    if let Some(told) = voc::read(dir, once)? {
        return Ok(told);
    }
    Err(DataError::NoObjects { path: dir.into() })
}

#[cfg(test)]
mod tests;
