//! Networks and attention branches by the names that users type, with a suggestion for a slip.

use abn_core::Architecture;
use abn_core::AttentionConfig;
use abn_core::architecture::{ArchitectureError, BlockName};
use anyhow::{Result, anyhow, ensure};

use crate::cli::{AttentionName, BlockChoice};

/// The architecture of that name.
///
/// # Errors
/// There is none; the message suggests the nearest published one.
pub fn parse(name: &str) -> Result<Architecture> {
    Architecture::parse(name).map_err(|error| match &error {
        ArchitectureError::Unknown { name } => {
            anyhow!(
                "{error}; did you mean `{}`? `abn models` lists the published ones",
                nearest(name)
            )
        }
        _ => anyhow!(error),
    })
}

/// The attention branch of that name for a network.
pub fn attention(name: AttentionName, architecture: &Architecture) -> Option<AttentionConfig> {
    match name {
        AttentionName::None => None,
        AttentionName::Abn => Some(architecture.abn()),
        AttentionName::Manet => Some(AttentionConfig::manet()),
    }
}

/// The architecture of that name with the blocks asked for.
///
/// # Errors
/// There is none, or its name asks for other blocks.
pub fn with_block(name: &str, block: Option<BlockChoice>) -> Result<Architecture> {
    let named = parse(name)?;
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
    parse(&block.rename(&named.name))
}

fn nearest(name: &str) -> String {
    let candidates = Architecture::published()
        .into_iter()
        .map(|architecture| architecture.name);
    let distance = |candidate: &String| strsim::damerau_levenshtein(candidate, name);
    candidates.min_by_key(distance).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_met_with_the_nearest_name() {
        for (typed, meant) in [
            ("resnet-20", "resnet20"),
            ("rsnet110", "resnet110"),
            ("restnet56-basic", "resnet56-basic"),
        ] {
            let message = parse(typed).unwrap_err().to_string();
            assert!(
                message.contains(&format!("did you mean `{meant}`")),
                "{message}"
            );
        }
    }
}
