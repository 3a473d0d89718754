//! Names and layouts of PyTorch checkpoints, and what they are called here.
//!
//! Understood are the names of the official ABN repository, which are torchvision's where both have
//! the network, those of its authors' code for facial attributes, and those of the model zoos of
//! CIFAR. Reading and writing files is the caller's
//! business; this module only renames and rearranges.

mod bare;
mod detection;
mod layout;
mod libraries;
mod multitask;
mod names;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Shape, TensorData};

use crate::attention::{AttentionConfig, MapConfig};
use crate::backbone::Family;
use crate::classifier::ClassifierConfig;
use crate::state::{State, StateMismatch, shapes_of};
use crate::transfer::is_head;
pub use bare::{bare, below, prefixes};
pub use detection::{
    detector_from_pytorch, detector_name_of, detector_to_pytorch, is_detector, part_of_detector,
};
use layout::Layout;
pub use libraries::is_of_caffe;
pub use names::name_of;

/// Counter that PyTorch's batch norm keeps and nothing here needs.
const UNUSED_COUNTER: &str = "num_batches_tracked";

/// The batch norm that the reference's ResNeXt declares and never calls.
const UNUSED_NORM: &str = "bn_att.";

/// The state of a classifier from the tensors of a PyTorch checkpoint.
///
/// # Errors
/// Names or shapes differ from what this classifier expects; the error speaks in PyTorch's names
/// and layouts.
pub fn from_pytorch(
    config: &ClassifierConfig,
    checkpoint: State,
    device: &Device,
) -> Result<State, StateMismatch> {
    let found = official(config, checkpoint, TensorData::shape)?;
    renamed(&config.init(device), found, |ours| {
        name_of(ours, &config.network)
    })
}

/// Compares a PyTorch checkpoint with what a classifier expects, without loading it.
///
/// # Errors
/// As [`from_pytorch`].
pub fn check(
    config: &ClassifierConfig,
    checkpoint: &State,
    device: &Device,
) -> Result<(), StateMismatch> {
    let shapes = checkpoint
        .iter()
        .map(|(name, data)| (name.clone(), data.shape().clone()))
        .collect();
    let found = official(config, shapes, |shape| shape)?;
    let expect = |(ours, shape): (String, Shape)| {
        (
            name_of(&ours, &config.network),
            Layout::of(&ours).shape(&shape),
        )
    };
    StateMismatch::check(
        &shapes_of(&config.init(device))
            .into_iter()
            .map(expect)
            .collect(),
        &found,
    )
}

/// What of a PyTorch checkpoint fits a classifier, in our names, and PyTorch's names of the rest: a
/// head of other classes, an attention branch of another kind.
///
/// # Errors
/// The rest belongs to the backbone, so the checkpoint is of another network.
pub fn part_from_pytorch(
    config: &ClassifierConfig,
    checkpoint: State,
    device: &Device,
) -> Result<(State, Vec<String>), StateMismatch> {
    let mut found = official(config, checkpoint, TensorData::shape)?;
    let mut part = State::new();
    let (mut unused, mut shapes) = (Vec::new(), Vec::new());
    for (ours, shape) in shapes_of(&config.init(device)) {
        let layout = Layout::of(&ours);
        let (theirs, expected) = (name_of(&ours, &config.network), layout.shape(&shape));
        match found.remove(&theirs) {
            Some(data) if *data.shape() == expected => {
                part.insert(ours, layout.apply(data));
            }
            Some(_) if is_head(&ours) || names::is_of_branch(&theirs) => unused.push(theirs),
            Some(data) => shapes.push((theirs, expected, data.shape().clone())),
            None => {}
        }
    }
    let (of_branch, unexpected): (State, State) = found
        .into_iter()
        .partition(|(name, _)| names::is_of_branch(name));
    unused.extend(of_branch.into_keys());
    if unexpected.is_empty() && shapes.is_empty() {
        return Ok((part, unused));
    }
    let unexpected = unexpected
        .into_iter()
        .map(|(name, data)| (name, data.shape().clone()))
        .collect();
    Err(StateMismatch {
        missing: vec![],
        unexpected,
        shapes,
    })
}

/// The tensors of a classifier under PyTorch's names, in its layouts.
pub fn to_pytorch(config: &ClassifierConfig, state: &State) -> State {
    let rename = |(ours, data): (&String, &TensorData)| {
        (
            name_of(ours, &config.network),
            Layout::of(ours).apply(data.clone()),
        )
    };
    let mut exported: State = state.iter().map(rename).collect();
    if has_unused_norm(config) {
        // The official code refuses a checkpoint without it.
        let channels = config.network.branch_stage().outputs();
        for (leaf, value) in [
            ("weight", 1.0),
            ("bias", 0.0),
            ("running_mean", 0.0),
            ("running_var", 1.0),
        ] {
            let data = TensorData::new(vec![value; channels], [channels]);
            exported.insert(format!("{UNUSED_NORM}{leaf}"), data.convert::<f32>());
        }
    }
    if is_multitask(config) {
        return multitask::from_usual(exported, config.outputs.groups().len());
    }
    exported
}

/// The state of any module from PyTorch tensors, by a function from our names to theirs.
///
/// # Errors
/// Names or shapes differ from what the module expects; the error speaks in PyTorch's names and
/// layouts.
pub fn renamed<M: Module>(
    module: &M,
    mut checkpoint: State,
    pytorch_name: impl Fn(&str) -> String,
) -> Result<State, StateMismatch> {
    let ours: Vec<(String, Shape)> = shapes_of(module).into_iter().collect();
    let expected = ours
        .iter()
        .map(|(ours, shape)| (pytorch_name(ours), Layout::of(ours).shape(shape)))
        .collect();
    let shapes: BTreeMap<String, Shape> = checkpoint
        .iter()
        .map(|(name, data)| (name.clone(), data.shape().clone()))
        .collect();
    StateMismatch::check(&expected, &shapes)?;
    let rename = |(ours, _): (String, Shape)| {
        let data = checkpoint.remove(&pytorch_name(&ours))?;
        let data = Layout::of(&ours).apply(data);
        Some((ours, data))
    };
    Ok(ours.into_iter().filter_map(rename).collect())
}

/// Whether it is a network of the official code for several labels, which has names of its own.
fn is_multitask(config: &ClassifierConfig) -> bool {
    let of_logits = |attention: &AttentionConfig| matches!(attention.map, MapConfig::Logit(_));
    config.network.family == Family::ResNet && config.attention.as_ref().is_some_and(of_logits)
}

/// Whether the official code has a batch norm there that its own forward pass leaves out.
fn has_unused_norm(config: &ClassifierConfig) -> bool {
    let unused = |attention: &AttentionConfig| !attention.norm;
    config.network.family == Family::ResNext && config.attention.as_ref().is_some_and(unused)
}

/// The tensors under their official names: without wrappers, counters, a loss that was saved with
/// its network, and what the official code never uses.
///
/// # Errors
/// Two tensors have the same official name; it would be chance which one counts.
fn official<T: multitask::Rows>(
    config: &ClassifierConfig,
    checkpoint: BTreeMap<String, T>,
    shape: impl Fn(&T) -> &Shape,
) -> Result<BTreeMap<String, T>, StateMismatch> {
    let mut found = BTreeMap::new();
    for (name, tensor) in checkpoint {
        let official = names::official(&name, config.network.family);
        let is_unused = has_unused_norm(config) && official.starts_with(UNUSED_NORM);
        if name.ends_with(UNUSED_COUNTER) || is_unused || names::is_of_loss(&official) {
            continue;
        }
        if let Some(double) = found.insert(official, tensor) {
            let unexpected = vec![(name, shape(&double).clone())];
            return Err(StateMismatch {
                missing: vec![],
                unexpected,
                shapes: vec![],
            });
        }
    }
    Ok(multitask::to_usual(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Architecture;
    use crate::Outputs;
    use crate::state::state_of;

    fn resnet8() -> (ClassifierConfig, State) {
        let network = Architecture::parse("resnet8").unwrap().network;
        let config = ClassifierConfig {
            network,
            attention: None,
            outputs: Outputs::one(3),
        };
        let exported = to_pytorch(&config, &state_of(&config.init(&Device::flex())));
        (config, exported)
    }

    #[test]
    fn two_tensors_of_one_official_name_are_refused() {
        let device = Device::flex();
        for double in ["module.fc.bias", "linear.bias", "layer2.0.shortcut.1.bias"] {
            let (config, mut checkpoint) = resnet8();
            checkpoint.insert(double.to_owned(), TensorData::new(vec![9.0_f32; 3], [3]));
            for refused in [
                check(&config, &checkpoint, &device),
                from_pytorch(&config, checkpoint.clone(), &device).map(drop),
                part_from_pytorch(&config, checkpoint, &device).map(drop),
            ] {
                assert_eq!(refused.unwrap_err().unexpected.len(), 1, "{double}");
            }
        }
    }

    #[test]
    fn wrappers_and_counters_do_not_matter() {
        let (config, checkpoint) = resnet8();
        let wrapped = checkpoint
            .iter()
            .map(|(name, data)| (format!("module._orig_mod.{name}"), data.clone()));
        let mut wrapped: State = wrapped.collect();
        wrapped.insert(
            "module.bn1.num_batches_tracked".to_owned(),
            TensorData::new(vec![7.0_f32], [1]),
        );
        let device = Device::flex();
        assert!(
            from_pytorch(&config, wrapped, &device) == from_pytorch(&config, checkpoint, &device)
        );
    }

    #[test]
    fn a_backbone_of_another_shape_is_named_with_both_shapes() {
        let (_, checkpoint) = resnet8();
        let network = Architecture::parse("resnet8-cifar").unwrap().network;
        let mut wider = ClassifierConfig {
            network,
            attention: None,
            outputs: Outputs::one(3),
        };
        wider.network.stem = crate::backbone::StemConfig::Small { width: 8 };
        let mismatch = part_from_pytorch(&wider, checkpoint, &Device::flex()).unwrap_err();
        assert!(
            mismatch
                .shapes
                .iter()
                .any(|(name, ..)| name == "conv1.weight"),
            "{mismatch}"
        );
    }
}
