//! CIFAR-10, which ABN and MANet are compared on.

use abn_core::backbone::Family;
use abn_data::cifar10;

use super::{DataSet, Place};
use crate::recipe::defaults::{Defaults, Falls};

/// What ABN's code trains in another way for a family on CIFAR (its README and TRAINING.md).
pub(super) const FAMILIES: &[(Family, Defaults)] = &[
    (
        Family::WideResNet,
        Defaults {
            epochs: 200,
            falls: Falls::At(&[30, 60, 80]),
            gamma: 0.2,
            dropout: Some(0.3),
            ..Defaults::CIFAR.decaying(5e-4)
        },
    ),
    (
        Family::DenseNet,
        Defaults {
            batch_size: 64,
            ..Defaults::CIFAR
        },
    ),
    (Family::ResNext, Defaults::CIFAR.decaying(5e-4)),
];

/// ABN section 4.1.
pub static CIFAR10: DataSet = DataSet {
    name: "cifar10",
    about: "CIFAR-10, binary version",
    place: Place::AmongAll,
    photographs: false,
    labels: &[],
    tables: false,
    objects: None,
    known_classes: None,
    defaults: Defaults::CIFAR,
    families: FAMILIES,
    open: |request| cifar10(request.folder, request.split),
};
