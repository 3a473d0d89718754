//! The whole of `config.json`: a run reopens with it alone.

use std::path::PathBuf;

use abn_core::ClassifierConfig;
use abn_core::cost::Cost;
use anyhow::{Context, Result, bail, ensure};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::augmentation::Inputs;
use super::{MOST_CLASSES, Recipe};
use crate::datasets::DatasetName;

/// Version of the layout of `config.json`.
pub const VERSION: u32 = 2;
/// More parameters than any network of these families; they would take 16 GB, and as much again to
/// train.
const MOST_PARAMETERS: usize = 4_000_000_000;

/// The whole of `config.json`: a run reopens with it alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Version of this layout.
    pub version: u32,
    /// What decides the result.
    pub recipe: Recipe,
    /// The network that the recipe names.
    pub model: ClassifierConfig,
    /// Names of the classes, in the order of the logits.
    pub classes: Vec<String>,
    /// Fingerprint of the images that the run is trained and tested on; absent in an imported run.
    pub images: Option<String>,
    /// Folder of the data set, if it is not built in.
    pub data: Option<PathBuf>,
    /// File that the weights were imported from; such a run was not trained here.
    pub imported: Option<String>,
    /// What the training started from, if not from random weights.
    pub init: Option<Init>,
}

/// Weights to start from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Init {
    /// The run or checkpoint file, absolute.
    pub from: PathBuf,
    /// SHA-256 of its tensors, so that another file in its place is noticed.
    pub sha256: String,
}

impl RunConfig {
    /// The configuration of a recipe for those classes.
    ///
    /// # Errors
    /// The recipe names no known architecture.
    pub fn new(recipe: Recipe, classes: Vec<String>) -> Result<Self> {
        let network = recipe.network()?;
        let model = ClassifierConfig {
            network,
            attention: recipe.attention.clone(),
            classes: classes.len(),
        };
        Ok(Self {
            version: VERSION,
            recipe,
            model,
            classes,
            images: None,
            data: None,
            imported: None,
            init: None,
        })
    }

    /// Reads `config.json`.
    ///
    /// # Errors
    /// It is not JSON, of another version, or inconsistent.
    pub fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).context("not valid JSON")?;
        match value.get("version").and_then(Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => {
                bail!(
                    "written by another version of abn (layout {version}, this one reads {VERSION})"
                )
            }
            None => bail!("not the configuration of a run"),
        }
        let config: Self = serde_json::from_value(value)?;
        config.recipe.check()?;
        config.check()?;
        Ok(config)
    }

    /// The network must be the one that the recipe names: a hostile file cannot make us build
    /// another.
    fn check(&self) -> Result<()> {
        ensure!(
            (1..=MOST_CLASSES).contains(&self.classes.len()),
            "the number of classes is out of range"
        );
        let named = Self::new(self.recipe.clone(), self.classes.clone())?;
        ensure!(
            named.model == self.model,
            "the model does not fit the recipe's architecture, attention and classes"
        );
        Ok(())
    }

    /// What the run was trained on: the data set, or the folder of one's own photographs.
    pub fn data_title(&self) -> String {
        let folder = self.data.as_ref().and_then(|folder| folder.file_name());
        match (self.recipe.dataset, folder) {
            (DatasetName::Folder, Some(folder)) => folder.to_string_lossy().into_owned(),
            (dataset, _) => dataset.name().to_owned(),
        }
    }

    /// Refuses a network that no machine could train, before anything is written or drawn.
    ///
    /// # Errors
    /// It has more parameters than that.
    pub fn check_parameters(&self, device: &Device) -> Result<()> {
        let parameters = self.cost(device).parameters;
        ensure!(
            parameters <= MOST_PARAMETERS,
            "{} has {parameters} parameters, more than the {MOST_PARAMETERS} that are trained",
            self.recipe.architecture
        );
        Ok(())
    }

    /// What the network costs for one of its inputs.
    pub fn cost(&self, device: &Device) -> Cost {
        self.model
            .cost([Inputs::of_recipe(&self.recipe).side as usize; 2], device)
    }

    /// Every setting that decides the result, by its path in `config.json`.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut leaves = Vec::new();
        flatten(
            "",
            &serde_json::to_value(&self.recipe).unwrap_or_default(),
            &mut leaves,
        );
        flatten("classes", &self.classes.clone().into(), &mut leaves);
        flatten("images", &self.images.clone().into(), &mut leaves);
        if let Some(init) = &self.init {
            flatten("init", &init.sha256.clone().into(), &mut leaves);
        }
        leaves
    }

    /// Where the result would differ: `(name, here, there)` for every setting that is not the same.
    pub fn differences(&self, other: &Self) -> Vec<(String, String, String)> {
        let (ours, theirs) = (self.settings(), other.settings());
        let lookup = |list: &[(String, String)], name: &str| {
            list.iter()
                .find(|(key, _)| key == name)
                .map_or("absent".to_owned(), |(_, value)| value.clone())
        };
        let mut names: Vec<&String> = ours.iter().chain(&theirs).map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        names
            .into_iter()
            .map(|name| (name.clone(), lookup(&ours, name), lookup(&theirs, name)))
            .filter(|(_, ours, theirs)| ours != theirs)
            .collect()
    }
}

/// `a.b.c: value` for every leaf; lists are leaves.
fn flatten(path: &str, value: &Value, leaves: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                flatten(&path, value, leaves);
            }
        }
        leaf => leaves.push((path.to_owned(), leaf.to_string())),
    }
}
