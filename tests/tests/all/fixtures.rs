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
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
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
            Dtype::F32 => {
                data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).into()).collect()
            }
            Dtype::F64 => data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
            Dtype::I64 => {
                data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect()
            }
            other => panic!("{other:?}"),
        };
        Reference { shape: view.shape().to_vec(), values }
    };
    file.iter().map(|(name, view)| (name.to_owned(), read(view))).collect()
}

/// Passes if `max|a-b| <= abs` and `||a-b|| <= rel_l2 ||b||`, the tolerance rule of the fixtures.
#[track_caller]
pub(crate) fn check_close(what: &str, found: &[f32], truth: &Reference, tolerance: &Value) {
    assert_eq!(found.len(), truth.values.len(), "{what}");
    let differences = || found.iter().zip(&truth.values).map(|(a, b)| f64::from(*a) - b);
    let highest = differences().map(f64::abs).fold(0.0, f64::max);
    let norm = |squares: f64| squares.sqrt();
    let relative = norm(differences().map(|d| d * d).sum()) / norm(truth.values.iter().map(|b| b * b).sum());
    let (abs, rel) = (number(&tolerance["abs"]), number(&tolerance["rel_l2"]));
    assert!(highest <= abs, "{what}: off by {highest:e}, allowed {abs:e}");
    assert!(relative <= rel, "{what}: relatively off by {relative:e}, allowed {rel:e}");
    assert!(found.iter().all(|value| value.is_finite()), "{what}");
}

#[track_caller]
pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("not a number: {value}"))
}

pub(crate) fn l2<'a>(values: impl IntoIterator<Item = &'a f32>) -> f64 {
    values.into_iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}
