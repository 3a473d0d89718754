//! `abn import --detector`: a run from the checkpoint of a detector.

use abn_boxes::coco::names_by_number;
use abn_core::architecture::AttentionName;
use abn_core::detect::Frozen;
use abn_core::pytorch::detector_from_pytorch;
use abn_core::state::{self, State};
use abn_data::{Labels, Split, Within};
use abn_run::RunError;
use abn_run::datasets::{COCO, Request};
use abn_run::recipe::architectures::with_block;
use abn_run::recipe::detector::{DetectorName, DetectorRecipe};
use abn_run::recipe::{Recipe, RunConfig, overrides};
use abn_run::weights::recipe_in_file;
use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, TensorData};

use super::import;
use crate::cli::ImportArgs;

/// What tells the number of classes, the background among them.
const LOGITS: &str = "roi_heads.box_predictor.cls_score.bias";
/// What every batch norm of ours adds to its variances.
const EPSILON: f64 = 1e-5;

/// Runs the command.
///
/// # Errors
/// The file is no detector of that kind and architecture, or the run cannot be written.
pub(super) fn run(
    args: &ImportArgs,
    name: DetectorName,
    checkpoint: State,
    device: &Device,
) -> Result<()> {
    let logits = checkpoint.get(LOGITS).with_context(|| {
        format!(
            "`{}` is no detector of torchvision's names: it has no `{LOGITS}`",
            args.file.display()
        )
    })?;
    let found = logits.shape().num_elements();
    let asked = args.classes.map(|count| count as usize);
    ensure!(
        found > 1 && asked.is_none_or(|count| count + 1 == found),
        "`{}` has {found} outputs, the background among them: --classes must be {}",
        args.file.display(),
        found.saturating_sub(1)
    );
    let mut config = config_of(args, name, found - 1)?;
    // The usual value stands for whatever the file has, and detectors of others have no branch.
    if args.attention == AttentionName::Abn && !has_branch(&checkpoint) {
        config.recipe.attention = None;
        config = RunConfig::new(config.recipe, config.labels)?;
    }
    config.imported = Some(args.file.display().to_string());
    let model = config.detector().context("a detector was asked for")?;
    model.check()?;
    let weights = detector_from_pytorch(&model, checkpoint, device).with_context(|| {
        let title = config.recipe.title();
        format!("`{}` is not a checkpoint of {title}", args.file.display())
    })?;
    let weights = with_epsilon(weights, args.norm_epsilon.unwrap_or(EPSILON));
    // Loading proves that the weights fit before anything is written.
    state::with_state(model.init(device), weights.clone())?;
    import::write(args, &config, &weights)
}

/// Whether the backbone has a branch under the names that classifiers' have.
fn has_branch(checkpoint: &State) -> bool {
    checkpoint
        .keys()
        .any(|name| name.starts_with("backbone.body.att"))
}

/// The weights with variances to which adding ours gives what adding `epsilon` gave.
fn with_epsilon(weights: State, epsilon: f64) -> State {
    if epsilon == EPSILON {
        return weights;
    }
    let shifted = |(name, data): (String, TensorData)| {
        if !name.starts_with("network.") || !name.ends_with(".running_var") {
            return (name, data);
        }
        let values = data.iter::<f64>().map(|value| value + (epsilon - EPSILON));
        let values: Vec<f32> = values.map(|value| value as f32).collect();
        let shape = data.shape().clone();
        (name, TensorData::new(values, shape))
    };
    weights.into_iter().map(shifted).collect()
}

fn config_of(args: &ImportArgs, name: DetectorName, classes: usize) -> Result<RunConfig> {
    let architecture = with_block(&args.arch, args.details.block)?;
    // What we exported says itself how its network was trained.
    let exported = recipe_in_file(&args.file).filter(|recipe| {
        let own = recipe.detector.as_ref().map(DetectorRecipe::name);
        recipe.architecture == architecture.name && own == Some(name)
    });
    let dataset = args
        .dataset
        .or(exported.as_ref().map(|recipe| recipe.dataset))
        .unwrap_or(&COCO);
    let mut recipe = match exported {
        Some(recipe) => Recipe { dataset, ..recipe },
        None => {
            let usual = Recipe::detecting(dataset, name, Some(&architecture.name), None)?;
            let detector = usual.detector.map(|detector| DetectorRecipe {
                frozen: Frozen::PRETRAINED,
                ..detector
            });
            Recipe {
                attention: architecture.attention(args.attention),
                detector,
                ..usual
            }
        }
    };
    if let Some(mean) = args.inputs.mean {
        recipe.normalization.mean = mean;
    }
    if let Some(std) = args.inputs.std {
        recipe.normalization.std = std;
    }
    if let (Some(side), Some(detector)) = (args.inputs.size, &mut recipe.detector) {
        detector.inputs = Within::of(side as usize);
    }
    let recipe = overrides::apply(recipe, &args.details.settings)?;
    recipe.check()?;
    let labels = labels(&recipe, classes);
    Ok(RunConfig::new(recipe, labels)?)
}

/// The data set's classes where they are at hand and as many; COCO's numbers, for as many outputs as
/// published detectors have; numbered classes otherwise.
fn labels(recipe: &Recipe, count: usize) -> Labels {
    let coco = names_by_number();
    if count == coco.len() {
        return Labels::one(coco);
    }
    let fits = |labels: &Labels| labels.count() == count;
    match labels_at_hand(recipe).ok().filter(fits) {
        Some(labels) => labels,
        None => Labels::one((0..count).map(|class| format!("class {class}")).collect()),
    }
}

fn labels_at_hand(recipe: &Recipe) -> Result<Labels, RunError> {
    let folder = recipe.dataset.folder(None, None)?;
    let opened = recipe.dataset.open(&Request {
        objects: true,
        ..Request::of(Split::HeldOut, folder.as_deref())
    });
    Ok(opened.map_err(RunError::DataSet)?.labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_stand_for_another_epsilon() {
        let data = |values: &[f32]| TensorData::new(values.to_vec(), [values.len()]);
        let weights = State::from([
            (
                "network.stem.norm.running_var".to_owned(),
                data(&[0.5, 1e-6]),
            ),
            ("branch.norm.running_var".to_owned(), data(&[0.5])),
        ]);
        let shifted = with_epsilon(weights.clone(), 0.0);
        let values: Vec<f64> = shifted["network.stem.norm.running_var"].iter().collect();
        for (value, before) in values.into_iter().zip([0.5, 1e-6]) {
            assert!(
                (value + EPSILON - before).abs() < 1e-7 * before.max(1e-3),
                "{value}"
            );
        }
        assert_eq!(
            shifted["branch.norm.running_var"],
            weights["branch.norm.running_var"]
        );
        assert_eq!(with_epsilon(weights.clone(), EPSILON), weights);
    }
}
