//! Weights as bytes: our own as safetensors, other people's as safetensors or what `torch.save`
//! wrote.

mod cause;
#[cfg(feature = "files")]
mod container;
#[cfg(feature = "files")]
mod foreign;
#[cfg(feature = "files")]
mod pickle;
mod safetensors;
#[cfg(feature = "files")]
mod torch;

use std::path::PathBuf;

use burn::tensor::DType;

pub use self::cause::Cause;
#[cfg(feature = "files")]
pub use self::foreign::{Part, averaged_weights_in, read_checkpoint, read_part, recipe_in_file};
pub use self::safetensors::{
    from_safetensors, recipe_in_header, to_safetensors, to_safetensors_of,
};

/// Why weights cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// A tensor that is not of 32-bit floats, as all of ours are.
    #[error("tensor `{name}` is {dtype:?}, expected 32-bit floats")]
    NotSingle {
        /// Its name.
        name: String,
        /// What it is of.
        dtype: DType,
    },
    /// A shape that does not fit its bytes.
    #[error("the tensors cannot be written as safetensors")]
    Safetensors(#[from] ::safetensors::SafeTensorError),
    /// A recipe that JSON cannot hold.
    #[error("the recipe cannot be described in JSON")]
    Json(#[from] serde_json::Error),
    /// The operating system refused to read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: std::io::Error,
    },
    /// A file that holds something else than weights, or damaged ones.
    #[error("`{}` cannot be read as a checkpoint: {cause}", path.display())]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong, in one line.
        cause: String,
    },
}
