//! Whole networks against the reference in double precision: outputs, gradients, and everything
//! after four steps of SGD, to within rounding of the last digits that the fixtures hold.
//!
//! A test binary of its own, because Burn's choice of floats holds for a whole process.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

#[path = "all/case.rs"]
mod case;
#[path = "all/detectors.rs"]
mod detectors;
#[path = "all/device.rs"]
mod device;
#[path = "all/fixtures.rs"]
mod fixtures;
#[path = "all/gradients.rs"]
mod gradients;
#[path = "all/multitask.rs"]
mod multitask;
#[path = "all/probes.rs"]
mod probes;
#[path = "all/zoo.rs"]
mod zoo;

use std::sync::Once;

use abn_core::loss::loss;
use abn_core::pytorch::name_of;
use abn_core::state::{State, is_buffer};
use burn::optim::GradientsParams;
use burn::tensor::{Device, FloatDType, Int, IntDType, Tensor, TensorData};
use serde_json::Value;

use case::{Case, cases, formula};
use fixtures::{Tolerance, l2, number};
use gradients::gradients_of;
use zoo::{Foreign, foreign};

/// The fixtures' norms, means and probes have nine digits.
const STORED: f64 = 2e-8;
/// Rounding of double precision through a whole network, its gradient and four steps.
const ROUNDING: Tolerance = Tolerance {
    abs: 1e-9,
    rel_l2: 1e-9,
};

/// Every float from here on is in double precision.
fn configure() {
    static CONFIGURED: Once = Once::new();
    CONFIGURED.call_once(|| {
        Device::flex()
            .configure((FloatDType::F64, IntDType::I64))
            .unwrap()
    });
}

/// The cases in double precision.
fn in_double_precision() -> impl Iterator<Item = Case> {
    configure();
    cases().into_iter().map(|folder| Case::open(&folder))
}

#[test]
#[ignore = "needs ../shared/parity"]
fn outputs_of_every_case() {
    for case in in_double_precision() {
        case.check_outputs(&case.weights, "", |_| ROUNDING);
    }
}

#[test]
#[ignore = "needs ../shared/parity"]
fn gradients_of_every_case() {
    for case in in_double_precision() {
        case.check_gradients(STORED);
    }
}

/// Outputs and state after the gentle run pin momentum, weight decay and every parameter.
#[test]
#[ignore = "needs ../shared/parity"]
fn gentle_training_of_every_case() {
    for case in in_double_precision() {
        let after = check_training(&case, "gentle");
        case.check_outputs(&after, "gentle_post_", |_| ROUNDING);
    }
}

#[test]
#[ignore = "needs ../shared/parity"]
fn hard_training_of_every_case() {
    for case in in_double_precision() {
        check_training(&case, "main");
    }
}

/// Logits, and the gradient of the cross-entropy in training, where the fixture has it.
#[test]
fn networks_of_other_authors() {
    configure();
    for network in foreign().filter(|network| network.json["gradients"].is_object()) {
        network.check_logits(ROUNDING.abs);
        check_foreign_gradients(&network);
    }
}

/// Outputs, maps, the gradient, and four steps of SGD.
#[test]
fn networks_of_several_labels() {
    configure();
    multitask::check_networks_of_several_labels();
}

/// Every part, what is found, the losses, the gradient, and four steps of SGD.
#[test]
fn detectors_of_torchvision() {
    configure();
    detectors::check_detectors();
}

#[track_caller]
fn check_foreign_gradients(network: &Foreign) {
    let device = Device::flex().autodiff();
    let model = network.network(&device);
    let labels = Tensor::<2, Int>::from_ints([[2_i64], [5]], &device);
    let output = model.forward(network.images(&device));
    let objective = loss(&output, labels, model.outputs(), 1.0);
    let gradients = GradientsParams::from_grads(objective.backward(), &model);
    let found = gradients_of(&model, &gradients);
    let rows = network.json["gradients"].as_object().unwrap();
    assert_eq!(found.len(), rows.len(), "{}", network.name());
    let total = l2(&rows
        .values()
        .map(|row| number(&row[0]))
        .collect::<Vec<f64>>());
    for (ours, mut values) in found {
        let name = network.theirs(&name_of(&ours, &network.config.network));
        if name.ends_with("SpatialGate.spatial.conv.weight") {
            // CBAM's code has the plane of maxima first.
            let plane = values.len() / 2;
            values.rotate_left(plane);
        }
        let direction = formula(0, &format!("probe/{name}"), values.len(), 8);
        let along: f64 = values
            .iter()
            .zip(direction)
            .map(|(value, probe)| value * f64::from(probe))
            .sum();
        for (found, truth) in [l2(&values), along]
            .into_iter()
            .zip([0, 1].map(|at| number(&rows[&name][at])))
        {
            let off = (found - truth).abs();
            assert!(
                off <= ROUNDING.abs * total,
                "{}: gradient of {name} off by {off:e}",
                network.name()
            );
        }
    }
}

#[track_caller]
fn check_training(case: &Case, run: &str) -> State {
    let reference = &case.json["training"]["runs"][run];
    let (losses, after) = case.train(run, reference["steps"].as_u64().unwrap() as usize);
    let expected = reference["losses_f64"].as_array().unwrap();
    assert_eq!(losses.len(), expected.len());
    for (step, (loss, truth)) in losses.iter().zip(expected).enumerate() {
        let off = (loss - number(truth)).abs();
        assert!(
            off <= ROUNDING.abs,
            "{} {run} loss {step}: off by {off:e}",
            case.folder
        );
    }
    check_parameters(case, reference, &after);
    check_buffers(case, reference, &after);
    after
}

/// The tensor of a PyTorch name.
fn tensor<'a>(case: &Case, state: &'a State, name: &str) -> (&'a String, &'a TensorData) {
    state
        .iter()
        .find(|(ours, _)| case.name(ours) == name)
        .unwrap_or_else(|| panic!("{name}"))
}

/// Rows of a table without those of tensors that the reference never uses.
fn used<'a>(case: &Case, table: &'a Value) -> Vec<(&'a String, &'a Value)> {
    let unused = |name: &str| case.unused_parameters() > 0 && name.starts_with("bn_att.");
    table
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| !unused(name))
        .collect()
}

#[track_caller]
fn check_parameters(case: &Case, reference: &Value, after: &State) {
    let rows = used(case, &reference["parameters_after_f64"]);
    assert_eq!(
        rows.len(),
        after.keys().filter(|name| !is_buffer(name)).count()
    );
    let total = number(&reference["total_delta_l2"]);
    for (name, row) in rows {
        let (ours, data) = tensor(case, after, name);
        let (new, old): (Vec<f64>, Vec<f64>) =
            (data.iter().collect(), case.weights[ours].iter().collect());
        let change: Vec<f64> = new.iter().zip(&old).map(|(new, old)| new - old).collect();
        let mean = new.iter().sum::<f64>() / new.len() as f64;
        let check = |what: &str, found: f64, scale: f64| {
            let truth = number(&row[what]);
            let off = (found - truth).abs();
            assert!(
                off <= STORED * (truth.abs() + scale),
                "{}: {what} of {name} off by {off:e}",
                case.folder
            );
        };
        check("l2", l2(&new), 0.0);
        check("mean", mean, l2(&new));
        check("delta_l2", l2(&change), 1e-3 * total);
    }
}

/// Running statistics with PyTorch's unbiased variance.
#[track_caller]
fn check_buffers(case: &Case, reference: &Value, after: &State) {
    let rows = used(case, &reference["buffers_after_f64"]);
    assert_eq!(
        rows.len(),
        after.keys().filter(|name| is_buffer(name)).count()
    );
    for (name, row) in rows {
        let found: Vec<f64> = tensor(case, after, name).1.iter().collect();
        let (found, truth) = (l2(&found), number(&row["l2"]));
        assert!(
            (found - truth).abs() <= STORED * truth,
            "{}: {name}: {found} not {truth}",
            case.folder
        );
    }
}
