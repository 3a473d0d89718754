//! What is kept of every image: some 50 bytes.

use std::collections::HashMap;

use super::look::{Look, Mask, Part, Picture};
use super::pass::{Watch, pass};
use super::report::{Finding, Place};
use super::split_name;
use crate::{DataError, Labels, Target};

/// Every image of every split, one split after the other.
pub(super) struct Records<'a> {
    pub(super) parts: &'a [Part<'a>],
    /// Number of the first image of each split.
    starts: Vec<usize>,
    images: Vec<Record>,
    /// Names of classes; several labels make one name.
    classes: Vec<String>,
    /// Number of images by split, label and class.
    pub(super) counts: Vec<Vec<Vec<usize>>>,
    /// Number of images that can be read and have no mask, by split, and the first of each.
    pub(super) no_mask: Vec<(usize, Option<usize>)>,
    /// The same of boxes.
    pub(super) no_box: Vec<(usize, Option<usize>)>,
}

#[derive(Clone, Copy)]
struct Record {
    /// Its place among the names; none of what cannot be read and has no folder.
    class: Option<u32>,
    picture: Option<Picture>,
}

/// What is wrong with single files, in their order.
pub(super) struct Damage {
    pub(super) images: Vec<Finding>,
    /// Masks of another size or unreadable, and boxes outside of their images.
    pub(super) masks: Vec<Finding>,
    pub(super) empty_masks: Vec<Finding>,
}

impl<'a> Records<'a> {
    /// Reads every image of the splits.
    ///
    /// # Errors
    /// The watch ended it.
    pub(super) fn read(
        parts: &'a [Part<'a>],
        workers: usize,
        watch: &mut Watch,
    ) -> Result<(Self, Damage), DataError> {
        let mut records = Self::new(parts);
        let mut reception = Reception::default();
        let starts = records.starts.clone();
        let look = |number: usize| {
            let part = part_of(&starts, number);
            parts[part].look(number - starts[part])
        };
        pass(records.len(), workers, watch, look, |number, look| {
            records.take(number, look, &mut reception);
            Ok(())
        })?;
        Ok((records, reception.damage()))
    }

    fn new(parts: &'a [Part<'a>]) -> Self {
        let mut starts = Vec::with_capacity(parts.len());
        let mut all = 0;
        for part in parts {
            starts.push(all);
            all += part.len();
        }
        let unseen = Record {
            class: None,
            picture: None,
        };
        let zeros = |part: &Part| -> Vec<Vec<usize>> {
            let sizes = part.labels().sizes().into_iter();
            sizes.map(|classes| vec![0; classes]).collect()
        };
        Self {
            parts,
            starts,
            images: vec![unseen; all],
            classes: vec![],
            counts: parts.iter().map(zeros).collect(),
            no_mask: vec![(0, None); parts.len()],
            no_box: vec![(0, None); parts.len()],
        }
    }

    fn take(&mut self, number: usize, look: Look, reception: &mut Reception) {
        let part = self.part(number);
        let name = || self.name(number);
        let no_mask = matches!(look.mask, Mask::Missing);
        match look.mask {
            Mask::Size(reason) => {
                let image = name();
                reception.mask(number, Finding::MaskSize { image, reason });
            }
            Mask::Unreadable(reason) => {
                let image = name();
                reception.mask(number, Finding::MaskUnreadable { image, reason });
            }
            Mask::Empty => {
                let image = name();
                reception.empty.push((number, Finding::EmptyMask { image }));
            }
            Mask::There | Mask::Missing => {}
        }
        let picture = match look.picture {
            Ok(picture) => Some(picture),
            Err(fault) => {
                reception.images.push((number, fault.finding(name())));
                None
            }
        };
        if let (Some(picture), Some((boxes, outside @ 1..))) = (picture, look.boxes) {
            let finding = Finding::BoxOutside {
                image: name(),
                size: picture.size,
                boxes,
                outside,
            };
            reception.mask(number, finding);
        }
        if picture.is_some() {
            if no_mask {
                lacks(&mut self.no_mask[part], number);
            }
            if look.boxes.is_none() {
                lacks(&mut self.no_box[part], number);
            }
        }
        let class = look.target.map(|target| {
            self.count(part, &target);
            reception.class(self.parts[part].labels(), &target, &mut self.classes)
        });
        self.images[number] = Record { class, picture };
    }

    fn count(&mut self, part: usize, target: &Target) {
        for (group, class) in self.counts[part].iter_mut().zip(target.classes()) {
            if let Some(count) = class.and_then(|class| group.get_mut(class)) {
                *count += 1;
            }
        }
        // Of detectors, how many objects of each class there are.
        for object in target.objects() {
            let group = self.counts[part].first_mut();
            if let Some(count) = group.and_then(|group| group.get_mut(object.class)) {
                *count += 1;
            }
        }
    }

    /// Number of all images.
    pub(super) fn len(&self) -> usize {
        self.images.len()
    }

    /// The images that can be read, by their numbers.
    pub(super) fn pictures(&self) -> impl Iterator<Item = (usize, &Picture)> {
        let numbered = self.images.iter().enumerate();
        numbered.filter_map(|(number, image)| Some((number, image.picture.as_ref()?)))
    }

    /// An image that can be read.
    pub(super) fn picture(&self, number: usize) -> Option<&Picture> {
        self.images[number].picture.as_ref()
    }

    /// The split of an image.
    pub(super) fn part(&self, number: usize) -> usize {
        part_of(&self.starts, number)
    }

    /// The class of an image among all.
    pub(super) fn class(&self, number: usize) -> Option<u32> {
        self.images[number].class
    }

    /// What an image is called.
    pub(super) fn name(&self, number: usize) -> String {
        let part = self.part(number);
        self.parts[part].name(number - self.starts[part])
    }

    /// Where an image is.
    pub(super) fn place(&self, number: usize) -> Place {
        let class = self
            .class(number)
            .map(|class| &self.classes[class as usize]);
        Place {
            image: self.name(number),
            split: split_name(self.parts[self.part(number)].split()),
            class: class.cloned().unwrap_or_default(),
        }
    }
}

/// The split that the image of that number is in.
fn part_of(starts: &[usize], number: usize) -> usize {
    // Of splits without images, the last start of that number counts.
    starts.partition_point(|start| *start <= number) - 1
}

/// One image more that lacks something.
fn lacks((count, first): &mut (usize, Option<usize>), number: usize) {
    *count += 1;
    *first = Some(first.map_or(number, |first| first.min(number)));
}

/// Findings as they arrive, with the numbers of their images.
#[derive(Default)]
struct Reception {
    images: Vec<(usize, Finding)>,
    masks: Vec<(usize, Finding)>,
    empty: Vec<(usize, Finding)>,
    /// Place of each class among the names.
    classes: HashMap<String, u32>,
}

impl Reception {
    fn mask(&mut self, number: usize, finding: Finding) {
        self.masks.push((number, finding));
    }

    /// The class of a target among all names, to which a new one is added.
    fn class(&mut self, labels: &Labels, target: &Target, names: &mut Vec<String>) -> u32 {
        let groups = labels.groups().iter().zip(target.classes());
        let words: Vec<&str> = groups
            .filter_map(|(group, class)| group.classes.get((*class)?).map(String::as_str))
            .collect();
        let name = words.join(", ");
        if let Some(known) = self.classes.get(&name) {
            return *known;
        }
        // As many as there are images, at most; no file system holds four thousand million.
        let number = names.len() as u32;
        names.push(name.clone());
        self.classes.insert(name, number);
        number
    }

    fn damage(self) -> Damage {
        Damage {
            images: grouped(self.images),
            masks: grouped(self.masks),
            empty_masks: grouped(self.empty),
        }
    }
}

/// Findings of a kind together, in the order of the images.
fn grouped(mut findings: Vec<(usize, Finding)>) -> Vec<Finding> {
    findings.sort_by_key(|(number, finding)| (finding.rank(), *number));
    findings.into_iter().map(|(_, finding)| finding).collect()
}
