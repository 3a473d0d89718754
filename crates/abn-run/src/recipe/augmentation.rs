//! How pictures become inputs: augmentations by name, and the steps that they stand for at a size.
//!
//! A recipe records the steps alone, so a run does not change when a name's meaning does.

use abn_data::Step;

/// Side of the inputs of ImageNet's networks, and of CIFAR's.
const PHOTOGRAPH_SIDE: u32 = 224;
const SMALL_SIDE: u32 = 32;
/// Photographs are evaluated, and resized for a random crop, at 256 for a crop of 224.
const RESIZED: u32 = 256;

/// What training images go through, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Augment {
    /// Resize to a square, 256 for inputs of 224, random crop, flip: MANet on photographs
    ResizeCrop,
    /// Crop of random area and aspect, resized; flip: ABN's code on ImageNet
    RandomResizedCrop,
    /// Pad by an eighth, random crop, flip: small images
    PadCrop,
}

/// Everything that decides the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Augmentation {
    /// What training images go through.
    pub augment: Augment,
    /// Side of the square inputs in pixels.
    pub side: u32,
    /// Whether the pictures are of any size and are evaluated by their middle.
    pub photographs: bool,
}

impl Augmentation {
    /// The same with what these steps of training images and of others were made of.
    #[must_use]
    pub fn in_steps(self, train: &[Step], eval: &[Step]) -> Self {
        let augment = train.iter().find_map(|step| match step {
            Step::RandomCrop { .. } => Some(Augment::ResizeCrop),
            Step::RandomResizedCrop { .. } => Some(Augment::RandomResizedCrop),
            Step::PadCrop { .. } => Some(Augment::PadCrop),
            _ => None,
        });
        let side = eval.iter().find_map(|step| match step {
            Step::CenterCrop { size } => Some(*size),
            _ => None,
        });
        Self {
            augment: augment.unwrap_or(self.augment),
            side: side.unwrap_or(self.side),
            ..self
        }
    }

    /// Steps of a training image.
    pub fn train_steps(&self) -> Vec<Step> {
        let (side, larger) = (self.side, self.larger());
        match self.augment {
            Augment::ResizeCrop => {
                let resize = Step::Resize {
                    width: larger,
                    height: larger,
                };
                vec![resize, Step::RandomCrop { size: side }, Step::Flip]
            }
            Augment::RandomResizedCrop => vec![Step::RandomResizedCrop { size: side }, Step::Flip],
            Augment::PadCrop => {
                // The small sets have their size already.
                let resize = (self.photographs || side != SMALL_SIDE).then_some(Step::Resize {
                    width: side,
                    height: side,
                });
                // The publications pad the 32 pixels of CIFAR by 4.
                resize
                    .into_iter()
                    .chain([Step::PadCrop { padding: side / 8 }, Step::Flip])
                    .collect()
            }
        }
    }

    /// Steps of every other image.
    pub fn eval_steps(&self) -> Vec<Step> {
        let shorter = if self.photographs {
            self.larger()
        } else {
            self.side
        };
        vec![
            Step::ResizeShorter { size: shorter },
            Step::CenterCrop { size: self.side },
        ]
    }

    /// 256 for 224, and in proportion.
    fn larger(&self) -> u32 {
        (self.side * RESIZED + PHOTOGRAPH_SIDE / 2) / PHOTOGRAPH_SIDE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::{ALL, CIFAR10, FOLDER, IMAGENET};

    fn resize(side: u32) -> Step {
        Step::Resize {
            width: side,
            height: side,
        }
    }

    #[test]
    fn the_publications_steps() {
        let cifar = CIFAR10.augmentation();
        assert_eq!(
            cifar.train_steps(),
            [Step::PadCrop { padding: 4 }, Step::Flip]
        );
        assert_eq!(
            cifar.eval_steps(),
            [
                Step::ResizeShorter { size: 32 },
                Step::CenterCrop { size: 32 }
            ]
        );
        let imagenet = IMAGENET.augmentation();
        assert_eq!(
            imagenet.train_steps(),
            [resize(256), Step::RandomCrop { size: 224 }, Step::Flip]
        );
        assert_eq!(
            imagenet.eval_steps(),
            [
                Step::ResizeShorter { size: 256 },
                Step::CenterCrop { size: 224 }
            ]
        );
        let abn = Augmentation {
            augment: Augment::RandomResizedCrop,
            ..imagenet
        };
        assert_eq!(
            abn.train_steps(),
            [Step::RandomResizedCrop { size: 224 }, Step::Flip]
        );
        assert_eq!(abn.eval_steps(), imagenet.eval_steps());
    }

    #[test]
    fn other_sizes_keep_the_proportions() {
        let folder = Augmentation {
            side: 112,
            ..FOLDER.augmentation()
        };
        assert_eq!(
            folder.train_steps(),
            [resize(128), Step::RandomCrop { size: 112 }, Step::Flip]
        );
        assert_eq!(
            folder.eval_steps(),
            [
                Step::ResizeShorter { size: 128 },
                Step::CenterCrop { size: 112 }
            ]
        );
        let padded = Augmentation {
            augment: Augment::PadCrop,
            side: 64,
            ..CIFAR10.augmentation()
        };
        assert_eq!(
            padded.train_steps(),
            [resize(64), Step::PadCrop { padding: 8 }, Step::Flip]
        );
        assert_eq!(
            padded.eval_steps(),
            [
                Step::ResizeShorter { size: 64 },
                Step::CenterCrop { size: 64 }
            ]
        );
    }

    #[test]
    fn inputs_are_read_back_from_the_steps() {
        for dataset in ALL {
            for augment in [
                Augment::ResizeCrop,
                Augment::RandomResizedCrop,
                Augment::PadCrop,
            ] {
                for side in [32, 100, 224] {
                    let inputs = Augmentation {
                        augment,
                        side,
                        ..dataset.augmentation()
                    };
                    let usual = dataset.augmentation();
                    let found = usual.in_steps(&inputs.train_steps(), &inputs.eval_steps());
                    assert_eq!(found, inputs);
                }
            }
        }
    }
}
