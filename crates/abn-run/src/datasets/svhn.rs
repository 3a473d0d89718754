//! SVHN, digits of house numbers.

use abn_data::{Normalization, svhn};

use super::{DataSet, Place};
use crate::recipe::defaults::Defaults;

/// ABN section 4.1, where the extra images are part of the training. Its code has no recipe for it.
pub static SVHN: DataSet = DataSet {
    name: "svhn",
    about: "SVHN: cropped digits of house numbers, MATLAB files",
    place: Place::AmongAll,
    photographs: false,
    labels: &[],
    tables: false,
    objects: None,
    known_classes: None,
    defaults: Defaults {
        epochs: 40,
        batch_size: 256,
        normalization: Normalization::SVHN,
        ..Defaults::CIFAR
    },
    families: &[],
    open: |request| svhn(request.folder, request.split),
};
