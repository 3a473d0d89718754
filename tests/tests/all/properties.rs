//! What must hold for every classifier, whatever its weights.

use abn_core::backbone::Architecture;
use abn_core::explain::AttentionMap;
use abn_core::loss::loss;
use abn_core::mechanism::Mechanism;
use abn_core::state::{State, is_buffer, shapes_of, state_of, with_state};
use abn_core::{AttentionConfig, Classifier, ClassifierConfig};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Int, Tensor, Tolerance};

const ARCHITECTURES: [&str; 4] = ["resnet8", "resnet20", "resnet44", "resnet14-basic"];

fn config(architecture: &str, attention: Option<AttentionConfig>, classes: usize) -> ClassifierConfig {
    let network = Architecture::parse(architecture).unwrap().network;
    ClassifierConfig { network, attention, classes }
}

fn attentions() -> [Option<AttentionConfig>; 4] {
    let light = AttentionConfig { stage: false, ..AttentionConfig::manet() };
    [None, Some(AttentionConfig::abn()), Some(AttentionConfig::manet()), Some(light)]
}

/// A classifier whose batch norms have seen something, so that evaluation is not trivial.
fn settled(config: &ClassifierConfig, device: &Device) -> Classifier {
    let training = config.init(&device.clone().autodiff());
    training.forward(images([4, 3, 16, 16], &device.clone().autodiff()));
    training.valid()
}

fn images(shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// Parameters of FACTS.md 5.2: (name, classes, plain, with ABN).
#[test]
fn parameter_counts_of_the_reference() {
    let device = Device::flex();
    for (name, classes, plain, abn) in [
        ("resnet20", 10, 272_474, 479_150),
        ("resnet32", 10, 466_906, 821_550),
        ("resnet44", 10, 684_058, 1_205_230),
        ("resnet56", 10, 869_530, 1_531_502),
        ("resnet110", 10, 1_704_154, 2_999_726),
        ("resnet20", 100, 278_324, 501_650),
        ("resnet32", 100, 472_756, 844_050),
        ("resnet44", 100, 707_188, 1_262_290),
        ("resnet56", 100, 892_660, 1_588_562),
        ("resnet110", 100, 1_727_284, 3_056_786),
    ] {
        let count = |attention| config(name, attention, classes).cost([32, 32], &device).parameters;
        assert_eq!(
            (count(None), count(Some(AttentionConfig::abn()))),
            (plain, abn),
            "{name}, {classes} classes"
        );
    }
    let literature = config("resnet110-basic", None, 10).cost([32, 32], &device);
    assert_eq!(literature.parameters, 1_730_714);
}

/// MANet adds to ABN the module for C = 32 (fc 32-2-32, conv 7x7 of 2 planes) and has a 1x1 map convolution.
#[test]
fn parameter_count_of_manet_by_hand() {
    let device = Device::flex();
    let manet = config("resnet20", Some(AttentionConfig::manet()), 10).cost([32, 32], &device).parameters;
    assert_eq!(manet, 479_150 + 2 * 32 * 2 + 2 * 7 * 7 - 10 * 3 * 3 + 10);
}

/// ResNet-8 by hand: stem, one block a stage, head; the branch's block at full resolution and its 1x1s.
#[test]
fn multiply_adds_by_hand() {
    let device = Device::flex();
    let plain = 3 * 16 * 9 * 1024
        + 2 * 16 * 16 * 9 * 1024
        + (16 * 32 * 9 + 32 * 32 * 9 + 16 * 32) * 256
        + (32 * 64 * 9 + 64 * 64 * 9 + 32 * 64) * 64
        + 64 * 10;
    let branch = (32 * 64 * 9 + 64 * 64 * 9 + 32 * 64 + 64 * 10 + 10 * 10 + 10 * 9) * 256;
    let count = |attention| config("resnet8", attention, 10).cost([32, 32], &device).multiply_adds;
    assert_eq!((count(None), count(Some(AttentionConfig::abn()))), (plain, plain + branch));
    let odd = config("resnet8", None, 10).cost([30, 33], &device);
    assert_eq!(odd.map, [15, 17]);
}

#[test]
fn shapes_at_several_sizes_and_maps_in_unit_range() {
    let device = Device::flex();
    for attention in attentions() {
        let network = settled(&config("resnet8", attention.clone(), 7), &device);
        for (size, map) in [([32, 32], [16, 16]), ([16, 40], [8, 20]), ([9, 13], [5, 7])] {
            let output = network.forward(images([2, 3, size[0], size[1]], &device));
            assert_eq!(output.logits.dims(), [2, 7]);
            assert_eq!(output.attention.is_some(), attention.is_some());
            if let Some(branch) = output.attention {
                assert_eq!(branch.logits.dims(), [2, 7]);
                assert_eq!(branch.map.dims(), [2, 1, map[0], map[1]]);
                let values: Vec<f32> = branch.map.into_data().iter().collect();
                assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
            }
        }
    }
}

/// The weights that a baseline shares with a network that has a branch.
fn without_branch(state: State) -> State {
    state.into_iter().filter(|(name, _)| !name.starts_with("branch.")).collect()
}

#[test]
fn identity_equals_the_baseline() {
    let device = Device::flex();
    let attention = AttentionConfig { mechanism: Mechanism::Identity, ..AttentionConfig::abn() };
    let network = settled(&config("resnet8", Some(attention), 10), &device);
    let baseline = config("resnet8", None, 10).init(&device);
    let baseline = with_state(baseline, without_branch(state_of(&network))).unwrap();
    let x = images([3, 3, 32, 32], &device);
    assert_eq!(network.forward(x.clone()).logits.into_data(), baseline.forward(x).logits.into_data());
}

#[test]
fn a_map_of_zeros_under_residual_equals_the_baseline() {
    let device = Device::flex();
    let network = settled(&config("resnet8", Some(AttentionConfig::abn()), 10), &device);
    let mut state = state_of(&network);
    // sigmoid(-200) is 0 in 32 bits: the last batch norm before the sigmoid becomes the constant -200.
    for (name, value) in [("branch.map.norm.gamma", 0.0_f32), ("branch.map.norm.beta", -200.0)] {
        state.insert(name.to_owned(), burn::tensor::TensorData::new(vec![value], [1]));
    }
    let baseline =
        with_state(config("resnet8", None, 10).init(&device), without_branch(state.clone())).unwrap();
    let network =
        with_state(config("resnet8", Some(AttentionConfig::abn()), 10).init(&device), state).unwrap();
    let x = images([3, 3, 32, 32], &device);
    let output = network.forward(x.clone());
    let map: Vec<f32> = output.attention.unwrap().map.into_data().iter().collect();
    assert!(map.iter().all(|value| *value == 0.0));
    assert_eq!(output.logits.into_data(), baseline.forward(x).logits.into_data());
}

#[test]
fn every_parameter_gets_a_finite_gradient() {
    let device = Device::flex().autodiff();
    for architecture in ARCHITECTURES {
        for attention in attentions() {
            let model = config(architecture, attention.clone(), 5).init(&device);
            let output = model.forward(images([4, 3, 16, 16], &device));
            let labels = Tensor::<1, Int>::from_ints([0, 1, 2, 4], &device);
            let gradients = GradientsParams::from_grads(loss(&output, labels, 1.0).backward(), &model);
            let parameters = shapes_of(&model).keys().filter(|name| !is_buffer(name)).count();
            assert_eq!(gradients.len(), parameters, "{architecture} {attention:?}");
            let stepped =
                abn_train::sgd::Sgd::new(abn_train::sgd::SgdConfig { momentum: 0.9, weight_decay: 0.0 })
                    .step(0.1, model, gradients);
            for (name, data) in state_of(&stepped) {
                assert!(data.iter::<f32>().all(f32::is_finite), "{architecture}: {name}");
            }
        }
    }
}

#[test]
fn evaluation_changes_no_state() {
    let device = Device::flex();
    let training = config("resnet8", Some(AttentionConfig::manet()), 10).init(&device.clone().autodiff());
    training.forward(images([4, 3, 16, 16], &device.clone().autodiff()));
    let before = state_of(&training);
    training.valid().forward(images([4, 3, 16, 16], &device));
    assert_eq!(before, state_of(&training));
    training.forward(images([4, 3, 16, 16], &device.clone().autodiff()));
    let after = state_of(&training);
    let moved = |(name, data): (&String, &burn::tensor::TensorData)| before[name] != *data;
    assert!(after.iter().any(moved), "training does move the running statistics");
}

#[test]
fn logits_do_not_depend_on_the_rest_of_the_batch() {
    let device = Device::flex();
    let network = settled(&config("resnet8", Some(AttentionConfig::abn()), 10), &device);
    let x = images([4, 3, 32, 32], &device);
    let together = network.forward(x.clone()).logits.narrow(0, 2, 1);
    let alone = network.forward(x.narrow(0, 2, 1)).logits;
    alone.into_data().assert_approx_eq::<f32>(&together.into_data(), Tolerance::absolute(1e-5));
}

#[test]
fn configurations_survive_json() {
    for architecture in ARCHITECTURES {
        for attention in attentions() {
            let config = config(architecture, attention, 10);
            let text = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<ClassifierConfig>(&text).unwrap(), config);
        }
    }
}

#[test]
fn a_foreign_state_is_refused_with_both_name_sets() {
    let device = Device::flex();
    let plain = state_of(&config("resnet8", None, 10).init(&device));
    let error =
        with_state(config("resnet8", Some(AttentionConfig::abn()), 12).init(&device), plain).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("- branch.class_maps.norm.gamma [12]"), "{text}");
    assert!(text.contains("- network.head.bias [12]\n  + network.head.bias [10]"), "{text}");
}

#[test]
fn maps_resize_like_pytorch() {
    let map = AttentionMap::new(2, 2, vec![0.0, 1.0, 2.0, 3.0]).unwrap();
    assert_eq!(map.resize_to(3, 3).values, [0.0, 0.5, 1.0, 1.0, 1.5, 2.0, 2.0, 2.5, 3.0]);
}
