//! Reading the parity fixtures: numbers that the reference's PyTorch code computed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// `../shared` beside the project, or `ABN_SHARED`.
pub(crate) fn shared() -> PathBuf {
    match std::env::var_os("ABN_SHARED") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
    }
}

pub(crate) fn parity(path: &str) -> PathBuf {
    shared().join("parity").join(path)
}

pub(crate) fn json(path: &Path) -> Value {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// A tensor of a fixture in double precision.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

pub(crate) fn tensors(path: &Path) -> BTreeMap<String, Reference> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = |view: safetensors::tensor::TensorView<'_>| {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => data
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()).into())
                .collect(),
            Dtype::F64 => data
                .chunks_exact(8)
                .map(|b| f64::from_le_bytes(b.try_into().unwrap()))
                .collect(),
            Dtype::I64 => data
                .chunks_exact(8)
                .map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64)
                .collect(),
            other => panic!("{other:?}"),
        };
        Reference {
            shape: view.shape().to_vec(),
            values,
        }
    };
    file.iter()
        .map(|(name, view)| (name.to_owned(), read(view)))
        .collect()
}

/// How far a tensor may be from the reference's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerance {
    /// Largest difference of an element.
    pub(crate) abs: f64,
    /// Norm of the difference by the norm of the reference.
    pub(crate) rel_l2: f64,
}

/// Passes if `max|a-b| <= abs` and `||a-b|| <= rel_l2 ||b||`, the tolerance rule of the fixtures.
#[track_caller]
pub(crate) fn check_close(
    what: &str,
    found: &[impl Into<f64> + Copy],
    truth: &Reference,
    tolerance: Tolerance,
) {
    assert_eq!(found.len(), truth.values.len(), "{what}");
    let off: Vec<f64> = found
        .iter()
        .zip(&truth.values)
        .map(|(a, b)| (*a).into() - b)
        .collect();
    assert!(off.iter().all(|off| off.is_finite()), "{what}");
    let highest = off.iter().copied().map(f64::abs).fold(0.0, f64::max);
    let relative = l2(&off) / l2(&truth.values);
    let Tolerance { abs, rel_l2 } = tolerance;
    assert!(
        highest <= abs,
        "{what}: off by {highest:e}, allowed {abs:e}"
    );
    assert!(
        relative <= rel_l2,
        "{what}: relatively off by {relative:e}, allowed {rel_l2:e}"
    );
}

#[track_caller]
pub(crate) fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}

pub(crate) fn l2(values: &[impl Into<f64> + Copy]) -> f64 {
    values
        .iter()
        .map(|value| (*value).into().powi(2))
        .sum::<f64>()
        .sqrt()
}
