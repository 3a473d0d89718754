//! ImageNet's photographs of 1,000 classes.

use abn_data::imagenet_classes;

use super::{DataSet, Place, folder};
use crate::recipe::defaults::{Defaults, Falls};

/// ABN's code on ImageNet; MANet differs in the augmentation.
pub static IMAGENET: DataSet = DataSet {
    name: "imagenet",
    about: "ImageNet: train/ and val/ with one folder a class",
    place: Place::Below("imagenet"),
    photographs: true,
    labels: &[],
    tables: false,
    objects: None,
    known_classes: Some(imagenet_classes),
    defaults: Defaults {
        architecture: "resnet50",
        epochs: 90,
        batch_size: 256,
        falls: Falls::Every(30),
        ..Defaults::PHOTOGRAPHS
    },
    families: &[],
    open: folder::open,
};
