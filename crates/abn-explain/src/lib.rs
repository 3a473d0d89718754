//! Asks of a trained run why it decides as it does, and how good the answers are.

pub mod bootstrap;
mod error;
pub mod method;
pub mod score;
pub mod stability;

pub use error::AnalysisError;
