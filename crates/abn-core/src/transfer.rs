//! Starting a network from the weights of another: a baseline becomes an attention branch network, a network of
//! many classes one of few.

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
    /// Names of the branch's tensors that are copies of the last stage's (ABN section 3.1: the branch has the
    /// last stage's layers at stride 1).
    pub copied: Vec<String>,
    /// Names of the tensors that keep their initial values.
    pub fresh: Vec<String>,
}

/// Puts `given` tensors, in our names, in the place of a `fresh` state's.
///
/// The backbone must be complete. The head may be missing or of other classes, and the attention branch missing:
/// its stage then starts from the last stage's weights.
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
        let of_last = given.iter().filter_map(|(name, data)| Some((name.strip_prefix(&last_stage)?, data)));
        let copies: State =
            of_last.map(|(rest, data)| (format!("{BRANCH_STAGE}{rest}"), data.clone())).collect();
        given.extend(copies);
    }
    let mut transfer = Transfer { state: State::new(), loaded: vec![], copied: vec![], fresh: vec![] };
    for (name, initial) in fresh {
        let fitting = given.remove(&name).filter(|data| data.shape() == initial.shape());
        let list = match &fitting {
            Some(_) if !has_branch && name.starts_with(BRANCH_STAGE) => &mut transfer.copied,
            Some(_) => &mut transfer.loaded,
            None => &mut transfer.fresh,
        };
        list.push(name.clone());
        transfer.state.insert(name, fitting.unwrap_or(initial));
    }
    Ok(transfer)
}

/// Everything of the network but its head must be given.
fn check_backbone(fresh: &State, given: &State) -> Result<(), StateMismatch> {
    let backbone = |state: &State| -> BTreeMap<String, Shape> {
        let of_backbone = |name: &str| name.starts_with("network.") && !name.starts_with("network.head.");
        let shapes = state.iter().filter(|(name, _)| of_backbone(name));
        shapes.map(|(name, data)| (name.clone(), data.shape().clone())).collect()
    };
    StateMismatch::check(&backbone(fresh), &backbone(given))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::AttentionConfig;
    use crate::backbone::Architecture;
    use crate::state::state_of;

    fn config(attention: Option<AttentionConfig>, classes: usize) -> ClassifierConfig {
        ClassifierConfig { network: Architecture::parse("resnet8").unwrap().network, attention, classes }
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
        assert_eq!(transfer.state["network.stem.conv.weight"], baseline["network.stem.conv.weight"]);
        assert!(
            transfer.copied.iter().all(|name| name.starts_with(BRANCH_STAGE)) && !transfer.copied.is_empty()
        );
        // Ten classes do not fit three.
        assert!(transfer.fresh.contains(&"network.head.weight".to_owned()));
        assert!(transfer.fresh.contains(&"branch.logits.weight".to_owned()));
        assert_eq!(transfer.state["network.head.weight"], fresh["network.head.weight"]);
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
