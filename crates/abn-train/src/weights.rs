//! Weights in files: our own as safetensors, other people's as safetensors or PyTorch pickles.

use std::path::Path;

use abn_core::state::State;
use anyhow::{Context, Result, anyhow, bail, ensure};
use burn::tensor::{DType, TensorData};
use pytorch_reader::{PytorchError, PytorchReader};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

/// Larger than any checkpoint of these networks.
const LARGEST_FILE: u64 = 16 << 30;
/// `torch.save` does not compress, so tensors do not take more than their file, unless they share storage.
const LARGEST_EXPANSION: u64 = 4;

/// Keys under which training scripts nest the weights.
const NESTED: [&str; 2] = ["state_dict", "model"];

/// The bytes of a safetensors file of 32-bit floats; the same state gives the same bytes.
///
/// # Errors
/// A tensor is not of 32-bit floats.
pub fn to_safetensors(state: &State) -> Result<Vec<u8>> {
    let view = |(name, data): (&String, &TensorData)| -> Result<(String, Vec<usize>, Vec<u8>)> {
        ensure!(data.dtype() == DType::F32, "tensor `{name}` is {:?}, expected 32-bit floats", data.dtype());
        Ok((name.clone(), data.shape().to_vec(), data.as_bytes().to_vec()))
    };
    let tensors = state.iter().map(view).collect::<Result<Vec<_>>>()?;
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    Ok(safetensors::serialize(views, None)?)
}

/// The tensors of a safetensors file.
///
/// # Errors
/// The bytes are not a safetensors file, or hold numbers other than floats.
pub fn from_safetensors(bytes: &[u8]) -> Result<State> {
    let file = SafeTensors::deserialize(bytes).context("not a valid safetensors file")?;
    file.iter()
        .filter(|(_, view)| !matches!(view.dtype(), Dtype::I64))
        .map(|(name, view)| {
            let dtype = match view.dtype() {
                Dtype::F16 => DType::F16,
                Dtype::BF16 => DType::BF16,
                Dtype::F32 => DType::F32,
                Dtype::F64 => DType::F64,
                other => bail!("tensor `{name}` holds {other:?}, expected floats"),
            };
            Ok((name.to_owned(), tensor_data(view.data().to_vec(), view.shape().to_vec(), dtype)))
        })
        .collect()
}

/// The tensors of a checkpoint from outside: `.safetensors`, or anything that `torch.save` wrote.
///
/// # Errors
/// The file is missing, damaged, or holds something else than weights.
pub fn read_checkpoint(path: &Path) -> Result<State> {
    let metadata = path.metadata().with_context(|| format!("cannot read `{}`", path.display()))?;
    ensure!(metadata.is_file(), "`{}` is not a file", path.display());
    ensure!(metadata.len() <= LARGEST_FILE, "`{}` is larger than any checkpoint", path.display());
    let state = if path.extension().is_some_and(|extension| extension == "safetensors") {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        from_safetensors(&bytes)
    } else {
        read_pickle(path)
    };
    let state =
        state.with_context(|| format!("`{}` is not a checkpoint that can be read", path.display()))?;
    ensure!(!state.is_empty(), "`{}` holds no weights", path.display());
    Ok(state)
}

fn read_pickle(path: &Path) -> Result<State> {
    // The reader's errors repeat their cause in their text, so only the text is kept.
    let reader = open_pickle(path).map_err(|error| anyhow!("{error}"))?;
    let claimed: u64 = reader.tensors().values().map(|tensor| tensor.byte_len() as u64).sum();
    let holds = path.metadata()?.len();
    ensure!(
        claimed <= LARGEST_EXPANSION * holds,
        "its tensors would take {claimed} bytes, which a file of {holds} bytes cannot hold"
    );
    let mut state = State::new();
    for (name, tensor) in reader.tensors() {
        use pytorch_reader::DType as Torch;
        let dtype = match tensor.dtype() {
            Torch::F16 => DType::F16,
            Torch::BF16 => DType::BF16,
            Torch::F32 => DType::F32,
            Torch::F64 => DType::F64,
            // Step counters and the like; what is missing shows when names are compared.
            _ => continue,
        };
        let bytes = tensor.read().with_context(|| format!("tensor `{name}` cannot be read"))?;
        state.insert(name.clone(), tensor_data(bytes, tensor.shape().to_vec(), dtype));
    }
    Ok(state)
}

/// Opens the weights where they are nested, or else the file as a whole.
fn open_pickle(path: &Path) -> Result<PytorchReader, PytorchError> {
    for key in NESTED {
        match PytorchReader::with_top_level_key(path, key) {
            Ok(reader) if !reader.is_empty() => return Ok(reader),
            Ok(_) | Err(PytorchError::KeyNotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    PytorchReader::new(path)
}

fn tensor_data(bytes: Vec<u8>, shape: Vec<usize>, dtype: DType) -> TensorData {
    TensorData::from_bytes_vec(bytes, shape, dtype)
}
