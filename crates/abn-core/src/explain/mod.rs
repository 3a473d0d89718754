//! Explanations: where a network looks, by several methods, and measures of how good that is.
//!
//! ```text
//! image --extract--> F --attend--> refine --> G --classify--> logit of a class
//!                    |                        |
//!              Layer::Features          Layer::Refined      Grad-CAM: gradient of the logit here
//! ```
//!
//! The network is cut, so Grad-CAM needs no hooks: it detaches at F or G and runs the rest once
//! more.

mod channel_weights;
mod complexity;
mod control;
mod eigen;
mod error;
mod faithfulness;
mod fidelity;
mod gradient;
mod intervention;
mod localisation;
mod map;
mod mask;
mod method;
mod noise;
mod overlap;
mod pass;
mod paths;
mod perturbation;
mod randomisation;
mod rank;
mod road;
mod sparseness;

pub(crate) use perturbation::{mask, masked};

pub use complexity::complexity;
pub use error::ExplainError;
pub use faithfulness::{
    Baseline, Confidence, Curve, deletion, insertion, probabilities_of, replaced,
};
pub use fidelity::{Fidelity, MISSING, missing_at_random};
pub use intervention::{Effect, intervention};
pub use localisation::Localisation;
pub use map::{AttentionMap, MapSizeError};
pub use mask::Mask;
pub use method::{Explanation, Layer, Method};
pub use noise::noisy;
pub use overlap::{LEVELS, Overlap, THRESHOLD};
pub use pass::{ForwardPass, explain};
pub use randomisation::{Cascade, Part};
pub use rank::rank_correlation;
pub use road::{First, PERCENTILES, Road, imputed, removed};
pub use sparseness::sparseness;
