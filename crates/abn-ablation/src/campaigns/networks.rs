//! MANet, Table 4: the network alone, with squeeze-and-excitation, as ABN, as MANet.

use abn_core::architecture::BlockName;
use abn_run::datasets::IMAGENET;
use abn_run::recipe::Recipe;
use anyhow::Result;

use super::branch::{with_abn, with_manet};
use crate::campaign::{Campaign, Group, Name, Row, Setting};
use crate::published::{MANET_4, NETWORKS, Published, remark_on_network};

/// The four columns of the table, for every depth of the scale.
pub(crate) fn campaign(setting: &Setting) -> Result<Campaign> {
    let dataset = setting.dataset(&IMAGENET);
    let small = [setting.scale.network(dataset)];
    let depths: &[&str] = match dataset.photographs {
        true => setting.scale.pick(
            &small[..],
            &small[..],
            &["resnet50", "resnet101", "resnet152"],
        ),
        false => &small,
    };
    let group = |network: &&str| {
        let plain = setting.recipe(dataset, network)?;
        let senet = setting.recipe(dataset, &BlockName::Se.rename(network))?;
        let columns: [(&str, Recipe); 4] = [
            ("original", plain.clone()),
            ("SENet", senet),
            ("ABN", with_abn(&plain)?),
            ("MANet", with_manet(&plain)),
        ];
        let rows = columns.iter().enumerate();
        let rows = rows.map(|(column, (name, recipe))| {
            Row::new(*name, recipe, setting.seeds).published(Some(published(network, column)))
        });
        Ok(Group::new(plain.architecture.clone(), rows.collect()))
    };
    Ok(Campaign {
        name: Name::Networks,
        title: "Original, SENet, ABN, MANet",
        question: "Which kind of attention helps the same network most?",
        source: "MANet, Table 4: ImageNet, 90 epochs; no spread is printed. On ResNet-152 MANet is \
                 behind SENet and ABN.",
        groups: depths.iter().map(group).collect::<Result<_>>()?,
    })
}

/// The figure of that network, or else of ResNet-50.
fn published(network: &str, column: usize) -> Published {
    let (name, figures) = NETWORKS
        .iter()
        .find(|(name, _)| *name == network)
        .unwrap_or(&NETWORKS[0]);
    let of = if *name == network {
        "ImageNet"
    } else {
        "ResNet-50, ImageNet"
    };
    Published {
        error: figures[column],
        of,
        source: MANET_4,
        remark: remark_on_network(name, column),
    }
}
