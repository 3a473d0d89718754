//! The campaigns, each a list of rows that derive from one recipe.

mod backbones;
mod branch;
mod celeba;
mod compcars;
mod cost;
mod detection;
mod loss;
mod maps;
mod mechanism;
mod module;
mod networks;
mod stability;

use anyhow::Result;

use crate::campaign::{Campaign, Name, Setting};

/// The campaign of that name.
///
/// # Errors
/// The data set has no place in it, or a network does not fit the images.
pub(crate) fn campaign(name: Name, setting: &Setting) -> Result<Campaign> {
    let mut campaign = match name {
        Name::Mechanism => mechanism::campaign(setting),
        Name::Backbones => backbones::campaign(setting),
        Name::Channel => module::channel(setting),
        Name::Spatial => module::spatial(setting),
        Name::Order => module::order(setting),
        Name::Networks => networks::campaign(setting),
        Name::Loss => loss::campaign(setting),
        Name::Stability => stability::campaign(setting),
        Name::Maps => maps::campaign(setting),
        Name::Compcars => compcars::campaign(setting),
        Name::Celeba => celeba::campaign(setting),
        Name::Detection => detection::campaign(setting),
        Name::Cost => cost::campaign(setting),
    }?;
    for recipe in campaign.recipes() {
        recipe.check()?;
    }
    if name != Name::Compcars && campaign.recipes().any(|recipe| recipe.labels.is_some()) {
        // What was published is of the usual labels.
        campaign.source = "";
        let rows = campaign.groups.iter_mut().flat_map(|group| &mut group.rows);
        rows.for_each(|row| row.published = None);
    }
    Ok(campaign)
}
