//! One's own photographs with several labels each, and published sets of such.

use abn_data::{AttributeFolder, Collection, DataError, attributes};

use super::folder::{FOLDER, SPLIT_SEED};
use super::{DataSet, Place, Request};
use crate::recipe::defaults::Defaults;

/// Labels from tables: attributes of faces, things in a scene, make and model of a car.
pub static ATTRIBUTES: DataSet = DataSet {
    name: "attributes",
    about: "Photographs with several labels each: a table, CelebA, VOC, COCO, CompCars or CUB's \
            attributes (needs --data)",
    place: Place::Anywhere,
    photographs: true,
    labels: &[],
    tables: true,
    objects: None,
    known_classes: None,
    defaults: Defaults {
        // As photographs of one label.
        ..FOLDER.defaults
    },
    families: &[],
    open,
};

fn open(request: &Request) -> Result<Collection, DataError> {
    attributes(&AttributeFolder {
        dir: request.folder,
        labels: request.labels,
        split: request.split,
        seed: SPLIT_SEED,
        truth: request.truth,
        known: request.classes,
        once: request.once,
        crop: request.crop,
    })
}
