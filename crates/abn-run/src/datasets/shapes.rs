//! The built-in sets of one label: generated images, with the mask of the object known.

use abn_data::{Collection, DataError, Shapes, Split};

use super::{DataSet, Place, Request};
use crate::recipe::defaults::{Defaults, Falls};

/// Training and held-out images.
const IMAGES: [usize; 2] = [2000, 500];
/// It is one fixed set: the seed of a run changes the training, not the images.
const SEED: u64 = 2019;

/// Something to look at after about a minute.
pub static SHAPES: DataSet = CLUTTERED;

const CLUTTERED: DataSet = DataSet {
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

/// Training and held-out images of the plain set.
const PLAIN_IMAGES: [usize; 2] = [960, 240];

/// Something that is learned in ten seconds: what campaigns of minutes train on.
pub static PLAIN_SHAPES: DataSet = DataSet {
    name: "plain-shapes",
    about: "Built in: generated objects of four forms without clutter, to be learned in seconds, with masks",
    defaults: Defaults {
        epochs: 3,
        batch_size: 8,
        learning_rate: 0.1,
        ..CLUTTERED.defaults
    },
    open: open_plain,
    ..CLUTTERED
};

fn open(request: &Request) -> Result<Collection, DataError> {
    let shapes = Shapes::new(SEED, request.split, count(request.split, IMAGES));
    Ok(shapes
        .with_shortcut(request.shortcut.unwrap_or(0.0))
        .collection())
}

fn open_plain(request: &Request) -> Result<Collection, DataError> {
    let count = count(request.split, PLAIN_IMAGES);
    Ok(Shapes::new(SEED, request.split, count).plain().collection())
}

fn count(split: Split, [train, held_out]: [usize; 2]) -> usize {
    match split {
        Split::Train => train,
        Split::HeldOut | Split::Test | Split::All => held_out,
    }
}
