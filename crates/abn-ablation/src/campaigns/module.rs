//! MANet, Tables 1 to 3: what the mixed attention module consists of. MANet's text puts it into the
//! attention branch, but the figures of these tables are those that CBAM published for the module
//! in every block; so every row is trained in both places.

use abn_core::AttentionConfig;
use abn_core::mixed::{
    Arrangement, ChannelConfig, MixedAttentionConfig, Pools, SpatialConfig, Squeeze,
};
use abn_run::datasets::IMAGENET;
use abn_run::recipe::Recipe;
use anyhow::Result;

use super::branch::with;
use crate::campaign::{Campaign, Group, Name, Row, Setting};
use crate::published::module::{self, Figure};
use crate::published::{MANET_1, MANET_2, MANET_3, Published};
use crate::size::CampaignSize;

/// What the papers' module is compared by.
const SOURCE: &str = "ResNet-50 on ImageNet, 90 epochs; no spread is printed. Where CBAM's \
    published figures are known, MANet's are the same.";

/// A variant of the module, or the network without it, and its published figure.
struct Variant {
    name: &'static str,
    module: Option<MixedAttentionConfig>,
    figure: Figure,
}

fn variant(name: &'static str, module: MixedAttentionConfig, figure: Figure) -> Variant {
    Variant {
        name,
        module: Some(module),
        figure,
    }
}

/// The network without any module.
fn none() -> Variant {
    Variant {
        name: "no module",
        module: None,
        figure: module::BASELINE,
    }
}

fn channel_only(pools: Pools) -> MixedAttentionConfig {
    let channel = Some(ChannelConfig {
        pools,
        mlp_bias: false,
    });
    MixedAttentionConfig {
        channel,
        spatial: None,
        ..Default::default()
    }
}

fn spatial_with(squeeze: Squeeze, kernel: usize) -> MixedAttentionConfig {
    MixedAttentionConfig {
        spatial: Some(SpatialConfig {
            squeeze,
            kernel,
            norm: false,
        }),
        ..Default::default()
    }
}

fn arranged(arrangement: Arrangement) -> MixedAttentionConfig {
    MixedAttentionConfig {
        arrangement,
        ..Default::default()
    }
}

/// MANet, Table 1.
pub(crate) fn channel(setting: &Setting) -> Result<Campaign> {
    let variants = [
        none(),
        variant(
            "average pooling",
            channel_only(Pools::Average),
            module::AVERAGE,
        ),
        variant(
            "maximum pooling",
            channel_only(Pools::Maximum),
            module::MAXIMUM,
        ),
        variant("both", channel_only(Pools::Both), module::BOTH),
    ];
    Ok(Campaign {
        name: Name::Channel,
        title: "Channel attention",
        question: "Which pooling tells best what a channel holds? The module has its channel part \
                   alone.",
        source: SOURCE,
        groups: both_places(setting, &variants, MANET_1)?,
    })
}

/// MANet, Table 2.
pub(crate) fn spatial(setting: &Setting) -> Result<Campaign> {
    let variants = [
        variant(
            "channel part alone",
            channel_only(Pools::Both),
            module::BOTH,
        ),
        variant(
            "mean and maximum, 3x3",
            spatial_with(Squeeze::Pool, 3),
            module::POOL_3,
        ),
        variant(
            "mean and maximum, 7x7",
            spatial_with(Squeeze::Pool, 7),
            module::POOL_7,
        ),
        variant(
            "1x1 convolution, 3x3",
            spatial_with(Squeeze::Conv, 3),
            module::CONV_3,
        ),
        variant(
            "1x1 convolution, 7x7",
            spatial_with(Squeeze::Conv, 7),
            module::CONV_7,
        ),
    ];
    Ok(Campaign {
        name: Name::Spatial,
        title: "Spatial attention",
        question: "Does a spatial part after the channel part help, how should it squeeze the \
            channels, and how far should it see?",
        source: SOURCE,
        groups: both_places(setting, &variants, MANET_2)?,
    })
}

/// MANet, Table 3.
pub(crate) fn order(setting: &Setting) -> Result<Campaign> {
    let variants = [
        none(),
        variant(
            "channel, then spatial",
            arranged(Arrangement::ChannelSpatial),
            module::POOL_7,
        ),
        variant(
            "spatial, then channel",
            arranged(Arrangement::SpatialChannel),
            module::SPATIAL_FIRST,
        ),
        variant(
            "in parallel",
            arranged(Arrangement::Parallel),
            module::PARALLEL,
        ),
    ];
    Ok(Campaign {
        name: Name::Order,
        title: "Order of the two parts",
        question: "Channel attention first, spatial attention first, or both at once?",
        source: SOURCE,
        groups: both_places(setting, &variants, MANET_3)?,
    })
}

/// Every variant at the input of the attention branch, then, but at the quick scale, in every residual
/// block of the network without a branch.
fn both_places(setting: &Setting, variants: &[Variant], table: &'static str) -> Result<Vec<Group>> {
    let dataset = setting.dataset(&IMAGENET);
    let plain = setting.recipe(dataset, setting.scale.network(dataset))?;
    let row = |variant: &Variant, recipe: &Recipe, published| {
        Row::new(variant.name, recipe, setting.seeds).published(published)
    };
    let in_branch = |variant: &Variant| {
        let mixed = variant.module.clone();
        let recipe = with(
            &plain,
            AttentionConfig {
                mixed,
                ..AttentionConfig::manet()
            },
        );
        // The published network without a module has no branch either.
        row(
            variant,
            &recipe,
            variant.module.is_some().then(|| published(variant, table)),
        )
    };
    let in_blocks = |variant: &Variant| {
        let recipe = Recipe {
            block: variant.module.clone().map(as_measured),
            ..plain.clone()
        };
        row(variant, &recipe, Some(published(variant, table)))
    };
    let title = |place: &str| format!("{}, the module {place}", plain.architecture);
    let branch = Group::new(
        title("in the branch"),
        variants.iter().map(in_branch).collect(),
    );
    let blocks = Group::new(
        title("in every block as in CBAM's code, no branch"),
        variants.iter().map(in_blocks).collect(),
    );
    // A quarter of an hour has time for one of them.
    Ok(match setting.scale {
        CampaignSize::Quick => vec![branch],
        CampaignSize::Short | CampaignSize::Paper => vec![branch, blocks],
    })
}

/// The module as the code has it that the figures were measured with: biases in the MLP, a batch
/// norm before the spatial sigmoid.
fn as_measured(module: MixedAttentionConfig) -> MixedAttentionConfig {
    let channel = module.channel.map(|channel| ChannelConfig {
        mlp_bias: true,
        ..channel
    });
    let spatial = module.spatial.map(|spatial| SpatialConfig {
        norm: true,
        ..spatial
    });
    MixedAttentionConfig {
        channel,
        spatial,
        ..module
    }
}

fn published(variant: &Variant, source: &'static str) -> Published {
    let Figure { error, remark } = variant.figure;
    Published {
        error,
        of: "ResNet-50, ImageNet",
        source,
        remark,
    }
}
