//! The built-in set: generated images, with the mask of the object known.

use abn_data::{Collection, DataError, Shapes, Split};

use super::{DataSet, Place, Request};
use crate::recipe::defaults::{Defaults, Falls};

/// Training and held-out images.
const IMAGES: [usize; 2] = [2000, 500];
/// It is one fixed set: the seed of a run changes the training, not the images.
const SEED: u64 = 2019;

/// Something to look at after about a minute.
pub static SHAPES: DataSet = DataSet {
    name: "shapes",
    about: "Built in: generated textured objects on cluttered backgrounds, with the mask of the object",
    place: Place::BuiltIn,
    photographs: false,
    labels: &[],
    tables: false,
    objects: None,
    known_classes: None,
    defaults: Defaults {
        architecture: "resnet8",
        epochs: 7,
        batch_size: 16,
        learning_rate: 0.05,
        falls: Falls::Cosine,
        ..Defaults::CIFAR.decaying(5e-4)
    },
    families: &[],
    open,
};

fn open(request: &Request) -> Result<Collection, DataError> {
    let [train, held_out] = IMAGES;
    let count = match request.split {
        Split::Train => train,
        Split::HeldOut | Split::Test | Split::All => held_out,
    };
    let shapes = Shapes::new(SEED, request.split, count);
    Ok(shapes
        .with_shortcut(request.shortcut.unwrap_or(0.0))
        .collection())
}
