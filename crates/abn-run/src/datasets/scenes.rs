//! The built-in set of several labels: generated scenes, with the object of each label known.

use abn_boxes::ByMode;
use abn_data::{Collection, DataError, Scenes, Split, Within};

use super::{DataSet, Objects, Place, Request};
use crate::recipe::defaults::{Defaults, Falls};
use crate::recipe::schedule::WarmUp;

/// Training and held-out images.
const IMAGES: [usize; 2] = [2000, 500];
/// It is one fixed set: the seed of a run changes the training, not the images.
const SEED: u64 = 2024;

/// Nine attributes an image, to learn in two minutes.
pub static SCENES: DataSet = DataSet {
    name: "scenes",
    about: "Built in: generated scenes of several objects, nine labels each, with masks; boxes for detectors",
    place: Place::BuiltIn,
    photographs: false,
    labels: &[],
    tables: false,
    objects: Some(Objects {
        alone: false,
        defaults: Defaults {
            architecture: "resnet8",
            epochs: 12,
            batch_size: 8,
            learning_rate: 0.02,
            falls: Falls::Cosine,
            ..Defaults::CIFAR
        },
        inputs: Within {
            shorter: 48,
            longest: 48,
        },
        warm_up: WarmUp::of(100),
        regions: Some(ByMode {
            training: 64,
            testing: 100,
        }),
        open: open_objects,
    }),
    known_classes: None,
    defaults: Defaults {
        architecture: "resnet8",
        epochs: 13,
        batch_size: 16,
        learning_rate: 0.05,
        falls: Falls::Cosine,
        side: 48,
        ..Defaults::CIFAR.decaying(5e-4)
    },
    families: &[],
    open,
};

fn open(request: &Request) -> Result<Collection, DataError> {
    Ok(scenes(request).collection())
}

fn open_objects(request: &Request) -> Result<Collection, DataError> {
    Ok(scenes(request).objects())
}

fn scenes(request: &Request) -> Scenes {
    let [train, held_out] = IMAGES;
    let count = match request.split {
        Split::Train => train,
        Split::HeldOut | Split::Test | Split::All => held_out,
    };
    Scenes::new(SEED, request.split, count)
}
