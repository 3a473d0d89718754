//! The commands, one a file: from arguments as typed to results on stdout.

pub mod eval;
pub mod explain;
pub mod import;
pub mod models;
pub mod predict;
pub mod train;

use abn_core::AttentionConfig;
use abn_core::backbone::Architecture;

use crate::cli::AttentionName;

/// The attention branch of that name for a network.
fn attention(name: AttentionName, architecture: &Architecture) -> Option<AttentionConfig> {
    match name {
        AttentionName::None => None,
        AttentionName::Abn => Some(architecture.abn()),
        AttentionName::Manet => Some(AttentionConfig::manet()),
    }
}

/// A fraction as a percentage.
fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}
