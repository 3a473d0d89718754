//! The operations on tensors of the CPU backend.

pub(super) mod activation;
mod channels_last;
pub(super) mod conv;
pub(super) mod descent;
pub(super) mod fork;
pub(super) mod gate;
pub(super) mod grow;
pub(super) mod join;
pub(super) mod kept;
pub(super) mod linear;
pub(super) mod norm;
pub(super) mod path;
pub(super) mod pool;
pub(super) mod relu;
pub(super) mod repeated;
mod residual;
pub(super) mod roi_align;
mod spread;

use burn::backend::autodiff::ops::Backward;
use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Bytes, DType, Device, Shape, Tensor};
use channels_last::ChannelsLast;

use super::tracked::track;

type Tracked = FloatTensor<Autodiff<Flex>>;

/// Whether the kernels take this tensor: single precision on the CPU backend, without gradient
/// checkpointing.
pub(super) fn serves<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32
        && tensor.device() == Device::flex()
        && (!tensor.is_autodiff()
            || tensor
                .clone()
                .try_into_primitive::<Autodiff<Flex>>()
                .is_ok())
}

const ONE_DEVICE: &str = "all tensors of an operation are on one device";

fn tracked<const D: usize>(tensor: Tensor<D>) -> Tracked {
    tensor
        .try_into_primitive::<Autodiff<Flex>>()
        .expect(ONE_DEVICE)
}

fn inner<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    tensor.try_into_primitive::<Flex>().expect(ONE_DEVICE)
}

/// An operation on features: `forward` makes the output and what a backward pass needs.
fn apply<O, const N: usize, const D: usize>(
    operation: O,
    inputs: [Tensor<4>; N],
    forward: impl FnOnce([ChannelsLast; N]) -> (FlexTensor, O::State),
) -> Tensor<D>
where
    O: Backward<Flex, N>,
{
    if !inputs.iter().any(Tensor::is_autodiff) {
        let (output, _) = forward(inputs.map(|input| ChannelsLast::of(inner(input))));
        return Tensor::from_primitive::<Flex>(output);
    }
    let inputs = inputs.map(tracked);
    let parents = inputs.each_ref().map(|input| input.node());
    let (output, state) = forward(inputs.map(|input| ChannelsLast::of(input.into_primitive())));
    Tensor::from_primitive::<Autodiff<Flex>>(track(operation, parents, state, output))
}

/// A tensor `[len]`.
fn vector(values: Vec<f32>) -> FlexTensor {
    let shape = Shape::new([values.len()]);
    contiguous(values, shape)
}

/// A tensor whose last axis lies side by side.
fn contiguous(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(shape),
        DType::F32,
    )
}

/// A contiguous matrix that `fill` writes, every value, before anybody reads one.
fn filled(shape: [usize; 2], fill: impl FnOnce(&mut [f32])) -> FlexTensor {
    // SAFETY: the kernels of this crate write their whole output.
    let values = unsafe { crate::buffer::filled(shape.iter().product(), fill) };
    contiguous(values, Shape::new(shape))
}

/// The values of a small tensor.
fn vector_of(tensor: FlexTensor) -> Vec<f32> {
    slice(&tensor.to_contiguous()).to_vec()
}

/// The values of a contiguous tensor.
fn slice(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("a contiguous tensor is a slice")
}
