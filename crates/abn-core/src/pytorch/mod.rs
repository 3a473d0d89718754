//! Names and layouts of PyTorch checkpoints, and what they are called here.
//!
//! Understood are the names of the official ABN repository, which are torchvision's where both have the network,
//! and those of the model zoos of CIFAR. Reading and writing files is the caller's business; this module only
//! renames and rearranges.

mod layout;
mod names;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Shape, TensorData};

use crate::attention::AttentionConfig;
use crate::backbone::Family;
use crate::classifier::ClassifierConfig;
use crate::state::{State, StateMismatch, shapes_of};
use layout::Layout;
pub use names::name_of;

/// Counter that PyTorch's batch norm keeps and nothing here needs.
const UNUSED_COUNTER: &str = "num_batches_tracked";

/// What every name starts with when the network was trained under `DataParallel` or `torch.compile`.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];

/// The batch norm that the reference's ResNeXt declares and never calls.
const UNUSED_NORM: &str = "bn_att.";

/// The state of a classifier from the tensors of a PyTorch checkpoint.
///
/// # Errors
/// Names or shapes differ from what this classifier expects; the error speaks in PyTorch's names and layouts.
pub fn from_pytorch(
    config: &ClassifierConfig,
    checkpoint: State,
    device: &Device,
) -> Result<State, StateMismatch> {
    let mut found = clean(config, checkpoint);
    if has_unused_norm(config) {
        found.retain(|name, _| !name.starts_with(UNUSED_NORM));
    }
    renamed(&config.init(device), found, |ours| name_of(ours, &config.network))
}

/// Compares a PyTorch checkpoint with what a classifier expects, without loading it.
///
/// # Errors
/// As [`from_pytorch`].
pub fn check(config: &ClassifierConfig, checkpoint: &State, device: &Device) -> Result<(), StateMismatch> {
    let mut found: BTreeMap<String, Shape> = checkpoint
        .iter()
        .filter(|(name, _)| !name.ends_with(UNUSED_COUNTER))
        .map(|(name, data)| (official(name, config), data.shape().clone()))
        .collect();
    if has_unused_norm(config) {
        found.retain(|name, _| !name.starts_with(UNUSED_NORM));
    }
    let expect =
        |(ours, shape): (String, Shape)| (name_of(&ours, &config.network), Layout::of(&ours).shape(&shape));
    StateMismatch::check(&shapes_of(&config.init(device)).into_iter().map(expect).collect(), &found)
}

/// What of a PyTorch checkpoint fits a classifier, in our names: all but a head of other classes and an attention
/// branch of another kind.
///
/// # Errors
/// The checkpoint has tensors that this backbone lacks, so it is of another network.
pub fn part_from_pytorch(
    config: &ClassifierConfig,
    checkpoint: State,
    device: &Device,
) -> Result<State, StateMismatch> {
    let mut found = clean(config, checkpoint);
    let mut state = State::new();
    for (ours, shape) in shapes_of(&config.init(device)) {
        let layout = Layout::of(&ours);
        let theirs = name_of(&ours, &config.network);
        let fits = |data: &TensorData| *data.shape() == layout.shape(&shape);
        if let Some(data) = found.remove(&theirs).filter(fits) {
            state.insert(ours, layout.apply(data));
        }
    }
    found.retain(|name, _| !names::is_of_branch(name));
    if found.is_empty() {
        return Ok(state);
    }
    let unexpected = found.into_iter().map(|(name, data)| (name, data.shape().clone())).collect();
    Err(StateMismatch { missing: vec![], unexpected, shapes: vec![] })
}

/// The tensors of a classifier under PyTorch's names, in its layouts.
pub fn to_pytorch(config: &ClassifierConfig, state: &State) -> State {
    let rename = |(ours, data): (&String, &TensorData)| {
        (name_of(ours, &config.network), Layout::of(ours).apply(data.clone()))
    };
    let mut exported: State = state.iter().map(rename).collect();
    if has_unused_norm(config) {
        // The official code refuses a checkpoint without it.
        let channels = config.network.branch_stage().outputs();
        for (leaf, value) in [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)] {
            let data = TensorData::new(vec![value; channels], [channels]);
            exported.insert(format!("{UNUSED_NORM}{leaf}"), data.convert::<f32>());
        }
    }
    exported
}

/// The state of any module from PyTorch tensors, by a function from our names to theirs.
///
/// # Errors
/// Names or shapes differ from what the module expects; the error speaks in PyTorch's names and layouts.
pub fn renamed<M: Module>(
    module: &M,
    mut checkpoint: State,
    pytorch_name: impl Fn(&str) -> String,
) -> Result<State, StateMismatch> {
    let ours: Vec<(String, Shape)> = shapes_of(module).into_iter().collect();
    let expected =
        ours.iter().map(|(ours, shape)| (pytorch_name(ours), Layout::of(ours).shape(shape))).collect();
    let shapes: BTreeMap<String, Shape> =
        checkpoint.iter().map(|(name, data)| (name.clone(), data.shape().clone())).collect();
    StateMismatch::check(&expected, &shapes)?;
    let rename = |(ours, _): (String, Shape)| {
        let data = checkpoint.remove(&pytorch_name(&ours))?;
        let data = Layout::of(&ours).apply(data);
        Some((ours, data))
    };
    Ok(ours.into_iter().filter_map(rename).collect())
}

/// Whether the official code has a batch norm there that its own forward pass leaves out.
fn has_unused_norm(config: &ClassifierConfig) -> bool {
    let unused = |attention: &AttentionConfig| !attention.norm;
    config.network.family == Family::ResNext && config.attention.as_ref().is_some_and(unused)
}

/// Without wrappers and counters, and with the official names in place of the zoos'.
fn clean(config: &ClassifierConfig, checkpoint: State) -> State {
    let kept = checkpoint.into_iter().filter(|(name, _)| !name.ends_with(UNUSED_COUNTER));
    kept.map(|(name, data)| (official(&name, config), data)).collect()
}

/// The official name of a name in a checkpoint.
fn official(name: &str, config: &ClassifierConfig) -> String {
    let mut bare = name;
    while let Some(rest) = WRAPPERS.iter().find_map(|wrapper| bare.strip_prefix(wrapper)) {
        bare = rest;
    }
    names::official(bare, config.network.family)
}
