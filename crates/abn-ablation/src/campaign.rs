//! What a campaign is: groups of rows, each a recipe for every seed, with the figure that was
//! published for it.

use abn_run::datasets::DataSet;
use abn_run::recipe::{Recipe, RecipeError};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::published::Published;
use crate::size::CampaignSize;

/// A table of the papers, or a question that they leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Name {
    /// How the map acts on the features: F, M.F or (1+M).F (ABN, Table 1)
    Mechanism,
    /// ABN on other networks (ABN, Table 2)
    Backbones,
    /// How channels are summed up in the mixed attention module (MANet, Table 1)
    Channel,
    /// How positions are weighed in the module (MANet, Table 2)
    Spatial,
    /// In which order the module's two parts stand (MANet, Table 3)
    Order,
    /// Original, SENet, ABN, MANet (MANet, Table 4)
    Networks,
    /// Weight of the attention branch's own loss
    Loss,
    /// How alike the maps of several trainings are (MANet, section 5.3.1)
    Stability,
    /// Options of the branch's map, by how well it explains
    Maps,
    /// Make and model of cars (ABN, Table 3)
    Compcars,
    /// A map for each facial attribute (ABN, Table 4)
    Celeba,
    /// Faster R-CNN without and with MANet (MANet, Table 5)
    Detection,
    /// What attention costs, and what the same parameters do elsewhere
    Cost,
}

impl Name {
    /// The name as typed, and that of the campaign's files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mechanism => "mechanism",
            Self::Backbones => "backbones",
            Self::Channel => "channel",
            Self::Spatial => "spatial",
            Self::Order => "order",
            Self::Networks => "networks",
            Self::Loss => "loss",
            Self::Stability => "stability",
            Self::Maps => "maps",
            Self::Compcars => "compcars",
            Self::Celeba => "celeba",
            Self::Detection => "detection",
            Self::Cost => "cost",
        }
    }
}

impl Name {
    /// Whether the papers' images lie nowhere unless said where.
    pub(crate) fn needs_folder(self) -> bool {
        matches!(self, Self::Compcars | Self::Celeba)
    }
}

/// What a campaign is asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// How much it is given.
    pub(crate) scale: CampaignSize,
    /// The data set, if not the scale's.
    pub(crate) dataset: Option<&'static DataSet>,
    /// Which of its labels, if not the usual ones.
    pub(crate) labels: Option<String>,
    /// Runs of each row.
    pub(crate) seeds: usize,
}

/// A list of runs and how they are compared.
#[derive(Debug, Clone)]
pub(crate) struct Campaign {
    /// Which.
    pub(crate) name: Name,
    /// Heading of its table.
    pub(crate) title: &'static str,
    /// What it asks, and what is compared with what.
    pub(crate) question: &'static str,
    /// Where the published figures stand and how they were measured; nothing if there are none.
    pub(crate) source: &'static str,
    /// Comparisons, each against its own first row.
    pub(crate) groups: Vec<Group>,
}

/// Rows that are compared with the first of them.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// What the rows have in common.
    pub(crate) title: String,
    /// The baseline first.
    pub(crate) rows: Vec<Row>,
}

/// A network trained several times.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What sets it apart in its group.
    pub(crate) name: String,
    /// One recipe a training.
    pub(crate) recipes: Vec<Recipe>,
    /// What was published for it.
    pub(crate) published: Option<Published>,
}

impl Campaign {
    /// Its rows, group after group.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.groups.iter().flat_map(|group| &group.rows)
    }

    /// All its recipes: those of the first seed of every row, then those of the second, so that an
    /// unfinished campaign has something of every row.
    pub(crate) fn recipes(&self) -> impl Iterator<Item = &Recipe> {
        let most = self.rows().map(|row| row.recipes.len()).max().unwrap_or(0);
        (0..most).flat_map(|seed| self.rows().filter_map(move |row| row.recipes.get(seed)))
    }
}

impl Group {
    /// Rows that have that in common.
    pub(crate) fn new(title: impl Into<String>, rows: Vec<Row>) -> Self {
        Self {
            title: title.into(),
            rows,
        }
    }
}

impl Row {
    /// A recipe with the seeds 1, 2, 3, ...
    pub(crate) fn new(name: impl Into<String>, recipe: &Recipe, seeds: usize) -> Self {
        let seeded = |seed| Recipe {
            seed,
            ..recipe.clone()
        };
        Self {
            name: name.into(),
            recipes: (1..=seeds as u64).map(seeded).collect(),
            published: None,
        }
    }

    /// The same row with what was published for it, if anything was.
    pub(crate) fn published(self, published: Option<Published>) -> Self {
        Self { published, ..self }
    }
}

impl Setting {
    /// The data set where the papers used that one.
    pub(crate) fn dataset(&self, published: &'static DataSet) -> &'static DataSet {
        self.dataset
            .unwrap_or_else(|| self.scale.dataset(published))
    }

    /// The recipe of a network without attention, from which every run of a campaign derives.
    ///
    /// # Errors
    /// There is no network of that name.
    pub(crate) fn recipe(
        &self,
        dataset: &'static DataSet,
        architecture: &str,
    ) -> Result<Recipe, RecipeError> {
        let mut recipe = self.scale.recipe(dataset, architecture)?;
        if let Some(labels) = &self.labels {
            recipe.choose_labels(labels);
        }
        Ok(recipe)
    }
}
