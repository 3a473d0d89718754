//! Convolution.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::ops::FloatTensorOps;
use burn::backend::{Autodiff, Flex};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Bytes, DType, Shape, Tensor};

use super::{ChannelsLast, tracked};
use crate::InstructionSet;
use crate::buffer::filled;
use crate::conv::{Convolution, Finish, forward, input_gradient, weight_gradient};

pub(in crate::ops) fn conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
) -> Tensor<4> {
    let geometry = geometry(input.dims(), weight.dims(), &options);
    if !input.is_autodiff() {
        let cpu = "all tensors of an operation are on one device";
        let input = ChannelsLast::of(input.try_into_primitive::<Flex>().expect(cpu));
        let weight = weight.try_into_primitive::<Flex>().expect(cpu).to_contiguous();
        let bias = bias.map(|bias| bias.try_into_primitive::<Flex>().expect(cpu).to_contiguous());
        let bias = bias.as_ref().map(slice);
        let output = convolve(&geometry, &input, slice(&weight), Finish { bias, ..Finish::default() });
        return Tensor::from_primitive::<Flex>(output.into_tensor());
    }
    let (input, weight) = (tracked(input), tracked(weight));
    let (input_node, weight_node) = (input.node(), weight.node());
    let input = ChannelsLast::of(input.into_primitive());
    let weight = weight.into_primitive().to_contiguous();
    let output = match bias {
        None => {
            let output = convolve(&geometry, &input, slice(&weight), Finish::default()).into_tensor();
            match Conv.prepare::<NoCheckpointing>([input_node, weight_node]).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => prepared.finish((input, weight, geometry), output),
                OpsKind::UnTracked(prepared) => prepared.finish(output),
            }
        }
        Some(bias) => {
            let bias = tracked(bias);
            let nodes = [input_node, weight_node, bias.node()];
            let bias = bias.into_primitive().to_contiguous();
            let finish = Finish { bias: Some(slice(&bias)), ..Finish::default() };
            let output = convolve(&geometry, &input, slice(&weight), finish).into_tensor();
            match BiasedConv.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => prepared.finish((input, weight, geometry), output),
                OpsKind::UnTracked(prepared) => prepared.finish(output),
            }
        }
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

fn geometry(input: [usize; 4], weight: [usize; 4], options: &ConvOptions<2>) -> Convolution {
    let [batch, channels_in, height, width] = input;
    let [channels_out, group_in, rows, columns] = weight;
    assert_eq!(channels_in, group_in * options.groups, "input {input:?} and weight {weight:?} do not fit");
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

fn slice(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("a contiguous tensor is a slice")
}

fn convolve(geometry: &Convolution, input: &ChannelsLast, weight: &[f32], finish: Finish) -> ChannelsLast {
    let [height, width] = geometry.output();
    // SAFETY: the forward pass writes every output.
    let output = unsafe {
        filled(geometry.output_len(), |output| {
            forward(InstructionSet::best(), geometry, input.values(), weight, finish, output);
        })
    };
    ChannelsLast::new(output, [geometry.batch, geometry.channels_out, height, width])
}

/// Input, contiguous weight, shapes.
type State = (ChannelsLast, FlexTensor, Convolution);

#[derive(Debug)]
struct Conv;

impl Backward<Flex, 2> for Conv {
    type State = State;

    fn backward(self, ops: Ops<State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = ChannelsLast::of(gradients.consume::<Flex>(&ops.node));
        let [input, weight] = ops.parents;
        if let Some(node) = weight {
            gradients.register::<Flex>(node.id, of_weight(&ops.state, &gradient));
        }
        if let Some(node) = input {
            gradients.register::<Flex>(node.id, of_input(&ops.state, &gradient));
        }
    }
}

#[derive(Debug)]
struct BiasedConv;

impl Backward<Flex, 3> for BiasedConv {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = ChannelsLast::of(gradients.consume::<Flex>(&ops.node));
        let [input, weight, bias] = ops.parents;
        if let Some(node) = bias {
            gradients.register::<Flex>(node.id, of_bias(&gradient));
        }
        if let Some(node) = weight {
            gradients.register::<Flex>(node.id, of_weight(&ops.state, &gradient));
        }
        if let Some(node) = input {
            gradients.register::<Flex>(node.id, of_input(&ops.state, &gradient));
        }
    }
}

fn of_weight((input, weight, geometry): &State, gradient: &ChannelsLast) -> FlexTensor {
    // SAFETY: every weight's gradient is written.
    let values = unsafe {
        filled(geometry.weight_len(), |values| {
            weight_gradient(InstructionSet::best(), geometry, input.values(), gradient.values(), values);
        })
    };
    let layout = Layout::contiguous(weight.layout().shape().clone());
    FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
}

fn of_input((input, weight, geometry): &State, gradient: &ChannelsLast) -> FlexTensor {
    // SAFETY: every input's gradient is written.
    let values = unsafe {
        filled(geometry.input_len(), |values| {
            input_gradient(InstructionSet::best(), geometry, slice(weight), gradient.values(), values);
        })
    };
    ChannelsLast::new(values, input.dims()).into_tensor()
}

fn of_bias(gradient: &ChannelsLast) -> FlexTensor {
    let [batch, channels, height, width] = gradient.dims();
    let layout = Layout::contiguous(Shape::new([batch * height * width, channels]));
    let sums = Flex::float_sum_dim(gradient.clone().into_tensor().with_layout(layout), 0);
    Flex::float_reshape(sums, Shape::new([channels]))
}
