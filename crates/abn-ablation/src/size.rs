//! How much a campaign is given: its images, its epochs, and the networks that fit them.

use abn_core::Architecture;
use abn_run::datasets::{CIFAR10, DataSet, PLAIN_SHAPES};
use abn_run::recipe::schedule::Schedule;
use abn_run::recipe::{Recipe, RecipeError, architectures};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Training images of the quick scale, of a set that has more.
const QUICK_IMAGES: usize = 960;
/// Epochs of the quick scale, after which a plain network tells the built-in images.
const QUICK_EPOCHS: usize = 3;
/// Epochs of the short scale.
const SHORT_EPOCHS: usize = 6;

/// How much a campaign is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CampaignSize {
    /// A quarter of an hour: easy built-in images, the smallest networks, fewer rows. Its networks
    /// learn, and what it shows holds for these images alone
    Quick,
    /// Hours: all images of CIFAR-10, small networks, 6 epochs
    Short,
    /// Days to weeks: the networks, images, epochs and schedules of the papers
    Paper,
}

impl CampaignSize {
    /// The name as typed and stored.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Short => "short",
            Self::Paper => "paper",
        }
    }

    /// Seeds unless said otherwise.
    pub(crate) fn seeds(self) -> usize {
        match self {
            Self::Quick => 2,
            Self::Short | Self::Paper => 3,
        }
    }

    /// The data set unless said otherwise; `published` is the papers'.
    pub(crate) fn dataset(self, published: &'static DataSet) -> &'static DataSet {
        match self {
            Self::Quick => &PLAIN_SHAPES,
            Self::Short => &CIFAR10,
            Self::Paper => published,
        }
    }

    /// The network without attention that most campaigns vary.
    pub(crate) fn network(self, dataset: &'static DataSet) -> &'static str {
        match self {
            _ if dataset.photographs => self.pick("resnet18", "resnet18", "resnet50"),
            _ => self.pick("resnet8", "resnet20", "resnet110"),
        }
    }

    /// The value of this scale.
    pub(crate) fn pick<T>(self, quick: T, short: T, paper: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Short => short,
            Self::Paper => paper,
        }
    }

    /// The recipe of a network without attention, from which every run of a campaign derives.
    ///
    /// # Errors
    /// There is no network of that name.
    pub(crate) fn recipe(
        self,
        dataset: &'static DataSet,
        architecture: &str,
    ) -> Result<Recipe, RecipeError> {
        let Architecture { name, network, .. } = architectures::parse(architecture)?;
        let epochs = self.pick(Some(QUICK_EPOCHS), Some(SHORT_EPOCHS), None);
        let recipe = Recipe::for_family(dataset, network.family, epochs);
        let recipe = Recipe {
            architecture: name,
            attention: None,
            ..recipe
        };
        Ok(match self {
            Self::Quick => Recipe {
                limit: Some(QUICK_IMAGES),
                schedule: Schedule::Cosine,
                batch_size: 8,
                learning_rate: 0.1,
                ..recipe
            },
            // A few epochs have no place for the steps of a few hundred.
            Self::Short => Recipe {
                schedule: Schedule::Cosine,
                ..recipe
            },
            Self::Paper => recipe,
        })
    }
}

#[cfg(test)]
mod tests {
    use abn_run::datasets::{CIFAR100, IMAGENET};

    use super::*;

    #[test]
    fn the_paper_scale_is_the_published_schedule() {
        let cifar = CampaignSize::Paper.recipe(&CIFAR100, "resnet110").unwrap();
        assert_eq!(
            (cifar.epochs, cifar.batch_size, cifar.learning_rate),
            (300, 128, 0.1)
        );
        assert_eq!(cifar.schedule, Schedule::Milestones(vec![150, 225]));
        let wide = CampaignSize::Paper.recipe(&CIFAR10, "wrn-28-10").unwrap();
        assert_eq!(
            (wide.epochs, wide.gamma, wide.sgd.weight_decay),
            (200, 0.2, 5e-4)
        );
        let imagenet = CampaignSize::Paper.recipe(&IMAGENET, "resnet50").unwrap();
        assert_eq!((imagenet.epochs, imagenet.batch_size), (90, 256));
        assert_eq!(imagenet.schedule, Schedule::Step(30));
    }

    /// What the committed results of this scale were trained with.
    #[test]
    fn the_short_scale_sees_all_images_six_times() {
        let short = CampaignSize::Short.recipe(&CIFAR10, "resnet20").unwrap();
        assert_eq!(
            (short.epochs, short.batch_size, short.limit),
            (6, 128, None)
        );
        assert_eq!(
            (short.learning_rate, short.schedule),
            (0.1, Schedule::Cosine)
        );
    }
}
