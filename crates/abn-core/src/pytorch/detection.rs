//! The names of torchvision's detectors (`fasterrcnn_resnet50_fpn`).
//!
//! | ours | theirs | before torchvision 0.13 |
//! |---|---|---|
//! | `network.stages.0...` | `backbone.body.layer1...` | |
//! | `pyramid.inner.0` | `backbone.fpn.inner_blocks.0.0` | `backbone.fpn.inner_blocks.0` |
//! | `pyramid.outer.0` | `backbone.fpn.layer_blocks.0.0` | `backbone.fpn.layer_blocks.0` |
//! | `rpn.conv` | `rpn.head.conv.0.0` | `rpn.head.conv` |
//! | `rpn.logits`, `rpn.offsets` | `rpn.head.cls_logits`, `rpn.head.bbox_pred` | |
//! | `head.hidden.0`, `.1` | `roi_heads.box_head.fc6`, `.fc7` | |
//! | `head.logits` | `roi_heads.box_predictor.cls_score` | |
//! | `head.offsets` | `roi_heads.box_predictor.bbox_pred` | |
//!
//! The branch, which no public detector has, is a part of the body under its names in classifiers.
//! Both kinds of names are read, the present ones are written.

use burn::tensor::{Device, TensorData};

use super::layout::Layout;
use super::names::{name_of, official};
use super::{UNUSED_COUNTER, renamed};
use crate::backbone::NetworkConfig;
use crate::detect::DetectorConfig;
use crate::state::{State, StateMismatch, shapes_of};

/// Where the backbone's names begin.
const BODY: &str = "backbone.body.";

/// First parts of our names and of theirs.
const PARTS: [(&str, &str); 7] = [
    ("rpn.conv.", "rpn.head.conv.0.0."),
    ("rpn.logits.", "rpn.head.cls_logits."),
    ("rpn.offsets.", "rpn.head.bbox_pred."),
    ("head.hidden.0.", "roi_heads.box_head.fc6."),
    ("head.hidden.1.", "roi_heads.box_head.fc7."),
    ("head.logits.", "roi_heads.box_predictor.cls_score."),
    ("head.offsets.", "roi_heads.box_predictor.bbox_pred."),
];

/// Numbered parts, which have a `.0` behind the number since torchvision 0.13.
const NUMBERED: [(&str, &str); 2] = [
    ("pyramid.inner.", "backbone.fpn.inner_blocks."),
    ("pyramid.outer.", "backbone.fpn.layer_blocks."),
];

/// torchvision's name of the tensor of that name of ours.
pub fn detector_name_of(ours: &str, network: &NetworkConfig) -> String {
    let part = PARTS.iter().find_map(|(begin, theirs)| {
        let leaf = ours.strip_prefix(begin)?;
        Some(format!("{theirs}{leaf}"))
    });
    let numbered = || {
        NUMBERED.iter().find_map(|(begin, theirs)| {
            let (number, leaf) = ours.strip_prefix(begin)?.split_once('.')?;
            Some(format!("{theirs}{number}.0.{leaf}"))
        })
    };
    part.or_else(numbered)
        .unwrap_or_else(|| format!("{BODY}{}", name_of(ours, network)))
}

/// The present name of a name in a checkpoint, of whatever year.
fn present(theirs: &str, config: &DetectorConfig) -> String {
    let bare = official(theirs, config.network.family);
    if let Some(leaf) = bare.strip_prefix("rpn.head.conv.")
        && !leaf.starts_with("0.")
    {
        return format!("rpn.head.conv.0.0.{leaf}");
    }
    let numbered = NUMBERED.iter().find_map(|(_, begin)| {
        let (number, leaf) = bare.strip_prefix(begin)?.split_once('.')?;
        (!leaf.starts_with("0.")).then(|| format!("{begin}{number}.0.{leaf}"))
    });
    numbered.unwrap_or(bare)
}

/// The state of a detector from the tensors of one of torchvision's.
///
/// # Errors
/// Names or shapes differ from what this detector expects, or two names mean the same tensor; the
/// error speaks in torchvision's names and layouts.
pub fn detector_from_pytorch(
    config: &DetectorConfig,
    checkpoint: State,
    device: &Device,
) -> Result<State, StateMismatch> {
    let found = with_present_names(config, checkpoint)?;
    renamed(&config.init(device), found, |ours| {
        detector_name_of(ours, &config.network)
    })
}

/// Whether the tensors are those of one of torchvision's detectors.
pub fn is_detector(checkpoint: &State) -> bool {
    checkpoint
        .keys()
        .any(|name| name.starts_with(BODY) || name.starts_with("rpn.head."))
}

/// What of a detector the tensors of one of torchvision's give, and the names of those that have no
/// place in it: its heads are of other classes, or it has another neck.
///
/// # Errors
/// Two names mean the same tensor.
pub fn part_of_detector(
    config: &DetectorConfig,
    checkpoint: State,
    device: &Device,
) -> Result<(State, Vec<String>), StateMismatch> {
    let mut found = with_present_names(config, checkpoint)?;
    let mut part = State::new();
    for (ours, shape) in shapes_of(&config.init(device)) {
        let layout = Layout::of(&ours);
        let theirs = detector_name_of(&ours, &config.network);
        let fits = |data: &TensorData| *data.shape() == layout.shape(&shape);
        if found.get(&theirs).is_some_and(fits)
            && let Some(data) = found.remove(&theirs)
        {
            part.insert(ours, layout.apply(data));
        }
    }
    Ok((part, found.into_keys().collect()))
}

fn with_present_names(config: &DetectorConfig, checkpoint: State) -> Result<State, StateMismatch> {
    let mut found = State::new();
    for (name, data) in checkpoint {
        if name.ends_with(UNUSED_COUNTER) {
            continue;
        }
        if let Some(double) = found.insert(present(&name, config), data) {
            return Err(StateMismatch {
                missing: vec![],
                unexpected: vec![(name, double.shape().clone())],
                shapes: vec![],
            });
        }
    }
    Ok(found)
}

/// The tensors of a detector under torchvision's names, in its layouts.
pub fn detector_to_pytorch(config: &DetectorConfig, state: &State) -> State {
    let rename = |(ours, data): (&String, &TensorData)| {
        let theirs = detector_name_of(ours, &config.network);
        (theirs, Layout::of(ours).apply(data.clone()))
    };
    state.iter().map(rename).collect()
}
