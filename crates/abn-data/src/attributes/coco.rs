//! COCO's instances: which of eighty classes a picture shows, and boxes of all of them. Crowds
//! count: the class is there.

use std::collections::BTreeSet;
use std::path::Path;

use abn_boxes::coco::Instances;

use super::crop::Crops;
use super::objects::{Objects, asked};
use super::told::{Rows, Told, binary};
use crate::annotations::coco::{File, Files};
use crate::error::shown;
use crate::folder::boxes::Xyxy;
use crate::{DataError, Split, Truth};

/// The files in `dir`, if there are any that tell the splits.
///
/// # Errors
/// Two are of the same split, or the folder cannot be read.
pub(super) fn find(dir: &Path) -> Result<Option<Files>, DataError> {
    Ok(Files::find(dir)?.filter(Files::are_split))
}

/// What they tell of the images of a split, and of others.
///
/// # Errors
/// One of them cannot be read or contradicts itself or another, or an image is not there.
pub(super) fn read(
    files: Files,
    dir: &Path,
    split: Split,
    once: &BTreeSet<String>,
    truth: Option<Truth>,
) -> Result<Told, DataError> {
    asked(dir, truth, Some(Truth::Boxes))?;
    let mut set: Option<Set> = None;
    let categories = files.read(split, |file, instances| {
        let set = set.get_or_insert_with(|| Set::of(instances.categories().len()));
        set.add(file, instances, dir, once)
    })?;
    let Set { rows, boxes } = set.unwrap_or_else(|| Set::of(0));
    Ok(Told {
        source: files.folder,
        groups: binary(categories.into_iter().map(|category| category.name)),
        columns: vec![],
        rows,
        objects: Objects::Boxes(boxes),
        crops: Crops::None,
        notes: files.notes,
    })
}

/// The images that files have told so far.
struct Set {
    rows: Rows,
    /// Label and box of each object, by row.
    boxes: Vec<Vec<(usize, Xyxy)>>,
}

impl Set {
    fn of(labels: usize) -> Self {
        Self {
            rows: Rows::of(labels),
            boxes: vec![],
        }
    }

    fn add(
        &mut self,
        file: &File,
        instances: &Instances,
        dir: &Path,
        once: &BTreeSet<String>,
    ) -> Result<(), String> {
        // As the file has them: runs of before know them in this order.
        for (place, image) in instances.as_given() {
            let name = file.image(dir, once, &image.file_name)?;
            if self.rows.place(&name).is_some() {
                return Err(format!("the image {} is there twice", shown(&name)));
            }
            let row = self.rows.push(name, file.role, 1)?;
            let labels = 0..instances.categories().len();
            labels.for_each(|label| self.rows.tell(row, label, Some(0)));
            let mut boxes = Vec::new();
            for annotation in instances.annotations_of(place) {
                // Files without one of them are not read.
                let label = instances.category_place(annotation.category_id);
                let label = label.unwrap_or_default();
                self.rows.tell(row, label, Some(1));
                let corners = <[f64; 4]>::from(annotation.bounds()).map(|corner| corner as f32);
                if !corners.iter().all(|corner| corner.is_finite()) {
                    let id = image.id;
                    return Err(format!("a box in the image with the id {id} has no end"));
                }
                boxes.push((label, Xyxy(corners)));
            }
            self.boxes.push(boxes);
        }
        Ok(())
    }
}
