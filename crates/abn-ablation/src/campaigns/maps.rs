//! Which branch has a map that explains? Where the map comes from, how it is normalised and what
//! else the objective asks of it: options that the papers leave open, each against the paper's.

use abn_core::AttentionConfig;
use abn_core::attention::{MapConfig, MapNorm, MapSource, MapTerms, SigmoidMap};
use abn_core::mechanism::Mechanism;
use abn_run::datasets::{PLAIN_SHAPES, Place, SHAPES};
use abn_run::recipe::Recipe;
use anyhow::Result;

use super::branch::{with, with_abn, with_manet};
use crate::campaign::{Campaign, Group, Name, Row, Setting};
use crate::size::CampaignSize;

/// Epochs of the built-in images, after which networks are right on nine of ten.
const EPOCHS: usize = 12;
/// What the quick scale has time for.
const QUICK: [&str; 3] = [
    "as published",
    "class, per image, smoothed",
    "log sum, per image, smoothed",
];

/// ABN and MANet as published, and with every option.
pub(crate) fn campaign(setting: &Setting) -> Result<Campaign> {
    let usual = setting.scale.pick(&PLAIN_SHAPES, &SHAPES, &SHAPES);
    let dataset = setting.dataset.unwrap_or(usual);
    let built_in = dataset.place == Place::BuiltIn;
    let network = match built_in {
        true => "resnet8",
        false => setting.scale.network(dataset),
    };
    let mut plain = setting.recipe(dataset, network)?;
    if built_in {
        plain.epochs = setting.scale.pick(plain.epochs, EPOCHS, 2 * EPOCHS);
    }
    let abn = with_abn(&plain)?;
    let manet = with_manet(&plain);
    let title = |name: &str| format!("{name}: {}", plain.architecture);
    Ok(Campaign {
        name: Name::Maps,
        title: "Maps that explain",
        question: "Which branch has a map that explains its network, and that two trainings share, \
            without loss of accuracy? Options of the branch's map, each against the paper's.",
        source: "",
        groups: vec![
            Group::new(title("ABN"), rows(&abn, &of_abn(), setting)),
            Group::new(title("MANet"), rows(&manet, &of_manet(), setting)),
        ],
    })
}

/// A change to a branch.
type Change = Box<dyn Fn(AttentionConfig) -> AttentionConfig>;
type Options = Vec<(&'static str, Change)>;

fn rows(recipe: &Recipe, options: &Options, setting: &Setting) -> Vec<Row> {
    let usual = recipe
        .attention
        .clone()
        .unwrap_or_else(AttentionConfig::abn);
    let row = |(name, change): &(&'static str, Change)| {
        let recipe = with(recipe, change(usual.clone()));
        Row::new(*name, &recipe, setting.seeds)
    };
    let quick = setting.scale == CampaignSize::Quick;
    let has_time = |name: &str| !quick || QUICK.contains(&name);
    options
        .iter()
        .filter(|(name, _)| has_time(name))
        .map(row)
        .collect()
}

/// The map made otherwise.
fn map(change: impl Fn(&mut SigmoidMap) + 'static) -> Change {
    Box::new(move |mut attention| {
        if let MapConfig::Sigmoid(map) = &mut attention.map {
            change(map);
        }
        attention
    })
}

/// The map of class evidence, normalised per image and smoothed, and another change to it.
fn evidence(change: impl Fn(&mut AttentionConfig) + 'static) -> Change {
    Box::new(move |mut attention| {
        attention.map = MapConfig::Sigmoid(SigmoidMap {
            smoothing: 3,
            norm: MapNorm::Image,
            ..SigmoidMap::of(MapSource::Class)
        });
        change(&mut attention);
        attention
    })
}

/// The same of the sum of logarithms.
fn log_sum(change: impl Fn(&mut SigmoidMap) + 'static) -> Change {
    let of = evidence(|_| ());
    Box::new(move |attention| {
        let mut attention = of(attention);
        if let MapConfig::Sigmoid(map) = &mut attention.map {
            map.source = MapSource::LogSum;
            change(map);
        }
        attention
    })
}

/// The evidence's map changed.
fn of_map(change: impl Fn(&mut SigmoidMap) + 'static) -> Change {
    evidence(move |attention| {
        if let MapConfig::Sigmoid(map) = &mut attention.map {
            change(map);
        }
    })
}

/// The objective of the evidence's map.
fn terms(change: impl Fn(&mut MapTerms) + 'static) -> Change {
    evidence(move |attention| change(&mut attention.terms))
}

fn of_abn() -> Options {
    let plain: Change = Box::new(|attention| attention);
    vec![
        ("as published", plain),
        (
            "convolution 1x1",
            map(|map| map.source = MapSource::Convolution { kernel: 1 }),
        ),
        (
            "convolution, per image",
            map(|map| map.norm = MapNorm::Image),
        ),
        ("convolution, smoothed", map(|map| map.smoothing = 3)),
        (
            "convolution, per image, smoothed",
            map(|map| {
                map.norm = MapNorm::Image;
                map.smoothing = 3;
            }),
        ),
        (
            "convolution, no decay of the gain",
            map(|map| map.decayed = false),
        ),
        (
            "class, batch norm",
            map(|map| map.source = MapSource::Class),
        ),
        (
            "class, batch norm, smoothed",
            map(|map| {
                map.source = MapSource::Class;
                map.smoothing = 3;
            }),
        ),
        ("class, per image", of_map(|map| map.smoothing = 1)),
        ("class, per image, smoothed", evidence(|_| ())),
        (
            "class, per image, smoothed 5x5",
            of_map(|map| map.smoothing = 5),
        ),
        (
            "class, min-max, smoothed",
            of_map(|map| map.norm = MapNorm::MinMax),
        ),
        (
            "class, min-max, smoothed, variation 1",
            evidence(|attention| {
                attention.terms.variation = 1.0;
                if let MapConfig::Sigmoid(map) = &mut attention.map {
                    map.norm = MapNorm::MinMax;
                }
            }),
        ),
        (
            "class, spatial softmax, smoothed",
            of_map(|map| map.norm = MapNorm::Softmax),
        ),
        (
            "class, no norm, smoothed",
            of_map(|map| map.norm = MapNorm::None),
        ),
        (
            "class, per image, smoothed, gain 2",
            of_map(|map| map.gain = 2.0),
        ),
        (
            "class, per image, smoothed, no decay of the gain",
            of_map(|map| map.decayed = false),
        ),
        (
            "class, per image, smoothed, dropout 0.2",
            of_map(|map| map.dropout = 0.2),
        ),
        (
            "class, per image, smoothed, M.F",
            evidence(|attention| {
                attention.mechanism = Mechanism::Multiply;
            }),
        ),
        (
            "class, per image, smoothed, F",
            evidence(|attention| {
                attention.mechanism = Mechanism::Identity;
            }),
        ),
        (
            "class, per image, smoothed, loss weight 0.5",
            evidence(|attention| {
                attention.loss_weight = 0.5;
            }),
        ),
        (
            "class, per image, smoothed, loss weight 2",
            evidence(|attention| {
                attention.loss_weight = 2.0;
            }),
        ),
        (
            "class, per image, smoothed, area 0.1",
            terms(|terms| terms.area = 0.1),
        ),
        (
            "class, per image, smoothed, area 1",
            terms(|terms| terms.area = 1.0),
        ),
        (
            "class, per image, smoothed, variation 0.1",
            terms(|terms| terms.variation = 0.1),
        ),
        (
            "class, per image, smoothed, variation 1",
            terms(|terms| terms.variation = 1.0),
        ),
        (
            "class, per image, smoothed, entropy 0.1",
            terms(|terms| terms.entropy = 0.1),
        ),
        (
            "class, per image, smoothed, flip 1",
            terms(|terms| terms.flip = 1.0),
        ),
        (
            "class, per image, smoothed, scale 1",
            terms(|terms| terms.scale = 1.0),
        ),
        (
            "class, per image, smoothed, objects 0.3",
            terms(|terms| terms.objects = 0.3),
        ),
        (
            "log sum, batch norm",
            map(|map| map.source = MapSource::LogSum),
        ),
        ("log sum, per image", log_sum(|map| map.smoothing = 1)),
        ("log sum, per image, smoothed", log_sum(|_| ())),
        (
            "log sum, per image, smoothed, dropout 0.2",
            log_sum(|map| map.dropout = 0.2),
        ),
        (
            "log sum, per image, smoothed, no decay of the gain",
            log_sum(|map| map.decayed = false),
        ),
    ]
}

fn of_manet() -> Options {
    let plain: Change = Box::new(|attention| attention);
    vec![
        ("as published", plain),
        (
            "convolution, per image, smoothed",
            map(|map| {
                map.norm = MapNorm::Image;
                map.smoothing = 3;
            }),
        ),
        ("class, per image, smoothed", evidence(|_| ())),
        (
            "class, per image, smoothed, variation 0.1",
            terms(|terms| terms.variation = 0.1),
        ),
        (
            "class, per image, smoothed, dropout 0.2",
            of_map(|map| map.dropout = 0.2),
        ),
        ("log sum, per image, smoothed", log_sum(|_| ())),
    ]
}
