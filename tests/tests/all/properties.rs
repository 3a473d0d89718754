//! What must hold for every classifier, whatever its weights, shown on small ones. `sweep.rs` goes
//! through all.

use abn_core::explain::AttentionMap;
use abn_core::mechanism::Mechanism;
use abn_core::state::{State, state_of, with_state};
use abn_core::{Architecture, AttentionConfig, Classifier, ClassifierConfig, Outputs};
use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor, Tolerance};

fn config(
    architecture: &str,
    attention: Option<AttentionConfig>,
    classes: usize,
) -> ClassifierConfig {
    let network = Architecture::parse(architecture).unwrap().network;
    ClassifierConfig {
        network,
        attention,
        outputs: Outputs::one(classes),
    }
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

/// MANet adds to ABN the module for C = 32 (fc 32-2-32, conv 7x7 of 2 planes) and has a 1x1 map
/// convolution.
#[test]
fn parameter_count_of_manet_by_hand() {
    let device = Device::flex();
    let manet = config("resnet20", Some(AttentionConfig::manet()), 10)
        .cost([32, 32], &device)
        .parameters;
    assert_eq!(manet, 479_150 + 2 * 32 * 2 + 2 * 7 * 7 - 10 * 3 * 3 + 10);
}

/// ResNet-8 by hand: stem, one block a stage, head; the branch's block at full resolution and its
/// 1x1s.
#[test]
fn multiply_adds_by_hand() {
    let device = Device::flex();
    let plain = 3 * 16 * 9 * 1024
        + 2 * 16 * 16 * 9 * 1024
        + (16 * 32 * 9 + 32 * 32 * 9 + 16 * 32) * 256
        + (32 * 64 * 9 + 64 * 64 * 9 + 32 * 64) * 64
        + 64 * 10;
    let branch = (32 * 64 * 9 + 64 * 64 * 9 + 32 * 64 + 64 * 10 + 10 * 10 + 10 * 9) * 256;
    let count = |attention| {
        config("resnet8", attention, 10)
            .cost([32, 32], &device)
            .multiply_adds
    };
    assert_eq!(
        (count(None), count(Some(AttentionConfig::abn()))),
        (plain, plain + branch)
    );
    let odd = config("resnet8", None, 10).cost([30, 33], &device);
    assert_eq!(odd.map, [15, 17]);
}

/// The weights that a baseline shares with a network that has a branch.
fn without_branch(state: State) -> State {
    state
        .into_iter()
        .filter(|(name, _)| !name.starts_with("branch."))
        .collect()
}

#[test]
fn identity_equals_the_baseline() {
    let device = Device::flex();
    let attention = AttentionConfig {
        mechanism: Mechanism::Identity,
        ..AttentionConfig::abn()
    };
    let network = settled(&config("resnet8", Some(attention), 10), &device);
    let baseline = config("resnet8", None, 10).init(&device);
    let baseline = with_state(baseline, without_branch(state_of(&network))).unwrap();
    let x = images([3, 3, 32, 32], &device);
    assert_eq!(
        network.forward(x.clone()).logits.into_data(),
        baseline.forward(x).logits.into_data()
    );
}

#[test]
fn a_map_of_zeros_under_residual_equals_the_baseline() {
    let device = Device::flex();
    let network = settled(
        &config("resnet8", Some(AttentionConfig::abn()), 10),
        &device,
    );
    let mut state = state_of(&network);
    // sigmoid(-200) is 0 in 32 bits: the last batch norm before the sigmoid becomes the constant
    // -200.
    for (name, value) in [
        ("branch.map.norm.gamma", 0.0_f32),
        ("branch.map.norm.beta", -200.0),
    ] {
        state.insert(
            name.to_owned(),
            burn::tensor::TensorData::new(vec![value], [1]),
        );
    }
    let baseline = with_state(
        config("resnet8", None, 10).init(&device),
        without_branch(state.clone()),
    )
    .unwrap();
    let network = with_state(
        config("resnet8", Some(AttentionConfig::abn()), 10).init(&device),
        state,
    )
    .unwrap();
    let x = images([3, 3, 32, 32], &device);
    let output = network.forward(x.clone());
    let map: Vec<f32> = output.attention.unwrap().map.into_data().iter().collect();
    assert!(map.iter().all(|value| *value == 0.0));
    assert_eq!(
        output.logits.into_data(),
        baseline.forward(x).logits.into_data()
    );
}

#[test]
fn evaluation_changes_no_state() {
    let device = Device::flex();
    let training =
        config("resnet8", Some(AttentionConfig::manet()), 10).init(&device.clone().autodiff());
    training.forward(images([4, 3, 16, 16], &device.clone().autodiff()));
    let before = state_of(&training);
    training.valid().forward(images([4, 3, 16, 16], &device));
    assert_eq!(before, state_of(&training));
    training.forward(images([4, 3, 16, 16], &device.clone().autodiff()));
    let after = state_of(&training);
    let moved = |(name, data): (&String, &burn::tensor::TensorData)| before[name] != *data;
    assert!(
        after.iter().any(moved),
        "training does move the running statistics"
    );
}

#[test]
fn logits_do_not_depend_on_the_rest_of_the_batch() {
    let device = Device::flex();
    let network = settled(
        &config("resnet8", Some(AttentionConfig::abn()), 10),
        &device,
    );
    let x = images([4, 3, 32, 32], &device);
    let together = network.forward(x.clone()).logits.narrow(0, 2, 1);
    let alone = network.forward(x.narrow(0, 2, 1)).logits;
    alone
        .into_data()
        .assert_approx_eq::<f32>(&together.into_data(), Tolerance::absolute(1e-5));
}

#[test]
fn a_foreign_state_is_refused_with_both_name_sets() {
    let device = Device::flex();
    let plain = state_of(&config("resnet8", None, 10).init(&device));
    let error = with_state(
        config("resnet8", Some(AttentionConfig::abn()), 12).init(&device),
        plain,
    )
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("- branch.class_maps.norm.gamma [12]"),
        "{text}"
    );
    assert!(
        text.contains("- network.head.bias [12]\n  + network.head.bias [10]"),
        "{text}"
    );
}

#[test]
fn maps_resize_like_pytorch() {
    let map = AttentionMap::new(2, 2, vec![0.0, 1.0, 2.0, 3.0]).unwrap();
    assert_eq!(
        map.resize_to(3, 3).values,
        [0.0, 0.5, 1.0, 1.0, 1.5, 2.0, 2.0, 2.5, 3.0]
    );
}
