//! Names of a network that was saved as a part of something, or by a library with names of its own,
//! brought to torchvision's.

use std::collections::BTreeMap;

use super::names::without_wrappers;

/// First parts of names that belong to a network itself, so that a backbone whose names all begin
/// with one keeps it.
const OWN: [&str; 12] = [
    "features",
    "classifier",
    "fc",
    "conv1",
    "bn1",
    "bn",
    "conv",
    "linear",
    "head",
    "network",
    "branch",
    "mixed",
];
/// The same with a number behind.
const OWN_NUMBERED: [&str; 6] = ["layer", "block", "dense", "trans", "stage", "att"];
/// What the classifier lies in beside a backbone.
const HEADS: [&str; 2] = ["head", "cls_head"];

/// Tensors under names without what stands before all of a network, and what that was.
///
/// `backbone.conv1.weight` beside `head.fc.weight` become `conv1.weight` and `fc.weight`; names of
/// Hugging Face's ResNet become torchvision's. Where two would get the same name, nothing changes.
pub fn bare<T>(tensors: BTreeMap<String, T>) -> (BTreeMap<String, T>, Option<String>) {
    let mut prefix = String::new();
    let mut names: BTreeMap<String, String> = tensors
        .keys()
        .map(|name| (name.clone(), name.clone()))
        .collect();
    while let Some(part) = before_all(names.values()) {
        let start = format!("{part}.");
        for name in names.values_mut() {
            *name = match name.strip_prefix(&start) {
                Some(rest) => rest.to_owned(),
                None => HEADS
                    .iter()
                    .find_map(|head| name.strip_prefix(&format!("{head}.")))
                    .unwrap_or(name)
                    .to_owned(),
            };
        }
        prefix += &start;
    }
    for name in names.values_mut() {
        if let Some(usual) = of_hugging_face(name) {
            *name = usual;
        }
    }
    // Names under mere wrappers are known everywhere, and what runs remember of a file stays.
    let changed = names
        .iter()
        .any(|(name, bare)| without_wrappers(name) != without_wrappers(bare));
    let mut found: Vec<&String> = names.values().collect();
    found.sort();
    if !changed || found.windows(2).any(|pair| pair[0] == pair[1]) {
        return (tensors, None);
    }
    let renamed = tensors.into_iter().map(|(name, tensor)| {
        let bare = names.remove(&name).unwrap_or(name);
        (bare, tensor)
    });
    let renamed = renamed.collect();
    let prefix = prefix.strip_suffix('.').map(str::to_owned);
    (renamed, prefix)
}

/// The part that stands before all names, or before all but those of a head.
fn before_all<'a>(names: impl Iterator<Item = &'a String> + Clone) -> Option<String> {
    let first = |name: &'a String| name.split_once('.').map(|(first, _)| first);
    let is_of_head = |part: &str| HEADS.contains(&part) || ["fc", "classifier"].contains(&part);
    let mut parts = names
        .clone()
        .map(first)
        .filter(|part| !part.is_some_and(is_of_head));
    let part = parts.next()??;
    let same = parts.all(|other| other == Some(part));
    (same && !is_own(part)).then(|| part.to_owned())
}

fn is_own(part: &str) -> bool {
    let numbered = |start: &str| {
        let rest = part.strip_prefix(start);
        rest.is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit() || next == '_'))
    };
    OWN.contains(&part) || OWN_NUMBERED.iter().any(|start| numbered(start))
}

/// Torchvision's name of a tensor of Hugging Face's ResNet.
fn of_hugging_face(name: &str) -> Option<String> {
    let kind = |part: &str, number: usize| match part {
        "convolution" => Some(format!("conv{number}")),
        "normalization" => Some(format!("bn{number}")),
        _ => None,
    };
    let parts: Vec<&str> = name.split('.').collect();
    let (place, leaf) = match parts[..] {
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
            let inner = match *inner {
                ["shortcut"] => match part {
                    "convolution" => "downsample.0".to_owned(),
                    "normalization" => "downsample.1".to_owned(),
                    _ => return None,
                },
                ["layer", layer] => kind(part, layer.parse::<usize>().ok()?.checked_add(1)?)?,
                _ => return None,
            };
            (
                format!("layer{}.{block}.{inner}", stage.checked_add(1)?),
                leaf,
            )
        }
        ["classifier", "1", leaf @ ("weight" | "bias")] => ("fc".to_owned(), leaf),
        _ => return None,
    };
    Some(format!("{place}.{leaf}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bared(names: &[&str]) -> (Vec<String>, Option<String>) {
        let tensors = names.iter().map(|name| ((*name).to_owned(), ())).collect();
        let (found, prefix) = bare::<()>(tensors);
        (found.into_keys().collect(), prefix)
    }

    #[test]
    fn what_stands_before_all_is_taken_off() {
        let (names, prefix) = bared(&[
            "backbone.conv1.weight",
            "backbone.layer1.0.bn1.bias",
            "head.fc.bias",
        ]);
        assert_eq!(names, ["conv1.weight", "fc.bias", "layer1.0.bn1.bias"]);
        assert_eq!(prefix.as_deref(), Some("backbone"));
        let (names, prefix) = bared(&["a.encoder.conv1.weight", "a.encoder.bn1.bias"]);
        assert_eq!(names, ["bn1.bias", "conv1.weight"]);
        assert_eq!(prefix.as_deref(), Some("a.encoder"));
    }

    #[test]
    fn a_networks_own_names_stay() {
        let own: [&[&str]; 5] = [
            &["conv1.weight", "fc.bias", "layer1.0.bn1.bias"],
            &["features.0.weight", "features.1.bias"],
            &["layer1.0.bn1.bias", "layer1.0.bn2.bias"],
            &["backbone.body.conv1.weight", "rpn.head.conv.bias"],
            &["att_conv.weight", "stage_1.bias"],
        ];
        for names in own {
            let (found, prefix) = bared(names);
            assert_eq!(
                (found, prefix),
                (names.iter().map(|name| (*name).to_owned()).collect(), None)
            );
        }
        // Wrappers alone are left to what knows them.
        assert_eq!(bared(&["module.conv1.weight", "module.fc.bias"]).1, None);
        assert_eq!(
            bared(&["module.backbone.conv1.weight", "module.fc.bias"])
                .1
                .as_deref(),
            Some("module.backbone")
        );
        // Two heads of one name.
        let double = ["a.fc.bias", "a.conv1.weight", "head.fc.bias"];
        assert_eq!(bared(&double).0.len(), 3);
        assert_eq!(bared(&double).1, None);
    }

    #[test]
    fn hugging_faces_resnet_is_torchvisions() {
        let (names, _) = bared(&[
            "resnet.embedder.embedder.convolution.weight",
            "resnet.embedder.embedder.normalization.bias",
            "resnet.encoder.stages.1.layers.0.layer.2.convolution.weight",
            "resnet.encoder.stages.1.layers.0.shortcut.normalization.running_mean",
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
}
