//! One picture in several places.

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
    let pictures = records.pictures();
    let mut by_pixels: Vec<(Digest, usize)> = pictures
        .map(|(number, picture)| (picture.pixels, number))
        .collect();
    by_pixels.sort_unstable();
    let mut groups: Vec<Vec<usize>> = by_pixels
        .chunk_by(|(one, _), (other, _)| one == other)
        .filter(|group| group.len() > 1)
        .map(|group| group.iter().map(|(_, number)| *number).collect())
        .collect();
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
