//! Networks as other libraries save them, brought to torchvision's names and layouts: Hugging Face's
//! ResNet, and timm's SE-ResNet, VGG and networks with CBAM in their blocks.

use std::collections::BTreeSet;

use burn::tensor::TensorData;

use super::layout::Layout;
use crate::state::State;

/// What a layer of ours is there, and what has to happen to its tensor.
struct Place {
    name: String,
    change: Change,
}

enum Change {
    Nothing,
    /// A linear layer that is a convolution there, `[outputs, inputs, k, k]`.
    Flattened,
    /// CBAM's code stacks the maximum first, timm the mean.
    PlanesSwapped,
}

/// Where the tensors of those names are here; `None` for names that are usual already. Nothing moves
/// where two would get the same name.
fn places<'a>(names: impl Iterator<Item = &'a String> + Clone) -> Vec<Option<Place>> {
    // timm's VGG has its linear layers in two places.
    let vgg = names.clone().any(|name| name.starts_with("pre_logits."));
    let place = |name: &String| of_hugging_face(name).or_else(|| of_timm(name, vgg));
    let places: Vec<Option<Place>> = names.clone().map(place).collect();
    let moved = names.zip(&places).map(|(name, place)| match place {
        Some(place) => &place.name,
        None => name,
    });
    let different: BTreeSet<&String> = moved.collect();
    match different.len() == places.len() {
        true => places,
        false => places.iter().map(|_| None).collect(),
    }
}

/// Whether some of the names are those of another library.
pub(super) fn has_other_names(names: &[String]) -> bool {
    places(names.iter()).iter().any(Option::is_some)
}

/// The tensors of a network under the usual names and in the usual layouts.
pub(super) fn usual(given: State) -> State {
    let places = places(given.keys());
    let of_another = places.iter().any(Option::is_some);
    let moved = places.into_iter().zip(given);
    let moved = moved.map(|(place, (name, data))| match place {
        None => (name, data),
        Some(Place { name, change }) => (name, change.of(data)),
    });
    let found = moved.collect();
    match of_another {
        true => with_biases(found),
        false => found,
    }
}

impl Change {
    fn of(&self, data: TensorData) -> TensorData {
        match (self, &data.shape()[..]) {
            (Self::Flattened, &[outputs, ref inputs @ ..]) if inputs.len() > 1 => {
                let shape = [outputs, inputs.iter().product()];
                let (bytes, _, kind) = data.into_parts();
                TensorData::from_bytes(bytes, shape, kind)
            }
            (Self::PlanesSwapped, _) => Layout::PlanesSwapped.apply(data),
            _ => data,
        }
    }
}

/// Whether it is one of the first SE networks that were ported to PyTorch, such as timm's
/// `legacy_seresnet50`: names and shapes fit ours, but strides and pooling are Caffe's.
pub fn is_of_caffe(state: &State) -> bool {
    state.keys().any(|name| name.contains(".se_module."))
}

/// Of Hugging Face's ResNet.
fn of_hugging_face(name: &str) -> Option<Place> {
    let kind = |part: &str, number: usize| match part {
        "convolution" => Some(format!("conv{number}")),
        "normalization" => Some(format!("bn{number}")),
        _ => None,
    };
    let parts: Vec<&str> = name.split('.').collect();
    let (layer, leaf) = match parts[..] {
        ["embedder", "embedder", part, leaf] => (kind(part, 1)?, leaf),
        [
            "encoder",
            "stages",
            stage,
            "layers",
            block,
            ref inner @ ..,
            part,
            leaf,
        ] => {
            let stage: usize = stage.parse().ok()?;
            let inner = match (inner, part) {
                (["shortcut"], "convolution") => "downsample.0".to_owned(),
                (["shortcut"], "normalization") => "downsample.1".to_owned(),
                (["layer", layer], _) => kind(part, layer.parse::<usize>().ok()?.checked_add(1)?)?,
                _ => return None,
            };
            let stage = stage.checked_add(1)?;
            (format!("layer{stage}.{block}.{inner}"), leaf)
        }
        ["classifier", "1", leaf @ ("weight" | "bias")] => ("fc".to_owned(), leaf),
        _ => return None,
    };
    Some(Place {
        name: format!("{layer}.{leaf}"),
        change: Change::Nothing,
    })
}

/// Of timm's networks, as far as their names are not torchvision's.
fn of_timm(name: &str, vgg: bool) -> Option<Place> {
    let parts: Vec<&str> = name.split('.').collect();
    let (layer, leaf, change) = match parts[..] {
        ["pre_logits", "fc1", leaf] => ("classifier.0".to_owned(), leaf, Change::Flattened),
        ["pre_logits", "fc2", leaf] => ("classifier.3".to_owned(), leaf, Change::Flattened),
        ["head", "fc", leaf] if vgg => ("classifier.6".to_owned(), leaf, Change::Nothing),
        ["head" | "cls_head", "fc", leaf] => ("fc".to_owned(), leaf, Change::Nothing),
        [ref block @ .., "se", layer @ ("fc1" | "fc2"), leaf] => {
            let layer = format!("{}.{layer}", block.join("."));
            (layer, leaf, Change::Flattened)
        }
        [ref block @ .., "se", "channel", layer, leaf] => {
            let number = match layer {
                "fc1" => 1,
                "fc2" => 3,
                _ => return None,
            };
            let layer = format!("{}.{CHANNELS}{number}", block.join("."));
            (layer, leaf, Change::Flattened)
        }
        [
            ref block @ ..,
            "se",
            "spatial",
            "conv",
            layer @ ("conv" | "bn"),
            leaf,
        ] => {
            let change = match layer {
                "conv" => Change::PlanesSwapped,
                _ => Change::Nothing,
            };
            let layer = format!("{}.cbam.SpatialGate.spatial.{layer}", block.join("."));
            (layer, leaf, change)
        }
        _ => return None,
    };
    Some(Place {
        name: format!("{layer}.{leaf}"),
        change,
    })
}

/// CBAM's layers over the channels, without their numbers.
const CHANNELS: &str = "cbam.ChannelGate.mlp.";

/// timm's CBAM has no biases over the channels: they are zero.
fn with_biases(mut state: State) -> State {
    let zeros = state.iter().filter_map(|(name, data)| {
        let layer = name.strip_suffix(".weight")?;
        let bias = format!("{layer}.bias");
        let lacks = layer.contains(CHANNELS) && !state.contains_key(&bias);
        let outputs = *data.shape().first()?;
        lacks.then(|| (bias, TensorData::zeros::<f32, _>([outputs])))
    });
    let zeros: Vec<_> = zeros.collect();
    state.extend(zeros);
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<String> {
        let tensor = |name: &&str| ((*name).to_owned(), TensorData::zeros::<f32, _>([1]));
        let found = usual(names.iter().map(tensor).collect());
        found.into_keys().collect()
    }

    #[test]
    fn hugging_faces_resnet_is_torchvisions() {
        let names = named(&[
            "embedder.embedder.convolution.weight",
            "embedder.embedder.normalization.bias",
            "encoder.stages.1.layers.0.layer.2.convolution.weight",
            "encoder.stages.1.layers.0.shortcut.normalization.running_mean",
            "classifier.1.weight",
        ]);
        let expected = [
            "bn1.bias",
            "conv1.weight",
            "fc.weight",
            "layer2.0.conv3.weight",
            "layer2.0.downsample.1.running_mean",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn timms_networks_have_the_usual_names() {
        let names = named(&["head.fc.weight", "layer1.0.se.fc1.weight"]);
        assert_eq!(names, ["fc.weight", "layer1.0.fc1.weight"]);
        let names = named(&[
            "features.0.weight",
            "head.fc.bias",
            "pre_logits.fc1.weight",
            "pre_logits.fc2.bias",
        ]);
        let expected = [
            "classifier.0.weight",
            "classifier.3.bias",
            "classifier.6.bias",
            "features.0.weight",
        ];
        assert_eq!(names, expected);
        // Nothing to do, and two of one name.
        for names in [["conv1.weight", "fc.bias"], ["fc.bias", "head.fc.bias"]] {
            assert_eq!(named(&names), names);
            assert!(!has_other_names(&names.map(str::to_owned)));
        }
    }

    #[test]
    fn timms_cbam_has_no_biases_and_the_mean_first() {
        let spatial = TensorData::new(vec![1.0_f32, 2.0], [1, 2, 1, 1]);
        let channels = TensorData::new(vec![3.0_f32, 4.0], [2, 1, 1, 1]);
        let found = usual(State::from([
            ("layer1.0.se.spatial.conv.conv.weight".to_owned(), spatial),
            ("layer1.0.se.channel.fc2.weight".to_owned(), channels),
        ]));
        let values = |name: &str| {
            let data: &TensorData = &found[name];
            (
                data.shape().to_vec(),
                data.iter::<f32>().collect::<Vec<_>>(),
            )
        };
        assert_eq!(
            values("layer1.0.cbam.SpatialGate.spatial.conv.weight"),
            (vec![1, 2, 1, 1], vec![2.0, 1.0])
        );
        assert_eq!(
            values("layer1.0.cbam.ChannelGate.mlp.3.weight"),
            (vec![2, 1], vec![3.0, 4.0])
        );
        assert_eq!(
            values("layer1.0.cbam.ChannelGate.mlp.3.bias"),
            (vec![2], vec![0.0, 0.0])
        );
    }
}
