//! The operations on tensors of the CPU backend.

mod channels_last;
pub(super) mod conv;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Device, Tensor};
use channels_last::ChannelsLast;

type Tracked = FloatTensor<Autodiff<Flex>>;

/// Whether the kernels take this tensor: single precision on the CPU backend, without gradient checkpointing.
pub(super) fn serves<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32
        && tensor.device() == Device::flex()
        && (!tensor.is_autodiff() || tensor.clone().try_into_primitive::<Autodiff<Flex>>().is_ok())
}

fn tracked<const D: usize>(tensor: Tensor<D>) -> Tracked {
    tensor.try_into_primitive::<Autodiff<Flex>>().expect("all tensors of an operation are on one device")
}
