//! Every network with every attention: gradients, outputs at two sizes, what the configuration
//! promises.
//!
//! Small members of every family run by default, so that nothing can depend on the names of the
//! table; the table itself takes minutes.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use abn_core::attention::{LogitMap, MapConfig};
use abn_core::backbone::{Family, HeadConfig, NetworkConfig};
use abn_core::loss::loss;
use abn_core::mechanism::Mechanism;
use abn_core::mixed::{
    Arrangement, ChannelConfig, MixedAttentionConfig, Pools, SpatialConfig, Squeeze,
};
use abn_core::pytorch::{from_pytorch, name_of, to_pytorch};
use abn_core::state::{is_buffer, shapes_of, state_of};
use abn_core::{Architecture, AttentionConfig, Classifier, ClassifierConfig, Outputs};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Int, Tensor};

use crate::gradients::gradients_of;

/// Neither a number of classes of the papers nor a power of two.
const CLASSES: usize = 5;

/// Members of every family that no table has, in every kind of block, and ImageNet's smallest.
const SMALL: [&str; 14] = [
    "resnet8",
    "resnet14-basic",
    "resnet14-basic-a",
    "resnet44",
    "se-resnet8",
    "cbam-resnet8-basic-a",
    "wrn-10-2",
    "cbam-wrn-10-1",
    "densenet-bc-10-4",
    "densenet-bc-16-3",
    "resnext11-2x4d",
    "se-resnext11-3x5d",
    "resnet18",
    "vgg11-bn",
];

/// Beside the table: what it leaves out of its families.
const UNPUBLISHED: [&str; 11] = [
    "resnet8-basic-a",
    "resnet38",
    "resnet50-basic",
    "se-resnet44",
    "cbam-resnet18",
    "cbam-wrn-16-4",
    "densenet-bc-22-12",
    "resnext38-3x16d",
    "se-resnext50-32x4d",
    "vgg13-bn-conv4",
    "vgg19-bn",
];

fn architecture(name: &str) -> Architecture {
    Architecture::parse(name).unwrap()
}

/// Without a branch, with the authors' and with MANet's.
fn attentions(architecture: &Architecture) -> [Option<AttentionConfig>; 3] {
    [
        None,
        Some(architecture.abn()),
        Some(AttentionConfig::manet()),
    ]
}

/// A small square and an odd rectangle, both close to the smallest images that the network can see.
fn sizes(architecture: &Architecture) -> [[usize; 2]; 2] {
    if architecture.input == 32 {
        [[16, 16], [21, 13]]
    } else {
        [[32, 32], [45, 37]]
    }
}

/// VGG with a classifier that needs no gigabyte; any other network as it is.
fn narrowed(mut network: NetworkConfig) -> NetworkConfig {
    if let HeadConfig::FullyConnected { hidden, .. } = &mut network.head {
        *hidden = 24;
    }
    network
}

/// Trains on one batch, then looks at both sizes.
#[track_caller]
fn check(what: &str, config: &ClassifierConfig, sizes: [[usize; 2]; 2]) {
    let text = serde_json::to_string(config).unwrap();
    assert_eq!(
        serde_json::from_str::<ClassifierConfig>(&text).unwrap(),
        *config,
        "{what}"
    );
    let training = config.init(&Device::flex().autodiff());
    check_gradients(what, config, &training, sizes[0]);
    let network = training.valid();
    for size in sizes {
        check_outputs(what, config, &network, size);
    }
    check_export(what, config, &network);
}

fn images([height, width]: [usize; 2], device: &Device) -> Tensor<4> {
    Tensor::random(
        [2, 3, height, width],
        Distribution::Normal(0.0, 1.0),
        device,
    )
}

/// Every parameter on the way to a loss has a finite gradient; off the way is only the map that
/// nothing uses.
#[track_caller]
fn check_gradients(what: &str, config: &ClassifierConfig, network: &Classifier, size: [usize; 2]) {
    let device = Device::flex().autodiff();
    let weight = config
        .attention
        .as_ref()
        .map_or(1.0, |attention| attention.loss_weight);
    let labels = Tensor::<2, Int>::from_ints([[0_i64], [CLASSES as i64 - 1]], &device);
    let output = network.forward(images(size, &device));
    let objective = loss(&output, labels, &config.outputs, weight);
    let gradients = GradientsParams::from_grads(objective.backward(), network);
    let found = gradients_of(network, &gradients);
    let identity = config
        .attention
        .as_ref()
        .is_some_and(|it| it.mechanism == Mechanism::Identity);
    let shapes = shapes_of(network);
    for (name, shape) in shapes.iter().filter(|(name, _)| !is_buffer(name)) {
        let gradient = found.get(name);
        let used = !(identity && name.starts_with("branch.map."));
        assert_eq!(gradient.is_some(), used, "{what}: gradient of {name}");
        let fits = |values: &Vec<f64>| {
            values.len() == shape.num_elements() && values.iter().all(|value| value.is_finite())
        };
        assert!(gradient.is_none_or(fits), "{what}: gradient of {name}");
    }
}

/// Shapes as the configuration says them beforehand, and values in their range.
#[track_caller]
fn check_outputs(what: &str, config: &ClassifierConfig, network: &Classifier, size: [usize; 2]) {
    let device = Device::flex();
    let cost = config.cost(size, &device);
    let [height, width] = cost.map;
    let channels = config.network.branch_stage().inputs;
    let features = network.network.extract(images(size, &device));
    assert_eq!(
        features.dims(),
        [2, channels, height, width],
        "{what} at {size:?}"
    );
    let output = network.forward(images(size, &device));
    assert_eq!(output.logits.dims(), [2, CLASSES], "{what} at {size:?}");
    assert!(
        values(output.logits).all(f32::is_finite),
        "{what} at {size:?}"
    );
    assert_eq!(
        output.attention.is_some(),
        config.attention.is_some(),
        "{what}"
    );
    let (Some(branch), Some(attention)) = (output.attention, &config.attention) else {
        return;
    };
    assert_eq!(branch.logits.dims(), [2, CLASSES], "{what} at {size:?}");
    assert!(
        values(branch.logits).all(f32::is_finite),
        "{what} at {size:?}"
    );
    assert_eq!(
        branch.map.dims(),
        [2, 1, height, width],
        "{what} at {size:?}"
    );
    let bounds = match attention.map {
        MapConfig::Sigmoid(_) | MapConfig::Logit(LogitMap::Sigmoid) => 0.0..=1.0,
        MapConfig::LogSum => 0.0..=f32::MAX,
        MapConfig::Logit(LogitMap::Raw) => f32::MIN..=f32::MAX,
    };
    assert!(
        values(branch.map).all(|value| bounds.contains(&value)),
        "{what} at {size:?}"
    );
}

/// To PyTorch's names and layouts and back again is the identity, to the bit; no two tensors share
/// a name.
#[track_caller]
fn check_export(what: &str, config: &ClassifierConfig, network: &Classifier) {
    let state = state_of(network);
    let names: BTreeSet<String> = state
        .keys()
        .map(|ours| name_of(ours, &config.network))
        .collect();
    assert_eq!(names.len(), state.len(), "{what}");
    let exported = to_pytorch(config, &state);
    assert!(
        names.iter().all(|name| exported.contains_key(name)),
        "{what}"
    );
    let back = from_pytorch(config, exported, &Device::flex());
    assert!(
        back.is_ok_and(|back| back == state),
        "{what}: a checkpoint does not come back"
    );
}

fn values<const D: usize>(tensor: Tensor<D>) -> impl Iterator<Item = f32> {
    tensor
        .into_data()
        .iter::<f32>()
        .collect::<Vec<_>>()
        .into_iter()
}

#[test]
fn small_members_of_every_family() {
    for name in SMALL {
        let architecture = architecture(name);
        for attention in attentions(&architecture) {
            let what = format!("{name} with {attention:?}");
            let network = narrowed(architecture.network.clone());
            check(
                &what,
                &ClassifierConfig {
                    network,
                    attention,
                    outputs: Outputs::one(CLASSES),
                },
                sizes(&architecture),
            );
        }
    }
}

#[test]
#[ignore = "takes minutes"]
fn the_whole_table() {
    let unpublished = UNPUBLISHED.map(architecture);
    for architecture in Architecture::published().into_iter().chain(unpublished) {
        for attention in attentions(&architecture) {
            let what = format!("{} with {attention:?}", architecture.name);
            let network = narrowed(architecture.network.clone());
            check(
                &what,
                &ClassifierConfig {
                    network,
                    attention,
                    outputs: Outputs::one(CLASSES),
                },
                sizes(&architecture),
            );
        }
    }
}

/// The options of the branch, in every combination.
#[test]
fn every_branch() {
    let maps = [1, 3, 7]
        .map(MapConfig::convolution)
        .into_iter()
        .chain([MapConfig::LogSum]);
    for map in maps {
        for mechanism in [
            Mechanism::Identity,
            Mechanism::Multiply,
            Mechanism::Residual,
        ] {
            for (stage, norm) in [(true, true), (true, false), (false, true), (false, false)] {
                // MANet's section 3.3 has no loss of the branch.
                let loss_weight = if norm { 1.0 } else { 0.0 };
                let base = if stage {
                    AttentionConfig::abn()
                } else {
                    AttentionConfig::manet()
                };
                let attention = AttentionConfig {
                    stage,
                    norm,
                    map,
                    mechanism,
                    loss_weight,
                    ..base
                };
                let what = format!("{attention:?}");
                let network = architecture("resnet8").network;
                let config = ClassifierConfig {
                    network,
                    attention: Some(attention),
                    outputs: Outputs::one(CLASSES),
                };
                check(&what, &config, [[8, 8], [9, 13]]);
            }
        }
    }
}

/// The channel parts of MANet's Table 1, and none.
fn channels() -> Vec<Option<ChannelConfig>> {
    let with = |pools| [false, true].map(|mlp_bias| Some(ChannelConfig { pools, mlp_bias }));
    let some = [Pools::Average, Pools::Maximum, Pools::Both]
        .into_iter()
        .flat_map(with);
    some.chain([None]).collect()
}

/// The spatial parts of MANet's Table 2, and none.
fn spatials() -> Vec<Option<SpatialConfig>> {
    let with = |(squeeze, kernel)| {
        [false, true].map(|norm| {
            Some(SpatialConfig {
                squeeze,
                kernel,
                norm,
            })
        })
    };
    let kinds = [
        (Squeeze::Pool, 3),
        (Squeeze::Pool, 7),
        (Squeeze::Conv, 3),
        (Squeeze::Conv, 7),
    ];
    kinds.into_iter().flat_map(with).chain([None]).collect()
}

/// The arrangements of MANet's Table 3.
const ARRANGEMENTS: [Arrangement; 4] = [
    Arrangement::ChannelSpatial,
    Arrangement::SpatialChannel,
    Arrangement::Parallel,
    Arrangement::ParallelDoubleSigmoid,
];

/// The module at the input of the branch, and in every block of a network without one.
#[track_caller]
fn check_placements(name: &str, mixed: &MixedAttentionConfig) {
    let network = architecture(name).network;
    let branch = AttentionConfig {
        mixed: Some(mixed.clone()),
        ..AttentionConfig::manet()
    };
    let in_branch = ClassifierConfig {
        network: network.clone(),
        attention: Some(branch),
        outputs: Outputs::one(CLASSES),
    };
    check(
        &format!("{name} with {mixed:?} in the branch"),
        &in_branch,
        [[8, 8], [9, 13]],
    );
    let network = network.with_block_attention(Some(mixed)).unwrap();
    let in_blocks = ClassifierConfig {
        network,
        attention: None,
        outputs: Outputs::one(CLASSES),
    };
    check(
        &format!("{name} with {mixed:?} in every block"),
        &in_blocks,
        [[8, 8], [9, 13]],
    );
}

/// The options of the module, in every combination.
#[test]
fn every_module() {
    for channel in channels() {
        for spatial in spatials() {
            for arrangement in ARRANGEMENTS {
                let (channel, spatial) = (channel.clone(), spatial.clone());
                let mixed = MixedAttentionConfig {
                    reduction: 4,
                    channel,
                    spatial,
                    arrangement,
                };
                check_placements("resnet8", &mixed);
            }
        }
    }
}

/// Hidden layers as wide as the features, of a width that divides nothing, and of one unit, in
/// every kind of block.
#[test]
fn every_reduction() {
    for reduction in [1, 5, 1000] {
        for name in ["resnet8", "resnet8-basic-a", "wrn-10-1", "resnext11-2x4d"] {
            check_placements(
                name,
                &MixedAttentionConfig {
                    reduction,
                    ..MixedAttentionConfig::cbam()
                },
            );
        }
    }
}

/// A branch and modules in every block are independent of each other.
#[test]
fn modules_in_both_places() {
    for family in ["resnet8", "wrn-10-1", "resnext11-2x4d"].map(architecture) {
        let network = family
            .network
            .clone()
            .with_block_attention(Some(&MixedAttentionConfig::default()))
            .unwrap();
        let attention = Some(AttentionConfig::manet());
        check(
            &family.name,
            &ClassifierConfig {
                network,
                attention,
                outputs: Outputs::one(CLASSES),
            },
            sizes(&family),
        );
    }
    for name in ["densenet-bc-10-4", "vgg11-bn"] {
        let network = architecture(name).network;
        assert!(
            network
                .clone()
                .with_block_attention(Some(&MixedAttentionConfig::cbam()))
                .is_err(),
            "{name}"
        );
        assert_eq!(
            network.clone().with_block_attention(None),
            Ok(network),
            "{name}"
        );
    }
}

/// Blocks with dropped values train as well, and evaluation drops nothing.
#[test]
fn dropout_acts_in_training_alone() {
    for name in ["wrn-10-1", "densenet-bc-10-4", "vgg11-bn"] {
        let family = architecture(name);
        let network = narrowed(family.network.clone()).with_dropout(0.5);
        assert_ne!(
            network,
            narrowed(family.network.clone()).with_dropout(0.0),
            "{name}"
        );
        let config = ClassifierConfig {
            network,
            attention: Some(family.abn()),
            outputs: Outputs::one(CLASSES),
        };
        check(name, &config, sizes(&family));
        let training = config.init_seeded(1, &Device::flex().autodiff());
        let x = images(sizes(&family)[0], &Device::flex());
        let evaluated = || training.valid().forward(x.clone()).logits.into_data();
        assert_eq!(evaluated(), evaluated(), "{name}");
        let trained = || {
            training
                .forward(Tensor::from_inner(x.clone()))
                .logits
                .into_data()
        };
        assert_ne!(trained(), trained(), "{name}");
    }
}

/// Images of the smallest size are told apart; smaller ones are refused and not answered blindly.
/// So narrow a network may be drawn with no live unit in its last layer, hence the several draws.
#[test]
fn the_smallest_images() {
    const DRAWS: usize = 16;
    let seen = |network: &Classifier, size| {
        let (zeros, ones) = (
            images(size, &Device::flex()).zeros_like(),
            images(size, &Device::flex()).ones_like(),
        );
        network.forward(zeros).logits.into_data() != network.forward(ones).logits.into_data()
    };
    for (name, smallest) in [
        ("resnet8-basic-a", 1),
        ("cbam-wrn-10-1", 1),
        ("resnext11-2x4d", 1),
        ("resnet18", 1),
        ("densenet-bc-10-4", 4),
        ("vgg11-bn", 32),
        ("vgg11-bn-conv4", 32),
    ] {
        let network = narrowed(architecture(name).network);
        assert_eq!(network.smallest_side(), smallest, "{name}");
        let config = ClassifierConfig {
            network,
            attention: Some(AttentionConfig::manet()),
            outputs: Outputs::one(CLASSES),
        };
        let draws: Vec<_> = (0..DRAWS).map(|_| config.init(&Device::flex())).collect();
        for size in [[smallest, smallest], [smallest, smallest + 40]] {
            check_outputs(name, &config, &draws[0], size);
            assert!(
                draws.iter().any(|network| seen(network, size)),
                "{name} at {size:?}"
            );
        }
        let below = [[smallest - 1, smallest + 40], [smallest + 40, smallest / 2]];
        for size in below.into_iter().filter(|_| smallest > 1) {
            let refused = catch_unwind(AssertUnwindSafe(|| seen(&draws[0], size))).is_err();
            assert!(refused, "{name} at {size:?}");
        }
    }
}

/// The table names every family, so that sweeping it sweeps all code.
#[test]
fn every_family_is_published() {
    let published = Architecture::published();
    for family in [
        Family::ResNet,
        Family::WideResNet,
        Family::DenseNet,
        Family::ResNext,
        Family::Vgg,
    ] {
        assert!(
            published
                .iter()
                .any(|architecture| architecture.network.family == family),
            "{family:?}"
        );
    }
}
