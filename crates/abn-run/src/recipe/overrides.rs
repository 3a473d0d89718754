//! Details of the attention branch, or of the module in the blocks, by their path in `config.json`.

use serde_json::Value;

use super::{Recipe, RecipeError};

/// Parts of a recipe that can be set.
const PARTS: [&str; 2] = ["attention", "block"];

/// The recipe with those values in their places.
///
/// # Errors
/// A path leads nowhere, or a value is none that can stand there.
pub fn apply(recipe: Recipe, settings: &[(String, String)]) -> Result<Recipe, RecipeError> {
    if settings.is_empty() {
        return Ok(recipe);
    }
    let mut tree = serde_json::to_value(&recipe).map_err(RecipeError::Fields)?;
    if tree["block"].is_null() && settings.iter().any(|(path, _)| path.starts_with("block.")) {
        let block = recipe.block_attention()?;
        tree["block"] = serde_json::to_value(block).map_err(RecipeError::Fields)?;
    }
    for (path, value) in settings {
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.clone()));
        let place = place(&mut tree, path).map_err(|reason| RecipeError::NoSuchSetting {
            path: path.clone(),
            reason,
        })?;
        *place = value;
    }
    serde_json::from_value(tree).map_err(|source| {
        let given: Vec<String> = settings
            .iter()
            .map(|(path, value)| format!("{path}={value}"))
            .collect();
        let settings = given.join(" ");
        RecipeError::Settings { settings, source }
    })
}

/// The value at that path, or what there is instead.
fn place<'a>(tree: &'a mut Value, path: &str) -> Result<&'a mut Value, String> {
    let mut here = tree;
    for (depth, name) in path.split('.').enumerate() {
        let allowed: Vec<String> = match &*here {
            _ if depth == 0 => PARTS.map(str::to_owned).to_vec(),
            Value::Object(fields) => fields.keys().cloned().collect(),
            Value::Null => {
                return Err(
                    "the network has none; ask for attention manet, or for blocks se or cbam"
                        .to_owned(),
                );
            }
            other => return Err(format!("`{other}` has no parts; set it as a whole")),
        };
        if !allowed.iter().any(|known| known == name) {
            return Err(format!(
                "there is no `{name}`; there is {}",
                allowed.join(", ")
            ));
        }
        here = &mut here[name];
    }
    Ok(here)
}

#[cfg(test)]
mod tests {
    use abn_core::attention::MapConfig;
    use abn_core::mixed::Pools;
    use abn_core::{AttentionConfig, mechanism::Mechanism};

    use super::*;
    use crate::datasets::CIFAR10;
    use crate::error::chain;

    fn set(recipe: Recipe, settings: &[&str]) -> Result<Recipe, RecipeError> {
        let split = |text: &&str| {
            let (path, value) = text.split_once('=').unwrap();
            (path.to_owned(), value.to_owned())
        };
        apply(recipe, &settings.iter().map(split).collect::<Vec<_>>())
    }

    fn recipe() -> Recipe {
        let recipe = Recipe::of(&CIFAR10, None);
        Recipe {
            attention: Some(AttentionConfig::manet()),
            ..recipe
        }
    }

    #[test]
    fn every_open_choice_of_manet_has_a_path() {
        let settings = [
            "attention.stage=false",
            "attention.loss_weight=0",
            "attention.map.sigmoid.kernel=3",
            "attention.mixed.spatial.norm=true",
            "attention.mixed.channel.pools=maximum",
            "attention.mechanism=multiply",
        ];
        let attention = set(recipe(), &settings).unwrap().attention.unwrap();
        assert!(!attention.stage && attention.loss_weight == 0.0);
        assert_eq!(attention.map, MapConfig::Sigmoid { kernel: 3 });
        assert_eq!(attention.mechanism, Mechanism::Multiply);
        let mixed = attention.mixed.unwrap();
        assert!(mixed.spatial.unwrap().norm);
        assert_eq!(mixed.channel.unwrap().pools, Pools::Maximum);
        let whole = set(
            recipe(),
            &["attention.map=log_sum", "attention.mixed.spatial=null"],
        )
        .unwrap();
        assert_eq!(whole.attention.as_ref().unwrap().map, MapConfig::LogSum);
        assert_eq!(whole.attention.unwrap().mixed.unwrap().spatial, None);
    }

    #[test]
    fn the_module_in_the_blocks_starts_from_the_architectures() {
        let cbam = Recipe {
            architecture: "cbam-resnet20".to_owned(),
            ..recipe()
        };
        let block = set(cbam, &["block.spatial.kernel=3"])
            .unwrap()
            .block
            .unwrap();
        assert_eq!(block.spatial.unwrap().kernel, 3);
        let error = chain(&set(recipe(), &["block.spatial.kernel=3"]).unwrap_err());
        assert!(
            error.contains("the network has none") && error.contains("blocks se or cbam"),
            "{error}"
        );
    }

    #[test]
    fn slips_are_met_with_what_there_is() {
        for (setting, expected) in [
            (
                "attention.kernel=3",
                "there is no `kernel`; there is loss_weight, map, mechanism",
            ),
            (
                "epochs=3",
                "there is no `epochs`; there is attention, block",
            ),
            ("attention.stage.x=3", "`true` has no parts"),
            ("attention.mechanism=strong", "unknown variant `strong`"),
        ] {
            let error = chain(&set(recipe(), &[setting]).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
