//! Masks and boxes against the images that they should be of.

use super::records::Records;
use super::report::{Finding, Without};
use super::split_name;
use crate::folder::Survey;

/// The images that lack a mask in splits that may have some.
pub(super) fn masks(records: &Records) -> Vec<Finding> {
    let lacking = without(records, &records.no_mask);
    let masked = |part: &usize| records.parts[*part].has_masks();
    let lacking = lacking.filter(|(part, _)| masked(part));
    lacking
        .map(|(_, without)| Finding::NoMask(without))
        .collect()
}

/// Masks and boxes that are no image's, which is wrong, and images without a box.
pub(super) fn of_folder(survey: &Survey, records: &Records) -> (Vec<Finding>, Vec<Finding>) {
    let mut wrong = Vec::new();
    let refused = |reason: String| Finding::Annotations { reason };
    match survey.masks_of_no_image() {
        Ok(masks) => wrong.extend(
            masks
                .into_iter()
                .map(|mask| Finding::MaskOfNoImage { mask }),
        ),
        Err(error) => wrong.push(refused(survey.told(&error))),
    }
    if let Some(table) = survey.table() {
        let boxes = survey.boxes_of_no_image().into_iter();
        wrong.extend(boxes.map(|(image, boxes)| Finding::BoxOfNoImage {
            table: table.clone(),
            image,
            boxes,
        }));
    }
    wrong.extend(survey.refused.iter().cloned().map(refused));
    if survey.table().is_none() {
        return (wrong, vec![]);
    }
    let lacking = without(records, &records.no_box);
    let remarks = lacking.map(|(_, without)| Finding::NoBox(without));
    (wrong, remarks.collect())
}

/// The splits of which images lack something.
fn without<'a>(
    records: &'a Records,
    lacking: &'a [(usize, Option<usize>)],
) -> impl Iterator<Item = (usize, Without)> + 'a {
    let parts = lacking.iter().enumerate();
    parts.filter_map(|(part, (images, first))| {
        let split = split_name(records.parts[part].split());
        let of = records
            .pictures()
            .filter(|(number, _)| records.part(*number) == part);
        let without = Without {
            split,
            images: *images,
            of: of.count(),
            first: records.name((*first)?),
        };
        Some((part, without))
    })
}
