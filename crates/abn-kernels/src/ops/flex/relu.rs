//! The ReLU.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::{ChannelsLast, apply};
use crate::InstructionSet;
use crate::gate;

pub(in crate::ops) fn relu(features: Tensor<4>) -> Tensor<4> {
    apply(Relu, [features], |[features]| {
        let (output, ()) =
            features.rewritten(|values| gate::relu(InstructionSet::in_use(), values));
        (output.clone().into_tensor(), output)
    })
}

#[derive(Debug)]
struct Relu;

impl Backward<Flex, 1> for Relu {
    /// The output.
    type State = ChannelsLast;

    fn backward(self, ops: Ops<ChannelsLast, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            gated(gradient, &ops.state)
        });
    }
}

/// The gradient before a ReLU from the one behind it.
fn gated(gradient: FlexTensor, output: &ChannelsLast) -> FlexTensor {
    let (gradient, ()) = ChannelsLast::of(gradient)
        .rewritten(|gradient| gate::gate(InstructionSet::in_use(), gradient, output.values()));
    gradient.into_tensor()
}

pub(in crate::ops) fn add(a: Tensor<4>, b: Tensor<4>, relu: bool) -> Tensor<4> {
    apply(Add, [a, b], |[a, b]| {
        assert_eq!(a.dims(), b.dims(), "a sum of the same shapes");
        let (sum, ()) =
            a.rewritten(|values| gate::add(InstructionSet::in_use(), values, b.values(), relu));
        (sum.clone().into_tensor(), relu.then_some(sum))
    })
}

#[derive(Debug)]
struct Add;

impl Backward<Flex, 2> for Add {
    /// The output behind the ReLU, if there is one.
    type State = Option<ChannelsLast>;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let gradient = match &ops.state {
            Some(output) => gated(gradient, output),
            None => gradient,
        };
        for node in ops.parents.into_iter().flatten() {
            gradients.register::<Flex>(node.id, gradient.clone());
        }
    }
}
