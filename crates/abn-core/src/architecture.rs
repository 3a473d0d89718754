//! The networks of the papers by name: a family and its numbers.

use std::fmt;

use crate::attention::{AttentionConfig, MapConfig};
use crate::backbone::family::{
    CifarBlock, VggSplit, cifar_resnet, cifar_resnext, densenet, imagenet_blocks, imagenet_resnet,
    vgg, vgg_convs, wide_resnet,
};
use crate::backbone::residual::Shortcut;
use crate::backbone::{Family, NetworkConfig};
use crate::mechanism::Mechanism;
use crate::mixed::MixedAttentionConfig;

/// Side of CIFAR's images.
const CIFAR_SIDE: usize = 32;
/// Side of ImageNet's crops.
const IMAGENET_SIDE: usize = 224;
/// Depth from which the reference's CIFAR ResNets are made of bottlenecks.
const FIRST_BOTTLENECK: usize = 44;

/// What distinguishes networks of the same numbers.
const SUFFIXES: [&str; 3] = ["-basic-a", "-basic", "-cifar"];

/// A named network.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// The name, normalised.
    pub name: String,
    /// The network.
    pub network: NetworkConfig,
    /// Side of the square images it was published for.
    pub input: usize,
}

/// Why a name is not an architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchitectureError {
    /// No family of that name.
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// A family that exists, with a depth that it cannot have.
    Depth {
        /// What was asked for.
        name: String,
        /// The rule of the family.
        rule: &'static str,
        /// The closest name that exists.
        nearest: String,
    },
    /// A stage of more channels than any network has.
    TooWide {
        /// What was asked for.
        name: String,
    },
    /// Attention in blocks that have no place for it.
    Block {
        /// What was asked for.
        name: String,
        /// The same without it.
        plain: String,
    },
}

impl fmt::Display for ArchitectureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "unknown architecture `{name}`"),
            Self::Depth {
                name,
                rule,
                nearest,
            } => {
                write!(
                    f,
                    "`{name}` does not exist: this family is {rule}; the nearest is `{nearest}`"
                )
            }
            Self::TooWide { name } => {
                write!(
                    f,
                    "`{name}` is not made: a stage would have more than {MOST_CHANNELS} channels"
                )
            }
            Self::Block { name, plain } => write!(
                f,
                "`{name}` does not exist: only residual blocks have a place for an attention \
                 module; there is `{plain}`"
            ),
        }
    }
}

impl std::error::Error for ArchitectureError {}

/// What every residual block has besides its convolutions: the prefix of an architecture's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum BlockName {
    /// Nothing
    Plain,
    /// Squeeze-and-excitation (Hu et al. 2018)
    Se,
    /// Channel and spatial attention (Woo et al. 2018)
    Cbam,
}

impl BlockName {
    const ALL: [Self; 3] = [Self::Plain, Self::Se, Self::Cbam];

    fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Se => "se-",
            Self::Cbam => "cbam-",
        }
    }

    /// The attention module in every block.
    pub fn attention(self) -> Option<MixedAttentionConfig> {
        match self {
            Self::Plain => None,
            Self::Se => Some(MixedAttentionConfig::squeeze_excite()),
            Self::Cbam => Some(MixedAttentionConfig::cbam()),
        }
    }

    /// The block of that architecture's name, and the name without it.
    pub fn split(name: &str) -> (Self, &str) {
        let prefixed = |block: &Self| Some((*block, name.strip_prefix(block.prefix())?));
        Self::ALL
            .iter()
            .rev()
            .find_map(prefixed)
            .unwrap_or((Self::Plain, name))
    }

    /// The name of the architecture with this block instead of its own.
    pub fn rename(self, name: &str) -> String {
        format!("{}{}", self.prefix(), Self::split(name).1)
    }
}

/// The attention branch, by the paper it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum AttentionName {
    /// The backbone alone: the baseline
    None,
    /// Attention branch network (Fukui et al. 2019)
    Abn,
    /// Mixed attention network (Bai & Kawahara 2024)
    Manet,
    /// ABN for several labels of two classes, M.F as in its authors' code (Fukui et al. 2019)
    Mtabn,
    /// The same with (1 + M).F
    MtabnResidual,
}

impl AttentionName {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Abn,
        Self::Manet,
        Self::Mtabn,
        Self::MtabnResidual,
    ];

    /// The name as typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Abn => "abn",
            Self::Manet => "manet",
            Self::Mtabn => "mtabn",
            Self::MtabnResidual => "mtabn-residual",
        }
    }

    /// The name of that branch, also of one whose details differ from its paper's.
    pub fn of(attention: Option<&AttentionConfig>) -> Self {
        match attention {
            None => Self::None,
            Some(config) if config.mixed.is_some() => Self::Manet,
            Some(config) if matches!(config.map, MapConfig::Logit(_)) => match config.mechanism {
                Mechanism::Residual => Self::MtabnResidual,
                Mechanism::Identity | Mechanism::Multiply => Self::Mtabn,
            },
            Some(_) => Self::Abn,
        }
    }
}

impl Architecture {
    /// The architecture of that name, for any numbers its family allows.
    ///
    /// - `resnet18`, `34`, `50`, `101`, `152`: ImageNet's.
    /// - `resnetD` of any other depth 6n + 2: the reference's CIFAR ResNet. From depth 44 on it is
    ///   made of bottlenecks and so deeper than its name (`resnet110` has 164 layers).
    ///   `resnet50-cifar` and `resnet152-cifar` are those of depths that ImageNet's have too.
    /// - `resnetD-basic`: the CIFAR ResNet of the literature, basic blocks at any depth;
    ///   `resnetD-basic-a` has shortcuts without parameters, as the model zoos of CIFAR.
    /// - `wrn-D-K`: depth 6n + 4, widening K.
    /// - `densenet-bc-D-K`: depth 6n + 4, growth K.
    /// - `resnext50-CxWd`, `101`, `152` for ImageNet and any other depth 9n + 2 for CIFAR: C groups
    ///   of width W; `resnext101-CxWd-cifar` is CIFAR's of that depth.
    /// - `vgg11-bn`, `13`, `16`, `19`; with `-conv4` cut after conv4 instead of conv5.
    /// - `se-` or `cbam-` before a name with residual blocks: that module in each of them.
    ///
    /// # Errors
    /// The name belongs to no family, or its numbers do not fit the family.
    pub fn parse(name: &str) -> Result<Self, ArchitectureError> {
        // torchvision writes `vgg16_bn` and `resnext50_32x4d`.
        let name = name.trim().to_ascii_lowercase().replace('_', "-");
        let (block, plain) = BlockName::split(&name);
        let (network, input) = network_of(plain).map_err(|misfit| misfit.error(&name, block))?;
        if network
            .stages
            .iter()
            .any(|stage| stage.outputs() > MOST_CHANNELS)
        {
            return Err(ArchitectureError::TooWide { name });
        }
        let network = network
            .with_block_attention(block.attention().as_ref())
            .map_err(|_| ArchitectureError::Block {
                name: name.clone(),
                plain: plain.to_owned(),
            })?;
        Ok(Self {
            name,
            network,
            input,
        })
    }

    /// The networks that the papers report, for listings and suggestions.
    pub fn published() -> Vec<Self> {
        [
            "resnet20",
            "resnet32",
            "resnet44",
            "resnet56",
            "resnet110",
            "resnet44-basic",
            "resnet56-basic",
            "resnet110-basic",
            "wrn-28-10",
            "densenet-bc-100-12",
            "densenet-bc-190-40",
            "resnext29-8x64d",
            "resnext29-16x64d",
            "resnet18",
            "resnet34",
            "resnet50",
            "resnet101",
            "resnet152",
            "resnext50-32x4d",
            "resnext101-32x8d",
            "se-resnet18",
            "se-resnet34",
            "se-resnet50",
            "se-resnet101",
            "se-resnet152",
            "cbam-resnet50",
            "vgg16-bn",
        ]
        .into_iter()
        .map(|name| Self::parse(name).expect("every published name parses"))
        .collect()
    }

    /// Whether it was published for photographs of ImageNet rather than small images.
    pub fn is_for_photographs(&self) -> bool {
        self.input == IMAGENET_SIDE
    }

    /// Other architectures of the same numbers, which differ in what a checkpoint shows: blocks and
    /// shortcuts.
    pub fn siblings(&self) -> Vec<Self> {
        let (_, plain) = BlockName::split(&self.name);
        let stem = SUFFIXES
            .iter()
            .find_map(|suffix| plain.strip_suffix(suffix))
            .unwrap_or(plain);
        let names = ["", "-basic-a", "-basic", "-cifar"].map(|suffix| format!("{stem}{suffix}"));
        let blocks = names
            .iter()
            .flat_map(|name| BlockName::ALL.map(|block| block.rename(name)));
        blocks
            .filter(|name| *name != self.name)
            .filter_map(|name| Self::parse(&name).ok())
            .collect()
    }

    /// Layers with weights on the longest path without the shortcuts: stem, block convolutions,
    /// head.
    pub fn depth(&self) -> usize {
        let NetworkConfig {
            stem, stages, head, ..
        } = &self.network;
        let stages: usize = stages.iter().map(|stage| stage.depth()).sum();
        usize::from(stem.conv().is_some()) + stages + head.layers(1, 1).len()
    }

    /// The attention branch of that name for this network.
    pub fn attention(&self, name: AttentionName) -> Option<AttentionConfig> {
        match name {
            AttentionName::None => None,
            AttentionName::Abn => Some(self.abn()),
            AttentionName::Manet => Some(AttentionConfig::manet()),
            AttentionName::Mtabn => Some(AttentionConfig::multitask()),
            AttentionName::MtabnResidual => Some(AttentionConfig {
                mechanism: Mechanism::Residual,
                ..AttentionConfig::multitask()
            }),
        }
    }

    /// The attention branch as the authors' code has it for this network. ResNeXt's does not use
    /// the batch norm after its stage, and SENet's map is a sum of logarithms.
    pub fn abn(&self) -> AttentionConfig {
        let abn = AttentionConfig::abn();
        let (block, _) = BlockName::split(&self.name);
        match self.network.family {
            Family::ResNext => AttentionConfig { norm: false, ..abn },
            Family::ResNet if block == BlockName::Se => AttentionConfig {
                map: MapConfig::LogSum,
                ..abn
            },
            _ => abn,
        }
    }
}

/// A name that is no network, or not one of its family.
enum Misfit {
    Unknown,
    Depth { rule: &'static str, nearest: String },
}

impl Misfit {
    fn error(self, name: &str, block: BlockName) -> ArchitectureError {
        let name = name.to_owned();
        match self {
            Self::Unknown => ArchitectureError::Unknown { name },
            Self::Depth { rule, nearest } => ArchitectureError::Depth {
                name,
                rule,
                nearest: block.rename(&nearest),
            },
        }
    }
}

/// The network of a name without a block's prefix, and the side of its images.
fn network_of(name: &str) -> Result<(NetworkConfig, usize), Misfit> {
    if let Some(rest) = name.strip_prefix("resnext") {
        resnext(rest)
    } else if let Some(rest) = name.strip_prefix("resnet") {
        resnet(rest)
    } else if let Some(rest) = name.strip_prefix("wrn-") {
        let (depth, widening) = pair(rest, "-", MOST_WIDENING)?;
        let blocks = per_stage(depth, 6, 4, "wrn-D-K with D = 6n + 4", |depth| {
            format!("wrn-{depth}-{widening}")
        })?;
        Ok((wide_resnet(blocks, widening), CIFAR_SIDE))
    } else if let Some(rest) = name.strip_prefix("densenet-bc-") {
        let (depth, growth) = pair(rest, "-", MOST_GROWTH)?;
        let rule = "densenet-bc-D-K with D = 6n + 4";
        let layers = per_stage(depth, 6, 4, rule, |depth| {
            format!("densenet-bc-{depth}-{growth}")
        })?;
        Ok((densenet(layers, growth), CIFAR_SIDE))
    } else if let Some(rest) = name.strip_prefix("vgg") {
        vgg_of(rest)
    } else {
        Err(Misfit::Unknown)
    }
}

/// `D`, `D-cifar`, `D-basic` or `D-basic-a`.
fn resnet(rest: &str) -> Result<(NetworkConfig, usize), Misfit> {
    let (depth, suffix) = rest.split_at(rest.find('-').unwrap_or(rest.len()));
    let depth = number(depth, MOST_DEPTH)?;
    let block = match suffix {
        "" | "-cifar" if depth >= FIRST_BOTTLENECK => CifarBlock::Bottleneck,
        "" | "-cifar" | "-basic" => CifarBlock::Basic(Shortcut::Projection),
        "-basic-a" => CifarBlock::Basic(Shortcut::Pad),
        _ => return Err(Misfit::Unknown),
    };
    if let Some((blocks, bottlenecks)) = imagenet_blocks(depth).filter(|_| suffix.is_empty()) {
        return Ok((imagenet_resnet(blocks, bottlenecks, 1, 64), IMAGENET_SIDE));
    }
    let rule = "resnetD, resnetD-basic or resnetD-basic-a with D = 6n + 2, or ImageNet's 18, 34, 50, 101, 152";
    let blocks = per_stage(depth, 6, 2, rule, |depth| format!("resnet{depth}{suffix}"))?;
    Ok((cifar_resnet(block, blocks), CIFAR_SIDE))
}

/// `D-CxWd` or `D-CxWd-cifar`.
fn resnext(rest: &str) -> Result<(NetworkConfig, usize), Misfit> {
    let (rest, small) = rest
        .strip_suffix("-cifar")
        .map_or((rest, false), |rest| (rest, true));
    let (depth, shape) = rest.split_once('-').ok_or(Misfit::Unknown)?;
    let depth = number(depth, MOST_DEPTH)?;
    let (groups, width) = pair(
        shape.strip_suffix('d').ok_or(Misfit::Unknown)?,
        "x",
        MOST_GROUPS,
    )?;
    if let Some((blocks, true)) = imagenet_blocks(depth).filter(|_| !small) {
        return Ok((imagenet_resnet(blocks, true, groups, width), IMAGENET_SIDE));
    }
    let rule = "resnextD-CxWd with D = 9n + 2, or ImageNet's 50, 101, 152";
    let suffix = if small { "-cifar" } else { "" };
    let blocks = per_stage(depth, 9, 2, rule, |depth| {
        format!("resnext{depth}-{shape}{suffix}")
    })?;
    Ok((cifar_resnext(blocks, groups, width), CIFAR_SIDE))
}

/// `D-bn` or `D-bn-conv4`.
fn vgg_of(rest: &str) -> Result<(NetworkConfig, usize), Misfit> {
    let (depth, suffix) = rest.split_once("-bn").ok_or(Misfit::Unknown)?;
    let split = match suffix {
        "" => VggSplit::Conv5,
        "-conv4" => VggSplit::Conv4,
        _ => return Err(Misfit::Unknown),
    };
    let depth = number(depth, MOST_DEPTH)?;
    let convs = vgg_convs(depth).ok_or_else(|| {
        let nearest = [11, 13, 16, 19]
            .into_iter()
            .min_by_key(|known: &usize| known.abs_diff(depth));
        let nearest = format!("vgg{}-bn{suffix}", nearest.unwrap_or(16));
        Misfit::Depth {
            rule: "vggD-bn or vggD-bn-conv4 with D = 11, 13, 16 or 19",
            nearest,
        }
    })?;
    Ok((vgg(convs, split), IMAGENET_SIDE))
}

/// Blocks of each of three stages, for depths `step` n + `rest`, n at least 1.
fn per_stage(
    depth: usize,
    step: usize,
    rest: usize,
    rule: &'static str,
    name: impl Fn(usize) -> String,
) -> Result<usize, Misfit> {
    let blocks = depth.saturating_sub(rest) / step;
    if blocks > 0 && depth == step * blocks + rest {
        return Ok(blocks);
    }
    let nearest = (depth.saturating_sub(rest) + step / 2) / step;
    Err(Misfit::Depth {
        rule,
        nearest: name(step * nearest.max(1) + rest),
    })
}

/// Deeper than any network that was ever trained, and the sizes stay far from overflow.
const MOST_DEPTH: usize = 9_999;
const MOST_CHANNELS: usize = 65_536;
const MOST_WIDENING: usize = 64;
const MOST_GROWTH: usize = 512;
const MOST_GROUPS: usize = 512;

/// A number from 1 to `most` without leading zeros or signs.
fn number(text: &str, most: usize) -> Result<usize, Misfit> {
    let plain = !text.starts_with('0') && text.bytes().all(|digit| digit.is_ascii_digit());
    let number = text
        .parse()
        .ok()
        .filter(|number| plain && (1..=most).contains(number));
    number.ok_or(Misfit::Unknown)
}

/// Two numbers, the second of at most `most`; the first of at most the greatest depth.
fn pair(text: &str, between: &str, most: usize) -> Result<(usize, usize), Misfit> {
    let (first, second) = text.split_once(between).ok_or(Misfit::Unknown)?;
    Ok((number(first, MOST_DEPTH)?, number(second, most)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_rules() {
        #[track_caller]
        fn check(name: &str, depth: usize, input: usize) {
            let parsed = Architecture::parse(name).unwrap();
            assert_eq!((parsed.depth(), parsed.input), (depth, input), "{name}");
        }
        // The reference's rule: bottlenecks from 44 on, so more layers than the name says.
        for (name, depth) in [
            ("resnet8", 8),
            ("resnet20", 20),
            ("resnet32", 32),
            ("resnet38", 38),
        ] {
            check(name, depth, 32);
        }
        for (name, depth) in [("resnet44", 65), ("resnet56", 83), ("resnet110", 164)] {
            check(name, depth, 32);
        }
        check("ResNet110-basic", 110, 32);
        check("resnext50_32x4d", 50, 224);
        check("resnet56-basic-a", 56, 32);
        check("resnet50-basic", 50, 32);
        for depth in [18, 34, 50, 101, 152] {
            check(&format!("resnet{depth}"), depth, 224);
            check(&format!("se-resnet{depth}"), depth, 224);
        }
        // The name of a WRN counts the three convolutions of its shortcuts and not the classifier.
        check("wrn-28-10", 26, 32);
        check("densenet-bc-100-12", 100, 32);
        check("resnext29-8x64d", 29, 32);
        check("resnext50-32x4d", 50, 224);
        check("resnext101-32x8d", 101, 224);
        check("vgg16-bn", 16, 224);
        check("vgg19-bn-conv4", 19, 224);
        check("cbam-wrn-16-2", 14, 32);
        // Depths that both data sets have networks of.
        check("resnet50-cifar", 74, 32);
        check("resnet20-cifar", 20, 32);
        check("resnext101-8x64d-cifar", 101, 32);
        let too_wide = Architecture::parse("densenet-bc-9994-512");
        assert!(
            matches!(too_wide, Err(ArchitectureError::TooWide { .. })),
            "{too_wide:?}"
        );
    }

    #[test]
    fn published_names_are_their_own() {
        for architecture in Architecture::published() {
            assert_eq!(Architecture::parse(&architecture.name), Ok(architecture));
        }
    }

    #[test]
    fn impossible_depths_name_the_nearest() {
        for (name, nearest) in [
            ("resnet21", "resnet20"),
            ("resnet1", "resnet8"),
            ("resnet109-basic", "resnet110-basic"),
            ("se-resnet21", "se-resnet20"),
            ("wrn-27-10", "wrn-28-10"),
            ("densenet-bc-101-12", "densenet-bc-100-12"),
            ("resnext30-8x64d", "resnext29-8x64d"),
            ("vgg15-bn", "vgg16-bn"),
        ] {
            let message = Architecture::parse(name).unwrap_err().to_string();
            assert!(
                message.ends_with(&format!("the nearest is `{nearest}`")),
                "{message}"
            );
        }
    }

    #[test]
    fn dense_and_plain_blocks_have_no_place_for_a_module() {
        for name in ["se-vgg16-bn", "cbam-densenet-bc-100-12"] {
            assert!(
                matches!(
                    Architecture::parse(name),
                    Err(ArchitectureError::Block { .. })
                ),
                "{name}"
            );
        }
    }

    #[test]
    fn siblings_share_the_numbers() {
        let names = |name: &str| -> Vec<String> {
            Architecture::parse(name)
                .unwrap()
                .siblings()
                .into_iter()
                .map(|sibling| sibling.name)
                .collect()
        };
        assert!(names("resnet20").contains(&"resnet20-basic-a".to_owned()));
        assert!(names("resnet20-basic").contains(&"se-resnet20".to_owned()));
        assert_eq!(names("se-wrn-16-2"), ["wrn-16-2", "cbam-wrn-16-2"]);
        assert!(names("resnet50").contains(&"resnet50-cifar".to_owned()));
        assert!(names("resnet50-cifar").contains(&"resnet50".to_owned()));
        assert!(names("vgg16-bn").is_empty());
    }

    #[test]
    fn a_block_is_a_prefix() {
        assert_eq!(BlockName::Se.rename("resnet50"), "se-resnet50");
        assert_eq!(BlockName::Cbam.rename("se-resnet50"), "cbam-resnet50");
        assert_eq!(BlockName::Plain.rename("cbam-wrn-28-10"), "wrn-28-10");
    }

    #[test]
    fn other_names_are_unknown() {
        for name in [
            "",
            "resnet",
            "resnet-20",
            "resnet99999",
            "vgg",
            "vgg16",
            "resnet20-bottleneck",
            "resnet+20",
            "resnet020",
            "resnet20-basic-b",
            "wrn-28",
            "wrn-28-0",
            "wrn-28-65",
            "wrn-28-10-3",
            "resnext29",
            "resnext29-8x64",
            "resnext50-0x4d",
            "resnext29-8x9999d",
            "densenet-100-12",
            "se-",
            "se-se-resnet20",
            "se-cbam-resnet20",
        ] {
            let parsed = Architecture::parse(name);
            assert!(
                matches!(parsed, Err(ArchitectureError::Unknown { .. })),
                "{name}: {parsed:?}"
            );
        }
    }
}
