//! Networks by the names that users type, with a suggestion for a slip.

use abn_core::Architecture;
use abn_core::architecture::{ArchitectureError, BlockName};

use super::RecipeError;

/// The architecture of that name.
///
/// # Errors
/// There is none; the message suggests the nearest published one.
pub fn parse(name: &str) -> Result<Architecture, RecipeError> {
    Architecture::parse(name).map_err(|source| {
        let nearest = match &source {
            ArchitectureError::Unknown { name } => nearest(name),
            _ => None,
        };
        RecipeError::Architecture { source, nearest }
    })
}

/// The architecture of that name with the blocks asked for.
///
/// # Errors
/// There is none, or its name asks for other blocks.
pub fn with_block(name: &str, block: Option<BlockName>) -> Result<Architecture, RecipeError> {
    let named = parse(name)?;
    let Some(block) = block else { return Ok(named) };
    let (own, _) = BlockName::split(&named.name);
    if own != BlockName::Plain && own != block {
        return Err(RecipeError::Blocks { name: named.name });
    }
    parse(&block.rename(&named.name))
}

fn nearest(name: &str) -> Option<String> {
    let published = Architecture::published().into_iter();
    let candidates = published.map(|architecture| architecture.name);
    candidates.min_by_key(|candidate| strsim::damerau_levenshtein(candidate, name))
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
