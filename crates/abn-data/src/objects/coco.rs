//! COCO's instances: boxes of eighty classes, and crowds.
//!
//! ```text
//! annotations/instances_train2017.json     images, annotations and categories
//! train2017/000000000009.jpg ...           or below images/, or all in one folder
//! ```
//!
//! Classes are the categories in the order of their ids, images come in that of theirs.

use std::collections::BTreeSet;
use std::path::Path;

use abn_boxes::coco::{Annotation, Instances};

use super::told::{Image, Images, Layout, Told};
use crate::annotations::coco::{File, Files};
use crate::{Counts, DataError, Object, Split};

/// What the files in `dir` tell of the images of a split, and of others; `None` if there are none.
///
/// # Errors
/// One of them cannot be read or contradicts itself or another, or an image is not there.
pub(super) fn read(
    dir: &Path,
    split: Split,
    once: &BTreeSet<String>,
) -> Result<Option<Told>, DataError> {
    let Some(files) = Files::find(dir)? else {
        return Ok(None);
    };
    let mut images = Images::default();
    let categories = files.read(split, |file, instances| {
        for place in 0..instances.images().len() {
            images.push(image(file, instances, place, dir, once)?)?;
        }
        Ok(())
    })?;
    Ok(Some(Told {
        layout: Layout::Coco,
        images: images.finish(&files.folder)?,
        source: files.folder,
        numbers: categories.iter().map(|of| Some(of.id)).collect(),
        classes: categories.into_iter().map(|of| of.name).collect(),
        notes: files.notes,
    }))
}

/// An image of a file.
fn image(
    file: &File,
    instances: &Instances,
    place: usize,
    dir: &Path,
    once: &BTreeSet<String>,
) -> Result<Image, String> {
    let told = &instances.images()[place];
    let side = |side: usize| u32::try_from(side).ok();
    let size = told.size.and_then(|of| side(of.width).zip(side(of.height)));
    let object = |annotation: &Annotation| Object {
        // Files without one of them are not read.
        class: instances
            .category_place(annotation.category_id)
            .unwrap_or_default(),
        bounds: annotation.bounds(),
        area: annotation.area,
        counts: match annotation.crowd {
            true => Counts::Crowd,
            false => Counts::Fully,
        },
    };
    Ok(Image {
        name: file.image(dir, once, &told.file_name)?,
        role: file.role,
        size,
        number: Some(told.id),
        objects: instances.annotations_of(place).iter().map(object).collect(),
    })
}
