//! Attention branch networks (ABN, Fukui et al., CVPR 2019; MANet, Bai & Kawahara, 2024) as Burn
//! modules.
//!
//! ```text
//! image --extract--> F ----------------------------> (1+M).F --refine--> G --classify--> perception logits
//!                     \--own copy of last stage, stride 1--> [mixed attention] --> class maps --GAP--> attention logits
//!                                                                             \--conv, sigmoid--> M [B, 1, h, w]
//! ```
//!
//! A [`Classifier`] is a [`Network`](backbone::Network) cut before its last stage, plus an optional
//! [`AttentionBranch`](attention::AttentionBranch) and the [`Mechanism`](mechanism::Mechanism) that
//! applies its map. The branch exists once for every family of networks: a family only says what
//! its last stage is. So "without attention" is the same network with the branch left out, and
//! every row of an ablation table is one [`ClassifierConfig`].
//!
//! This crate computes and nothing else: no files, no clock, no terminal. It depends on Burn and
//! on the kernels and runs on any backend, chosen by the [`Device`](burn::tensor::Device) that a
//! module is made on.
//!
//! ```
//! use abn_core::{Architecture, AttentionConfig, ClassifierConfig, Outputs};
//! use burn::tensor::{Device, Tensor};
//!
//! let device = Device::flex();
//! let config = ClassifierConfig {
//!     network: Architecture::parse("resnet20")?.network,
//!     attention: Some(AttentionConfig::abn()),
//!     outputs: Outputs::one(10),
//! };
//! let output = config.init(&device).forward(Tensor::zeros([2, 3, 32, 32], &device));
//! assert_eq!(output.logits.dims(), [2, 10]);
//! assert_eq!(output.attention.unwrap().map.dims(), [2, 1, 16, 16]);
//! # Ok::<(), abn_core::architecture::ArchitectureError>(())
//! ```

pub mod architecture;
pub mod attention;
pub mod backbone;
pub mod classifier;
pub mod conv;
pub mod cost;
pub mod detect;
pub mod explain;
pub mod flat_gradients;
pub mod gradients;
mod linear;
pub mod loss;
pub mod loss_scale;
pub mod mechanism;
pub mod mixed;
pub mod norm;
pub mod outputs;
pub mod precision;
pub mod pytorch;
pub mod sgd;
pub mod state;
pub mod transfer;

pub use architecture::Architecture;
pub use attention::AttentionConfig;
pub use classifier::{Classifier, ClassifierConfig, Output};
pub use outputs::Outputs;
