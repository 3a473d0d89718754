//! PASCAL VOC, or whatever has its form: an XML file of boxes for each image.

use super::coco::{OBJECTS, REFERENCE, open};
use super::{DataSet, Place};

/// Twenty classes, or one's own.
pub static VOC: DataSet = DataSet {
    name: "voc",
    about: "PASCAL VOC 2007 or 2012, or one's own images with such XML files, for detectors (below \
            datasets/VOCdevkit, or --data)",
    place: Place::Below("VOCdevkit"),
    photographs: true,
    labels: &[],
    tables: false,
    objects: Some(OBJECTS),
    known_classes: None,
    defaults: REFERENCE,
    families: &[],
    open,
};
