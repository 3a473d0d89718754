//! Asks of a trained run why it decides as it does, and how good the answers are.

pub mod method;
pub mod score;
pub mod stability;
