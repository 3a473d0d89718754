//! Weights out of what `torch.save` wrote: the format is read by `pytorch-reader`, after
//! [`container::check`].

use std::collections::BTreeSet;
use std::path::Path;

use abn_core::state::State;
use burn::tensor::DType;
use pytorch_reader::{PytorchError, PytorchReader, Tensor};

use super::cause::{CUT_OFF, Cause, Result, require};
use super::container;
use super::safetensors::{skip, tensor_data};

/// `torch.save` does not compress, so tensors do not take more than their file, unless they share
/// storage.
const LARGEST_EXPANSION: u64 = 4;

/// Keys under which training scripts nest the weights.
const NESTED: [&str; 8] = [
    "state_dict",
    "model",
    "model_state_dict",
    "net",
    "model_state",
    "weights",
    "network",
    "params",
];
/// Words in the keys of averaged weights.
const AVERAGED: [&str; 3] = ["ema", "swa", "averaged"];
/// Keys that an error names.
const MOST_KEYS: usize = 12;

/// The float tensors of a checkpoint, or those under a key of it.
///
/// # Errors
/// The file is damaged, hostile, or holds something else than weights, or has no such key.
pub(super) fn read(path: &Path, key: Option<&str>) -> Result<State> {
    container::check(path)?;
    let reader = match key {
        Some(key) => under(path, key)?,
        None => usual(path)?,
    };
    let mut floats = Vec::new();
    for (name, tensor) in reader.tensors() {
        match float_of(tensor) {
            Some(dtype) => floats.push((name, tensor, dtype)),
            None => skip(name, &format!("{:?}", tensor.dtype()))?,
        }
    }
    let claimed = floats
        .iter()
        .map(|(_, tensor, _)| tensor.byte_len() as u64)
        .fold(0, u64::saturating_add);
    let holds = path.metadata()?.len();
    require(claimed <= LARGEST_EXPANSION * holds, || {
        format!("its tensors would take {claimed} bytes, which a file of {holds} bytes cannot hold")
    })?;
    floats
        .into_iter()
        .map(|(name, tensor, dtype)| {
            let bytes = tensor
                .read()
                .map_err(|error| Cause::new(format!("{}: {CUT_OFF}", told(&error))))?;
            Ok((
                name.clone(),
                tensor_data(bytes, tensor.shape().to_vec(), dtype),
            ))
        })
        .collect()
}

/// The start of what the reader says. Its errors repeat their cause in their text, so only the text
/// is kept.
fn told(error: &impl ToString) -> String {
    const LONGEST: usize = 200;
    error.to_string().chars().take(LONGEST).collect()
}

fn float_of(tensor: &Tensor) -> Option<DType> {
    use pytorch_reader::DType as Torch;
    match tensor.dtype() {
        Torch::F16 => Some(DType::F16),
        Torch::BF16 => Some(DType::BF16),
        Torch::F32 => Some(DType::F32),
        Torch::F64 => Some(DType::F64),
        _ => None,
    }
}

/// What lies under a key.
fn under(path: &Path, key: &str) -> Result<PytorchReader> {
    let found = PytorchReader::with_top_level_key(path, key).ok();
    let found = found.filter(|reader| !reader.is_empty());
    found.ok_or_else(|| {
        let keys = keys(path);
        Cause::new(match keys.is_empty() {
            true => format!("it has nothing under `{key}`, nor under any other key"),
            false => format!(
                "it has nothing under `{key}`, but under {}",
                keys.join(", ")
            ),
        })
    })
}

/// The first parts of the names of all tensors, where that is not a network's own.
fn keys(path: &Path) -> Vec<String> {
    let Ok(reader) = PytorchReader::new(path) else {
        return Vec::new();
    };
    let first = |name: &String| name.split_once('.').map(|(first, _)| first.to_owned());
    let found: BTreeSet<String> = reader.tensors().keys().filter_map(first).collect();
    found.into_iter().take(MOST_KEYS).collect()
}

/// Keys of a file under which averaged weights lie, beside those that are taken where none is named.
pub(super) fn averaged(path: &Path) -> Vec<String> {
    let is_averaged = |key: &String| key.split('_').any(|word| AVERAGED.contains(&word));
    let all = keys(path);
    let has_others = all.iter().any(|key| NESTED.contains(&key.as_str()));
    all.into_iter()
        .filter(|key| has_others && is_averaged(key))
        .collect()
}

fn usual(path: &Path) -> Result<PytorchReader> {
    open(path).map_err(|error| {
        Cause::new(format!(
            "{}; copy or download the file again or, if PyTorch can open it, save its weights \
             alone with torch.save(model.state_dict(), ...)",
            told(&error)
        ))
    })
}

/// Opens the weights where they are nested, or else the file as a whole.
fn open(path: &Path) -> std::result::Result<PytorchReader, PytorchError> {
    for key in NESTED {
        match PytorchReader::with_top_level_key(path, key) {
            Ok(reader) if !reader.is_empty() => return Ok(reader),
            // What is wrong with the whole file shows below.
            Ok(_) | Err(_) => {}
        }
    }
    PytorchReader::new(path)
}
