//! Weights in files: our own as safetensors, other people's as safetensors or what `torch.save`
//! wrote.

mod container;
mod pickle;
mod torch;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use abn_core::state::State;
use anyhow::{Context, Result, anyhow, bail, ensure};
use burn::tensor::{DType, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::recipe::Recipe;

/// Larger than any checkpoint of these networks.
const LARGEST_FILE: u64 = 16 << 30;
/// Names and shapes of 15,000 tensors; reading them takes fifty times as much memory.
const LARGEST_HEADER: u64 = 2 << 20;
/// Name of the recipe in the header of an exported file.
const RECIPE: &str = "abn";
/// Longest cause that is told: a hostile file can put anything into it.
const LONGEST_CAUSE: usize = 400;

/// The bytes of a safetensors file of 32-bit floats; the same state gives the same bytes.
///
/// # Errors
/// A tensor is not of 32-bit floats.
pub fn to_safetensors(state: &State) -> Result<Vec<u8>> {
    serialized(state, None)
}

/// The same with the recipe of the run beside the tensors, where other readers of safetensors pass
/// it over.
///
/// # Errors
/// A tensor is not of 32-bit floats.
pub fn to_safetensors_of(recipe: &Recipe, state: &State) -> Result<Vec<u8>> {
    let recipe = serde_json::to_string(recipe)?;
    serialized(state, Some(HashMap::from([(RECIPE.to_owned(), recipe)])))
}

/// The recipe beside the tensors of a file that [`to_safetensors_of`] wrote and [`read_checkpoint`]
/// could read; `None` of every other file.
pub fn recipe_of(path: &Path) -> Option<Recipe> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(9).read_to_end(&mut head).ok()?;
    let header = u64::from_le_bytes(*head.first_chunk()?);
    if head.last() != Some(&b'{') || header > LARGEST_HEADER {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).ok()?;
    let recipe: Recipe = serde_json::from_str(metadata.metadata().as_ref()?.get(RECIPE)?).ok()?;
    recipe.check().is_ok().then_some(recipe)
}

fn serialized(state: &State, metadata: Option<HashMap<String, String>>) -> Result<Vec<u8>> {
    let view = |(name, data): (&String, &TensorData)| -> Result<(String, Vec<usize>, Vec<u8>)> {
        ensure!(
            data.dtype() == DType::F32,
            "tensor `{name}` is {:?}, expected 32-bit floats",
            data.dtype()
        );
        Ok((
            name.clone(),
            data.shape().to_vec(),
            data.as_bytes().to_vec(),
        ))
    };
    let tensors = state.iter().map(view).collect::<Result<Vec<_>>>()?;
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            Ok((
                name.as_str(),
                TensorView::new(Dtype::F32, shape.clone(), bytes)?,
            ))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    Ok(safetensors::serialize(views, metadata)?)
}

/// The float tensors of a safetensors file.
///
/// # Errors
/// The bytes are not a safetensors file, or hold weights that are no floats.
pub fn from_safetensors(bytes: &[u8]) -> Result<State> {
    let header = bytes
        .first_chunk()
        .map_or(0, |length| u64::from_le_bytes(*length));
    ensure!(
        header <= LARGEST_HEADER,
        "its header claims {header} bytes, more than any checkpoint needs; copy or download it \
         again"
    );
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        anyhow!("it is no whole safetensors file ({error}); copy or download it again")
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
        state.insert(
            name.to_owned(),
            tensor_data(view.data().to_vec(), view.shape().to_vec(), dtype),
        );
    }
    Ok(state)
}

/// The float tensors of a checkpoint from outside: safetensors, or anything that `torch.save`
/// wrote.
///
/// Nothing in the file is run. Counters and other tensors that hold no floats are left out.
///
/// # Errors
/// The file is missing, damaged, hostile, or holds something else than weights.
pub fn read_checkpoint(path: &Path) -> Result<State> {
    let metadata = path
        .metadata()
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    ensure!(metadata.is_file(), "`{}` is not a file", path.display());
    ensure!(
        metadata.len() <= LARGEST_FILE,
        "`{}` is larger than any checkpoint",
        path.display()
    );
    read(path).map_err(|error| {
        // One line, whatever the file says.
        let printable = |character: char| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        };
        let cause: String = format!("{error:#}")
            .chars()
            .map(printable)
            .take(LONGEST_CAUSE)
            .collect();
        anyhow!(
            "`{}` cannot be read as a checkpoint: {cause}",
            path.display()
        )
    })
}

fn read(path: &Path) -> Result<State> {
    let mut head = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut head)?;
    refuse_text(&head)?;
    // Names do not always tell: eight bytes of length, then JSON.
    let is_safetensors = head.get(8) == Some(&b'{') && head[5..8] == [0; 3];
    let named_so = path
        .extension()
        .is_some_and(|extension| extension == "safetensors");
    let state = if is_safetensors || named_so {
        from_safetensors(&std::fs::read(path)?)?
    } else {
        torch::read(path)?
    };
    ensure!(
        !state.is_empty(),
        "it holds no weights; save them with torch.save(model.state_dict(), ...)"
    );
    for (name, data) in &state {
        let finite = data.iter::<f64>().all(f64::is_finite);
        ensure!(
            finite,
            "tensor `{name}` holds values that are not finite: the training that wrote it diverged"
        );
        ensure!(
            !name.chars().any(char::is_control),
            "a tensor has control characters in its name: {name:?}"
        );
    }
    Ok(state)
}

/// What is often saved in place of a checkpoint.
fn refuse_text(head: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(head)
        .trim_start()
        .to_ascii_lowercase();
    ensure!(!head.is_empty(), "it is empty; copy or download it again");
    ensure!(
        !text.starts_with("version https://git-lfs"),
        "it is a git-lfs pointer, not the file itself; run `git lfs pull` where it comes from"
    );
    ensure!(
        !text.starts_with("<!doctype") && !text.starts_with("<html"),
        "it is a web page, not the file itself; download it again from the address of the file"
    );
    Ok(())
}

/// Leaves out a tensor without floats, such as a counter of batches, unless its name says that it
/// is needed.
fn skip(name: &str, dtype: &str) -> Result<()> {
    const NEEDED: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];
    let leaf = name.rsplit('.').next().unwrap_or(name);
    if NEEDED.contains(&leaf) {
        bail!(
            "tensor `{name}` holds {dtype}, expected floats; quantized weights have to be turned \
             back first"
        );
    }
    Ok(())
}

fn tensor_data(bytes: Vec<u8>, shape: Vec<usize>, dtype: DType) -> TensorData {
    TensorData::from_bytes_vec(bytes, shape, dtype)
}
