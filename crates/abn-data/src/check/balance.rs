//! How many images each class has.

use super::look::Part;
use super::records::Records;
use super::report::{ClassCount, Finding, LabelReport, SplitReport};
use super::split_name;
use crate::Split;

/// The largest class may have so many times as many images as the smallest.
pub(super) const UNEVEN: usize = 10;

/// Classes that have too few images.
#[derive(Default)]
pub(super) struct TooFew {
    pub(super) wrong: Vec<Finding>,
    pub(super) remarks: Vec<Finding>,
}

/// Every split with the sizes of its classes.
pub(super) fn splits(records: &Records) -> Vec<SplitReport> {
    let mut readable = vec![0; records.parts.len()];
    for (number, _) in records.pictures() {
        readable[records.part(number)] += 1;
    }
    let report = |(number, part): (usize, &Part)| SplitReport {
        split: split_name(part.split()),
        images: part.len(),
        readable: readable[number],
        labels: labels(records, number),
    };
    records.parts.iter().enumerate().map(report).collect()
}

fn labels(records: &Records, part: usize) -> Vec<LabelReport> {
    let groups = records.parts[part].labels().groups().iter();
    groups
        .zip(&records.counts[part])
        .map(|(group, counts)| LabelReport {
            name: group.name.clone(),
            classes: group
                .classes
                .iter()
                .zip(counts)
                .map(|(class, images)| ClassCount {
                    class: class.clone(),
                    images: *images,
                })
                .collect(),
        })
        .collect()
}

/// Classes with too few images, and splits whose classes are of very different sizes.
pub(super) fn balance(records: &Records) -> (TooFew, Vec<Finding>) {
    let (mut few, mut uneven) = (TooFew::default(), vec![]);
    let mut lone = vec![];
    for (number, part) in records.parts.iter().enumerate() {
        let split = split_name(part.split());
        let is_whole = part.split() == Split::All;
        let is_folder = matches!(part, Part::Folder(..));
        for LabelReport { name, classes } in labels(records, number) {
            let (empty, some): (Vec<_>, Vec<_>) =
                classes.into_iter().partition(|class| class.images == 0);
            let empty = empty.into_iter().map(|class| Finding::EmptyClass {
                split,
                class: class.class,
            });
            // The folders are there, and training on them is refused.
            if is_folder && (is_whole || part.split() == Split::Train) {
                few.wrong.extend(empty);
            } else {
                few.remarks.extend(empty);
            }
            if is_folder && is_whole {
                let alone = some.iter().filter(|class| class.images == 1);
                let class = |class: &ClassCount| class.class.clone();
                lone.extend(alone.map(|alone| Finding::LoneImage {
                    class: class(alone),
                }));
            }
            // The first of those of the same size.
            let smallest = some.iter().min_by_key(|class| class.images);
            let largest = some.iter().rev().max_by_key(|class| class.images);
            if let (Some(smallest), Some(largest)) = (smallest, largest)
                && largest.images > UNEVEN * smallest.images
            {
                uneven.push(Finding::Imbalance {
                    split,
                    label: name,
                    smallest: smallest.clone(),
                    largest: largest.clone(),
                });
            }
        }
    }
    few.remarks.append(&mut lone);
    (few, uneven)
}
