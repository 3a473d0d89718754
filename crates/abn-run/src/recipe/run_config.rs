//! The whole of `config.json`: a run reopens with it alone.

use std::path::PathBuf;

use abn_core::cost::Cost;
use abn_core::detect::DetectorConfig;
use abn_core::loss::Penalty;
use abn_core::outputs::Binary;
use abn_core::{ClassifierConfig, Outputs};
use abn_data::Labels;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::require;
use super::{MOST_CLASSES, Recipe, RecipeError};
use crate::datasets::Place;

/// Version of the layout of a run with the usual labels, of which there is one.
pub const VERSION: u32 = 2;
/// Version of the layout of every other run, which has `labels` in place of `classes`.
const LABELS_VERSION: u32 = 3;
/// Version of the layout of detectors, whose recipe has a `detector` and whose `classes` are those
/// of objects.
const DETECTOR_VERSION: u32 = 4;
/// More parameters than any network of these families; they would take 16 GB, and as much again to
/// train.
const MOST_PARAMETERS: usize = 4_000_000_000;

/// The whole of `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct RunConfig {
    /// What decides the result.
    pub recipe: Recipe,
    /// The network that the recipe names; of a detector the backbone with its branch, which says
    /// which classes of objects occur.
    pub model: ClassifierConfig,
    /// Names of the classes, in the order of the logits.
    pub labels: Labels,
    /// Fingerprint of the images that the run is trained and tested on; absent in an imported run.
    pub images: Option<String>,
    /// Folder of the data set, if it is not built in.
    pub data: Option<PathBuf>,
    /// File that the weights were imported from; such a run was not trained here.
    pub imported: Option<String>,
    /// What the training started from, if not from random weights.
    pub init: Option<Init>,
}

/// The configuration as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    recipe: Recipe,
    model: ClassifierConfig,
    /// Class names, in layout 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    classes: Option<Vec<String>>,
    /// Labels with their classes, in layout 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<Labels>,
    images: Option<String>,
    data: Option<PathBuf>,
    imported: Option<String>,
    init: Option<Init>,
}

impl From<RunConfig> for Stored {
    fn from(config: RunConfig) -> Self {
        let RunConfig {
            recipe,
            model,
            labels,
            images,
            data,
            imported,
            init,
        } = config;
        let usual = labels.only();
        let usual = usual.filter(|_| recipe.labels.is_none() && labels.is_unnamed());
        let of_classes = match recipe.detector {
            Some(_) => DETECTOR_VERSION,
            None => VERSION,
        };
        let (version, classes, labels) = match usual {
            Some(classes) => (of_classes, Some(classes.to_vec()), None),
            None => (LABELS_VERSION, None, Some(labels)),
        };
        Self {
            version,
            recipe,
            model,
            classes,
            labels,
            images,
            data,
            imported,
            init,
        }
    }
}

impl TryFrom<Stored> for RunConfig {
    type Error = RecipeError;

    fn try_from(stored: Stored) -> Result<Self, RecipeError> {
        let detects = stored.recipe.detector.is_some();
        let labels = match (stored.version, stored.classes, stored.labels) {
            (VERSION, Some(classes), None) if !detects => Labels::one(classes),
            (DETECTOR_VERSION, Some(classes), None) if detects => Labels::one(classes),
            (LABELS_VERSION, None, Some(labels)) if !detects => labels,
            _ => return Err(RecipeError::NotAConfiguration),
        };
        Ok(Self {
            recipe: stored.recipe,
            model: stored.model,
            labels,
            images: stored.images,
            data: stored.data,
            imported: stored.imported,
            init: stored.init,
        })
    }
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
    /// The configuration of a recipe for those labels.
    ///
    /// # Errors
    /// The recipe names no known architecture, or chooses the best epoch by a figure that these
    /// labels do not have.
    pub fn new(mut recipe: Recipe, labels: Labels) -> Result<Self, RecipeError> {
        let best = recipe.best.map(|figure| figure.of_labels(&labels));
        recipe.best = best.transpose()?.flatten();
        // Where nothing is chosen, the label needs no name but that of its column.
        let nameless = recipe.labels.is_none() && !recipe.dataset.tables;
        let labels = match labels.only().filter(|_| nameless) {
            Some(classes) => Labels::one(classes.to_vec()),
            None => labels,
        };
        let outputs = match recipe.detector {
            // Which classes of objects occur.
            Some(_) => Outputs::of(vec![2; labels.count()]).with(Binary::Sigmoid),
            None => Outputs::of(labels.sizes()).with(recipe.binary),
        };
        let model = ClassifierConfig {
            network: recipe.network()?,
            attention: recipe.attention.clone(),
            outputs,
        };
        model.check()?;
        check_penalty(&recipe.penalty, &model.outputs)?;
        Ok(Self {
            recipe,
            model,
            labels,
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
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let value: Value = serde_json::from_str(text).map_err(RecipeError::Json)?;
        let version = value.get("version").and_then(Value::as_u64);
        let found = version.ok_or(RecipeError::NotAConfiguration)?;
        let known = [VERSION, LABELS_VERSION, DETECTOR_VERSION];
        if !known.map(u64::from).contains(&found) {
            let known = format!("{VERSION} to {DETECTOR_VERSION}");
            return Err(RecipeError::Version { found, known });
        }
        let config: Self = serde_json::from_value(value).map_err(RecipeError::Fields)?;
        config.recipe.check()?;
        config.check()?;
        Ok(config)
    }

    /// The network must be the one that the recipe names: a hostile file cannot make us build
    /// another.
    fn check(&self) -> Result<(), RecipeError> {
        let sizes = self.labels.sizes();
        let classes = !sizes.contains(&0) && (1..=MOST_CLASSES).contains(&self.labels.count());
        require(classes, "classes", format!("1 to {MOST_CLASSES} names"))?;
        let named = Self::new(self.recipe.clone(), self.labels.clone())?;
        if named.model == self.model {
            Ok(())
        } else {
            Err(RecipeError::Model)
        }
    }

    /// The detector, if this is a run of one.
    pub fn detector(&self) -> Option<DetectorConfig> {
        let detector = self.recipe.detector.as_ref()?;
        Some(detector.config(&self.model, self.labels.count()))
    }

    /// What the run was trained on: the data set, or the folder of one's own photographs.
    pub fn data_title(&self) -> String {
        let folder = self.data.as_ref().and_then(|folder| folder.file_name());
        match (self.recipe.dataset, folder) {
            (dataset, Some(folder)) if dataset.place == Place::Anywhere => {
                folder.to_string_lossy().into_owned()
            }
            (dataset, _) => match (&self.recipe.labels, self.recipe.shortcut) {
                (Some(labels), _) => format!("{} ({labels})", dataset.name),
                (None, Some(share)) => format!("{} (shortcut {share})", dataset.name),
                (None, None) => dataset.name.to_owned(),
            },
        }
    }

    /// Refuses a network that no machine could train, before anything is written or drawn.
    ///
    /// # Errors
    /// It has more parameters than that.
    pub fn check_parameters(&self, device: &Device) -> Result<(), RecipeError> {
        let parameters = self.parameters(device);
        if parameters <= MOST_PARAMETERS {
            return Ok(());
        }
        Err(RecipeError::TooLarge {
            architecture: self.recipe.architecture.clone(),
            parameters,
            most: MOST_PARAMETERS,
        })
    }

    /// What is learned, in numbers.
    pub fn parameters(&self, device: &Device) -> usize {
        match self.detector() {
            Some(detector) => detector.parameters(device),
            None => self.cost(device).parameters,
        }
    }

    /// What the network costs for one of its inputs; of a detector its backbone alone.
    pub fn cost(&self, device: &Device) -> Cost {
        self.model.cost([self.recipe.side(); 2], device)
    }

    /// What the network costs, then every setting, for people to read.
    pub fn described(&self, device: &Device) -> Vec<(String, String)> {
        let mut cost = vec![("parameters", self.parameters(device).to_string())];
        if self.recipe.detector.is_none() {
            let Cost {
                multiply_adds, map, ..
            } = self.cost(device);
            cost.push(("multiply-adds an image", multiply_adds.to_string()));
            cost.push(("map", format!("{} x {}", map[0], map[1])));
        }
        let named = |(name, value): (&str, String)| (name.to_owned(), value);
        cost.into_iter().map(named).chain(self.settings()).collect()
    }

    /// Every setting that decides the result, by its path in `config.json`.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut leaves = Vec::new();
        flatten(
            "",
            &serde_json::to_value(&self.recipe).unwrap_or_default(),
            &mut leaves,
        );
        match self.labels.only() {
            Some(classes) => flatten("classes", &classes.to_vec().into(), &mut leaves),
            None => {
                for group in self.labels.groups() {
                    let path = format!("labels.{}", group.name);
                    flatten(&path, &group.classes.clone().into(), &mut leaves);
                }
            }
        }
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

/// A factor for every label, of labels that are absent or present. Factors may come from the images,
/// after the recipe was checked: a run that could not be opened again is never written.
fn check_penalty(penalty: &Penalty, outputs: &Outputs) -> Result<(), RecipeError> {
    penalty.check().map_err(RecipeError::Penalty)?;
    if penalty.positive.is_empty() {
        return Ok(());
    }
    if !outputs.is_binary() {
        return Err(RecipeError::Penalty(
            "images that show a label can weigh more only where labels are absent or present",
        ));
    }
    if penalty.positive.len() != outputs.groups().len() {
        return Err(RecipeError::Penalty(
            "there must be a factor for each label of the data set",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use abn_core::attention::MapConfig;
    use abn_core::backbone::StemConfig;
    use abn_data::{Group, Step};

    use super::*;
    use abn_core::detect::Frozen;

    use super::super::detector::{DetectorName, DetectorRecipe};
    use crate::datasets::{ATTRIBUTES, CIFAR10, CIFAR100, COCO};

    #[test]
    fn a_hostile_configuration_is_refused() {
        let config = || {
            let classes = (0..10).map(|class| class.to_string()).collect();
            RunConfig::new(Recipe::of(&CIFAR10, None), Labels::one(classes)).unwrap()
        };
        let parse = |config: &RunConfig| RunConfig::parse(&serde_json::to_string(config).unwrap());
        assert_eq!(parse(&config()).unwrap(), config());
        let check = |change: fn(&mut RunConfig)| {
            let mut config = config();
            change(&mut config);
            assert!(parse(&config).is_err());
        };
        check(|config| config.recipe.epochs = usize::MAX);
        check(|config| config.recipe.eval_steps = vec![Step::CenterCrop { size: 30_000 }]);
        check(|config| config.recipe.train_steps = vec![Step::Flip; 1000]);
        check(|config| config.model.network.stem = StemConfig::Small { width: 1 << 40 });
        check(|config| config.model.outputs = Outputs::one(1 << 40));
        check(|config| {
            for attention in [&mut config.recipe.attention, &mut config.model.attention]
                .into_iter()
                .flatten()
            {
                attention.map = MapConfig::convolution(usize::MAX);
            }
        });
        check(|config| config.labels = Labels::one(Vec::new()));
        check(|config| config.labels = Labels::of(Vec::new()));
    }

    #[test]
    fn only_what_layout_2_cannot_hold_has_layout_3() {
        let names = |count: usize| (0..count).map(|class| class.to_string()).collect();
        let group = |name: &str, count| Group {
            name: name.to_owned(),
            classes: names(count),
        };
        let stored = |labels: Option<&str>, groups: Labels| {
            let labels = labels.map(str::to_owned);
            let recipe = Recipe {
                labels,
                ..Recipe::of(&CIFAR100, None)
            };
            let config = RunConfig::new(recipe, groups).unwrap();
            let text = serde_json::to_string(&config).unwrap();
            assert_eq!(RunConfig::parse(&text).unwrap(), config);
            let value: Value = serde_json::from_str(&text).unwrap();
            (value["version"].clone(), value["model"]["classes"].clone())
        };
        let one = Labels::one(names(100));
        assert_eq!(stored(None, one), (2.into(), 100.into()));
        let coarse = Labels::of(vec![group("coarse", 20)]);
        assert_eq!(stored(Some("coarse"), coarse), (3.into(), 20.into()));
        let both = Labels::of(vec![group("fine", 100), group("coarse", 20)]);
        assert_eq!(stored(Some("both"), both), (3.into(), vec![100, 20].into()));
    }

    /// torchvision's `fasterrcnn_resnet50_fpn` has 41,755,286 of them for COCO's 90 ids, of which the
    /// published network trains all but those of its stem and first stage.
    #[test]
    fn the_usual_detector_is_the_published_one() {
        let config = |frozen| {
            let mut recipe = Recipe::detecting(&COCO, DetectorName::Fpn, None, None).unwrap();
            recipe.attention = None;
            recipe.detector = recipe
                .detector
                .map(|detector| DetectorRecipe { frozen, ..detector });
            let classes = (1..=90).map(|id| id.to_string()).collect();
            RunConfig::new(recipe, Labels::one(classes)).unwrap()
        };
        let device = Device::flex();
        let published = config(Frozen::PRETRAINED);
        assert_eq!(published.parameters(&device), 41_755_286);
        // Batch norms that learn count.
        assert_eq!(
            config(Frozen::NOTHING).parameters(&device),
            41_755_286 + 53_120
        );
        let text = serde_json::to_string(&published).unwrap();
        assert!(text.contains(r#""version":4"#), "{text}");
        assert_eq!(RunConfig::parse(&text).unwrap(), published);
        // A classifier cannot pass for a detector, nor the other way round.
        let other = text.replace(r#""version":4"#, r#""version":2"#);
        assert!(RunConfig::parse(&other).is_err());
    }

    #[test]
    fn the_only_column_of_a_table_keeps_its_name() {
        let config = |labels| RunConfig::new(Recipe::of(&ATTRIBUTES, None), labels).unwrap();
        let new = config(Labels::of(vec![Group::attribute("hat")]));
        assert_eq!(new.labels.groups()[0].name, "hat");
        let text = serde_json::to_string(&new).unwrap();
        assert!(text.contains(r#""version":3"#), "{text}");
        assert_eq!(RunConfig::parse(&text).unwrap(), new);
        // A run of before, without the name, is the same run.
        let old = config(Labels::one(Group::attribute("").classes));
        let text = serde_json::to_string(&old).unwrap();
        assert!(text.contains(r#""version":2"#), "{text}");
        assert_eq!(RunConfig::parse(&text).unwrap(), old);
        assert_eq!(new.differences(&old), []);
        // What is no table has no such name.
        let fine = Labels::of(vec![Group::attribute("fine")]);
        let folder = RunConfig::new(Recipe::of(&CIFAR100, None), fine).unwrap();
        assert_eq!(folder.labels.groups()[0].name, "class");
    }
}
