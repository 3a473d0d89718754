//! ABN, Table 4: facial attributes, each with a map of its own.

use abn_core::AttentionConfig;
use abn_core::mechanism::Mechanism;
use abn_core::outputs::Binary;
use abn_run::datasets::{ATTRIBUTES, SCENES};
use abn_run::recipe::Recipe;
use abn_run::recipe::schedule::Schedule;
use anyhow::Result;

use super::branch::with;
use crate::campaign::{Campaign, Group, Name, Row, Setting};
use crate::published::{ABN_4, ATTRIBUTES as PUBLISHED, Published};

/// Epochs and batch of the authors' code, and the side of its inputs.
const EPOCHS: usize = 10;
const BATCH: usize = 8;
const RATE: f64 = 0.01;

/// The backbone alone, ABN as its authors have it for several labels, the same with (1 + M).F, and
/// with MANet's module.
pub(crate) fn campaign(setting: &Setting) -> Result<Campaign> {
    let published = setting.scale.pick(&SCENES, &SCENES, &ATTRIBUTES);
    let dataset = setting.dataset.unwrap_or(published);
    let network = match dataset.photographs {
        true => setting.scale.pick("resnet18", "resnet18", "resnet101"),
        false => setting.scale.network(dataset),
    };
    let plain = Recipe {
        binary: Binary::Sigmoid,
        ..setting.recipe(dataset, network)?
    };
    let plain = setting
        .scale
        .pick(fewer(plain.clone()), plain.clone(), original(plain));
    let abn = AttentionConfig::multitask();
    let residual = AttentionConfig {
        mechanism: Mechanism::Residual,
        ..abn.clone()
    };
    let manet = AttentionConfig {
        mixed: AttentionConfig::manet().mixed,
        ..residual.clone()
    };
    let row = |name: &str, recipe: &Recipe| Row::new(name, recipe, setting.seeds);
    let [without, with_maps] = PUBLISHED.map(|error| {
        let remark = "accuracy.txt of the authors' code has 90.87 % for ABN";
        (dataset == &ATTRIBUTES).then_some(Published {
            error,
            of: "ResNet-101, CelebA",
            source: ABN_4,
            remark,
        })
    });
    Ok(Campaign {
        name: Name::Celeba,
        title: "A map for each attribute",
        question: "Does a map for each attribute make answers better, and on which features: M.F \
            as in the authors' code, or (1 + M).F as in the paper's text?",
        source: "Table 4 of ABN has the mean accuracy of CelebA's forty attributes, trained on \
            partitions 0 and 1.",
        groups: vec![Group::new(
            plain.architecture.clone(),
            vec![
                row("without attention", &plain).published(without),
                row("ABN, M.F", &with(&plain, abn)).published(with_maps),
                row("ABN, (1 + M).F", &with(&plain, residual)),
                row("MANet, (1 + M).F", &with(&plain, manet)),
            ],
        )],
    })
}

/// A map a label costs several times as much as one: half of the images.
fn fewer(recipe: Recipe) -> Recipe {
    Recipe {
        limit: recipe.limit.map(|limit| limit / 2),
        batch_size: 16,
        ..recipe
    }
}

/// As in the authors' code: 10 epochs, the rate a tenth after every fourth.
fn original(recipe: Recipe) -> Recipe {
    Recipe {
        epochs: EPOCHS,
        batch_size: BATCH,
        learning_rate: RATE,
        schedule: Schedule::Step(4),
        gamma: 0.1,
        ..recipe
    }
}
