//! Which network a foreign checkpoint belongs to, where it is not quite the one that was asked for.

use abn_core::ClassifierConfig;
use abn_core::attention::{AttentionConfig, MapConfig};
use abn_core::backbone::{Architecture, BlockName};
use abn_core::pytorch::{check, name_of};
use abn_core::state::State;
use burn::tensor::Device;

use crate::architectures;
use crate::recipe::Recipe;

/// Suffix of architectures whose shortcuts have no parameters.
const WITHOUT_PROJECTIONS: &str = "-basic-a";

/// The recipe whose network the checkpoint has, if that differs from the one asked for only in what nobody names:
/// shortcuts without parameters, or another convolution of the map.
pub fn close_to(asked: &Recipe, classes: usize, checkpoint: &State, device: &Device) -> Option<Recipe> {
    let architecture = architectures::parse(&asked.architecture).ok()?;
    let own_block = BlockName::split(&architecture.name).0;
    let padded = architecture.siblings().into_iter().filter(|sibling| {
        sibling.name.ends_with(WITHOUT_PROJECTIONS) && BlockName::split(&sibling.name).0 == own_block
    });
    let names = std::iter::once(architecture.name.clone()).chain(padded.map(|sibling| sibling.name));
    let mut recipes = names.flat_map(|architecture| {
        let recipe = Recipe { architecture, ..asked.clone() };
        maps(recipe.attention.as_ref()).map(move |attention| Recipe { attention, ..recipe.clone() })
    });
    recipes.find(|recipe| fits(recipe, classes, checkpoint, device))
}

/// The attention asked for, and the same with each other kind of map.
fn maps(attention: Option<&AttentionConfig>) -> impl Iterator<Item = Option<AttentionConfig>> + use<> {
    let kinds = [MapConfig::Sigmoid { kernel: 3 }, MapConfig::Sigmoid { kernel: 1 }, MapConfig::LogSum];
    let others = attention
        .cloned()
        .into_iter()
        .flat_map(move |attention| kinds.map(|map| Some(AttentionConfig { map, ..attention.clone() })));
    std::iter::once(attention.cloned()).chain(others)
}

fn fits(recipe: &Recipe, classes: usize, checkpoint: &State, device: &Device) -> bool {
    let Ok(network) = recipe.network() else { return false };
    let config = ClassifierConfig { network, attention: recipe.attention.clone(), classes };
    check(&config, checkpoint, device).is_ok()
}

/// What the checkpoint fits, as the end of an error message; empty if that is nothing known.
pub fn hint(asked: &Recipe, classes: usize, checkpoint: &State, device: &Device) -> String {
    let Ok(architecture) = architectures::parse(&asked.architecture) else { return String::new() };
    let siblings = architecture.siblings();
    let published: Vec<Architecture> = Architecture::published()
        .into_iter()
        .flat_map(|known| [known.siblings(), vec![known]].concat())
        .collect();
    for architecture in std::iter::once(&architecture).chain(&siblings).chain(&published) {
        let classes = outputs(architecture, checkpoint).unwrap_or(classes);
        let branches =
            [("none", None), ("abn", Some(architecture.abn())), ("manet", Some(AttentionConfig::manet()))];
        for (name, attention) in branches {
            let recipe =
                Recipe { architecture: architecture.name.clone(), attention, block: None, ..asked.clone() };
            if fits(&recipe, classes, checkpoint, device) {
                let name = format!("--arch {} --attention {name} --classes {classes}", architecture.name);
                return format!("; it is one of {name}");
            }
        }
    }
    String::new()
}

/// Number of classes of a checkpoint: rows of the weight of its head.
pub fn outputs(architecture: &Architecture, checkpoint: &State) -> Option<usize> {
    let heads = [
        name_of("network.head.weight", &architecture.network),
        name_of("network.head.layers.2.weight", &architecture.network),
        "linear.weight".to_owned(),
    ];
    let of_head = |name: &str| heads.iter().any(|head| name == head || name.ends_with(&format!(".{head}")));
    let (_, data) = checkpoint.iter().find(|(name, _)| of_head(name))?;
    data.shape().first().copied()
}
