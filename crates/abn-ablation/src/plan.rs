//! Which runs the campaigns need: each recipe once, whichever campaigns share it, in an order that
//! every process agrees on.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::str::FromStr;

use abn_run::digest::sha256;
use abn_run::recipe::Recipe;
use anyhow::{Context, Result};

use crate::campaign::Campaign;

/// Hexadecimal digits of a recipe's digest in the name of its run.
const DIGITS: usize = 10;

/// A training that the campaigns need.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Name of its folder, which tells the recipe.
    pub(crate) name: String,
    /// What it is.
    pub(crate) recipe: Recipe,
}

impl Run {
    /// The run of a recipe.
    ///
    /// # Errors
    /// The recipe cannot be described in JSON.
    pub(crate) fn of(recipe: &Recipe) -> Result<Self> {
        let text = serde_json::to_vec(recipe).context("this run cannot be described in JSON")?;
        let digest = &sha256(&text)[..DIGITS];
        let Recipe {
            architecture, seed, ..
        } = recipe;
        let branch = recipe.attention_name();
        Ok(Self {
            name: format!("{architecture}-{branch}-s{seed}-{digest}"),
            recipe: recipe.clone(),
        })
    }
}

/// The runs of those campaigns without repetition: of every campaign the first seed of every row
/// before the second.
///
/// # Errors
/// A recipe cannot be described in JSON.
pub(crate) fn runs(campaigns: &[Campaign]) -> Result<Vec<Run>> {
    let mut seen = HashSet::new();
    let mut runs = Vec::new();
    for recipe in campaigns.iter().flat_map(Campaign::recipes) {
        let run = Run::of(recipe)?;
        if seen.insert(run.name.clone()) {
            runs.push(run);
        }
    }
    Ok(runs)
}

/// The part of the runs that one of several processes does: `2/3` is the second of three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Number of the part, from 1.
    index: usize,
    /// Number of parts.
    count: NonZeroUsize,
}

impl Shard {
    /// Whether the run at that place of the plan is its.
    pub(crate) fn holds(self, place: usize) -> bool {
        place % self.count == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        parts
            .filter(|(index, count): &(usize, NonZeroUsize)| (1..=count.get()).contains(index))
            .map(|(index, count)| Self { index, count })
            .ok_or_else(|| format!("`{text}` is not I/N with I from 1 to N, such as 2/3"))
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::campaign::{Name, Setting};
    use crate::campaigns::campaign;
    use crate::size::CampaignSize;

    fn campaigns(names: &[Name], scale: CampaignSize) -> Vec<Campaign> {
        let setting = Setting {
            scale,
            dataset: None,
            labels: None,
            seeds: 2,
        };
        names
            .iter()
            .map(|name| campaign(*name, &setting).unwrap())
            .collect()
    }

    #[test]
    fn every_campaign_has_runs_at_every_scale() {
        for scale in CampaignSize::value_variants() {
            for campaign in campaigns(Name::value_variants(), *scale) {
                assert!(
                    campaign.groups.iter().all(|group| group.rows.len() >= 2),
                    "{}",
                    campaign.title
                );
                assert!(campaign.recipes().count() >= 8, "{}", campaign.title);
            }
        }
    }

    #[test]
    fn campaigns_share_the_runs_that_they_have_in_common() {
        let count = |names: &[Name]| runs(&campaigns(names, CampaignSize::Short)).unwrap().len();
        // The network alone and its ABN are in both.
        let both = [Name::Mechanism, Name::Networks];
        assert_eq!(count(&both), count(&both[..1]) + count(&both[1..]) - 4);
    }

    #[test]
    fn every_row_has_its_first_seed_before_any_has_its_second() {
        let runs = runs(&campaigns(&[Name::Loss], CampaignSize::Quick)).unwrap();
        let seeds: Vec<u64> = runs.iter().map(|run| run.recipe.seed).collect();
        assert_eq!(seeds, [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    }

    #[test]
    fn shards_are_a_partition() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        for place in 0..20 {
            assert_eq!(shards.iter().filter(|shard| shard.holds(place)).count(), 1);
        }
        for text in ["0/3", "4/3", "1/0", "1", "a/b", "-1/3", "1/3/3", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
