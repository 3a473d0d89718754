//! Architecture names as users type them, with a suggestion for a slip.

use abn_core::backbone::{Architecture, ArchitectureError};
use anyhow::{Result, anyhow};

/// The architecture of that name.
///
/// # Errors
/// There is none; the message suggests the nearest published one.
pub fn parse(name: &str) -> Result<Architecture> {
    Architecture::parse(name).map_err(|error| match &error {
        ArchitectureError::Unknown { name } => {
            anyhow!("{error}; did you mean `{}`? `abn models` lists the published ones", nearest(name))
        }
        _ => anyhow!(error),
    })
}

fn nearest(name: &str) -> String {
    let candidates = Architecture::published().into_iter().map(|architecture| architecture.name);
    let distance = |candidate: &String| strsim::damerau_levenshtein(candidate, name);
    candidates.min_by_key(distance).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_met_with_the_nearest_name() {
        for (typed, meant) in
            [("resnet-20", "resnet20"), ("rsnet110", "resnet110"), ("restnet56-basic", "resnet56-basic")]
        {
            let message = parse(typed).unwrap_err().to_string();
            assert!(message.contains(&format!("did you mean `{meant}`")), "{message}");
        }
    }
}
