//! Where features take two ways.
//!
//! Burn adds up the gradients of a tensor itself, with one thread and a multiplication an axis and
//! value. So each way hands its gradient over beside Burn, and the joint node, which Burn comes to
//! last, adds them up.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;

use super::{ChannelsLast, spread, track, tracked, vector};
use crate::{InstructionSet, gate, pool};

pub(in crate::ops) fn fork(features: Tensor<4>) -> [Tensor<4>; 2] {
    let (features, node) = tracked(features).into_parts();
    let parts = Parts::default();
    let joint = track(Joint, [node], parts.clone(), features);
    [(); 2].map(|()| {
        let features = joint.primitive().clone();
        let way = track(Way, [joint.node()], parts.clone(), features);
        Tensor::from_primitive::<Autodiff<Flex>>(way)
    })
}

/// The gradients that the ways have handed over.
#[derive(Debug, Clone, Default)]
struct Parts(Arc<Mutex<Vec<FlexTensor>>>);

/// One of the ways.
#[derive(Debug)]
struct Way;

impl Backward<Flex, 1> for Way {
    type State = Parts;

    fn backward(self, ops: Ops<Parts, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let [joint] = ops.parents;
        if let Some(joint) = joint {
            let mut parts = ops.state.0.lock().unwrap_or_else(PoisonError::into_inner);
            parts.push(gradient);
            // So that Burn comes to the joint node, which ignores the value.
            gradients.register::<Flex>(joint.id, vector(vec![0.0]));
        }
    }
}

/// Where the ways begin.
#[derive(Debug)]
struct Joint;

impl Backward<Flex, 1> for Joint {
    type State = Parts;

    fn backward(self, ops: Ops<Parts, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        gradients.consume::<Flex>(&ops.node);
        let parts =
            std::mem::take(&mut *ops.state.0.lock().unwrap_or_else(PoisonError::into_inner));
        // First those with a value for each position: they are where the others are added.
        let (spread, whole): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .partition(|part| spread::values(part).is_some());
        let sum = whole.into_iter().chain(spread).fold(None, |sum, part| {
            Some(match sum {
                None => ChannelsLast::of(part),
                Some(sum) => added(sum, part),
            })
        });
        let [parent] = ops.parents;
        if let (Some(parent), Some(sum)) = (parent, sum) {
            gradients.register::<Flex>(parent.id, sum.into_tensor());
        }
    }
}

fn added(sum: ChannelsLast, part: FlexTensor) -> ChannelsLast {
    let set = InstructionSet::in_use();
    let [_, channels, height, width] = sum.dims();
    let (sum, ()) = match spread::values(&part) {
        Some(values) => sum.rewritten(|features| {
            pool::add_spread(set, channels, height * width, features, values);
        }),
        None => {
            let part = ChannelsLast::of(part);
            sum.rewritten(|features| gate::add(set, features, part.values(), false))
        }
    };
    sum
}
