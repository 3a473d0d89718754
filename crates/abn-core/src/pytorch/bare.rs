//! Names of a network that was saved as a part of something.

use std::collections::{BTreeMap, BTreeSet};

use super::libraries;
use super::names::without_wrappers;
use crate::state::State;

/// First parts of names that belong to a network itself, so that a backbone whose names all begin
/// with one keeps it.
const OWN: [&str; 13] = [
    "features",
    "pre_logits",
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
const HEADS: [&str; 4] = ["head", "cls_head", "fc", "classifier"];

/// Tensors without what stands before all of a network, under the names that are usual.
///
/// `backbone.conv1.weight` beside `head.fc.weight` become `conv1.weight` and `fc.weight`; names of
/// Hugging Face's and timm's networks become torchvision's. Where two would get the same name,
/// nothing changes.
#[must_use]
pub fn bare(tensors: State) -> State {
    let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
    let bared = without_prefix(&names);
    // Names under mere wrappers are known everywhere, and what runs remember of a file stays.
    let changed = names
        .iter()
        .zip(&bared)
        .any(|(name, bare)| without_wrappers(name) != without_wrappers(bare));
    let all: BTreeSet<&String> = bared.iter().collect();
    if all.len() < names.len() || !(changed || libraries::has_other_names(&bared)) {
        return tensors;
    }
    let state = bared.into_iter().zip(tensors.into_values()).collect();
    libraries::usual(state)
}

/// The tensors below a part of their names, such as `encoder_q`, behind what wraps a network; all
/// others are left out.
#[must_use]
pub fn below(tensors: State, prefix: &str) -> State {
    let start = format!("{}.", prefix.trim_end_matches('.'));
    let part = |(name, data): (String, _)| {
        let bare = without_wrappers(&name).strip_prefix(&start);
        let rest = bare.or_else(|| name.strip_prefix(&start))?;
        Some((rest.to_owned(), data))
    };
    tensors.into_iter().filter_map(part).collect()
}

/// What the names begin with that are no network's own, and how many do; one is to be chosen with
/// [`below`].
#[must_use]
pub fn prefixes(tensors: &State) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for name in tensors.keys() {
        if let Some((first, _)) = without_wrappers(name).split_once('.') {
            *counts.entry(first).or_default() += 1;
        }
    }
    let foreign = counts.into_iter().filter(|(part, _)| !is_own(part));
    foreign
        .map(|(part, count)| (part.to_owned(), count))
        .collect()
}

/// Names without the parts that stand before all of them, or before all but those of a head.
fn without_prefix(names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    while let Some(part) = before_all(&names) {
        let start = format!("{part}.");
        for name in &mut names {
            if let Some(rest) = name.strip_prefix(&start) {
                *name = rest.to_owned();
            }
        }
    }
    names
}

fn before_all(names: &[String]) -> Option<String> {
    let first = |name: &String| name.split_once('.').map(|(first, _)| first.to_owned());
    let is_of_head =
        |part: &Option<String>| part.as_deref().is_some_and(|part| HEADS.contains(&part));
    let mut parts = names.iter().map(first).filter(|part| !is_of_head(part));
    let part = parts.next()??;
    let same = parts.all(|other| other.as_ref() == Some(&part));
    (same && !is_own(&part)).then_some(part)
}

fn is_own(part: &str) -> bool {
    let numbered = |start: &&str| {
        let rest = part.strip_prefix(start);
        rest.is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit() || next == '_'))
    };
    OWN.contains(&part) || OWN_NUMBERED.iter().any(numbered)
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    fn state(names: &[&str]) -> State {
        let tensor = |name: &&str| ((*name).to_owned(), TensorData::zeros::<f32, _>([1]));
        names.iter().map(tensor).collect()
    }

    fn bared(names: &[&str]) -> Vec<String> {
        bare(state(names)).into_keys().collect()
    }

    #[test]
    fn what_stands_before_all_is_taken_off() {
        let names = bared(&[
            "backbone.conv1.weight",
            "backbone.layer1.0.bn1.bias",
            "head.fc.bias",
        ]);
        assert_eq!(names, ["conv1.weight", "fc.bias", "layer1.0.bn1.bias"]);
        let names = bared(&["a.encoder.conv1.weight", "a.encoder.bn1.bias"]);
        assert_eq!(names, ["bn1.bias", "conv1.weight"]);
        let names = bared(&["net.conv1.weight", "net.head.fc.bias"]);
        assert_eq!(names, ["conv1.weight", "fc.bias"]);
        let names = bared(&["module.backbone.conv1.weight", "module.fc.bias"]);
        assert_eq!(names, ["conv1.weight", "fc.bias"]);
    }

    #[test]
    fn a_networks_own_names_stay() {
        let own: [&[&str]; 6] = [
            &["conv1.weight", "fc.bias", "layer1.0.bn1.bias"],
            &["features.0.weight", "features.1.bias"],
            &["layer1.0.bn1.bias", "layer1.0.bn2.bias"],
            &["backbone.body.conv1.weight", "rpn.head.conv.bias"],
            &["att_conv.weight", "stage_1.bias"],
            // Wrappers alone are left to what knows them.
            &["module.conv1.weight", "module.fc.bias"],
        ];
        for names in own {
            assert_eq!(bared(names), names);
        }
        // Two heads of one name.
        let double = ["a.conv1.weight", "a.fc.bias", "head.fc.bias"];
        assert_eq!(bared(&double).len(), 3);
    }

    #[test]
    fn one_of_several_networks_is_chosen() {
        let names = [
            "module.encoder_k.conv1.weight",
            "module.encoder_q.conv1.weight",
            "module.encoder_q.fc.bias",
            "module.queue",
        ];
        let counts = [("encoder_k".to_owned(), 1), ("encoder_q".to_owned(), 2)];
        assert_eq!(prefixes(&state(&names)), counts);
        let chosen = below(state(&names), "encoder_q.");
        let chosen: Vec<String> = chosen.into_keys().collect();
        assert_eq!(chosen, ["conv1.weight", "fc.bias"]);
        assert_eq!(below(state(&names), "module.encoder_k").len(), 1);
        assert!(below(state(&names), "encoder").is_empty());
    }
}
