//! ABN, Table 1: what the map does to the features.

use abn_core::AttentionConfig;
use abn_core::mechanism::Mechanism;
use abn_run::datasets::CIFAR100;
use anyhow::Result;

use super::branch::{with, with_abn};
use crate::campaign::{Campaign, Group, Name, Row, Setting};
use crate::published::{ABN_1, MECHANISM, Published};

/// Beside the paper's three columns a fourth: the branch is trained but its map not used, which
/// tells the work of the second loss from that of the map.
pub(crate) fn campaign(setting: &Setting) -> Result<Campaign> {
    let dataset = setting.dataset(&CIFAR100);
    let networks: &[&str] = match dataset.photographs {
        true => &[setting.scale.network(dataset)],
        false => setting.scale.pick(
            &["resnet8"][..],
            &["resnet20"],
            &["resnet20", "resnet32", "resnet44", "resnet56", "resnet110"],
        ),
    };
    let group = |network: &&str| {
        let plain = setting.recipe(dataset, network)?;
        let abn = with_abn(&plain)?;
        let branch = abn.attention.clone().unwrap_or_else(AttentionConfig::abn);
        let acting = |mechanism| {
            with(
                &plain,
                AttentionConfig {
                    mechanism,
                    ..branch.clone()
                },
            )
        };
        let row = |name: &str, recipe| Row::new(name, recipe, setting.seeds);
        Ok(Group::new(
            plain.architecture.clone(),
            vec![
                row("F, no branch", &plain).published(published(network, 0)),
                row(
                    "F, branch trained but not used",
                    &acting(Mechanism::Identity),
                ),
                row("M.F", &acting(Mechanism::Multiply)).published(published(network, 1)),
                row("(1+M).F", &acting(Mechanism::Residual)).published(published(network, 2)),
            ],
        ))
    };
    Ok(Campaign {
        name: Name::Mechanism,
        title: "What the map does to the features",
        question: "Does re-weighting the features by the attention map help, and is it better to \
            multiply (M.F) or to strengthen only ((1+M).F)? The second row trains the branch \
            beside the network without using its map, from which the map learns nothing: what the \
            row gains comes from the second loss alone.",
        source: "ABN, Table 1: CIFAR-100, 300 epochs; no spread is printed. The plain g(x) of its \
            last row is the baseline of its Table 2, so it is the network without the branch.",
        groups: networks.iter().map(group).collect::<Result<_>>()?,
    })
}

/// The figure of that network, or else of ResNet-20.
fn published(network: &str, column: usize) -> Option<Published> {
    let known = MECHANISM.iter().find(|(name, _)| *name == network);
    let of = if known.is_some() {
        "CIFAR-100"
    } else {
        "ResNet-20, CIFAR-100"
    };
    let (_, figures) = known.unwrap_or(&MECHANISM[0]);
    Some(Published {
        error: figures[column],
        of,
        source: ABN_1,
        remark: "",
    })
}
