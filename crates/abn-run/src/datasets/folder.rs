//! One's own photographs.

use abn_data::{Collection, DataError, ImageFolder, photographs};

use super::{DataSet, Place, Request};
use crate::recipe::defaults::{Defaults, Falls};

/// Which photographs of a folder are held out is fixed: runs with different seeds are measured on
/// the same images, and no run on images that another one has learned.
pub(super) const SPLIT_SEED: u64 = 2019;

/// A few hundred to some thousand photographs: small batches, so that there are enough steps.
pub static FOLDER: DataSet = DataSet {
    name: "folder",
    about: "Your photographs: one folder a class, split by chance, or train/ with val/ or test/ (needs --data)",
    place: Place::Anywhere,
    photographs: true,
    labels: &[],
    tables: false,
    objects: None,
    known_classes: None,
    defaults: Defaults {
        architecture: "resnet18",
        epochs: 30,
        batch_size: 32,
        learning_rate: 0.05,
        falls: Falls::Cosine,
        ..Defaults::PHOTOGRAPHS.decaying(5e-4)
    },
    families: &[],
    open,
};

pub(super) fn open(request: &Request) -> Result<Collection, DataError> {
    photographs(&ImageFolder {
        dir: request.folder,
        split: request.split,
        seed: SPLIT_SEED,
        truth: request.truth,
        classes: request.classes,
        once: request.once,
    })
}
