//! Convolution.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::backend::{Autodiff, Flex};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Shape, Tensor};

use super::kept::Place;
use super::norm::affine;
use super::{ChannelsLast, contiguous, inner, repeated, slice, track, tracked, vector_of};
use crate::InstructionSet;
use crate::buffer::filled;
use crate::conv::{Algorithm, Convolution, Finish, Prepared, input_gradient_by, weight_gradient};
use crate::ops::RunningNorm;

/// Algorithm of the forward pass in training: rounding can flip a ReLU and change that unit's
/// gradient, so none that rounds more than plain sums.
const TRAINING: Algorithm = Algorithm::Small;

/// The same without gradients.
pub(super) const INFERENCE: Algorithm = Algorithm::Fewest;

pub(in crate::ops) fn conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
    kept: &Place,
) -> Tensor<4> {
    let geometry = geometry(input.dims(), weight.dims(), &options);
    if !input.is_autodiff() {
        let (input, weight) = (
            ChannelsLast::of(inner(input)),
            inner(weight).to_contiguous(),
        );
        let weight = kept.prepared(INFERENCE, &geometry, &weight);
        let bias = bias.map(|bias| vector_of(inner(bias)));
        let finish = Finish {
            bias: bias.as_deref(),
            ..Finish::default()
        };
        return Tensor::from_primitive::<Flex>(
            convolve(&weight, &geometry, &input, finish).into_tensor(),
        );
    }
    kept.clear();
    let (input, weight) = (tracked(input), tracked(weight));
    let nodes = [input.node(), weight.node()];
    let (input, weight) = (
        ChannelsLast::of(input.into_primitive()),
        weight.into_primitive().to_contiguous(),
    );
    let prepared = repeated::prepared(TRAINING, &geometry, &weight);
    let output = match bias.map(tracked) {
        None => {
            let output = convolve(&prepared, &geometry, &input, Finish::default());
            track(
                Conv,
                nodes,
                State {
                    input,
                    weight,
                    geometry,
                },
                output.into_tensor(),
            )
        }
        Some(bias) => {
            let [first, second] = nodes;
            let nodes = [first, second, bias.node()];
            let bias = vector_of(bias.into_primitive());
            let finish = Finish {
                bias: Some(&bias),
                ..Finish::default()
            };
            let output = convolve(&prepared, &geometry, &input, finish);
            track(
                Conv,
                nodes,
                State {
                    input,
                    weight,
                    geometry,
                },
                output.into_tensor(),
            )
        }
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// Factor and shift of each channel for `factor (sum + bias - mean) + beta`.
pub(super) fn folded(known: RunningNorm, bias: Option<&[f32]>) -> (Vec<f32>, Vec<f32>) {
    let (factor, beta, mean) = affine(known);
    let shift = |channel: usize| {
        let bias = bias.map_or(0.0, |bias| bias[channel]);
        (bias - mean[channel]).mul_add(factor[channel], beta[channel])
    };
    let shift = (0..factor.len()).map(shift).collect();
    (factor, shift)
}

pub(super) fn geometry(
    input: [usize; 4],
    weight: [usize; 4],
    options: &ConvOptions<2>,
) -> Convolution {
    let [batch, channels_in, height, width] = input;
    let [channels_out, group_in, rows, columns] = weight;
    assert_eq!(
        channels_in,
        group_in * options.groups,
        "input {input:?} and weight {weight:?} do not fit"
    );
    Convolution {
        batch,
        input: [height, width],
        kernel: [rows, columns],
        stride: options.stride,
        padding_before: [0, 1].map(|axis| options.padding[axis].0),
        padding_after: [0, 1].map(|axis| options.padding[axis].1),
        dilation: options.dilation,
        channels_in,
        channels_out,
        groups: options.groups,
    }
}

fn convolve(
    weight: &Prepared,
    geometry: &Convolution,
    input: &ChannelsLast,
    finish: Finish,
) -> ChannelsLast {
    let [height, width] = geometry.output();
    ChannelsLast::filled(
        [geometry.batch, geometry.channels_out, height, width],
        |output| weight.forward(geometry, input.values(), finish, output),
    )
}

#[derive(Debug, Clone)]
struct State {
    input: ChannelsLast,
    weight: FlexTensor,
    geometry: Convolution,
}

/// Parents: input, weight, then the bias if there is one.
#[derive(Debug)]
struct Conv;

impl<const N: usize> Backward<Flex, N> for Conv {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = ChannelsLast::of(gradients.consume::<Flex>(&ops.node));
        for (node, of) in ops.parents.into_iter().zip([of_input, of_weight, of_bias]) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, of(&ops.state, &gradient));
            }
        }
    }
}

fn of_input(state: &State, gradient: &ChannelsLast) -> FlexTensor {
    let State {
        input,
        weight,
        geometry,
    } = state;
    let turned = repeated::turned(geometry, weight);
    let values = ChannelsLast::filled(input.dims(), |values| {
        input_gradient_by(
            InstructionSet::in_use(),
            geometry,
            slice(weight),
            &turned,
            gradient.values(),
            values,
        );
    });
    values.into_tensor()
}

fn of_weight(state: &State, gradient: &ChannelsLast) -> FlexTensor {
    let State {
        input,
        weight,
        geometry,
    } = state;
    let write = |values: &mut [f32]| {
        weight_gradient(
            InstructionSet::in_use(),
            geometry,
            input.values(),
            gradient.values(),
            values,
        );
    };
    // SAFETY: the kernels of this crate write their whole output.
    let values = unsafe { filled(geometry.weight_len(), write) };
    contiguous(values, weight.layout().shape().clone())
}

fn of_bias(_: &State, gradient: &ChannelsLast) -> FlexTensor {
    let [_, channels, ..] = gradient.dims();
    let sums = Flex::float_sum_dim(gradient.clone().into_positions(), 0);
    Flex::float_reshape(sums, Shape::new([channels]))
}
