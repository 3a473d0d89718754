//! Starting a network from the weights of another: a baseline becomes an attention branch network,
//! a network of many classes one of few.

use std::collections::BTreeMap;

use burn::tensor::Shape;

use crate::classifier::ClassifierConfig;
use crate::state::{State, StateMismatch};

/// Names of the branch's own stage start so.
const BRANCH_STAGE: &str = "branch.stage.";

/// A start, and where each of its tensors is from.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// The whole state to start from.
    pub state: State,
    /// Names of the tensors that were taken over.
    pub loaded: Vec<String>,
    /// Names of the branch's tensors that are copies of the last stage's (ABN section 3.1: the
    /// branch has the last stage's layers at stride 1).
    pub copied: Vec<String>,
    /// Names of the tensors that keep their initial values.
    pub fresh: Vec<String>,
    /// Names of given tensors that have no place here: of another head or another attention branch.
    pub unused: Vec<String>,
}

/// Whether the tensor belongs to the head, which depends on the classes.
pub(crate) fn is_head(name: &str) -> bool {
    name.starts_with("network.head.")
}

/// Whether the tensor belongs to an attention module in a block, which a plain backbone lacks.
fn is_gate(name: &str) -> bool {
    name.contains(".gate.")
}

/// Puts `given` tensors, in our names, in the place of a `fresh` state's.
///
/// The backbone must be complete. The head may be missing or of other classes, and attention
/// missing in blocks and as a branch, whose stage then starts from the last stage's weights.
///
/// # Errors
/// A tensor of the backbone is missing or of another shape.
pub fn start_from(
    config: &ClassifierConfig,
    fresh: State,
    mut given: State,
) -> Result<Transfer, StateMismatch> {
    check_backbone(&fresh, &given)?;
    let has_branch = given.keys().any(|name| name.starts_with(BRANCH_STAGE));
    let last_stage = format!("network.stages.{}.", config.network.stages.len() - 1);
    if !has_branch {
        let of_last = given
            .iter()
            .filter_map(|(name, data)| Some((name.strip_prefix(&last_stage)?, data)));
        let copies: State = of_last
            .map(|(rest, data)| (format!("{BRANCH_STAGE}{rest}"), data.clone()))
            .collect();
        given.extend(copies);
    }
    let mut transfer = Transfer {
        state: State::new(),
        loaded: vec![],
        copied: vec![],
        fresh: vec![],
        unused: vec![],
    };
    for (name, initial) in fresh {
        let found = given.remove(&name);
        if found
            .as_ref()
            .is_some_and(|data| data.shape() != initial.shape())
        {
            transfer.unused.push(name.clone());
        }
        let fitting = found.filter(|data| data.shape() == initial.shape());
        let list = match &fitting {
            Some(_) if !has_branch && name.starts_with(BRANCH_STAGE) => &mut transfer.copied,
            Some(_) => &mut transfer.loaded,
            None => &mut transfer.fresh,
        };
        list.push(name.clone());
        transfer.state.insert(name, fitting.unwrap_or(initial));
    }
    let copies = |name: &String| !has_branch && name.starts_with(BRANCH_STAGE);
    transfer
        .unused
        .extend(given.into_keys().filter(|name| !copies(name)));
    Ok(transfer)
}

/// Everything of the network must be given, but its head and, if none is given at all, the gates.
fn check_backbone(fresh: &State, given: &State) -> Result<(), StateMismatch> {
    let gates = given.keys().any(|name| is_gate(name));
    let backbone = |state: &State| -> BTreeMap<String, Shape> {
        let of_backbone = |name: &str| {
            name.starts_with("network.") && !is_head(name) && (gates || !is_gate(name))
        };
        let shapes = state.iter().filter(|(name, _)| of_backbone(name));
        shapes
            .map(|(name, data)| (name.clone(), data.shape().clone()))
            .collect()
    };
    StateMismatch::check(&backbone(fresh), &backbone(given))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::Architecture;
    use crate::AttentionConfig;
    use crate::Outputs;
    use crate::state::state_of;

    fn config(attention: Option<AttentionConfig>, classes: usize) -> ClassifierConfig {
        ClassifierConfig {
            network: Architecture::parse("resnet8").unwrap().network,
            attention,
            outputs: Outputs::one(classes),
        }
    }

    #[test]
    fn attention_in_the_blocks_may_be_fresh_but_not_dropped() {
        let network = Architecture::parse("cbam-resnet8").unwrap().network;
        let gated = ClassifierConfig {
            network,
            ..config(None, 3)
        };
        let plain = config(None, 3);
        let transfer = start_from(&gated, state(&gated, 2), state(&plain, 1)).unwrap();
        assert!(transfer.fresh.iter().all(|name| is_gate(name)) && !transfer.fresh.is_empty());
        assert!(start_from(&plain, state(&plain, 1), state(&gated, 2)).is_err());
    }

    #[test]
    fn what_has_no_place_is_told() {
        let baseline = config(None, 3);
        let given = state(&config(Some(AttentionConfig::abn()), 4), 1);
        let transfer = start_from(&baseline, state(&baseline, 2), given).unwrap();
        assert!(transfer.unused.contains(&"network.head.weight".to_owned()));
        assert!(transfer.unused.contains(&"branch.logits.weight".to_owned()));
    }

    fn state(config: &ClassifierConfig, seed: u64) -> State {
        state_of(&config.init_seeded(seed, &Device::flex()))
    }

    #[test]
    fn a_branch_starts_as_a_copy_of_the_last_stage() {
        let abn = config(Some(AttentionConfig::abn()), 3);
        let baseline = state(&config(None, 10), 1);
        let fresh = state(&abn, 2);
        let transfer = start_from(&abn, fresh.clone(), baseline.clone()).unwrap();
        let rest = "blocks.0.convs.0.conv.weight";
        assert_eq!(
            transfer.state[&format!("branch.stage.{rest}")],
            baseline[&format!("network.stages.2.{rest}")]
        );
        assert_eq!(
            transfer.state["network.stem.conv.weight"],
            baseline["network.stem.conv.weight"]
        );
        assert!(
            transfer
                .copied
                .iter()
                .all(|name| name.starts_with(BRANCH_STAGE))
                && !transfer.copied.is_empty()
        );
        // Ten classes do not fit three.
        assert!(transfer.fresh.contains(&"network.head.weight".to_owned()));
        assert!(transfer.fresh.contains(&"branch.logits.weight".to_owned()));
        assert_eq!(
            transfer.state["network.head.weight"],
            fresh["network.head.weight"]
        );
        let all = transfer.loaded.len() + transfer.copied.len() + transfer.fresh.len();
        assert_eq!(all, transfer.state.len());
    }

    #[test]
    fn a_branch_that_is_given_is_taken_over() {
        let abn = config(Some(AttentionConfig::abn()), 3);
        let given = state(&abn, 1);
        let transfer = start_from(&abn, state(&abn, 2), given.clone()).unwrap();
        assert_eq!(transfer.state, given);
        assert!(transfer.copied.is_empty() && transfer.fresh.is_empty());
    }

    #[test]
    fn an_incomplete_backbone_is_refused() {
        let baseline = config(None, 3);
        let mut given = state(&baseline, 1);
        given.remove("network.stem.conv.weight");
        let mismatch = start_from(&baseline, state(&baseline, 2), given).unwrap_err();
        assert_eq!(mismatch.missing.len(), 1);
    }
}
