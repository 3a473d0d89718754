//! Names and layouts of PyTorch checkpoints, and what they are called here.
//!
//! The official ABN repository names a CIFAR ResNet's layers `conv1`, `bn1`, `layer1.0.conv1`,
//! `layer1.0.downsample.0`, `fc`, and its branch `att_layer3`, `bn_att`, `att_conv`, `bn_att2`, `att_conv2`,
//! `att_conv3`, `bn_att3`. Reading the file is the caller's business; this module only renames and transposes.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Shape, TensorData};

use crate::classifier::ClassifierConfig;
use crate::state::{State, StateMismatch, shapes_of};

/// Counter that PyTorch's batch norm keeps and nothing here needs.
const UNUSED_COUNTER: &str = "num_batches_tracked";

/// What every name starts with when the network was trained under `DataParallel`.
const DATA_PARALLEL: &str = "module.";

/// The state of a classifier from the tensors of an official checkpoint.
///
/// # Errors
/// Names or shapes differ from what this classifier expects; the error speaks in PyTorch's names and layouts.
pub fn from_pytorch(
    config: &ClassifierConfig,
    checkpoint: State,
    device: &Device,
) -> Result<State, StateMismatch> {
    let stages = config.network.stages.len();
    renamed(&config.init(device), checkpoint, |ours| pytorch_name(ours, stages))
}

/// The state of any module from PyTorch tensors, by a function from our names to theirs.
///
/// # Errors
/// Names or shapes differ from what the module expects; the error speaks in PyTorch's names and layouts.
pub fn renamed<M: Module>(
    module: &M,
    checkpoint: State,
    pytorch_name: impl Fn(&str) -> String,
) -> Result<State, StateMismatch> {
    let mut found = clean(checkpoint);
    let names: Vec<(String, String, Shape)> = shapes_of(module)
        .into_iter()
        .map(|(ours, shape)| {
            let shape = if is_transposed(&ours) { Shape::from([shape[1], shape[0]]) } else { shape };
            let theirs = pytorch_name(&ours);
            (ours, theirs, shape)
        })
        .collect();
    let expected = names.iter().map(|(_, theirs, shape)| (theirs.clone(), shape.clone())).collect();
    let shapes: BTreeMap<String, Shape> =
        found.iter().map(|(name, data)| (name.clone(), data.shape().clone())).collect();
    StateMismatch::check(&expected, &shapes)?;
    let rename = |(ours, theirs, _): (String, String, Shape)| {
        let data = found.remove(&theirs)?.convert::<f32>();
        let data = if is_transposed(&ours) { transposed(&data) } else { data };
        Some((ours, data))
    };
    Ok(names.into_iter().filter_map(rename).collect())
}

/// Without prefix and counters.
fn clean(checkpoint: State) -> State {
    let kept = checkpoint.into_iter().filter(|(name, _)| !name.ends_with(UNUSED_COUNTER));
    kept.map(|(name, data)| (name.strip_prefix(DATA_PARALLEL).unwrap_or(&name).to_owned(), data)).collect()
}

/// Linear layers lie `[inputs, outputs]` here and `[outputs, inputs]` there.
fn is_transposed(ours: &str) -> bool {
    ["head.weight", "fc1.weight", "fc2.weight"].iter().any(|layer| ours.ends_with(layer))
}

fn transposed(data: &TensorData) -> TensorData {
    let (rows, columns) = (data.shape()[0], data.shape()[1]);
    let values: Vec<f32> = data.iter::<f32>().collect();
    let turned = (0..columns * rows).map(|index| values[(index % rows) * columns + index / rows]).collect();
    TensorData::new::<f32, _>(turned, [columns, rows])
}

/// PyTorch's name of one of a classifier's tensors, for a network of that many stages.
pub fn pytorch_name(ours: &str, stages: usize) -> String {
    let parts: Vec<&str> = ours.split('.').collect();
    match parts.as_slice() {
        ["network", "stem", part, leaf] => leaf_of(&numbered(part, 1), leaf),
        ["network", "head", leaf] => format!("fc.{leaf}"),
        ["network", "stages", stage, rest @ ..] => format!("layer{}.{}", successor(stage), block_name(rest)),
        ["branch", "stage", rest @ ..] => format!("att_layer{stages}.{}", block_name(rest)),
        ["branch", "norm", leaf] => leaf_of("bn_att", leaf),
        ["branch", "class_maps", "conv", leaf] => leaf_of("att_conv", leaf),
        ["branch", "class_maps", "norm", leaf] => leaf_of("bn_att2", leaf),
        ["branch", "logits", leaf] => leaf_of("att_conv2", leaf),
        ["branch", "map", "conv", leaf] => leaf_of("att_conv3", leaf),
        ["branch", "map", "norm", leaf] => leaf_of("bn_att3", leaf),
        // No public code has MANet's module: its names are ours, but for the leaves.
        ["branch", rest @ .., leaf] | [rest @ .., leaf] => leaf_of(&rest.join("."), leaf),
        [] => String::new(),
    }
}

/// `blocks.J.convs.K.conv.weight` is `J.convK+1.weight`; the shortcut is `J.downsample.0` and `.1`.
fn block_name(parts: &[&str]) -> String {
    match parts {
        ["blocks", block, "convs", index, part, leaf] => {
            format!("{block}.{}", leaf_of(&numbered(part, successor(index)), leaf))
        }
        ["blocks", block, "shortcut", "conv", leaf] => format!("{block}.{}", leaf_of("downsample.0", leaf)),
        ["blocks", block, "shortcut", _, leaf] => format!("{block}.{}", leaf_of("downsample.1", leaf)),
        _ => parts.join("."),
    }
}

fn numbered(part: &str, number: usize) -> String {
    format!("{}{number}", if part == "norm" { "bn" } else { part })
}

fn leaf_of(layer: &str, leaf: &str) -> String {
    let leaf = match leaf {
        "gamma" => "weight",
        "beta" => "bias",
        other => other,
    };
    format!("{layer}.{leaf}")
}

fn successor(index: &str) -> usize {
    index.parse::<usize>().map_or(0, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ours: &str, theirs: &str) {
        assert_eq!(pytorch_name(ours, 3), theirs);
    }

    #[test]
    fn names_of_the_official_code() {
        check("network.stem.conv.weight", "conv1.weight");
        check("network.stem.norm.running_var", "bn1.running_var");
        check("network.stages.2.blocks.0.convs.1.norm.gamma", "layer3.0.bn2.weight");
        check("network.stages.1.blocks.17.shortcut.conv.weight", "layer2.17.downsample.0.weight");
        check("network.stages.1.blocks.0.shortcut.norm.beta", "layer2.0.downsample.1.bias");
        check("network.head.bias", "fc.bias");
        check("branch.stage.blocks.1.convs.2.conv.weight", "att_layer3.1.conv3.weight");
        check("branch.norm.running_mean", "bn_att.running_mean");
        check("branch.map.norm.gamma", "bn_att3.weight");
        check("branch.mixed.channel.fc1.weight", "mixed.channel.fc1.weight");
    }

    #[test]
    fn linear_weights_are_turned() {
        let data = TensorData::new(vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
        let turned = transposed(&data);
        assert_eq!(&turned.shape()[..], [3, 2]);
        assert_eq!(turned.iter::<f32>().collect::<Vec<_>>(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
