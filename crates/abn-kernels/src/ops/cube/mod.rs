//! The operations on tensors of GPUs.

pub(super) mod descent;
pub(super) mod images;
pub(super) mod norm;
mod rows;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Cube};
use burn::tensor::{DType, Shape, Tensor};
use burn_cubecl::ops::numeric::empty_device_dtype;
use cubecl::prelude::*;
use rows::Rows;

type Plain = FloatTensor<Cube>;
type Tracked = FloatTensor<Autodiff<Cube>>;

/// Whether the kernels take this tensor: single precision on a GPU, without gradient checkpointing.
pub(super) fn serves<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32
        && match tensor.is_autodiff() {
            true => tensor
                .clone()
                .try_into_primitive::<Autodiff<Cube>>()
                .is_ok(),
            false => tensor.clone().try_into_primitive::<Cube>().is_ok(),
        }
}

const ONE_DEVICE: &str = "all tensors of an operation are on one device";

fn tracked<const D: usize>(tensor: Tensor<D>) -> Tracked {
    tensor
        .try_into_primitive::<Autodiff<Cube>>()
        .expect(ONE_DEVICE)
}

fn plain<const D: usize>(tensor: Tensor<D>) -> Plain {
    tensor.try_into_primitive::<Cube>().expect(ONE_DEVICE)
}

/// A tensor of that shape beside another, for a kernel to fill, its last axis side by side.
fn unfilled(beside: &Plain, shape: Shape) -> Plain {
    let (client, device) = (beside.client.clone(), beside.device.clone());
    empty_device_dtype(client, device, shape, beside.dtype)
}

/// A tensor as a kernel takes it.
fn argument(tensor: &Plain) -> TensorArg {
    tensor.clone().into_tensor_arg()
}

/// What addresses every value of these tensors.
fn address<'a>(tensors: impl IntoIterator<Item = &'a Plain>) -> AddressType {
    let widths = tensors.into_iter().map(Plain::required_address_type);
    widths.max().unwrap_or_default()
}
