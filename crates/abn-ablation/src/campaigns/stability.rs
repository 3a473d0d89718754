//! MANet, section 5.3.1: how alike the maps of several trainings are.

use abn_run::datasets::CIFAR10;
use abn_run::recipe::Recipe;
use anyhow::Result;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::branch::{with_abn, with_manet};
use crate::campaign::{Campaign, Group, Name, Row, Setting};

/// Trainings of each network, as in the paper; other than elsewhere their number does not depend on
/// `--seeds`.
const TRAININGS: usize = 6;
/// The same where there are minutes.
const QUICK: usize = 3;
/// The paper's learning rates.
const RATES: (f64, f64) = (0.05, 0.11);
/// Decides which rates are drawn: the same for every network and scale.
const RATES_SEED: u64 = 531;

/// ABN and MANet with six learning rates, and once more with six seeds alone.
pub(crate) fn campaign(setting: &Setting) -> Result<Campaign> {
    let dataset = setting.dataset(&CIFAR10);
    // The paper trains a ResNet-50 on both of its data sets.
    let network = setting.scale.network(dataset);
    let paper = if dataset.photographs {
        "resnet50"
    } else {
        "resnet50-cifar"
    };
    let plain = setting.recipe(dataset, setting.scale.pick(network, network, paper))?;
    let networks = [("ABN", with_abn(&plain)?), ("MANet", with_manet(&plain))];
    let rates = rates();
    let trainings = setting.scale.pick(QUICK, TRAININGS, TRAININGS);
    let with_rates = |(name, recipe): &(&str, Recipe)| {
        let mut row = Row::new(*name, recipe, trainings);
        for (recipe, rate) in row.recipes.iter_mut().zip(rates) {
            recipe.learning_rate = rate;
        }
        row
    };
    let with_seeds = |(name, recipe): &(&str, Recipe)| {
        let middle = Recipe {
            learning_rate: f64::midpoint(RATES.0, RATES.1),
            ..recipe.clone()
        };
        Row::new(*name, &middle, trainings)
    };
    let title = |what: &str| format!("{}, {what}", plain.architecture);
    Ok(Campaign {
        name: Name::Stability,
        title: "Stability of the maps",
        question: "Do several trainings look at the same places? The first group changes the \
            learning rate with the seed, as the paper does; the second changes the seed alone, at \
            the middle of those rates, and so tells what the rates add.",
        source: "MANet, section 5.3.1: six trainings with rates drawn from [0.05, 0.11]; its \
            result is a figure, and its text gives no number that could stand beside ours.",
        groups: vec![
            Group::new(
                title(&format!("{trainings} learning rates")),
                networks.iter().map(with_rates).collect(),
            ),
            Group::new(
                title(&format!("{trainings} seeds, one rate")),
                networks.iter().map(with_seeds).collect(),
            ),
        ],
    })
}

fn rates() -> [f64; TRAININGS] {
    let mut random = Pcg64::seed_from_u64(RATES_SEED);
    // Four digits, so that a rate can be typed.
    [(); TRAININGS].map(|()| (random.random_range(RATES.0..=RATES.1) * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rates_are_six_different_ones_of_the_papers() {
        let mut rates = rates().to_vec();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        assert_eq!(rates.len(), TRAININGS);
        assert!(
            rates[0] >= RATES.0 && rates[TRAININGS - 1] <= RATES.1,
            "{rates:?}"
        );
    }
}
