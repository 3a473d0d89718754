//! Networks by the names that users type, with a suggestion for a slip.

use abn_core::Architecture;
use abn_core::architecture::{ArchitectureError, BlockName};
use anyhow::{Result, anyhow, ensure};

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

/// The architecture of that name with the blocks asked for.
///
/// # Errors
/// There is none, or its name asks for other blocks.
pub fn with_block(name: &str, block: Option<BlockName>) -> Result<Architecture> {
    let named = parse(name)?;
    let Some(block) = block else { return Ok(named) };
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
