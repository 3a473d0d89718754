//! Weights as the bytes of a safetensors file, ours and other people's.

use std::collections::HashMap;

use abn_core::state::State;
use burn::tensor::{DType, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::WeightsError;
use super::cause::{Cause, Result, require};
use crate::recipe::Recipe;

/// Names and shapes of 15,000 tensors; reading them takes fifty times as much memory.
const LARGEST_HEADER: u64 = 2 << 20;
/// Name of the recipe in the header of an exported file.
const RECIPE: &str = "abn";

/// The bytes of a safetensors file of 32-bit floats; the same state gives the same bytes.
///
/// # Errors
/// A tensor is not of 32-bit floats.
pub fn to_safetensors(state: &State) -> std::result::Result<Vec<u8>, WeightsError> {
    serialized(state, None)
}

/// The same with the recipe of the run beside the tensors, where other readers of safetensors pass
/// it over.
///
/// # Errors
/// A tensor is not of 32-bit floats.
pub fn to_safetensors_of(
    recipe: &Recipe,
    state: &State,
) -> std::result::Result<Vec<u8>, WeightsError> {
    let recipe = serde_json::to_string(recipe)?;
    serialized(state, Some(HashMap::from([(RECIPE.to_owned(), recipe)])))
}

/// The recipe beside the tensors of bytes that [`to_safetensors_of`] made; `None` of all others.
pub fn recipe_in_header(bytes: &[u8]) -> Option<Recipe> {
    if !begins(bytes) || claimed(bytes) > LARGEST_HEADER {
        return None;
    }
    let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
    let recipe: Recipe = serde_json::from_str(metadata.metadata().as_ref()?.get(RECIPE)?).ok()?;
    recipe.check().is_ok().then_some(recipe)
}

fn serialized(
    state: &State,
    metadata: Option<HashMap<String, String>>,
) -> std::result::Result<Vec<u8>, WeightsError> {
    let mut views = Vec::with_capacity(state.len());
    for (name, data) in state {
        if data.dtype() != DType::F32 {
            return Err(WeightsError::NotSingle {
                name: name.clone(),
                dtype: data.dtype(),
            });
        }
        let view = TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes())?;
        views.push((name.as_str(), view));
    }
    Ok(safetensors::serialize(views, metadata)?)
}

/// The float tensors of a safetensors file.
///
/// # Errors
/// The bytes are not a safetensors file, or hold weights that are no floats.
pub fn from_safetensors(bytes: &[u8]) -> Result<State> {
    let header = claimed(bytes);
    require(header <= LARGEST_HEADER, || {
        format!(
            "its header claims {header} bytes, more than any checkpoint needs; copy or download \
             it again"
        )
    })?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        Cause::new(format!(
            "it is no whole safetensors file ({error}); copy or download it again"
        ))
    })?;
    let mut state = State::new();
    for (name, view) in file.iter() {
        let dtype = match view.dtype() {
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            other => {
                skip(name, &format!("{other:?}"))?;
                continue;
            }
        };
        let data = tensor_data(view.data().to_vec(), view.shape().to_vec(), dtype);
        state.insert(name.to_owned(), data);
    }
    Ok(state)
}

/// Whether bytes begin as a safetensors file: eight of length, then JSON.
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && bytes[5..8] == [0; 3]
}

/// The length of the header that the bytes claim to have.
fn claimed(bytes: &[u8]) -> u64 {
    bytes
        .first_chunk()
        .map_or(0, |length| u64::from_le_bytes(*length))
}

/// Leaves out a tensor without floats, such as a counter of batches, unless its name says that it
/// is needed.
pub(super) fn skip(name: &str, dtype: &str) -> Result<()> {
    const NEEDED: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];
    let leaf = name.rsplit('.').next().unwrap_or(name);
    require(!NEEDED.contains(&leaf), || {
        format!(
            "tensor `{name}` holds {dtype}, expected floats; quantized weights have to be turned \
             back first"
        )
    })
}

pub(super) fn tensor_data(bytes: Vec<u8>, shape: Vec<usize>, dtype: DType) -> TensorData {
    TensorData::from_bytes_vec(bytes, shape, dtype)
}
