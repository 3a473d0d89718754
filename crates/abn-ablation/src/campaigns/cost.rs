//! What attention costs, and whether as many parameters elsewhere would do the same.

use abn_core::architecture::BlockName;
use abn_core::{Architecture, AttentionConfig, ClassifierConfig, Outputs};
use abn_run::datasets::{CIFAR100, DataSet};
use abn_run::recipe::architectures;
use abn_train::device;
use anyhow::{Context, Result};
use burn::tensor::Device;

use super::branch::{with_abn, with_manet};
use crate::campaign::{Campaign, Group, Name, Row, Setting};

/// Most residual blocks a stage among which a deeper network is looked for.
const MOST_BLOCKS: usize = 40;

/// The kinds of attention beside the deeper network without any whose parameters are nearest to
/// ABN's.
pub(crate) fn campaign(setting: &Setting) -> Result<Campaign> {
    let dataset = setting.dataset(&CIFAR100);
    let network = match dataset.photographs {
        true => setting.scale.network(dataset),
        false => setting.scale.pick("resnet8", "resnet20", "resnet110"),
    };
    let plain = setting.recipe(dataset, network)?;
    let deeper = setting.recipe(dataset, &matched(network, dataset)?)?;
    let blocks = |block: BlockName| setting.recipe(dataset, &block.rename(network));
    let row = |name: &str, recipe| Row::new(name, recipe, setting.seeds);
    let rows = vec![
        row("original", &plain),
        row(&format!("deeper: {}", deeper.architecture), &deeper),
        row("SENet", &blocks(BlockName::Se)?),
        row("CBAM", &blocks(BlockName::Cbam)?),
        row("ABN", &with_abn(&plain)?),
        row("MANet", &with_manet(&plain)),
    ];
    Ok(Campaign {
        name: Name::Cost,
        title: "What attention costs",
        question: "Does attention help, or do its parameters? The deeper network has no attention \
            and, of its family, the number of parameters nearest to ABN's.",
        source: "",
        groups: vec![Group::new(plain.architecture, rows)],
    })
}

/// The ResNet without attention whose parameters are nearest to those of that one with ABN.
fn matched(network: &str, dataset: &'static DataSet) -> Result<String> {
    let device = device::for_bookkeeping()?;
    let abn = architectures::parse(network)?;
    let aim = parameters(&abn, Some(abn.abn()), &device) as i64;
    let names: Vec<String> = match dataset.photographs {
        true => [18, 34, 50, 101, 152]
            .iter()
            .map(|depth| format!("resnet{depth}"))
            .collect(),
        false => (1..=MOST_BLOCKS)
            .map(|blocks| resnet(6 * blocks + 2))
            .collect(),
    };
    let candidates: Vec<Architecture> = names
        .iter()
        .map(|name| architectures::parse(name))
        .collect::<Result<_, _>>()?;
    // Bottlenecks are compared with bottlenecks.
    let kind = |architecture: &Architecture| architecture.network.last_stage().outputs();
    let same = candidates
        .iter()
        .filter(|candidate| kind(candidate) == kind(&abn) && candidate.name != network);
    let nearest =
        same.min_by_key(|candidate| (parameters(candidate, None, &device) as i64 - aim).abs());
    Ok(nearest.context("there is no deeper network")?.name.clone())
}

/// The CIFAR ResNet of that depth; two depths are names of ImageNet's.
fn resnet(depth: usize) -> String {
    let suffix = if matches!(depth, 50 | 152) {
        "-cifar"
    } else {
        ""
    };
    format!("resnet{depth}{suffix}")
}

fn parameters(
    architecture: &Architecture,
    attention: Option<AttentionConfig>,
    device: &Device,
) -> usize {
    const CLASSES: usize = 10;
    let config = ClassifierConfig {
        network: architecture.network.clone(),
        attention,
        outputs: Outputs::one(CLASSES),
    };
    config.cost([architecture.input; 2], device).parameters
}

#[cfg(test)]
mod tests {
    use abn_run::datasets::{CIFAR10, IMAGENET};

    use super::*;

    /// ABN-ResNet-20 has 479,150 parameters, ResNet-32 466,906; ABN-ResNet-50 about as many as
    /// ResNet-101.
    #[test]
    fn the_nearest_network_is_the_next_deeper_one() {
        assert_eq!(matched("resnet20", &CIFAR10).unwrap(), "resnet32");
        assert_eq!(matched("resnet18", &IMAGENET).unwrap(), "resnet34");
        assert_eq!(matched("resnet50", &IMAGENET).unwrap(), "resnet101");
    }
}
