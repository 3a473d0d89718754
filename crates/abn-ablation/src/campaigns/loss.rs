//! How much the attention branch's own loss counts: 1 in ABN's text and code, left open by MANet,
//! whose section 3.3 names only the perception loss.

use abn_core::AttentionConfig;
use abn_run::datasets::CIFAR100;
use abn_run::recipe::Recipe;
use anyhow::Result;

use super::branch::{with, with_abn, with_manet};
use crate::campaign::{Campaign, Group, Name, Row, Setting};

/// The weights, the papers' first.
const WEIGHTS: [f64; 3] = [1.0, 0.5, 0.0];

/// ABN and MANet, each with every weight.
pub(crate) fn campaign(setting: &Setting) -> Result<Campaign> {
    let dataset = setting.dataset(&CIFAR100);
    let plain = setting.recipe(dataset, setting.scale.network(dataset))?;
    let group = |name: &str, recipe: &Recipe| {
        let weighted = |&loss_weight: &f64| {
            let attention = recipe
                .attention
                .clone()
                .unwrap_or_else(AttentionConfig::abn);
            let recipe = with(
                recipe,
                AttentionConfig {
                    loss_weight,
                    ..attention
                },
            );
            Row::new(format!("weight {loss_weight}"), &recipe, setting.seeds)
        };
        Group::new(
            format!("{name}: {}", plain.architecture),
            WEIGHTS.iter().map(weighted).collect(),
        )
    };
    Ok(Campaign {
        name: Name::Loss,
        title: "Weight of the attention loss",
        question: "Does the branch need a loss of its own? With weight 0 its map is learned \
            through the perception branch alone, which is what MANet's section 3.3 says literally.",
        source: "",
        groups: vec![
            group("ABN", &with_abn(&plain)?),
            group("MANet", &with_manet(&plain)),
        ],
    })
}
