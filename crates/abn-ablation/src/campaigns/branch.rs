//! A recipe with another attention branch: what the rows of most campaigns differ in.

use abn_core::AttentionConfig;
use abn_run::recipe::Recipe;
use abn_run::recipe::architectures;
use anyhow::Result;

/// The recipe with that branch.
pub(crate) fn with(recipe: &Recipe, attention: AttentionConfig) -> Recipe {
    Recipe {
        attention: Some(attention),
        ..recipe.clone()
    }
}

/// The recipe with ABN's branch, as the authors have it for its family.
pub(crate) fn with_abn(recipe: &Recipe) -> Result<Recipe> {
    Ok(with(
        recipe,
        architectures::parse(&recipe.architecture)?.abn(),
    ))
}

/// The recipe with MANet's branch.
pub(crate) fn with_manet(recipe: &Recipe) -> Recipe {
    with(recipe, AttentionConfig::manet())
}
