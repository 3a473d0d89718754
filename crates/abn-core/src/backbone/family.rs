//! The families as data: from a family's numbers to its network.

use super::dense::DenseConfig;
use super::preactivation::PreActivationConfig;
use super::residual::{Path, ResidualConfig, Shortcut};
use super::{BlockConfig, Family, HeadConfig, NetworkConfig, StageConfig, StemConfig};

/// Width of the stem of the CIFAR networks without groups.
const CIFAR_STEM: usize = 16;
/// Width of the stem of ImageNet's ResNets and CIFAR's ResNeXt.
const WIDE_STEM: usize = 64;
/// Channels that a bottleneck gives for every channel of its 3x3 convolution, without groups.
const EXPANSION: usize = 4;
/// Groups' width at which a ResNeXt bottleneck is as wide as a plain one.
const RESNEXT_BASE: usize = 64;
/// VGG's classifier (Simonyan & Zisserman 2015).
const VGG_HEAD: HeadConfig = HeadConfig::FullyConnected {
    grid: 7,
    hidden: 4096,
    dropout: 0.5,
};

/// Stages in sequence, each `(block, blocks, stride)`; every stage takes what the one before it
/// gives.
fn chain(
    inputs: usize,
    stages: impl IntoIterator<Item = (BlockConfig, usize, usize)>,
) -> Vec<StageConfig> {
    let mut inputs = inputs;
    let stage = |(block, blocks, stride)| {
        let stage = StageConfig {
            block,
            blocks,
            inputs,
            stride,
        };
        inputs = stage.outputs();
        stage
    };
    stages.into_iter().map(stage).collect()
}

/// The first stage keeps the resolution, the others halve it.
fn stride_of(stage: usize) -> usize {
    if stage == 0 { 1 } else { 2 }
}

/// How the blocks of a CIFAR ResNet are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CifarBlock {
    /// Two 3x3 convolutions.
    Basic(Shortcut),
    /// 1x1, 3x3, 1x1.
    Bottleneck,
}

/// Three stages of `blocks` blocks of widths 16, 32 and 64.
pub(crate) fn cifar_resnet(block: CifarBlock, blocks: usize) -> NetworkConfig {
    let stage = |(index, width): (usize, usize)| {
        let block = match block {
            CifarBlock::Basic(shortcut) => ResidualConfig {
                shortcut,
                ..ResidualConfig::plain(Path::Basic { width })
            },
            CifarBlock::Bottleneck => bottleneck(width, 1, EXPANSION * width),
        };
        (BlockConfig::Residual(block), blocks, stride_of(index))
    };
    NetworkConfig {
        family: Family::ResNet,
        stem: StemConfig::Small { width: CIFAR_STEM },
        stages: chain(CIFAR_STEM, [16, 32, 64].into_iter().enumerate().map(stage)),
        final_norm: false,
        head: HeadConfig::Pooled,
    }
}

/// Three stages of `blocks` pre-activation blocks, `widening` times as wide as a ResNet's.
pub(crate) fn wide_resnet(blocks: usize, widening: usize) -> NetworkConfig {
    let stage = |(index, width): (usize, usize)| {
        let block = PreActivationConfig {
            width: widening * width,
            dropout: 0.0,
            gate: None,
        };
        (BlockConfig::PreActivation(block), blocks, stride_of(index))
    };
    NetworkConfig {
        family: Family::WideResNet,
        stem: StemConfig::Bare { width: CIFAR_STEM },
        stages: chain(CIFAR_STEM, [16, 32, 64].into_iter().enumerate().map(stage)),
        final_norm: true,
        head: HeadConfig::Pooled,
    }
}

/// Three dense stages of `layers` layers; transitions after the first two.
pub(crate) fn densenet(layers: usize, growth: usize) -> NetworkConfig {
    let stem = 2 * growth;
    let stage = |stride| {
        (
            BlockConfig::Dense(DenseConfig {
                growth,
                dropout: 0.0,
            }),
            layers,
            stride,
        )
    };
    NetworkConfig {
        family: Family::DenseNet,
        stem: StemConfig::Bare { width: stem },
        stages: chain(stem, [2, 2, 1].map(stage)),
        final_norm: true,
        head: HeadConfig::Pooled,
    }
}

/// Three stages of `blocks` bottlenecks with `groups` groups of `width`, `2 width` and `4 width`
/// channels.
pub(crate) fn cifar_resnext(blocks: usize, groups: usize, width: usize) -> NetworkConfig {
    let stage = |index: usize| {
        let block = bottleneck(
            (groups * width) << index,
            groups,
            (EXPANSION * RESNEXT_BASE) << index,
        );
        (BlockConfig::Residual(block), blocks, stride_of(index))
    };
    NetworkConfig {
        family: Family::ResNext,
        stem: StemConfig::Small { width: WIDE_STEM },
        stages: chain(WIDE_STEM, (0..3).map(stage)),
        final_norm: false,
        head: HeadConfig::Pooled,
    }
}

/// The blocks of ImageNet's ResNet of that depth, and whether they are bottlenecks; `None` at other
/// depths.
pub(crate) fn imagenet_blocks(depth: usize) -> Option<([usize; 4], bool)> {
    match depth {
        18 => Some(([2, 2, 2, 2], false)),
        34 => Some(([3, 4, 6, 3], false)),
        50 => Some(([3, 4, 6, 3], true)),
        101 => Some(([3, 4, 23, 3], true)),
        152 => Some(([3, 8, 36, 3], true)),
        _ => None,
    }
}

/// Four stages of widths 64 to 512 after the large stem. Bottlenecks have `groups` groups of
/// `group_width` channels in their first stage: 1 group of 64 is a ResNet, 32 groups of 4 are
/// ResNeXt 32x4d.
pub(crate) fn imagenet_resnet(
    blocks: [usize; 4],
    bottlenecks: bool,
    groups: usize,
    group_width: usize,
) -> NetworkConfig {
    let stage = |(index, blocks): (usize, usize)| {
        let width = WIDE_STEM << index;
        let block = if bottlenecks {
            bottleneck((groups * group_width) << index, groups, EXPANSION * width)
        } else {
            ResidualConfig::plain(Path::Basic { width })
        };
        (BlockConfig::Residual(block), blocks, stride_of(index))
    };
    NetworkConfig {
        family: Family::ResNet,
        stem: StemConfig::Large { width: WIDE_STEM },
        stages: chain(WIDE_STEM, blocks.into_iter().enumerate().map(stage)),
        final_norm: false,
        head: HeadConfig::Pooled,
    }
}

fn bottleneck(width: usize, groups: usize, outputs: usize) -> ResidualConfig {
    ResidualConfig::plain(Path::Bottleneck {
        width,
        groups,
        outputs,
    })
}

/// Convolutions in the five stages of VGG of that depth; `None` at other depths.
pub(crate) fn vgg_convs(depth: usize) -> Option<[usize; 5]> {
    match depth {
        11 => Some([1, 1, 2, 2, 2]),
        13 => Some([2, 2, 2, 2, 2]),
        16 => Some([2, 2, 3, 3, 3]),
        19 => Some([2, 2, 4, 4, 4]),
        _ => None,
    }
}

/// Where VGG is cut for the attention branch. No public text of the authors says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VggSplit {
    /// After conv4: the map is as fine as conv4's features, and conv5 belongs to the perception
    /// branch.
    Conv4,
    /// After conv5: the perception branch is the last pooling and the linear layers. Our choice.
    Conv5,
}

/// VGG with batch norm: 3x3 convolutions between max poolings, three linear layers.
pub(crate) fn vgg(convs: [usize; 5], split: VggSplit) -> NetworkConfig {
    let widths = [64, 128, 256, 512, 512];
    let stage = |(index, (width, blocks)): (usize, (usize, usize))| {
        (BlockConfig::Plain { width }, blocks, stride_of(index))
    };
    // Cut after conv5, the perception branch has no convolution of its own.
    let empty = (split == VggSplit::Conv5).then_some((BlockConfig::Plain { width: 512 }, 0, 1));
    let stages = widths
        .into_iter()
        .zip(convs)
        .enumerate()
        .map(stage)
        .chain(empty);
    NetworkConfig {
        family: Family::Vgg,
        stem: StemConfig::Image,
        stages: chain(super::INPUT_CHANNELS, stages),
        final_norm: false,
        head: VGG_HEAD,
    }
}
