//! The commands, one a file: from arguments as typed to results on stdout.

pub mod eval;
pub mod explain;
pub mod export;
pub mod import;
pub mod models;
pub mod predict;
pub mod train;

use abn_core::AttentionConfig;
use abn_core::backbone::{Architecture, BlockName};

use anyhow::{Result, ensure};

use crate::architectures;
use crate::cli::{AttentionName, BlockChoice};

/// The attention branch of that name for a network.
fn attention(name: AttentionName, architecture: &Architecture) -> Option<AttentionConfig> {
    match name {
        AttentionName::None => None,
        AttentionName::Abn => Some(architecture.abn()),
        AttentionName::Manet => Some(AttentionConfig::manet()),
    }
}

/// The architecture of that name with the blocks asked for.
fn architecture(name: &str, block: Option<BlockChoice>) -> Result<Architecture> {
    let named = architectures::parse(name)?;
    let Some(block) = block else { return Ok(named) };
    let block = match block {
        BlockChoice::Plain => BlockName::Plain,
        BlockChoice::Se => BlockName::Se,
        BlockChoice::Cbam => BlockName::Cbam,
    };
    let (own, _) = BlockName::split(&named.name);
    ensure!(
        own == BlockName::Plain || own == block,
        "`{}` names the blocks, and --block asks for others; give --arch the name without them",
        named.name
    );
    architectures::parse(&block.rename(&named.name))
}

/// A fraction as a percentage.
fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}
