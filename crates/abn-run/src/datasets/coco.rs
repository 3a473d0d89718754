//! COCO's instances, or whatever has their form: objects of many classes with a box each.

use abn_data::{Collection, DataError, ObjectFolder, Within, objects};

use super::folder::SPLIT_SEED;
use super::{DataSet, Objects, Place, Request};
use crate::recipe::defaults::{Defaults, Falls};
use crate::recipe::schedule::WarmUp;

/// torchvision's reference of 16 images a step at 0.02, for a step of two.
pub(super) const REFERENCE: Defaults = Defaults {
    architecture: "resnet50",
    epochs: 26,
    batch_size: 2,
    learning_rate: 0.0025,
    // After 16 and 22 of 26 epochs.
    falls: Falls::At(&[62, 85]),
    side: INPUTS.shorter as u32,
    ..Defaults::PHOTOGRAPHS
};
/// Its images.
const INPUTS: Within = Within {
    shorter: 800,
    longest: 1333,
};

/// What detectors learn it with, and whatever has the form of VOC.
pub(super) const OBJECTS: Objects = Objects {
    alone: true,
    defaults: REFERENCE,
    inputs: INPUTS,
    warm_up: WarmUp::of(1000),
    regions: None,
    open,
};

/// The data set of the papers' detectors.
pub static COCO: DataSet = DataSet {
    name: "coco",
    about: "COCO's instances, 2017 or 2014, for detectors (below datasets/coco, or --data)",
    place: Place::Below("coco"),
    photographs: true,
    labels: &[],
    tables: false,
    objects: Some(OBJECTS),
    known_classes: None,
    defaults: REFERENCE,
    families: &[],
    open,
};

/// Finds out whether the folder is COCO's or VOC's.
pub(super) fn open(request: &Request) -> Result<Collection, DataError> {
    objects(&ObjectFolder {
        dir: request.folder,
        split: request.split,
        seed: SPLIT_SEED,
        known: request.classes,
        once: request.once,
    })
}
