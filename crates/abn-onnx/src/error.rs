//! Why a network cannot be written as an ONNX model.

use std::fmt;

use burn::tensor::DType;

/// Why a network cannot be written as an ONNX model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// A weight that the network has and the state lacks.
    #[error("the weights lack `{name}` {}, which the network has", Shape(shape))]
    Missing {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A weight of another shape than the network's.
    #[error(
        "`{name}` is {} in the weights, and {} in the network",
        Shape(found),
        Shape(expected)
    )]
    Shape {
        /// Its name.
        name: String,
        /// Its shape in the network.
        expected: Vec<usize>,
        /// Its shape in the state.
        found: Vec<usize>,
    },
    /// Weights that no layer of the network has.
    #[error("the weights hold {count} tensors that the network has not, such as `{first}`")]
    Unexpected {
        /// How many.
        count: usize,
        /// The first by name.
        first: String,
    },
    /// A weight that is not of 32-bit floats, as all of ours are.
    #[error("tensor `{name}` is {dtype:?}, expected 32-bit floats")]
    NotSingle {
        /// Its name.
        name: String,
        /// What it is of.
        dtype: DType,
    },
    /// More than a file of this format can hold.
    #[error(
        "the model would have {bytes} bytes; an ONNX file holds at most 2 GiB in one piece. Export \
         the weights as .safetensors, which has no such limit"
    )]
    TooLarge {
        /// How many bytes.
        bytes: usize,
    },
    /// Names of labels that do not fit the outputs.
    #[error("the labels have {labels:?} classes, the network {outputs:?}")]
    Labels {
        /// Number of classes of each label.
        labels: Vec<usize>,
        /// Number of classes of each group of outputs.
        outputs: Vec<usize>,
    },
    /// What JSON cannot hold.
    #[error("the network cannot be described in JSON: {0}")]
    Json(String),
    /// Bytes that are no model.
    #[error("the bytes are no ONNX model: {0}")]
    NotAModel(String),
}

/// A shape in words: `[64, 3, 7, 7]`.
struct Shape<'a>(&'a [usize]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
