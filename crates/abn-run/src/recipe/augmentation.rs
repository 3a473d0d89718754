//! How pictures become inputs: augmentations by name, and the steps that they stand for at a size.
//!
//! A recipe records the steps alone, so a run does not change when a name's meaning does.

use abn_data::Step;

use crate::datasets::DatasetName;
use crate::recipe::Recipe;

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
pub struct Inputs {
    /// Of training images.
    pub augment: Augment,
    /// Side of the square inputs in pixels.
    pub side: u32,
    /// Whether the pictures are of any size and are evaluated by their middle.
    photographs: bool,
}

impl Inputs {
    /// What the publications do with a data set.
    pub fn of(dataset: DatasetName) -> Self {
        let photographs = dataset.has_photographs();
        let (augment, side) = if photographs {
            (Augment::ResizeCrop, PHOTOGRAPH_SIDE)
        } else {
            (Augment::PadCrop, SMALL_SIDE)
        };
        Self {
            augment,
            side,
            photographs,
        }
    }

    /// What a recipe's steps were made of.
    pub fn of_recipe(recipe: &Recipe) -> Self {
        let usual = Self::of(recipe.dataset);
        let augment = recipe.train_steps.iter().find_map(|step| match step {
            Step::RandomCrop { .. } => Some(Augment::ResizeCrop),
            Step::RandomResizedCrop { .. } => Some(Augment::RandomResizedCrop),
            Step::PadCrop { .. } => Some(Augment::PadCrop),
            _ => None,
        });
        let side = recipe.eval_steps.iter().find_map(|step| match step {
            Step::CenterCrop { size } => Some(*size),
            _ => None,
        });
        Self {
            augment: augment.unwrap_or(usual.augment),
            side: side.unwrap_or(usual.side),
            ..usual
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

    fn resize(side: u32) -> Step {
        Step::Resize {
            width: side,
            height: side,
        }
    }

    #[test]
    fn the_publications_steps() {
        let cifar = Inputs::of(DatasetName::Cifar10);
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
        let imagenet = Inputs::of(DatasetName::Imagenet);
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
        let abn = Inputs {
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
        let folder = Inputs {
            side: 112,
            ..Inputs::of(DatasetName::Folder)
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
        let padded = Inputs {
            augment: Augment::PadCrop,
            side: 64,
            ..Inputs::of(DatasetName::Cifar10)
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
        for dataset in [
            DatasetName::Shapes,
            DatasetName::Cifar100,
            DatasetName::Imagenet,
            DatasetName::Folder,
        ] {
            for augment in [
                Augment::ResizeCrop,
                Augment::RandomResizedCrop,
                Augment::PadCrop,
            ] {
                for side in [32, 100, 224] {
                    let inputs = Inputs {
                        augment,
                        side,
                        ..Inputs::of(dataset)
                    };
                    let mut recipe = Recipe::of(dataset, None);
                    recipe.set_inputs(inputs);
                    assert_eq!(Inputs::of_recipe(&recipe), inputs);
                }
            }
        }
    }
}
