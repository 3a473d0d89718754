//! What the scripts of the fixtures keep of a tensor: its norm, and its sum along a direction that
//! follows from its name.

use std::collections::BTreeMap;

use abn_core::state::State;
use burn::tensor::TensorData;
use serde_json::{Map, Value};

use crate::case::formula;
use crate::fixtures::{l2, number};

const SEED: u64 = 0;
/// Of single tensors relative to the norm of all of them.
const ROUNDING: f64 = 1e-9;

/// Norm, and sum along a direction.
pub(crate) fn probe(name: &str, values: &[f64]) -> [f64; 2] {
    let direction = formula(SEED, &format!("probe/{name}"), values.len(), 8);
    let pairs = values.iter().zip(direction);
    let along = pairs.map(|(value, probe)| value * f64::from(probe)).sum();
    [l2(values), along]
}

/// Norm and probe of every tensor, which lies as in PyTorch, under its name there.
#[track_caller]
pub(crate) fn check_probes(
    context: &str,
    expected: &Map<String, Value>,
    found: Vec<(String, Vec<f64>)>,
) {
    assert_eq!(found.len(), expected.len(), "{context}");
    let norms: Vec<f64> = expected.values().map(|row| number(&row[0])).collect();
    let total = l2(&norms);
    for (name, values) in found {
        let Some(row) = expected.get(&name) else {
            panic!("{context}: {name}");
        };
        for (at, found) in probe(&name, &values).into_iter().enumerate() {
            let off = (found - number(&row[at])).abs();
            assert!(
                off <= ROUNDING * total,
                "{context} of {name}: off by {off:e} of {total:e}"
            );
        }
    }
}

/// What a training changed, by our names; linear layers lie as PyTorch's.
pub(crate) fn changes(before: &State, after: &State) -> BTreeMap<String, Vec<f64>> {
    let change = |(name, new): (&String, &TensorData)| {
        let old = before[name].iter::<f64>();
        let change = new.iter::<f64>().zip(old).map(|(new, old)| new - old);
        let change: Vec<f64> = change.collect();
        match new.shape()[..] {
            [rows, columns] => (name.clone(), turned(&change, rows, columns)),
            _ => (name.clone(), change),
        }
    };
    after.iter().map(change).collect()
}

/// The columns as rows.
fn turned(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let of_column = |column| (0..rows).map(move |row| values[row * columns + column]);
    (0..columns).flat_map(of_column).collect()
}
