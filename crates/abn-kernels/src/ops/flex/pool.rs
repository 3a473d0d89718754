//! Pooling.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::tensor::{Shape, Tensor};

use super::spread::spread;
use super::{ChannelsLast, apply, contiguous, vector_of};
use crate::InstructionSet;
use crate::pool::{self, Windows};

fn windows(
    dims: [usize; 4],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Windows {
    let [batch, channels, height, width] = dims;
    Windows {
        batch,
        channels,
        input: [height, width],
        kernel,
        stride,
        padding,
    }
}

fn input_dims(windows: &Windows) -> [usize; 4] {
    let [height, width] = windows.input;
    [windows.batch, windows.channels, height, width]
}

fn output_dims(windows: &Windows) -> [usize; 4] {
    let [height, width] = windows.output();
    [windows.batch, windows.channels, height, width]
}

pub(in crate::ops) fn max_pool2d(
    input: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let windows = windows(input.dims(), kernel, stride, padding);
    // Who asks for no gradients needs no indices.
    let mut indices = vec![
        0;
        if input.is_autodiff() {
            windows.output_len()
        } else {
            0
        }
    ];
    apply(MaxPool, [input], |[input]| {
        let output = ChannelsLast::filled(output_dims(&windows), |output| {
            let asked = (!indices.is_empty()).then_some(&mut indices[..]);
            pool::maximum(
                InstructionSet::in_use(),
                &windows,
                input.values(),
                output,
                asked,
            );
        });
        (output.into_tensor(), (windows, indices))
    })
}

#[derive(Debug)]
struct MaxPool;

impl Backward<Flex, 1> for MaxPool {
    /// The windows, and where in the image each has its maximum.
    type State = (Windows, Vec<i32>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (windows, indices) = &ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            let gradient = ChannelsLast::of(gradient);
            let of_input = ChannelsLast::filled(input_dims(windows), |of_input| {
                let set = InstructionSet::in_use();
                pool::maximum_backward(set, windows, gradient.values(), indices, of_input);
            });
            of_input.into_tensor()
        });
    }
}

pub(in crate::ops) fn avg_pool2d(
    input: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    count_padding: bool,
) -> Tensor<4> {
    let windows = windows(input.dims(), kernel, stride, padding);
    apply(AveragePool, [input], |[input]| {
        let output = ChannelsLast::filled(output_dims(&windows), |output| {
            pool::average(
                InstructionSet::in_use(),
                &windows,
                count_padding,
                input.values(),
                output,
            );
        });
        (output.into_tensor(), (windows, count_padding))
    })
}

#[derive(Debug)]
struct AveragePool;

impl Backward<Flex, 1> for AveragePool {
    /// The windows, and whether their padding counts.
    type State = (Windows, bool);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (windows, count_padding) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            let gradient = ChannelsLast::of(gradient);
            let of_input = ChannelsLast::filled(input_dims(&windows), |of_input| {
                let set = InstructionSet::in_use();
                pool::average_backward(set, &windows, count_padding, gradient.values(), of_input);
            });
            of_input.into_tensor()
        });
    }
}

pub(in crate::ops) fn global_average(input: Tensor<4>) -> Tensor<2> {
    apply(GlobalAverage, [input], |[input]| {
        let dims @ [batch, channels, height, width] = input.dims();
        let means = pool::global_average(
            InstructionSet::in_use(),
            channels,
            height * width,
            input.values(),
        );
        (contiguous(means, Shape::new([batch, channels])), dims)
    })
}

#[derive(Debug)]
struct GlobalAverage;

impl Backward<Flex, 1> for GlobalAverage {
    /// The input's dimensions.
    type State = [usize; 4];

    fn backward(self, ops: Ops<[usize; 4], 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dims @ [.., height, width] = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            let share = 1.0 / (height * width) as f32;
            let shares = vector_of(gradient).into_iter().map(|of| of * share);
            spread(shares.collect(), dims)
        });
    }
}

pub(in crate::ops) fn global_maximum(input: Tensor<4>) -> Tensor<2> {
    apply(GlobalMaximum, [input], |[input]| {
        let dims @ [batch, channels, height, width] = input.dims();
        let (maxima, indices) = pool::global_maximum(
            InstructionSet::in_use(),
            channels,
            height * width,
            input.values(),
        );
        (
            contiguous(maxima, Shape::new([batch, channels])),
            (dims, indices),
        )
    })
}

#[derive(Debug)]
struct GlobalMaximum;

impl Backward<Flex, 1> for GlobalMaximum {
    /// The input's dimensions, and the position of each maximum.
    type State = ([usize; 4], Vec<i32>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (dims @ [_, channels, height, width], indices) = &ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            let gradient = vector_of(gradient);
            let of_input = ChannelsLast::filled(*dims, |of_input| {
                pool::global_maximum_backward(
                    *channels,
                    height * width,
                    &gradient,
                    indices,
                    of_input,
                );
            });
            of_input.into_tensor()
        });
    }
}
