//! ABN, Table 2: the branch on other networks.

use abn_run::datasets::{CIFAR100, DataSet};
use anyhow::Result;

use super::branch::with_abn;
use crate::campaign::{Campaign, Group, Name, Row, Setting};
use crate::published::{ABN_2, BACKBONES, Published};
use crate::size::CampaignSize;

/// Family, as the table names it, and network.
type Network = (&'static str, &'static str);

/// The published networks.
const CIFAR: [Network; 4] = [
    ("ResNet", "resnet110"),
    ("WideResNet", "wrn-28-10"),
    ("DenseNet", "densenet-bc-100-12"),
    ("ResNeXt", "resnext29-8x64d"),
];
/// The published networks.
const PHOTOGRAPHS: [Network; 3] = [
    ("ResNet", "resnet152"),
    ("SENet", "se-resnet152"),
    ("VGG", "vgg16-bn"),
];

fn networks(scale: CampaignSize, dataset: &'static DataSet) -> Vec<Network> {
    let families = if dataset.photographs {
        &PHOTOGRAPHS[..]
    } else {
        &CIFAR[..]
    };
    let smaller: &[&'static str] = match (scale, dataset.photographs) {
        (CampaignSize::Paper, _) => return families.to_vec(),
        (_, true) => &["resnet18", "se-resnet18", "vgg16-bn"],
        // There is no small ResNeXt: its last stage has 1024 channels, however narrow the groups.
        (CampaignSize::Quick, false) => &["resnet8", "wrn-10-1", "densenet-bc-10-12"],
        (CampaignSize::Short, false) => &[
            "resnet20",
            "wrn-16-2",
            "densenet-bc-22-12",
            "resnext11-4x16d",
        ],
    };
    families
        .iter()
        .zip(smaller)
        .map(|(&(family, _), &network)| (family, network))
        .collect()
}

/// Every family with and without ABN.
pub(crate) fn campaign(setting: &Setting) -> Result<Campaign> {
    let dataset = setting.dataset(&CIFAR100);
    let group = |(family, network): Network| {
        let plain = setting.recipe(dataset, network)?;
        let abn = with_abn(&plain)?;
        let row = |name: &str, recipe| Row::new(name, recipe, setting.seeds);
        let [without, with] = published(family, dataset);
        Ok(Group::new(
            format!("{family}: {}", plain.architecture),
            vec![
                row("alone", &plain).published(without),
                row("ABN", &abn).published(with),
            ],
        ))
    };
    Ok(Campaign {
        name: Name::Backbones,
        title: "ABN on other networks",
        question: "Does the branch help whatever network it stands in?",
        source: "ABN, Table 2: the table names families alone, the networks are those of the \
            authors' code; no spread is printed. Where the figure of the network alone is not \
            marked as theirs, it is from the network's own paper and not from the same code.",
        groups: networks(setting.scale, dataset)
            .into_iter()
            .map(group)
            .collect::<Result<_>>()?,
    })
}

/// The figures for the data set of that name, or else for CIFAR-100 or ImageNet.
fn published(family: &str, dataset: &'static DataSet) -> [Option<Published>; 2] {
    let of = |name: &str| {
        BACKBONES
            .iter()
            .find(|row| row.family == family && row.dataset == name)
    };
    let usual = if dataset.photographs {
        "imagenet"
    } else {
        "cifar100"
    };
    let Some(row) = of(dataset.name).or_else(|| of(usual)) else {
        return [None, None];
    };
    let published = |error, remark| {
        Some(Published {
            error,
            of: row.of,
            source: ABN_2,
            remark,
        })
    };
    let origin = if row.measured {
        "measured by ABN's authors"
    } else {
        "from the network's own paper"
    };
    [published(row.plain, origin), published(row.abn, "")]
}
