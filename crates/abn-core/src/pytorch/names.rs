//! PyTorch's name of each of a classifier's tensors, family by family.
//!
//! | ours | ResNet | WRN | DenseNet | ResNeXt (CIFAR) | VGG |
//! |---|---|---|---|---|---|
//! | stem | conv1, bn1 | conv1 | conv1 | conv_1_3x3, bn_1 | |
//! | stage 0, block 1 | layer1.1 | block1.layer.1 | dense1.1 | stage_1.stage_1_bottleneck_1 | features |
//! | after the last stage | | bn1 | bn | | |
//! | head | fc | fc | fc | classifier | classifier |
//! | the branch's stage | att_layer4 | att_block3 | att_dense3 | stage_att | att_features |
//!
//! The branch's other layers are `bn_att`, `att_conv`, `bn_att2`, `att_conv2`, `att_conv3`,
//! `bn_att3` everywhere. What no public code has (MANet's module, VGG's branch) has names of ours.

use crate::backbone::{Family, NetworkConfig};
use crate::mixed::MixedAttentionConfig;

/// Layers of `nn.Sequential` that a VGG convolution takes: itself, its batch norm, its ReLU.
const VGG_LAYERS: usize = 3;

/// PyTorch's name of the tensor of that name of ours.
pub fn name_of(ours: &str, network: &NetworkConfig) -> String {
    let parts: Vec<&str> = ours.split('.').collect();
    let family = network.family;
    match parts.as_slice() {
        ["network", "stem", part, leaf] => leaf_of(stem(family, part), leaf),
        ["network", "norm", leaf] => leaf_of(
            if family == Family::DenseNet {
                "bn"
            } else {
                "bn1"
            },
            leaf,
        ),
        ["network", "head", "layers", index, leaf] => {
            leaf_of(&format!("classifier.{}", VGG_LAYERS * number(index)), leaf)
        }
        ["network", "head", leaf] => leaf_of(
            if family == Family::ResNext {
                "classifier"
            } else {
                "fc"
            },
            leaf,
        ),
        ["network", "stages", stage, "transition", part, leaf] => {
            leaf_of(&format!("trans{}.{}", successor(stage), one(part)), leaf)
        }
        [
            "network",
            "stages",
            stage,
            "blocks",
            block,
            "conv" | "norm",
            leaf,
        ] if family == Family::Vgg => {
            let index = vgg_index(network, number(stage), number(block));
            vgg_layer("features", index, parts[5], leaf)
        }
        ["network", "stages", stage, "blocks", block, rest @ ..] => {
            format!(
                "{}.{}",
                block_of(family, successor(stage), block),
                inside(rest, network)
            )
        }
        [
            "branch",
            "stage",
            "blocks",
            block,
            part @ ("conv" | "norm"),
            leaf,
        ] => vgg_layer("att_features", VGG_LAYERS * number(block), part, leaf),
        ["branch", "stage", "blocks", block, rest @ ..] => {
            format!(
                "{}.{}",
                branch_block(family, network.stages.len(), block),
                inside(rest, network)
            )
        }
        ["branch", "norm", leaf] => leaf_of("bn_att", leaf),
        ["branch", "class_maps", "conv", leaf] => leaf_of("att_conv", leaf),
        ["branch", "class_maps", "norm", leaf] => leaf_of("bn_att2", leaf),
        ["branch", "logits", leaf] => leaf_of("att_conv2", leaf),
        ["branch", "map", "conv", leaf] => leaf_of("att_conv3", leaf),
        ["branch", "map", "norm", leaf] => leaf_of("bn_att3", leaf),
        // None of theirs has it.
        ["branch", "map", "scale", leaf] => format!("scale_att3.{leaf}"),
        ["branch", rest @ .., leaf] | [rest @ .., leaf] => leaf_of(&rest.join("."), leaf),
        [] => String::new(),
    }
}

/// What names start with when the network was trained as a part of something: under `DataParallel`,
/// `torch.compile` or as the field of another module.
const WRAPPERS: [&str; 5] = ["module.", "_orig_mod.", "model.", "net.", "state_dict."];

/// A name without what it starts with there.
pub(super) fn without_wrappers(theirs: &str) -> &str {
    let mut bare = theirs;
    while let Some(rest) = WRAPPERS
        .iter()
        .find_map(|wrapper| bare.strip_prefix(wrapper))
    {
        bare = rest;
    }
    bare
}

/// The official name of a name in a checkpoint: without wrappers, and `fc` and `downsample` for
/// what zoos call `linear` and `shortcut`.
pub(super) fn official(theirs: &str, family: Family) -> String {
    let bare = without_wrappers(theirs);
    match family {
        // PyTorch's own ImageNet script wraps the convolutions of VGG alone.
        Family::Vgg => bare.replacen("features.module.", "features.", 1),
        Family::ResNet => match bare.strip_prefix("linear.") {
            Some(leaf) => format!("fc.{leaf}"),
            None => bare.replace(".shortcut.", ".downsample."),
        },
        _ => bare.to_owned(),
    }
}

/// What a training script calls the loss that it saves as a part of its network.
const LOSSES: [&str; 4] = ["criterion", "loss", "loss_fn", "loss_function"];

/// Whether PyTorch's name is that of a tensor of a loss, such as the weights of its classes.
pub(super) fn is_of_loss(theirs: &str) -> bool {
    let first = theirs.split_once('.').map(|(first, _)| first);
    first.is_some_and(|first| LOSSES.contains(&first))
}

/// Whether PyTorch's name is that of a tensor of an attention branch.
pub(super) fn is_of_branch(theirs: &str) -> bool {
    ["att_", "bn_att", "stage_att.", "mixed."]
        .iter()
        .any(|start| theirs.starts_with(start))
}

fn stem(family: Family, part: &str) -> &'static str {
    match (family, part) {
        (Family::ResNext, "conv") => "conv_1_3x3",
        (Family::ResNext, _) => "bn_1",
        (_, "conv") => "conv1",
        _ => "bn1",
    }
}

/// The block of a stage, counted from 1.
fn block_of(family: Family, stage: usize, block: &str) -> String {
    match family {
        Family::ResNet | Family::Vgg => format!("layer{stage}.{block}"),
        Family::WideResNet => format!("block{stage}.layer.{block}"),
        Family::DenseNet => format!("dense{stage}.{block}"),
        Family::ResNext => format!("stage_{stage}.stage_{stage}_bottleneck_{block}"),
    }
}

/// The block of the branch's stage in a network of that many stages.
fn branch_block(family: Family, stages: usize, block: &str) -> String {
    match family {
        Family::ResNext => format!("stage_att.stage_att_bottleneck_{block}"),
        other => format!("att_{}", block_of(other, stages, block)),
    }
}

/// A layer inside a block.
fn inside(parts: &[&str], network: &NetworkConfig) -> String {
    let resnext = network.family == Family::ResNext;
    match parts {
        ["convs", index, part, leaf] if resnext => {
            leaf_of(resnext_layer(number(index), part), leaf)
        }
        ["convs", index, part, leaf] => leaf_of(&numbered(part, successor(index)), leaf),
        ["shortcut", "conv", leaf] => leaf_of(
            if resnext {
                "shortcut.shortcut_conv"
            } else {
                "downsample.0"
            },
            leaf,
        ),
        ["shortcut", "norm", leaf] => leaf_of(
            if resnext {
                "shortcut.shortcut_bn"
            } else {
                "downsample.1"
            },
            leaf,
        ),
        ["shortcut", leaf] => leaf_of("convShortcut", leaf),
        ["gate", rest @ .., leaf] => leaf_of(&gate(rest, network), leaf),
        [layer, leaf] => leaf_of(&layer.replace("norm", "bn"), leaf),
        _ => parts.join("."),
    }
}

fn resnext_layer(index: usize, part: &str) -> &'static str {
    match (index, part) {
        (0, "conv") => "conv_reduce",
        (0, _) => "bn_reduce",
        (1, "conv") => "conv_conv",
        (1, _) => "bn",
        (_, "conv") => "conv_expand",
        _ => "bn_expand",
    }
}

/// A layer of the attention module in a block: the official SENet's names, or those of CBAM's code.
fn gate(parts: &[&str], network: &NetworkConfig) -> String {
    let config = network.last_stage().block.attention();
    let squeezes = config.is_some_and(|gate: &MixedAttentionConfig| gate.spatial.is_none());
    match parts {
        ["channel", layer] if squeezes => (*layer).to_owned(),
        ["channel", "fc1"] => "cbam.ChannelGate.mlp.1".to_owned(),
        ["channel", _] => "cbam.ChannelGate.mlp.3".to_owned(),
        ["spatial", part] => format!("cbam.SpatialGate.spatial.{}", part.replace("norm", "bn")),
        _ => parts.join("."),
    }
}

/// Place in torchvision's `features` of a convolution: every stage ends with a pooling.
fn vgg_index(network: &NetworkConfig, stage: usize, block: usize) -> usize {
    let before: usize = network.stages[..stage]
        .iter()
        .map(|stage| VGG_LAYERS * stage.blocks + 1)
        .sum();
    before + VGG_LAYERS * block
}

fn vgg_layer(list: &str, index: usize, part: &str, leaf: &str) -> String {
    leaf_of(
        &format!("{list}.{}", if part == "conv" { index } else { index + 1 }),
        leaf,
    )
}

/// `conv` and `norm` as the first of their kind.
fn one(part: &str) -> String {
    numbered(part, 1)
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

fn number(index: &str) -> usize {
    index.parse().unwrap_or(0)
}

fn successor(index: &str) -> usize {
    number(index) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Architecture;

    #[track_caller]
    fn check(architecture: &str, ours: &str, theirs: &str) {
        let network = Architecture::parse(architecture).unwrap().network;
        assert_eq!(name_of(ours, &network), theirs);
    }

    #[test]
    fn names_of_resnets() {
        let cifar = |ours, theirs| check("resnet20", ours, theirs);
        cifar("network.stem.conv.weight", "conv1.weight");
        cifar("network.stem.norm.running_var", "bn1.running_var");
        cifar(
            "network.stages.2.blocks.0.convs.1.norm.gamma",
            "layer3.0.bn2.weight",
        );
        cifar(
            "network.stages.1.blocks.17.shortcut.conv.weight",
            "layer2.17.downsample.0.weight",
        );
        cifar(
            "network.stages.1.blocks.0.shortcut.norm.beta",
            "layer2.0.downsample.1.bias",
        );
        cifar("network.head.bias", "fc.bias");
        cifar(
            "branch.stage.blocks.1.convs.2.conv.weight",
            "att_layer3.1.conv3.weight",
        );
        cifar("branch.norm.running_mean", "bn_att.running_mean");
        cifar("branch.map.norm.gamma", "bn_att3.weight");
        cifar(
            "branch.mixed.channel.fc1.weight",
            "mixed.channel.fc1.weight",
        );
        check(
            "resnet18",
            "branch.stage.blocks.1.convs.1.conv.weight",
            "att_layer4.1.conv2.weight",
        );
    }

    #[test]
    fn names_of_blocks_with_attention() {
        let gate = "network.stages.0.blocks.2.gate.";
        check(
            "se-resnet50",
            &format!("{gate}channel.fc2.bias"),
            "layer1.2.fc2.bias",
        );
        check(
            "cbam-resnet50",
            &format!("{gate}channel.fc2.bias"),
            "layer1.2.cbam.ChannelGate.mlp.3.bias",
        );
        let spatial = "layer1.2.cbam.SpatialGate.spatial.";
        check(
            "cbam-resnet50",
            &format!("{gate}spatial.conv.weight"),
            &format!("{spatial}conv.weight"),
        );
        check(
            "cbam-resnet50",
            &format!("{gate}spatial.norm.gamma"),
            &format!("{spatial}bn.weight"),
        );
    }

    #[test]
    fn names_of_the_other_families() {
        let block = "network.stages.1.blocks.0.";
        check(
            "wrn-16-2",
            &format!("{block}norm1.gamma"),
            "block2.layer.0.bn1.weight",
        );
        check(
            "wrn-16-2",
            &format!("{block}shortcut.weight"),
            "block2.layer.0.convShortcut.weight",
        );
        check("wrn-16-2", "network.norm.beta", "bn1.bias");
        check(
            "wrn-16-2",
            "branch.stage.blocks.1.conv2.weight",
            "att_block3.layer.1.conv2.weight",
        );
        check(
            "densenet-bc-22-12",
            &format!("{block}conv1.weight"),
            "dense2.0.conv1.weight",
        );
        check(
            "densenet-bc-22-12",
            "network.stages.0.transition.norm.gamma",
            "trans1.bn1.weight",
        );
        check("densenet-bc-22-12", "network.norm.gamma", "bn.weight");
        check(
            "densenet-bc-22-12",
            "branch.stage.blocks.2.norm2.gamma",
            "att_dense3.2.bn2.weight",
        );
        let bottleneck = "stage_2.stage_2_bottleneck_0.";
        check(
            "resnext29-2x64d",
            &format!("{block}convs.1.norm.gamma"),
            &format!("{bottleneck}bn.weight"),
        );
        check(
            "resnext29-2x64d",
            &format!("{block}shortcut.conv.weight"),
            &format!("{bottleneck}shortcut.shortcut_conv.weight"),
        );
        check(
            "resnext29-2x64d",
            "network.head.weight",
            "classifier.weight",
        );
        check("resnext29-2x64d", "network.stem.norm.gamma", "bn_1.weight");
        check(
            "resnext50-32x4d",
            &format!("{block}convs.1.norm.gamma"),
            "layer2.0.bn2.weight",
        );
    }

    #[test]
    fn names_of_vgg() {
        // conv, bn, relu, conv, bn, relu, pool, conv ...
        check(
            "vgg16-bn",
            "network.stages.0.blocks.1.norm.gamma",
            "features.4.weight",
        );
        check(
            "vgg16-bn",
            "network.stages.1.blocks.0.conv.bias",
            "features.7.bias",
        );
        check(
            "vgg16-bn",
            "network.stages.4.blocks.2.conv.weight",
            "features.40.weight",
        );
        check(
            "vgg16-bn",
            "network.head.layers.2.weight",
            "classifier.6.weight",
        );
        check(
            "vgg16-bn",
            "branch.stage.blocks.1.norm.gamma",
            "att_features.4.weight",
        );
        check(
            "vgg16-bn-conv4",
            "network.stages.4.blocks.2.conv.weight",
            "features.40.weight",
        );
    }

    #[test]
    fn zoo_names_become_official() {
        assert_eq!(official("linear.weight", Family::ResNet), "fc.weight");
        assert_eq!(
            official("layer2.0.shortcut.1.bias", Family::ResNet),
            "layer2.0.downsample.1.bias"
        );
        assert_eq!(
            official("module.model.conv1.weight", Family::ResNet),
            "conv1.weight"
        );
        assert_eq!(
            official("features.module.0.bias", Family::Vgg),
            "features.0.bias"
        );
        let resnext = "stage_1.stage_1_bottleneck_0.shortcut.shortcut_bn.bias";
        assert_eq!(official(resnext, Family::ResNext), resnext);
    }
}
