//! Details of the attention branch, or of the module in the blocks, by their path in `config.json`.

use abn_core::AttentionConfig;
use serde_json::{Value, json};

use super::{Recipe, RecipeError};

/// The branch that looks at every region of a detector.
const REGION: &str = "region_attention";
/// Parts of a recipe that can be set.
const PARTS: [&str; 3] = ["attention", "block", "detector"];

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
    spell_out(&mut tree["attention"]);
    if let Value::Object(detector) = &mut tree["detector"] {
        detector.entry(REGION).or_insert(Value::Null);
    }
    for (path, value) in settings {
        if path.strip_prefix("detector.") == Some(REGION)
            && let Some(branch) = region_branch(value)
        {
            let branch = serde_json::to_value(branch).map_err(RecipeError::Fields)?;
            *place(&mut tree, path).map_err(|reason| RecipeError::NoSuchSetting {
                path: path.clone(),
                reason,
            })? = branch;
            spell_out(&mut tree["detector"][REGION]);
            continue;
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.clone()));
        let place = place(&mut tree, path).map_err(|reason| RecipeError::NoSuchSetting {
            path: path.clone(),
            reason,
        })?;
        *place = value;
    }
    let sets_kernel = |(path, _): &(String, String)| path.ends_with(".kernel");
    if let Some(Value::Object(map)) = tree.pointer_mut("/attention/map/sigmoid")
        && map.get("source").is_some_and(|source| !source.is_null())
        && !settings.iter().any(sets_kernel)
    {
        // Another source than a convolution has none.
        map.insert("kernel".to_owned(), Value::Null);
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

/// A branch that looks at regions by its name: without a stage of its own, which would cost as much
/// a region as the last stage does.
fn region_branch(name: &str) -> Option<AttentionConfig> {
    let named = match name {
        "abn" => AttentionConfig::abn(),
        "manet" => AttentionConfig::manet(),
        _ => return None,
    };
    Some(AttentionConfig {
        stage: false,
        ..named
    })
}

/// Puts what a recipe leaves out because it is as usual in its place, so that it can be set.
fn spell_out(attention: &mut Value) {
    let usual = json!({
        "maps": "one",
        "terms": {
            "area": 0.0, "variation": 0.0, "entropy": 0.0, "flip": 0.0, "scale": 0.0, "objects": 0.0
        },
        "map": {"sigmoid": {
            "kernel": null, "source": null, "smoothing": 1, "norm": "batch", "gain": 1.0,
            "decayed": true, "dropout": 0.0
        }},
    });
    complete(attention, &usual);
}

/// Adds the fields that are not there. What there is, and what is no object, stays.
fn complete(there: &mut Value, usual: &Value) {
    let (Value::Object(there), Value::Object(usual)) = (there, usual) else {
        return;
    };
    for (name, value) in usual {
        match there.get_mut(name) {
            Some(inner) => complete(inner, value),
            // A choice that was made otherwise has no place for this one.
            None if name == "sigmoid" => {}
            None => {
                there.insert(name.clone(), value.clone());
            }
        }
    }
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
    use abn_core::attention::{MapConfig, MapSource, Maps};
    use abn_core::mechanism::Mechanism;
    use abn_core::mixed::Pools;

    use super::*;
    use crate::datasets::{CIFAR10, SCENES};
    use crate::error::chain;

    fn set(recipe: Recipe, settings: &[&str]) -> Result<Recipe, RecipeError> {
        let split = |text: &&str| {
            let (path, value) = text.split_once('=').unwrap();
            (path.to_owned(), value.to_owned())
        };
        apply(recipe, &settings.iter().map(split).collect::<Vec<_>>())
    }

    #[test]
    fn a_branch_of_regions_has_a_name() {
        use crate::recipe::detector::DetectorName;

        let c4 = Recipe::detecting(&SCENES, DetectorName::C4, None, None).unwrap();
        let detector = |recipe: Recipe| recipe.detector.unwrap().region_attention;
        let set_to = |values: &[&str]| set(c4.clone(), values).map(detector);
        let light = set_to(&["detector.region_attention=manet"])
            .unwrap()
            .unwrap();
        assert!(!light.stage && light.mixed.is_some());
        let scaled = set_to(&[
            "detector.region_attention=abn",
            "detector.region_attention.loss_weight=0.5",
        ]);
        assert_eq!(scaled.unwrap().unwrap().loss_weight, 0.5);
        assert_eq!(set_to(&["detector.region_attention=null"]).unwrap(), None);
        assert!(set_to(&["detector.region_attention=cbam"]).is_err());
        let error = set(recipe(), &["detector.frozen.parts=1"]).unwrap_err();
        assert!(chain(&error).contains("the network has none"), "{error}");
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
        assert_eq!(attention.map, MapConfig::convolution(3));
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

    /// What a recipe leaves out has a path, too, and is left out again where it is as usual.
    #[test]
    fn every_option_of_the_map_has_a_path() {
        let settings = [
            "attention.map.sigmoid.source=class",
            "attention.map.sigmoid.smoothing=3",
            "attention.map.sigmoid.norm=image",
            "attention.map.sigmoid.gain=2",
            "attention.map.sigmoid.decayed=false",
            "attention.map.sigmoid.dropout=0.1",
            "attention.terms.variation=1",
        ];
        let attention = set(recipe(), &settings).unwrap().attention.unwrap();
        let MapConfig::Sigmoid(map) = attention.map else {
            panic!("{attention:?}");
        };
        assert_eq!(
            (map.source, map.smoothing, map.gain, map.decayed),
            (MapSource::Class, 3, 2.0, false)
        );
        assert_eq!(attention.terms.variation, 1.0);
        let usual = set(recipe(), &["attention.loss_weight=1"]).unwrap();
        let text = serde_json::to_string(&usual.attention).unwrap();
        assert!(text.contains(r#""map":{"sigmoid":{"kernel":1}}"#), "{text}");
        assert!(!text.contains("terms"), "{text}");
        let both = [
            "attention.map.sigmoid.source=class",
            "attention.map.sigmoid.kernel=3",
        ];
        let error = chain(&set(recipe(), &both).unwrap_err());
        assert!(error.contains("a kernel or another source"), "{error}");
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
    fn maps_are_one_unless_said_otherwise() {
        let found = set(recipe(), &["attention.maps=per_group"]).unwrap();
        assert_eq!(found.attention.unwrap().maps, Maps::PerGroup);
        // What is as usual is not written: configurations stay the bytes that they were.
        let usual = set(recipe(), &["attention.maps=one"]).unwrap();
        let text = serde_json::to_string(&usual.attention).unwrap();
        assert!(!text.contains("maps"), "{text}");
        let error = chain(&set(recipe(), &["attention.maps=two"]).unwrap_err());
        assert!(error.contains("one` or `per_group"), "{error}");
    }

    #[test]
    fn slips_are_met_with_what_there_is() {
        for (setting, expected) in [
            (
                "attention.kernel=3",
                "there is no `kernel`; there is loss_weight, map, maps, mechanism",
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
