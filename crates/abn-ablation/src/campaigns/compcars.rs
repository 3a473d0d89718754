//! ABN, Table 3: make and model of cars.

use abn_run::datasets::{ATTRIBUTES, PLAIN_SHAPES, SCENES};
use abn_run::recipe::Recipe;
use abn_run::recipe::schedule::Schedule;
use anyhow::Result;

use super::branch::with_abn;
use crate::campaign::{Campaign, Group, Name, Row, Setting};
use crate::published::{ABN_3, CARS, Published};

/// Our names of the networks of the table.
const NETWORKS: [&str; 2] = ["vgg16-bn", "resnet101"];
/// In their place on small images, of which VGG sees nothing.
const QUICK: [&str; 2] = ["wrn-10-1", "resnet8"];
const SHORT: [&str; 2] = ["wrn-16-2", "resnet20"];
/// What is told of a car: of each a run, unless both together are asked for.
const LABELS: [&str; 2] = ["model", "make"];
/// Epochs and learning rate that the paper's authors are recalled to have used.
const EPOCHS: usize = 50;
const RATE: f64 = 0.01;

/// Every network without and with ABN, for each label.
pub(crate) fn campaign(setting: &Setting) -> Result<Campaign> {
    let published = setting.scale.pick(&PLAIN_SHAPES, &SCENES, &ATTRIBUTES);
    let dataset = setting.dataset.unwrap_or(published);
    let mut groups = Vec::new();
    for (place, (title, errors)) in CARS.into_iter().enumerate() {
        let small = setting.scale.pick(QUICK, SHORT, SHORT);
        let network = match dataset.photographs {
            true => NETWORKS[place],
            false => small[place],
        };
        let plain = setting.recipe(dataset, network)?;
        let plain = setting
            .scale
            .pick(plain.clone(), plain.clone(), as_recalled(plain));
        for (label, name) in LABELS.into_iter().enumerate() {
            if (!dataset.photographs || setting.labels.is_some()) && label > 0 {
                break;
            }
            let mut recipe = plain.clone();
            if dataset.photographs && setting.labels.is_none() {
                recipe.choose_labels(name);
            }
            let figure = |of: usize| {
                let told = dataset == &ATTRIBUTES && setting.labels.is_none();
                told.then_some(Published {
                    error: errors[of][label],
                    of: "",
                    source: ABN_3,
                    remark: "on a split of 36,451 and 15,626 images that was not published",
                })
            };
            let row = |name: &str, recipe: &Recipe| Row::new(name, recipe, setting.seeds);
            let rows = vec![
                row("without attention", &recipe).published(figure(0)),
                row("ABN", &with_abn(&recipe)?).published(figure(1)),
            ];
            let of = match (dataset.photographs, &setting.labels) {
                (true, None) => format!("{title}, {name}"),
                (true, Some(labels)) => format!("{title}, {labels}"),
                (false, _) => recipe.architecture.clone(),
            };
            groups.push(Group::new(of, rows));
        }
    }
    Ok(Campaign {
        name: Name::Compcars,
        title: "Make and model of cars",
        question: "Does the attention branch tell cars better that differ in details? A run for \
            each label, or with --labels both one network of two groups.",
        source: "Table 3 of ABN has CompCars. Its split is not the official one, and whether one \
            network or two told make and model is not written.",
        groups,
    })
}

/// A tenth of the rate after half of the epochs, and after seven tenths.
fn as_recalled(recipe: Recipe) -> Recipe {
    Recipe {
        epochs: EPOCHS,
        learning_rate: RATE,
        schedule: Schedule::Milestones(vec![25, 35]),
        gamma: 0.1,
        ..recipe
    }
}
