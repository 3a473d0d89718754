//! One picture in several places.

use std::collections::HashMap;

use super::look::Digest;
use super::records::Records;
use super::report::{Finding, Same, SameWhat};

/// Pictures in several places, by what it means.
pub(super) struct SamePictures {
    pub(super) wrong: Vec<Finding>,
    pub(super) remarks: Vec<Finding>,
}

/// Images of which every pixel is the same, which those of the same file are. An image that cannot
/// be read is the same as none.
pub(super) fn same(records: &Records) -> SamePictures {
    let mut of_pixels: HashMap<Digest, Vec<usize>> = HashMap::new();
    let mut first: HashMap<Digest, usize> = HashMap::with_capacity(records.len());
    for (number, picture) in records.pictures() {
        // Most pictures are alone, and a list of each would take more memory than all the rest.
        if let Some(first) = first.get(&picture.pixels) {
            let twins = of_pixels.entry(picture.pixels);
            twins.or_insert_with(|| vec![*first]).push(number);
        } else {
            first.insert(picture.pixels, number);
        }
    }
    let mut groups: Vec<Vec<usize>> = of_pixels.into_values().collect();
    groups.sort_unstable();
    let (mut in_splits, mut in_classes, mut remarks) = (vec![], vec![], vec![]);
    for group in groups {
        let same = Same {
            same: what(records, &group),
            images: group.iter().map(|number| records.place(*number)).collect(),
        };
        if differ(&group, |number| records.part(number)) {
            in_splits.push(Finding::SameInSplits(same));
        } else if differ(&group, |number| records.class(number)) {
            in_classes.push(Finding::SameInClasses(same));
        } else {
            remarks.push(Finding::SameInClass(same));
        }
    }
    in_splits.append(&mut in_classes);
    SamePictures {
        wrong: in_splits,
        remarks,
    }
}

fn differ<T: PartialEq>(group: &[usize], of: impl Fn(usize) -> T) -> bool {
    group.iter().any(|number| of(*number) != of(group[0]))
}

/// Whether the files of a group are the same, too.
fn what(records: &Records, group: &[usize]) -> SameWhat {
    let file = |number: usize| records.picture(number).and_then(|picture| picture.file);
    if file(group[0]).is_none() || differ(group, file) {
        SameWhat::Pixels
    } else {
        SameWhat::File
    }
}
