//! CIFAR-100, whose images have two labels: one of 100 fine classes and one of 20 coarse ones.

use abn_data::{Cifar100Labels, Collection, DataError, cifar100};

use super::cifar10::FAMILIES;
use super::{DataSet, Place, Request};
use crate::recipe::defaults::Defaults;

const FINE: &str = "fine";
const COARSE: &str = "coarse";
const BOTH: &str = "both";

/// ABN section 4.1.
pub static CIFAR100: DataSet = DataSet {
    name: "cifar100",
    about: "CIFAR-100, binary version",
    place: Place::AmongAll,
    photographs: false,
    labels: &[FINE, COARSE, BOTH],
    tables: false,
    objects: None,
    known_classes: None,
    defaults: Defaults::CIFAR,
    families: FAMILIES,
    open,
};

fn open(request: &Request) -> Result<Collection, DataError> {
    let labels = match request.labels {
        Some(COARSE) => Cifar100Labels::Coarse,
        Some(BOTH) => Cifar100Labels::Both,
        _ => Cifar100Labels::Fine,
    };
    cifar100(request.folder, request.split, labels)
}
