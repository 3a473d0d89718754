//! Whole networks against the reference in single precision, after importing its checkpoint:
//! outputs, gradients, the first step of SGD.
//!
//! Later steps are checked in double precision (`double_precision.rs`): a ReLU unit that rounding
//! flips changes a gradient by half a percent, which says nothing about the code.

use std::collections::BTreeMap;

use abn_core::pytorch::to_pytorch;
use serde_json::Value;

use crate::case::{Case, cases};
use crate::device;
use crate::fixtures::{Tolerance, number};
use crate::zoo::foreign;

/// Below this margin another order of summation may flip a ReLU (README.md of the fixtures):
/// gradients then have a tolerance of their own, and the losses after the first step move with
/// them.
const SAFE_MARGIN: f64 = 4.0;

/// The tolerance that a fixture gives.
#[track_caller]
pub(crate) fn tolerance_of(value: &Value) -> Tolerance {
    Tolerance {
        abs: number(&value["abs"]),
        rel_l2: number(&value["rel_l2"]),
    }
}

fn gradient_tolerance(case: &Case) -> (f64, f64) {
    let training = &case.json["training"];
    let tolerance = &training["gradient_at_start"]["tolerance"];
    let usual = number(&tolerance["rel"]);
    let may_flip = number(&training["batch"]["smallest_relu_margin"]) < SAFE_MARGIN;
    (
        usual,
        if may_flip {
            number(&tolerance["rel_if_units_flip"])
        } else {
            usual
        },
    )
}

#[test]
#[ignore = "needs ../shared/parity"]
fn outputs_of_every_case() {
    for case in cases().iter().map(|folder| Case::open(folder)) {
        let tolerance = &case.json["eval"]["tolerance"];
        case.check_outputs(&case.weights, "", |name| tolerance_of(&tolerance[name]));
    }
}

/// The official code loads what we export: every tensor that it has, and no other.
#[test]
#[ignore = "needs ../shared/parity"]
fn exports_have_the_names_of_the_official_code() {
    for case in cases().iter().map(|folder| Case::open(folder)) {
        let exported = to_pytorch(&case.config, &case.weights);
        let rows = case.json["state_dict"].as_array().unwrap().iter();
        let expected: BTreeMap<&str, &Value> = rows
            .map(|row| (row["name"].as_str().unwrap(), &row["shape"]))
            .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
            .collect();
        assert_eq!(exported.len(), expected.len(), "{}", case.folder);
        for (name, data) in exported {
            let shape: Vec<usize> = data.shape().to_vec();
            assert_eq!(
                &serde_json::json!(shape),
                expected[name.as_str()],
                "{}: {name}",
                case.folder
            );
        }
    }
}

#[test]
#[ignore = "needs ../shared/parity"]
fn gradients_of_every_case() {
    for case in cases().iter().map(|folder| Case::open(folder)) {
        case.check_gradients(gradient_tolerance(&case).1);
    }
}

#[test]
#[ignore = "needs ../shared/parity"]
fn first_step_of_every_case() {
    for case in cases().iter().map(|folder| Case::open(folder)) {
        let (usual, allowed) = gradient_tolerance(&case);
        for run in ["main", "gentle"] {
            let reference = &case.json["training"]["runs"][run];
            let (losses, _) = case.train(run, 1);
            let check = |step: usize, leeway: f64| {
                let per_step: &Value = &reference["tolerance"]["losses_abs_per_step"][step];
                let off = (losses[step] - number(&reference["losses_f64"][step])).abs();
                let allowed = number(per_step) * leeway * device::leeway();
                assert!(
                    off <= allowed,
                    "{} {run} loss {step}: off by {off:e} of {allowed:e}",
                    case.folder
                );
            };
            check(0, 1.0);
            check(1, allowed / usual);
        }
    }
}

/// The tolerance is ten times the rounding of PyTorch's own single precision.
#[test]
fn logits_of_other_authors_networks() {
    for network in foreign() {
        network.check_logits(10.0 * number(&network.json["rounding"]));
    }
}
