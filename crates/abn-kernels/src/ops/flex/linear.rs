//! Linear layers.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Shape, Tensor};

use super::{contiguous, filled, inner, slice, track, tracked, vector, vector_of};
use crate::InstructionSet;
use crate::linear::{self, Linear, column_sums, input_gradient, weight_gradient};

pub(in crate::ops) fn linear(
    input: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<2> {
    let ([rows, inputs], [known, outputs]) = (input.dims(), weight.dims());
    assert_eq!(inputs, known, "input and weight of a linear layer");
    let shape = Linear {
        rows,
        inputs,
        outputs,
    };
    if !input.is_autodiff() {
        let (input, weight) = (inner(input).to_contiguous(), inner(weight).to_contiguous());
        let bias = bias.map(|bias| vector_of(inner(bias)));
        return Tensor::from_primitive::<Flex>(forward(shape, &input, &weight, bias));
    }
    let (input, weight, bias) = (tracked(input), tracked(weight), bias.map(tracked));
    let nodes = [input.node(), weight.node()];
    let bias_node = bias.as_ref().map(|bias| bias.node());
    let state = State {
        shape,
        input: input.into_primitive().to_contiguous(),
        weight: weight.into_primitive().to_contiguous(),
    };
    let bias = bias.map(|bias| vector_of(bias.into_primitive()));
    let output = forward(shape, &state.input, &state.weight, bias);
    let output = match bias_node {
        None => track(LinearLayer, nodes, state, output),
        Some(bias) => {
            let [input, weight] = nodes;
            track(LinearLayer, [input, weight, bias], state, output)
        }
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

fn forward(
    shape: Linear,
    input: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<Vec<f32>>,
) -> FlexTensor {
    let set = InstructionSet::in_use();
    filled([shape.rows, shape.outputs], |output| {
        linear::forward(
            set,
            &shape,
            slice(input),
            slice(weight),
            bias.as_deref(),
            output,
        );
    })
}

#[derive(Debug, Clone)]
struct State {
    shape: Linear,
    input: FlexTensor,
    weight: FlexTensor,
}

/// Parents: input, weight, then the bias if there is one.
#[derive(Debug)]
struct LinearLayer;

impl<const N: usize> Backward<Flex, N> for LinearLayer {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let State {
            shape,
            input,
            weight,
        } = &ops.state;
        let set = InstructionSet::in_use();
        for (parent, node) in ops.parents.into_iter().enumerate() {
            let Some(node) = node else { continue };
            let gradient = slice(&gradient);
            let of_parent = match parent {
                0 => filled([shape.rows, shape.inputs], |of_input| {
                    input_gradient(set, shape, slice(weight), gradient, of_input);
                }),
                1 => {
                    let mut of_weight = vec![0.0; shape.inputs * shape.outputs];
                    weight_gradient(set, shape, slice(input), gradient, &mut of_weight);
                    contiguous(of_weight, Shape::new([shape.inputs, shape.outputs]))
                }
                _ => vector(column_sums(shape.outputs, gradient)),
            };
            gradients.register::<Flex>(node.id, of_parent);
        }
    }
}
