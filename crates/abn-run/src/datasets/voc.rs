//! PASCAL VOC, or whatever has its form: an XML file of boxes for each image.

use super::coco::{INPUTS, REFERENCE, open};
use super::{DataSet, Objects, Place};
use crate::recipe::schedule::WarmUp;

/// Twenty classes, or one's own.
pub static VOC: DataSet = DataSet {
    name: "voc",
    about: "PASCAL VOC 2007 or 2012, or one's own images with such XML files, for detectors (below \
            datasets/VOCdevkit, or --data)",
    place: Place::Below("VOCdevkit"),
    photographs: true,
    labels: &[],
    tables: false,
    objects: Some(Objects {
        alone: true,
        defaults: REFERENCE,
        inputs: INPUTS,
        warm_up: WarmUp::of(1000),
        regions: None,
        open,
    }),
    known_classes: None,
    defaults: REFERENCE,
    families: &[],
    open,
};
