//! Which network a foreign checkpoint belongs to, where it is not quite the one that was asked for.

use abn_core::architecture::{AttentionName, BlockName};
use abn_core::attention::MapConfig;
use abn_core::outputs::Binary;
use abn_core::pytorch::{check, name_of, part_from_pytorch};
use abn_core::state::{State, shapes_of};
use abn_core::{Architecture, AttentionConfig, ClassifierConfig, Outputs};
use burn::tensor::Device;

use super::{MOST_CLASSES, Recipe, architectures};

/// Suffix of architectures whose shortcuts have no parameters.
const WITHOUT_PROJECTIONS: &str = "-basic-a";

/// The recipe whose network the checkpoint has, if that differs from the one asked for only in what
/// nobody names: shortcuts without parameters, or another convolution of the map.
pub fn close_to(
    asked: &Recipe,
    classes: usize,
    checkpoint: &State,
    device: &Device,
) -> Option<Recipe> {
    let architecture = architectures::parse(&asked.architecture).ok()?;
    let own_block = BlockName::split(&architecture.name).0;
    let padded = architecture.siblings().into_iter().filter(|sibling| {
        sibling.name.ends_with(WITHOUT_PROJECTIONS)
            && BlockName::split(&sibling.name).0 == own_block
    });
    let names =
        std::iter::once(architecture.name.clone()).chain(padded.map(|sibling| sibling.name));
    let mut recipes = names.flat_map(|architecture| {
        let recipe = Recipe {
            architecture,
            ..asked.clone()
        };
        maps(recipe.attention.as_ref()).map(move |attention| Recipe {
            attention,
            ..recipe.clone()
        })
    });
    recipes.find(|recipe| fits(recipe, classes, checkpoint, device))
}

/// The attention asked for, and the same with each other kind of map.
fn maps(
    attention: Option<&AttentionConfig>,
) -> impl Iterator<Item = Option<AttentionConfig>> + use<> {
    let kinds = [
        MapConfig::convolution(3),
        MapConfig::convolution(1),
        MapConfig::LogSum,
    ];
    let others = attention.cloned().into_iter().flat_map(move |attention| {
        kinds.map(|map| {
            Some(AttentionConfig {
                map,
                ..attention.clone()
            })
        })
    });
    std::iter::once(attention.cloned()).chain(others)
}

fn fits(recipe: &Recipe, classes: usize, checkpoint: &State, device: &Device) -> bool {
    let Ok(network) = recipe.network() else {
        return false;
    };
    let name = AttentionName::of(recipe.attention.as_ref());
    let config = ClassifierConfig {
        network,
        attention: recipe.attention.clone(),
        outputs: outputs_of(name, classes),
    };
    check(&config, checkpoint, device).is_ok()
}

/// A network that a checkpoint has.
#[derive(Debug)]
pub struct Recognised {
    /// Its architecture.
    pub architecture: Architecture,
    /// Its attention branch.
    pub attention: AttentionName,
    /// Its outputs: classes, or labels of two classes each of which is learned as one logit.
    pub classes: usize,
}

/// The outputs of a network of that branch whose head has so many.
pub fn outputs_of(attention: AttentionName, count: usize) -> Outputs {
    match attention {
        AttentionName::Mtabn | AttentionName::MtabnResidual => {
            Outputs::of(vec![2; count]).with(Binary::Sigmoid)
        }
        AttentionName::None | AttentionName::Abn | AttentionName::Manet => Outputs::one(count),
    }
}

/// Whether a checkpoint is all of a plain network but its head.
pub fn is_backbone(architecture: &Architecture, checkpoint: &State, device: &Device) -> bool {
    let config = ClassifierConfig {
        network: architecture.network.clone(),
        attention: None,
        outputs: outputs_of(AttentionName::None, 1),
    };
    outputs(architecture, checkpoint).is_none()
        && part_from_pytorch(&config, checkpoint.clone(), device).is_ok_and(|(part, unused)| {
            let network = shapes_of(&config.init(device));
            let head = |name: &String| name.starts_with("network.head.");
            unused.is_empty()
                && !part.is_empty()
                && network
                    .keys()
                    .all(|name| part.contains_key(name) != head(name))
        })
}

/// The known network that a checkpoint has, those like the one asked for first; `None` if it has
/// none.
pub fn recognise(asked: &Architecture, checkpoint: &State, device: &Device) -> Option<Recognised> {
    let published = Architecture::published();
    let of_published: Vec<Architecture> =
        published.iter().flat_map(Architecture::siblings).collect();
    let others = asked
        .siblings()
        .into_iter()
        .chain(published)
        .chain(of_published);
    std::iter::once(asked.clone())
        .chain(others)
        .find_map(|architecture| {
            let classes = outputs(&architecture, checkpoint)?;
            let fits = |name: &AttentionName| {
                let config = ClassifierConfig {
                    network: architecture.network.clone(),
                    attention: architecture.attention(*name),
                    outputs: outputs_of(*name, classes),
                };
                check(&config, checkpoint, device).is_ok()
            };
            let attention = AttentionName::ALL.into_iter().find(fits)?;
            Some(Recognised {
                architecture,
                attention,
                classes,
            })
        })
}

/// Number of classes of a checkpoint: rows of the weight of its head.
pub fn outputs(architecture: &Architecture, checkpoint: &State) -> Option<usize> {
    let heads = [
        name_of("network.head.weight", &architecture.network),
        name_of("network.head.layers.2.weight", &architecture.network),
        "linear.weight".to_owned(),
    ];
    // The authors' code for facial attributes has a layer for each label.
    let labels = checkpoint
        .iter()
        .filter(|(name, _)| name.contains("output_per.") && name.ends_with(".weight"));
    let rows = labels.map(|(_, data)| data.shape().first().copied().unwrap_or(0));
    match rows.fold(0, usize::saturating_add) {
        0 => {}
        rows => return Some(rows).filter(|rows| *rows <= MOST_CLASSES),
    }
    let of_head = |name: &str| {
        heads
            .iter()
            .any(|head| name == head || name.ends_with(&format!(".{head}")))
    };
    let (_, data) = checkpoint.iter().find(|(name, _)| of_head(name))?;
    data.shape()
        .first()
        .copied()
        .filter(|rows| (1..=MOST_CLASSES).contains(rows))
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    /// A file of a few bytes may claim a head of any number of classes, as long as it has no
    /// columns.
    #[test]
    fn an_absurd_head_is_not_believed() {
        let asked = architectures::parse("resnet20").unwrap();
        for head in ["fc.weight", "module.fc.weight", "linear.weight"] {
            for shape in [[1 << 40, 0], [0, 64]] {
                let values = vec![0.0_f32; shape.iter().product()];
                let checkpoint = State::from([(head.to_owned(), TensorData::new(values, shape))]);
                assert!(recognise(&asked, &checkpoint, &Device::flex()).is_none());
            }
        }
    }
}
