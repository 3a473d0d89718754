//! Attention branch networks as ONNX models.
//!
//! ```text
//! ClassifierConfig --walk--> nodes, named by the paths of their layers --+--> ModelProto --> bytes
//! State --------------------> initializers, by the names of the state --/
//! ```
//!
//! [`export`] walks the configuration as a forward pass does and takes each weight from the
//! [state](abn_core::state::State) where a layer needs it; a weight that is missing, left over or
//! of another shape is an error. A network is thus written without running it, and without a
//! device. Batch norms stay nodes of their own, with their running statistics, so that a viewer
//! shows the layers of the papers; every runtime folds them.
//!
//! ```
//! use abn_core::state::state_of;
//! use abn_core::{Architecture, AttentionConfig, ClassifierConfig, Outputs};
//! use abn_data::{Labels, Normalization, Transform};
//! use abn_onnx::{Export, Input, export, to_bytes};
//! use burn::tensor::Device;
//!
//! let model = ClassifierConfig {
//!     network: Architecture::parse("resnet8")?.network,
//!     attention: Some(AttentionConfig::abn()),
//!     outputs: Outputs::one(2),
//! };
//! let what = Export {
//!     title: "resnet8 with abn",
//!     model: &model,
//!     labels: &Labels::one(vec!["cat".to_owned(), "dog".to_owned()]),
//!     transform: &Transform { steps: vec![], normalization: Normalization::CIFAR },
//!     input: Input::Normalized,
//! };
//! let bytes = to_bytes(&export(&what, state_of(&model.init(&Device::flex())))?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backbone;
mod blocks;
mod branch;
mod classifier;
mod conv;
mod error;
mod graph;
mod map;
mod metadata;
mod mixed;
mod model;
mod operations;
mod outputs;
mod preprocessing;
pub mod proto;

pub use error::OnnxError;
pub use model::{Export, Input, export, from_bytes, to_bytes};
