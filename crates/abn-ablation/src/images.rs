//! The data sets of the campaigns, opened before anything is written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use abn_data::{Collection, Split};
use abn_run::datasets::{Request, fingerprint};
use abn_run::recipe::Recipe;
use anyhow::{Context, Result};

use crate::campaign::Campaign;

/// A data set.
pub(crate) struct Images {
    /// Training images.
    pub(crate) train: usize,
    /// The images that the tables are about.
    pub(crate) test: Collection,
    fingerprint: String,
}

/// The data sets that campaigns need, by name and, where lists tell the labels, the one chosen.
pub(crate) struct DataSets(BTreeMap<String, Images>);

impl DataSets {
    /// Opens them.
    ///
    /// # Errors
    /// One is missing or damaged.
    pub(crate) fn open(campaigns: &[Campaign], data: Option<&Path>) -> Result<Self> {
        Self(BTreeMap::new()).with(campaigns, data)
    }

    /// These and those of more campaigns.
    ///
    /// # Errors
    /// One is missing or damaged.
    pub(crate) fn with(mut self, campaigns: &[Campaign], data: Option<&Path>) -> Result<Self> {
        for recipe in campaigns.iter().flat_map(Campaign::recipes) {
            if let Entry::Vacant(place) = self.0.entry(name_of(recipe)) {
                place.insert(open(recipe, data)?);
            }
        }
        Ok(self)
    }

    /// That of a recipe of these campaigns.
    pub(crate) fn of(&self, recipe: &Recipe) -> Option<&Images> {
        self.0.get(&name_of(recipe))
    }

    /// Fingerprints by name.
    pub(crate) fn fingerprints(&self) -> BTreeMap<String, String> {
        self.0
            .iter()
            .map(|(name, images)| (name.clone(), images.fingerprint.clone()))
            .collect()
    }
}

/// The images of a recipe. But for the cars, all runs of a folder have the same labels.
fn name_of(recipe: &Recipe) -> String {
    let name = recipe.dataset.name;
    match &recipe.labels {
        Some(labels) if recipe.dataset.tables => format!("{name} {labels}"),
        _ => name.to_owned(),
    }
}

fn open(recipe: &Recipe, data: Option<&Path>) -> Result<Images> {
    let (dataset, labels) = (recipe.dataset, recipe.labels.as_deref());
    let folder = dataset.folder(data, None)?;
    let open = |split| {
        let opened = dataset.open(&Request {
            labels,
            shortcut: recipe.shortcut,
            crop: recipe.crop_to_object,
            ..Request::of(split, folder.as_deref())
        });
        opened.with_context(|| {
            format!(
                "the data set {} cannot be opened; name its folder with --dataset {0} --data DIR \
                 or ABN_DATASETS, or choose another --dataset",
                dataset.name
            )
        })
    };
    let (train, test) = (open(Split::Train)?, open(Split::HeldOut)?);
    let fingerprint = format!(
        "train: {}; test: {}",
        fingerprint(&train)?,
        fingerprint(&test)?
    );
    Ok(Images {
        train: train.samples.len(),
        test,
        fingerprint,
    })
}
